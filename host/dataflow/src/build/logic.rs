//! What an operator does, by its kind.

use std::sync::Arc;

use tidemill_core::guest::OperatorId;
use tidemill_core::key;
use tidemill_core::plan::{Compute as ComputeSpec, Edge, Kind, LATE, Operator, PORT_UNMATCHED, Port, ProcessSpec, WindowSpec};
use tidemill_core::schema::Schema;

use super::Job;
use crate::keyed::key_columns;
use crate::logic::Logic;
use crate::operators::chain::Chain;
use crate::operators::guest_call::GuestCall;
use crate::operators::join::{IntervalJoin, KeyedJoin, SideInput, TemporalJoin, WindowJoin};
use crate::operators::process::{KeyedInput, Process, Shared};
use crate::operators::rolling::Rolling;
use crate::operators::sink::Sink;
use crate::operators::union::Union;
use crate::operators::window::compute::{Compute, GuestCompute, HostCompute};
use crate::operators::window::{WindowOperator, Work};
use crate::report::{Cause, Failure};

impl Job {
    /// The inputs whose records another worker speaks of.
    pub(super) fn mute(&self, id: OperatorId, spec: &Operator, inputs: usize, worker: usize) -> Vec<usize> {
        let Kind::Process(process) = &spec.kind else { return Vec::new() };
        let others = self.shared(id, process, worker).is_some_and(|shared| !shared.is_saved());
        (0..inputs).filter(|&input| others && process.is_broadcast(input)).collect()
    }

    /// A worker's copy of what an operator keeps for all keys.
    fn shared(&self, id: OperatorId, process: &ProcessSpec, worker: usize) -> Option<Shared> {
        let parallelism = self.spec.graph.nodes[id as usize].parallelism.workers;
        process.broadcast.as_ref().map(|broadcast| Shared::new(broadcast.apply, key::groups(worker, parallelism)))
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one operator, known to its caller only")]
    pub(super) fn logic(
        &self,
        id: OperatorId,
        spec: &Operator,
        edges: &[&Edge],
        ports: &[(OperatorId, Port)],
        members: &[OperatorId],
        call: impl Fn() -> GuestCall,
        worker: usize,
    ) -> Box<dyn Logic> {
        let schema = edges[0].schema.clone();
        let output = || spec.outputs.first().map(|o| o.schema.clone()).unwrap_or_default();
        match &spec.kind {
            Kind::Source(_) => unreachable!("sources are built apart"),
            Kind::Map | Kind::Filter | Kind::FlatMap | Kind::KeyBy | Kind::Timestamps(_) => {
                let last = &self.spec.plan.operators[*members.last().unwrap_or(&id) as usize];
                let watermarks = if let Kind::Timestamps(strategy) = last.kind { Some(strategy) } else { None };
                Box::new(Chain::new(call(), schema, watermarks))
            }
            Kind::Process(process) => {
                let input = |e: &&Edge| KeyedInput { key: key_columns(spec, e), schema: e.schema.clone() };
                let shared = self.shared(id, process, worker);
                Box::new(Process::new(call(), edges.iter().map(input).collect(), self.ledger(), shared))
            }
            Kind::Window(window) => {
                let key = key_columns(spec, edges[0]);
                let compute = self.compute(window, &schema, &output(), key.len(), call);
                let late = ports.iter().position(|p| *p == (id, LATE));
                let log = Arc::clone(&self.spec.options.log);
                let work = Work::new(&schema, vec![key], compute, self.ledger());
                Box::new(WindowOperator::new(spec.name.clone(), window, vec![schema], work, vec![late], log))
            }
            Kind::Rolling(rolling) => {
                let key = key_columns(spec, edges[0]);
                Box::new(Rolling::new(key, &rolling.aggregate, &schema, output(), self.ledger()))
            }
            Kind::WindowJoin(_) | Kind::IntervalJoin(_) | Kind::KeyedJoin(_) | Kind::TemporalJoin(_) | Kind::CoGroup(_) => {
                self.joined(id, spec, edges, ports, call)
            }
            Kind::Union => Box::new(Union),
            Kind::Sink(_) => {
                let writers = self.spec.graph.nodes[id as usize].parallelism.workers;
                let writer = if worker < writers { self.spec.sinks[&id].writer(worker, writers).map(Some) } else { Ok(None) };
                let writer = writer.unwrap_or_else(|error| {
                    self.control.fail(Failure { operator: spec.name.clone(), cause: Cause::Connector(error), record: None });
                    None
                });
                Box::new(Sink::new(spec.name.clone(), writer, Arc::clone(&self.control)))
            }
        }
    }

    /// An operator of several inputs with a side for each.
    fn joined(
        &self,
        id: OperatorId,
        spec: &Operator,
        edges: &[&Edge],
        ports: &[(OperatorId, Port)],
        call: impl Fn() -> GuestCall,
    ) -> Box<dyn Logic> {
        let output = spec.outputs.first().map(|o| o.schema.clone()).unwrap_or_default();
        let place = |port: Port| ports.iter().position(|p| *p == (id, port));
        let side = |(index, edge): (usize, &&Edge)| {
            let side = &spec.sides().unwrap_or_default()[index];
            let name = format!("{PORT_UNMATCHED}{}", side.name);
            let unmatched = spec.outputs.iter().position(|o| o.name == name).and_then(|port| place(port as Port));
            SideInput::new(side, edge.schema.clone(), unmatched, place(LATE - index as Port))
        };
        let sides: Vec<SideInput> = edges.iter().enumerate().map(side).collect();
        let windows = |windows: &WindowSpec, compute: Box<dyn Compute>| -> Box<dyn Logic> {
            let inputs: Vec<Schema> = edges.iter().map(|edge| edge.schema.clone()).collect();
            let keys = edges.iter().map(|edge| key_columns(spec, edge)).collect();
            let late = (0..edges.len() as Port).map(|input| place(LATE - input)).collect();
            let work = Work::new(&inputs[0], keys, compute, self.ledger());
            let log = Arc::clone(&self.spec.options.log);
            Box::new(WindowOperator::new(spec.name.clone(), windows, inputs, work, late, log))
        };
        match &spec.kind {
            Kind::IntervalJoin(join) => Box::new(IntervalJoin::new(sides, join.bounds(), &output, self.ledger())),
            Kind::KeyedJoin(_) => Box::new(KeyedJoin::new(sides, &output, self.ledger())),
            Kind::TemporalJoin(_) => Box::new(TemporalJoin::new(sides, &output, self.ledger())),
            Kind::WindowJoin(join) => windows(&join.windows(), Box::new(WindowJoin::new(spec.name.clone(), &join.sides, sides, &output))),
            Kind::CoGroup(group) => {
                let inputs = edges.iter().map(|edge| edge.schema.clone()).collect();
                windows(&group.windows(), Box::new(GuestCompute { call: call(), inputs }))
            }
            _ => unreachable!("only operators with sides are built here"),
        }
    }

    fn compute(&self, window: &WindowSpec, input: &Schema, output: &Schema, keys: usize, call: impl Fn() -> GuestCall) -> Box<dyn Compute> {
        match &window.compute {
            ComputeSpec::Guest => Box::new(GuestCompute { call: call(), inputs: vec![input.clone()] }),
            ComputeSpec::Host(aggregate) => Box::new(HostCompute::new(aggregate, input, output, keys)),
        }
    }
}
