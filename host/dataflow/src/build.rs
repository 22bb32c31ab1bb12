//! From a resolved plan to timely operators, the same on every worker.
//!
//! A chain of guest operators becomes one operator; a chain that assigns event time right behind a source becomes part
//! of the source. Whatever goes wrong while a worker builds its share is recorded as the job's failure, and the
//! dataflow is built all the same: workers must agree on its shape, and its sources end at once.

mod logic;
mod no_guest;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidemill_core::connect::Reader;
use tidemill_core::guest::{self, ChainId, Guest, OperatorId};
use tidemill_core::key;
use tidemill_core::plan::{DEAD_LETTER, Edge, Kind, LATE, Operator, Partition, Port, stamped_source};
use timely::dataflow::operators::Probe as _;
use timely::dataflow::operators::probe::Handle as Probe;
use timely::dataflow::{Scope, Stream};
use timely::worker::Worker;

pub(crate) use self::no_guest::NoGuest;
use crate::align::Groups;
use crate::barrier::Barrier;
use crate::control::Control;
use crate::harness::{Input, Parts, Tick, operator};
use crate::in_flight::{Lane, Recorder};
use crate::keyed::key_columns;
use crate::ledger::Ledger;
use crate::linger::Linger;
use crate::operators::guest_call::{GuestCall, Instance};
use crate::operators::source::{MakeReader, Prelude, SourceSpec, source};
use crate::operators::watch::{Watch, Watched};
use crate::parcel::Parcel;
use crate::participants::{heads, is_always_aligned, needs_clock, under_way_id};
use crate::report::{Cause, Failure, Report};
use crate::restore::Restored;
use crate::route::Route;
use crate::run::{JobSpec, Mode};
use crate::switcher::{Switcher, Taker};
use crate::switching::Switching;
use crate::ticks::Ticks;

/// How long a worker without work sleeps at most before it looks at the stop switch.
const PARK: Duration = Duration::from_millis(5);

/// Tells the other workers of a panic: timely does not, and they would wait for ever for what this one still holds.
struct Alarm<'a>(&'a Control);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lose_worker();
            self.0.offers.end();
        }
    }
}

/// Runs the job on `graph.workers()` threads.
pub(crate) fn execute(spec: JobSpec, control: &Arc<Control>) -> Result<Report, Failure> {
    let workers = spec.graph.workers();
    let operators = heads(&spec.plan, &spec.graph).len();
    let ticks = Arc::new(Ticks::new(spec.options.tick_ms, operators * workers));
    control.set_ticks(&ticks);
    let mut config = timely::Config::process(workers);
    // Spinning before a park costs more CPU at partial load than it saves in latency.
    config.worker = config.worker.idle_spin(Duration::ZERO);
    let shared = Arc::clone(control);
    let groups = Groups::new(&spec.plan, &spec.graph);
    let run = move |worker: &mut Worker| {
        let job = Job { spec: spec.clone(), control: Arc::clone(&shared), ticks: Arc::clone(&ticks), groups: groups.clone() };
        let _alarm = Alarm(&shared);
        let instance = worker.dataflow::<Tick, _, _>(|scope| job.build(scope));
        let mut taker = Taker::new(instance, worker.index());
        let mut linger = Linger::new(Instant::now());
        while worker.has_dataflows() {
            taker.look(&shared.offers);
            if shared.has_lost_worker() {
                worker.installed_dataflows().into_iter().for_each(|dataflow| worker.drop_dataflow(dataflow));
                return;
            }
            let active = worker.activations().borrow().empty_for() == Some(Duration::ZERO);
            if let Some(rest) = (!active).then(|| linger.idle(Instant::now())).flatten() {
                std::thread::sleep(rest);
            }
            worker.step_or_park(Some(PARK));
        }
        shared.offers.end();
    };
    let engine = |cause: String| Failure { operator: "engine".to_owned(), cause: Cause::Limit(cause), record: None };
    let guards = timely::execute(config, run).map_err(engine)?;
    for result in guards.join() {
        result.map_err(|panic| engine(format!("a worker ended in a panic: {panic}")))?;
    }
    match control.take_failure() {
        Some(failure) => Err(failure),
        None => Ok(Report { snapshot: control.snapshot(), stopped: control.is_stopping() }),
    }
}

