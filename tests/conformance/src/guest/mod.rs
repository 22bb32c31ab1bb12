//! The guest of all cases: it does what `[guest.OPERATOR]` in `case.toml` says, over records as JSON objects.
//!
//! It stands where a component stands, behind the trait that the engine calls, so a case may use every kind of operator without
//! code of its own. `README.md` beside the cases lists what an operator can be told to do.

mod generate;
mod process;
mod stateless;
mod window;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value as Json;
use tidemill_core::TimeMs;
use tidemill_core::block::{Block, Builder, Value};
use tidemill_core::guest::{Asked, ChainId, Decision, Emission, Error, Factory, Failure, Guest, Moment, OperatorId, Outcome, Slot};
use tidemill_core::plan::{Graph, Kind, Plan, Settings};
use tidemill_core::schema::Schema;

use crate::record::{Record, Row, block};

/// What an operator of the guest does. What does not apply to its kind is not looked at.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Behaviour {
    /// Fields that get a constant.
    set: Record,
    /// New fields and the ones they are copies of.
    copy: BTreeMap<String, String>,
    /// Numbers to add to fields.
    add: BTreeMap<String, i64>,
    /// Which records a filter keeps.
    keep: Option<Condition>,
    /// The field that says how many records a flat map makes of one.
    repeat: Option<String>,
    /// The field that holds the event time.
    time: Option<String>,
    /// Which records are refused.
    refuse: Option<Condition>,
    /// The field in which a record tells a process function what to do.
    commands: Option<String>,
    /// What a process function does when a timer fires, by the timer's name.
    on_timer: BTreeMap<String, String>,
    /// What it does for each key when a broadcast record is applied.
    on_broadcast: String,
    /// The field that a window gathers.
    collect: Option<String>,
    /// The field in which a record tells a trigger what to decide.
    trigger: Option<String>,
    /// What a trigger decides when event time has come to what it asked for.
    on_event_time: String,
    /// What it decides when processing time has.
    on_processing_time: String,
    /// The field in which a record tells a generator what to do with watermarks.
    generate: Option<String>,
    /// What the generator is told to do by the clock.
    on_clock: String,
    /// Records that an evictor of the guest keeps.
    keep_last: Option<usize>,
}

/// A test of a record.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Condition {
    field: String,
    equals: Option<Json>,
    at_least: Option<i64>,
}

impl Condition {
    fn holds(&self, record: &Record) -> bool {
        let value = record.get(&self.field).unwrap_or(&Json::Null);
        self.equals.as_ref().is_none_or(|wanted| wanted == value)
            && self.at_least.is_none_or(|least| value.as_i64().is_some_and(|value| value >= least))
    }
}

/// A record on its way through a chain, and the row of the call that it comes from.
#[derive(Clone)]
struct Passing {
    origin: u32,
    row: Row,
}

/// What a call has done so far.
#[derive(Default)]
struct Done {
    outcome: Outcome,
    /// Records for the next member of the chain.
    passed: Vec<Passing>,
    /// Records on other ports: operator, port, row.
    aside: Vec<(OperatorId, u32, Row)>,
}

impl Done {
    fn refuse(&mut self, row: u32, operator: OperatorId, message: &str) {
        self.outcome.failures.push(Failure { row, operator, message: message.to_owned() });
    }
}

/// Makes [`Interpreter`]s.
pub(crate) struct Interpreters {
    plan: Arc<Plan>,
    graph: Arc<Graph>,
    behaviours: Arc<HashMap<OperatorId, Behaviour>>,
}

impl Interpreters {
    pub(crate) fn new(plan: &Plan, behaviours: &BTreeMap<String, Behaviour>) -> Interpreters {
        let of = |(id, name): (OperatorId, &String)| behaviours.get(name).map(|behaviour| (id, behaviour.clone()));
        let behaviours = (0..).zip(plan.operators.iter().map(|o| &o.name)).filter_map(of).collect();
        let graph = Graph::resolve(plan, &Settings::default());
        Interpreters { plan: Arc::new(plan.clone()), graph: Arc::new(graph), behaviours: Arc::new(behaviours) }
    }
}