/// What one worker needs to build.
struct Job {
    spec: JobSpec,
    control: Arc<Control>,
    ticks: Arc<Ticks>,
    groups: Groups,
}

/// Streams built so far, by operator and port.
type Streams<'s> = HashMap<(OperatorId, Port), Stream<'s, Tick, Parcel>>;

impl Job {
    /// Builds this worker's share; answers its instance of the component.
    fn build(&self, scope: Scope<'_, Tick>) -> Instance {
        let probe = Probe::new();
        let instance = self.instance();
        let mut streams: Streams<'_> = HashMap::new();
        let heads = heads(&self.spec.plan, &self.spec.graph);
        for &id in self.spec.graph.order.iter().filter(|id| heads.contains(id)) {
            let operator = &self.spec.plan.operators[id as usize];
            let built = match &operator.kind {
                Kind::Source(_) => self.source(scope, id, &instance, &probe),
                _ => self.operator(scope, id, &instance, &mut streams),
            };
            for (port, stream) in built {
                let (operator, port_of) = port;
                if self.spec.graph.consumers(operator, port_of).next().is_none() {
                    stream.clone().probe_with(&probe);
                }
                streams.insert(port, stream);
            }
        }
        instance
    }

    /// This worker's instance of the component, with all chains linked.
    fn instance(&self) -> Instance {
        let schemas = || self.spec.plan.operators.iter().map(Operator::state_schema).collect();
        let switching = |guest| Switching::new(guest, Arc::clone(&self.spec.factory), schemas());
        let make = || -> Result<Switching, guest::Error> {
            if self.spec.graph.chains.is_empty() {
                return Ok(switching(Box::new(NoGuest)));
            }
            let mut guest = switching(self.spec.factory.instantiate()?);
            for (id, chain) in self.spec.graph.chains.iter().enumerate() {
                guest.link(id as ChainId, &chain.members)?;
            }
            Ok(guest)
        };
        let guest = make().unwrap_or_else(|error| {
            self.control.fail(Failure { operator: "component".to_owned(), cause: Cause::Guest(Box::new(error)), record: None });
            switching(Box::new(NoGuest))
        });
        Rc::new(RefCell::new(guest))
    }

    /// The records of an operator at which the job has ended before.
    fn watch(&self, id: OperatorId) -> Option<Rc<Watch>> {
        Watch::new(&self.spec.options.watchlist, &self.spec.plan.operators[id as usize].name)
    }

    fn ledger(&self) -> Ledger {
        Ledger::new(self.spec.checkpoints.is_some())
    }

    /// An operator's part in checkpoints on this worker; a source has no lanes.
    fn barrier(&self, id: OperatorId, worker: usize, lanes: &[Lane]) -> Option<Barrier> {
        let checkpoints = self.spec.checkpoints.as_ref()?;
        let parallelism = self.spec.graph.nodes[id as usize].parallelism.workers;
        let aligned = is_always_aligned(&self.spec.plan.operators[id as usize]);
        let mode = if aligned { Mode::Aligned } else { checkpoints.mode };
        let recorder = (checkpoints.under_way && !lanes.is_empty() && !aligned)
            .then(|| Recorder::new(under_way_id(&self.spec.plan, id), worker, key::groups(worker, parallelism), lanes.to_vec()));
        Some(Barrier::new((id, worker), Arc::clone(&self.ticks), Arc::clone(&checkpoints.keeper), mode, recorder))
    }

    /// The inputs of an operator, as what is under way to it is saved.
    fn lanes(&self, id: OperatorId) -> Vec<Lane> {
        let operator = &self.spec.plan.operators[id as usize];
        let key = |edge: &Edge| operator.key(edge.input as usize).map(|_| key_columns(operator, edge));
        self.spec.graph.inputs(id).map(|edge| Lane { schema: edge.schema.clone(), key: key(edge) }).collect()
    }

    /// What an operator begins with on this worker.
    fn restored(&self, id: OperatorId, worker: usize) -> Option<Restored> {
        let saved = self.spec.checkpoints.as_ref()?.saved.as_ref()?;
        let parallelism = self.spec.graph.nodes[id as usize].parallelism.workers;
        Restored::new(saved, &self.spec.plan.operators[id as usize].name, key::groups(worker, parallelism))
    }

    fn source<'s>(
        &self,
        scope: Scope<'s, Tick>,
        id: OperatorId,
        instance: &Instance,
        probe: &Probe<Tick>,
    ) -> Vec<((OperatorId, Port), Stream<'s, Tick, Parcel>)> {
        let (plan, graph, worker) = (&self.spec.plan, &self.spec.graph, scope.index());
        let operator = &plan.operators[id as usize];
        let Kind::Source(kind) = &operator.kind else { return Vec::new() };
        let mut ports: Vec<(OperatorId, Port)> = (0..operator.outputs.len() as Port).map(|port| (id, port)).collect();
        let dead_letters = graph.consumers(id, DEAD_LETTER).next().map(|_| {
            ports.push((id, DEAD_LETTER));
            ports.len() - 1
        });
        let mut chains = graph.chains.iter().map(|c| c.members[0]);
        let prelude =
            chains.find_map(|head| stamped_source(plan, graph, head).filter(|(from, _)| *from == id).map(|(_, port)| (head, port)));
        let (mut watermarks, mut switcher) = (kind.watermarks, None);
        let prelude = prelude.map(|(head, port)| {
            let chain = graph.nodes[head as usize].chain.expect("a chain's head is in a chain");
            let members = graph.chains[chain as usize].members.clone();
            switcher = Some(Switcher::new(instance, &operator.name, members.iter().copied().chain([id]).collect()));
            ports.extend(self.read_ports(&members));
            if let Some(Kind::Timestamps(strategy)) = members.last().map(|&last| &plan.operators[last as usize].kind) {
                watermarks = Some(*strategy);
            }
            let call = GuestCall::new(Arc::clone(plan), Rc::clone(instance), chain, members, ports.clone(), self.watch(head));
            Prelude { call, port: port as usize, schema: operator.outputs[port as usize].schema.clone() }
        });
        let opened = Arc::clone(&self.spec.sources[&id]);
        let spec = SourceSpec {
            name: operator.name.clone(),
            id: id as usize,
            bounded: opened.bounded(),
            outputs: ports.len(),
            dead_letters,
            watermarks,
            prelude,
            switcher,
            clock: needs_clock(&self.spec.plan, &self.spec.graph),
            options: self.spec.options.clone(),
            control: Arc::clone(&self.control),
            ticks: Arc::clone(&self.ticks),
            probe: probe.clone(),
            barrier: self.barrier(id, worker, &[]),
            restored: self.restored(id, worker),
            member: if worker < graph.nodes[id as usize].parallelism.workers { self.groups.member(id, worker) } else { None },
        };
        let (readers, control, name) = (graph.nodes[id as usize].parallelism.workers, Arc::clone(&self.control), operator.name.clone());
        let make: MakeReader = Box::new(move |waker| -> Option<Box<dyn Reader>> {
            if worker >= readers {
                return None;
            }
            opened
                .reader(worker, readers, waker)
                .map_err(|error| control.fail(Failure { operator: name, cause: Cause::Connector(error), record: None }))
                .ok()
        });
        ports.into_iter().zip(source(scope, spec, make)).collect()
    }

    /// The ports of a chain's members that somebody outside the chain reads.
    fn read_ports(&self, members: &[OperatorId]) -> Vec<(OperatorId, Port)> {
        let graph = &self.spec.graph;
        let mut ports = Vec::new();
        for &member in members {
            let declared = self.spec.plan.operators[member as usize].outputs.len() as Port;
            let inputs = self.spec.plan.operators[member as usize].inputs.len() as Port;
            for port in (0..declared).chain((0..inputs.max(1)).map(|input| LATE - input)).chain([DEAD_LETTER]) {
                let outside = |e: &&Edge| !members.contains(&e.to) || port != 0;
                if graph.consumers(member, port).any(|e| outside(&e)) {
                    ports.push((member, port));
                }
            }
        }
        ports
    }

    /// Builds any operator but a source.
    fn operator<'s>(
        &self,
        scope: Scope<'s, Tick>,
        id: OperatorId,
        instance: &Instance,
        streams: &mut Streams<'s>,
    ) -> Vec<((OperatorId, Port), Stream<'s, Tick, Parcel>)> {
        let (plan, graph) = (&self.spec.plan, &self.spec.graph);
        let spec = &plan.operators[id as usize];
        let edges: Vec<&Edge> = graph.inputs(id).collect();
        let chain = graph.nodes[id as usize].chain;
        let members = chain.map_or_else(|| vec![id], |chain| graph.chains[chain as usize].members.clone());
        let mut ports = self.read_ports(&members);
        let host_main = chain.is_none() && !matches!(spec.kind, Kind::Sink(_));
        if host_main && !ports.contains(&(id, 0)) {
            ports.insert(0, (id, 0));
        }
        if ports.is_empty() {
            // Something has to reach the probe.
            ports.push((*members.last().unwrap_or(&id), 0));
        }
        let watch = self.watch(id);
        let call = || {
            let chain = chain.expect("a guest operator is in a chain");
            GuestCall::new(Arc::clone(plan), Rc::clone(instance), chain, members.clone(), ports.clone(), watch.clone())
        };
        let mut logic = self.logic(id, spec, &edges, &ports, &members, call, scope.index());
        if watch.is_some() && chain.is_some() {
            let mute = self.mute(id, spec, edges.len(), scope.index());
            logic = Box::new(Watched::new(logic, call(), edges.iter().map(|edge| edge.schema.clone()).collect(), mute));
        }
        let inputs = edges.iter().map(|edge| self.input(edge, spec, scope, streams)).collect();
        let lanes = self.lanes(id);
        let parts = Parts {
            name: spec.name.clone(),
            id: id as usize,
            inputs,
            outputs: ports.len(),
            control: Arc::clone(&self.control),
            clock: Arc::clone(&self.spec.options.clock),
            clocked: needs_clock(&self.spec.plan, &self.spec.graph),
            logic,
            switcher: chain.map(|_| Switcher::new(instance, &spec.name, members)),
            barrier: self.barrier(id, scope.index(), &lanes),
            restored: self.restored(id, scope.index()),
            lanes,
        };
        ports.into_iter().zip(operator(scope, parts)).collect()
    }

    fn input<'s>(&self, edge: &Edge, spec: &Operator, scope: Scope<'s, Tick>, streams: &Streams<'s>) -> Input<'s> {
        let nodes = &self.spec.graph.nodes;
        let stream = streams[&(edge.from, edge.port)].clone();
        if edge.partition == Partition::Forward || scope.peers() == 1 {
            return Input { stream, route: None };
        }
        let key = match &edge.partition {
            Partition::Custom(field) => edge.schema.index_of(field).into_iter().collect(),
            _ => key_columns(spec, edge),
        };
        let route = Route {
            partition: edge.partition.clone(),
            key,
            schema: edge.schema.clone(),
            parallelism: nodes[edge.to as usize].parallelism.workers,
            upstream: nodes[edge.from as usize].parallelism.workers,
            worker: scope.index(),
        };
        Input { stream, route: Some(route) }
    }
}