impl Factory for Interpreters {
    fn instantiate(&self) -> Result<Box<dyn Guest>, Error> {
        Ok(Box::new(Interpreter {
            plan: Arc::clone(&self.plan),
            graph: Arc::clone(&self.graph),
            behaviours: Arc::clone(&self.behaviours),
            chains: HashMap::new(),
            texts: HashMap::new(),
            lists: HashMap::new(),
            kept: HashMap::new(),
        }))
    }
}

/// See the module.
struct Interpreter {
    plan: Arc<Plan>,
    graph: Arc<Graph>,
    behaviours: Arc<HashMap<OperatorId, Behaviour>>,
    chains: HashMap<ChainId, Vec<OperatorId>>,
    /// The state of process functions: a text.
    texts: HashMap<(OperatorId, Slot), String>,
    /// What windows have gathered.
    lists: HashMap<(OperatorId, Slot), Vec<String>>,
    /// What generators of watermarks keep of each split.
    kept: HashMap<(OperatorId, u32), TimeMs>,
}

impl Interpreter {
    fn behaviour(&self, operator: OperatorId) -> Behaviour {
        self.behaviours.get(&operator).cloned().unwrap_or_default()
    }

    fn input(&self, operator: OperatorId, input: u32) -> Schema {
        self.graph.inputs(operator).find(|edge| edge.input == input).map(|edge| edge.schema.clone()).unwrap_or_default()
    }

    /// The schema of the key of an operator, with columns of the host behind it.
    fn key_and(&self, operator: OperatorId, columns: &str) -> Schema {
        let input = self.input(operator, 0);
        let key = self.plan.operators[operator as usize].key(0).unwrap_or_default();
        let mut fields: Vec<_> = key.iter().filter_map(|name| input.index_of(name)).map(|at| input.fields()[at].clone()).collect();
        if !columns.is_empty() {
            let own: Schema = columns.parse().expect("the columns are constants");
            fields.extend(own.fields().iter().cloned());
        }
        Schema::new(fields).expect("a checked plan has no key fields with names of the host's")
    }

    fn broken(&self, export: &'static str, error: &anyhow::Error) -> Error {
        Error::Contract { export, message: format!("{error:#}") }
    }

    /// Passes what the head made through the rest of the chain, and emits.
    fn finish(&self, export: &'static str, chain: ChainId, mut done: Done) -> Result<Outcome, Error> {
        let members = &self.chains[&chain];
        for &member in &members[1..] {
            let behaviour = self.behaviour(member);
            let kind = &self.plan.operators[member as usize].kind;
            for passing in std::mem::take(&mut done.passed) {
                stateless::pass(kind, &behaviour, member, passing, &mut done);
            }
        }
        done.outcome.failures.sort_by_key(|failure| failure.row);
        let last = *members.last().expect("a chain has members");
        let main: Vec<Row> = done.passed.drain(..).map(|passing| passing.row).collect();
        let mut emit = |operator: OperatorId, port: u32, rows: &[Row]| -> anyhow::Result<()> {
            let schema = &self.plan.operators[operator as usize].outputs[port as usize].schema;
            done.outcome.emitted.extend(block(rows, schema)?.map(|block| Emission { operator, port, block }));
            Ok(())
        };
        let result = emit(last, 0, &main)
            .and_then(|()| done.aside.drain(..).try_for_each(|(operator, port, row)| emit(operator, port, std::slice::from_ref(&row))));
        result.map_err(|error| self.broken(export, &error))?;
        Ok(done.outcome)
    }
}

impl Guest for Interpreter {
    fn link(&mut self, chain: ChainId, members: &[OperatorId]) -> Result<(), Error> {
        self.chains.insert(chain, members.to_vec());
        Ok(())
    }

    fn process(&mut self, chain: ChainId, input: u32, at: Moment, block: &Block, rows: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        let head = self.chains[&chain][0];
        let records = crate::record::rows(block, &self.input(head, input));
        let mut done = Done::default();
        match self.plan.operators[head as usize].kind.clone() {
            Kind::Process(spec) => self.run_process(head, &spec, at, (input, records, slots), &mut done)?,
            Kind::Window(_) | Kind::CoGroup(_) => self.gather(head, input, &records, rows, slots),
            kind => {
                let behaviour = self.behaviour(head);
                for (origin, row) in (0..).zip(records) {
                    stateless::pass(&kind, &behaviour, head, Passing { origin, row }, &mut done);
                }
            }
        }
        self.finish("process", chain, done)
    }

    fn on_timer(&mut self, chain: ChainId, at: Moment, block: &Block, slots: &[Slot]) -> Result<Outcome, Error> {
        let head = self.chains[&chain][0];
        let mut done = Done::default();
        let timers = crate::record::rows(block, &self.key_and(head, "$timer:i32"));
        if let Kind::Process(spec) = self.plan.operators[head as usize].kind.clone() {
            self.run_timers(head, &spec, at, (timers, slots), &mut done)?;
        }
        self.finish("on-timer", chain, done)
    }

    fn apply(&mut self, chain: ChainId, _: u32, at: Moment, _: &Block, keys: &Block, slots: &[Slot]) -> Result<Outcome, Error> {
        let head = self.chains[&chain][0];
        let mut done = Done::default();
        let keys = crate::record::rows(keys, &self.key_and(head, ""));
        if let Kind::Process(spec) = self.plan.operators[head as usize].kind.clone() {
            self.run_applied(head, &spec, at, (keys, slots), &mut done)?;
        }
        self.finish("apply", chain, done)
    }

    fn fire(&mut self, chain: ChainId, _: Moment, block: &Block, offsets: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        let head = self.chains[&chain][0];
        let windows = crate::record::rows(block, &self.key_and(head, "$start:i64,$end:i64,$firing:i32"));
        let mut done = Done::default();
        self.close(head, windows, offsets, slots, &mut done);
        self.finish("fire", chain, done)
    }

    fn merge(&mut self, operator: OperatorId, targets: &[Slot], sources: &[Slot]) -> Result<(), Error> {
        for (&target, &source) in targets.iter().zip(sources) {
            let gone = self.lists.remove(&(operator, source)).unwrap_or_default();
            self.lists.entry((operator, target)).or_default().extend(gone);
        }
        Ok(())
    }

    /// The first column has everything; cases declare one of type string, or bytes for a list.
    fn export_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<Block, Error> {
        let schema = self.plan.operators[operator as usize].state_schema();
        let mut builder = Builder::new(&schema);
        for &slot in slots {
            builder.push_time(0);
            let list = self.lists.get(&(operator, slot)).map(|list| serde_json::json!(list).to_string());
            match list.or_else(|| self.texts.get(&(operator, slot)).cloned()) {
                Some(text) => builder.column(0).push_heap(text.as_bytes()),
                None => builder.column(0).push_absent(),
            }
            (1..schema.fields().len()).for_each(|column| builder.column(column).push_absent());
        }
        builder.finish().ok_or_else(|| Error::Contract { export: "export-state", message: "no slot is named".to_owned() })
    }

    fn import_state(&mut self, operator: OperatorId, slots: &[Slot], block: &Block) -> Result<(), Error> {
        let windowed = matches!(self.plan.operators[operator as usize].kind, Kind::Window(_) | Kind::CoGroup(_));
        for (row, &slot) in slots.iter().enumerate() {
            let text = match block.column(0).value(row) {
                Value::String(text) => text,
                Value::Bytes(bytes) => std::str::from_utf8(bytes).map_err(|error| self.broken("import-state", &error.into()))?,
                _ => continue,
            };
            if windowed {
                let list = serde_json::from_str(text).map_err(|error| self.broken("import-state", &error.into()))?;
                self.lists.insert((operator, slot), list);
            } else {
                self.texts.insert((operator, slot), text.to_owned());
            }
        }
        Ok(())
    }

    fn drop_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(), Error> {
        for &slot in slots {
            self.lists.remove(&(operator, slot));
            self.texts.remove(&(operator, slot));
        }
        Ok(())
    }

    fn trigger(&mut self, operator: OperatorId, _: Moment, asked: &Asked<'_>) -> Result<Vec<Decision>, Error> {
        Ok(self.decide(operator, asked))
    }

    fn watermark(&mut self, operator: OperatorId, split: u32, now: TimeMs, block: Option<&Block>) -> Result<Option<TimeMs>, Error> {
        self.generate(operator, split, now, block)
    }

    fn purge(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(), Error> {
        slots.iter().for_each(|&slot| drop(self.lists.remove(&(operator, slot))));
        Ok(())
    }
}
