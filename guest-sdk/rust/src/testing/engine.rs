//! The kit's host: runs the operators of a plan one record after the other, in one thread.
//!
//! Operators stand in the plan behind what they read, so that going through them by index is going downstream. A record
//! is carried through all operators before the next is looked at; a watermark is applied to one operator after
//! the other, and what it releases is carried through first.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::aggregate::{self, Acc};
use super::joins::Kept;
use super::keyed::{Place, Slots, Timers};
use super::row::{Row, Value, decode, encode};
use super::windows::{Line, Open, Place as WindowPlace};
use crate::job::Job;
use crate::plan::{self, Assigner, DEAD_LETTER, Domain, Kind, LATE, LATE_SIDE, OnError};
use crate::runtime::{Host, Instance, Level, Moment, Outcome};
use crate::schema::{Column, Schema};

/// The namespace of the slot of what all keys share.
const SHARED: Option<(i64, i64)> = Some((i64::MIN, i64::MIN));

/// The kit's sources have one split.
const SPLIT: u32 = 0;
/// Timers that may fire before time goes on, as with the host.
const ROUNDS_MAX: usize = 1 << 20;
/// Of one key, none of which is of a later time than those before: more than it can have names.
const ROUNDS_AT_ONE_TIME_MAX: usize = 1_000;

/// The inputs of a process function that are not broadcast.
fn spec_keys(kind: &Kind) -> usize {
    if let Kind::Process(spec) = kind { spec.keys.len() } else { 0 }
}

/// What an instance says to its host.
#[derive(Default)]
pub(super) struct Recorder {
    emitted: RefCell<Vec<(u32, u32, Vec<u8>)>>,
    pub(super) log: RefCell<Vec<String>>,
}

impl Host for Recorder {
    fn log(&self, level: Level, operator: u32, message: &str) {
        self.log.borrow_mut().push(format!("{level:?} operator {operator}: {message}"));
    }

    fn emit(&self, operator: u32, port: u32, block: &[u8]) {
        self.emitted.borrow_mut().push((operator, port, block.to_vec()));
    }

    fn report_failure(&self, operator: u32, row: u32, message: &str) {
        self.log.borrow_mut().push(format!("operator {operator} fails at row {row}: {message}"));
    }
}

/// What the host keeps of one operator.
#[derive(Default)]
pub(super) struct Keeping {
    pub(super) slots: Slots,
    pub(super) timers: Timers,
    rolling: BTreeMap<Vec<Value>, Acc>,
    /// Open windows.
    pub(super) windows: BTreeMap<WindowPlace, Open>,
    /// Records of windows that count them, by key.
    pub(super) lines: BTreeMap<Vec<Value>, Line>,
    /// Records of joins.
    pub(super) joined: Kept,
    /// When its generator of watermarks was asked last.
    asked: i64,
}

/// A running job.
pub(super) struct Engine {
    pub(super) instance: Instance,
    pub(super) host: Rc<Recorder>,
    pub(super) keeping: Vec<Keeping>,
    /// The chain that each guest operator is the head of; other members have none.
    heads: Vec<bool>,
    /// The operator at the end of the chain of each head.
    pub(super) watermarks: Vec<i64>,
    pub(super) now: i64,
    /// What left each port.
    pub(super) collected: BTreeMap<(usize, String), Vec<Row>>,
    pub(super) refused: Vec<String>,
    /// Only this operator runs.
    only: Option<usize>,
}

impl Engine {
    pub(super) fn start(
        job: impl FnOnce(&mut Job) -> crate::Result<()>,
        arguments: &[(String, String)],
        only: Option<&str>,
    ) -> Result<Engine, String> {
        let host = Rc::new(Recorder::default());
        let (instance, _) = Instance::plan(job, arguments, host.clone())?;
        let nodes = &instance.graph().nodes;
        let of_days =
            nodes.iter().find(|node| matches!(&node.plan.kind, Kind::Window(window) if matches!(window.assigner, Assigner::Days { .. })));
        if let Some(node) = of_days {
            return Err(format!(
                "the test kit knows no time zones, which window {:?} needs: run the job with `tidemill test`",
                node.plan.name
            ));
        }
        let only = only.map(|name| {
            let found = nodes.iter().position(|node| node.plan.name == name);
            found.unwrap_or_else(|| panic!("the job has no operator {name:?}"))
        });
        let mut engine = Engine {
            host,
            keeping: nodes.iter().map(|_| Keeping::default()).collect(),
            heads: vec![false; nodes.len()],
            watermarks: vec![i64::MIN; nodes.len()],
            now: 0,
            collected: BTreeMap::new(),
            refused: Vec::new(),
            only,
            instance,
        };
        engine.link();
        Ok(engine)
    }

    /// Links chains by the host's rule: a stateless operator joins the one before it, if it is its only reader.
    fn link(&mut self) {
        let mut chains: Vec<Vec<u32>> = Vec::new();
        for id in 0..self.keeping.len() {
            if self.instance.graph().nodes[id].guest.is_none() {
                continue;
            }
            let before = self.fuses_behind(id).and_then(|from| chains.iter_mut().find(|chain| chain.last() == Some(&(from as u32))));
            match before.filter(|_| self.only.is_none()) {
                Some(chain) => chain.push(id as u32),
                None => {
                    self.heads[id] = true;
                    chains.push(vec![id as u32]);
                }
            }
        }
        chains.iter().for_each(|members| self.instance.link(members[0], members));
    }

    fn fuses_behind(&self, id: usize) -> Option<usize> {
        let plan = self.plan(id);
        let [input] = plan.inputs.as_slice() else { return None };
        let from = self.find(&input.from);
        let readers = self.readers(from, plan::MAIN).len();
        let stateless = matches!(plan.kind, Kind::Map | Kind::Filter | Kind::FlatMap | Kind::KeyBy | Kind::Timestamps(_));
        let behind = self.instance.graph().nodes[from].guest.is_some() && !matches!(self.plan(from).kind, Kind::Timestamps(_));
        (stateless && behind && input.port == plan::MAIN && input.partition == plan::Partition::Forward && readers == 1).then_some(from)
    }

    pub(super) fn plan(&self, id: usize) -> &plan::Operator {
        &self.instance.graph().nodes[id].plan
    }

    pub(super) fn find(&self, name: &str) -> usize {
        let found = self.instance.graph().nodes.iter().position(|node| node.plan.name == name);
        found.unwrap_or_else(|| panic!("the job has no operator {name:?}"))
    }

    pub(super) fn operators(&self) -> usize {
        self.keeping.len()
    }

    /// The operators and inputs that read a port.
    fn readers(&self, from: usize, port: &str) -> Vec<(usize, usize)> {
        let name = &self.plan(from).name;
        let inputs =
            (0..self.operators()).flat_map(|id| self.plan(id).inputs.iter().enumerate().map(move |(input, spec)| (id, input, spec)));
        inputs.filter(|(_, _, spec)| spec.from == *name && spec.port == port).map(|(id, input, _)| (id, input)).collect()
    }

    /// The schema of a port.
    pub(super) fn schema(&self, id: usize, port: &str) -> Schema {
        let side = port.strip_prefix(LATE_SIDE).and_then(|name| self.plan(id).kind.sides().iter().position(|side| side.name == name));
        match port {
            _ if side.is_some() => self.input_schema(id, side.unwrap_or_default()),
            LATE => self.input_schema(id, 0),
            DEAD_LETTER => Schema::of::<crate::record::DeadLetter>(),
            _ => {
                let output = self.plan(id).outputs.iter().find(|output| output.name == port);
                output.unwrap_or_else(|| panic!("operator {:?} has no output {port:?}", self.plan(id).name)).schema.clone()
            }
        }
    }

    pub(super) fn input_schema(&self, id: usize, input: usize) -> Schema {
        let spec = &self.plan(id).inputs[input];
        self.schema(self.find(&spec.from), &spec.port)
    }

    /// Hands rows that left a port to its readers.
    pub(super) fn carry(&mut self, from: usize, port: &str, rows: Vec<Row>) {
        if rows.is_empty() {
            return;
        }
        if self.only.is_none_or(|only| only == from) {
            self.collected.entry((from, port.to_owned())).or_default().extend(rows.iter().cloned());
        }
        for (to, input) in self.readers(from, port) {
            if self.only.is_none() {
                self.accept(to, input, rows.clone());
            }
        }
    }

    /// Gives rows to an input of an operator.
    pub(super) fn accept(&mut self, id: usize, input: usize, rows: Vec<Row>) {
        match &self.plan(id).kind {
            Kind::Source(_) => panic!("{:?} is a source: it has no input", self.plan(id).name),
            Kind::Sink(_) => self.collected.entry((id, plan::MAIN.to_owned())).or_default().extend(rows),
            Kind::Union => self.carry(id, plan::MAIN, rows),
            Kind::Rolling(_) => self.roll(id, &rows),
            Kind::Window(_) | Kind::WindowJoin(_) | Kind::CoGroup(_) => rows.into_iter().for_each(|row| self.window(id, input, row)),
            Kind::IntervalJoin(_) | Kind::KeyedJoin(_) | Kind::TemporalJoin(_) => {
                rows.into_iter().for_each(|row| self.join(id, input, row));
            }
            Kind::Process(_) => self.process(id, input, &rows),
            Kind::Map | Kind::Filter | Kind::FlatMap | Kind::KeyBy | Kind::Timestamps(_) => {
                let bytes = encode(&rows, &self.input_schema(id, input));
                let outcome = self.instance.process(id as u32, input as u32, self.at(id), &bytes, &[], &[]);
                self.settle(id, outcome, &rows);
            }
        }
    }

    pub(super) fn at(&self, id: usize) -> Moment {
        Moment { watermark: self.watermarks[id], now: self.now }
    }

    /// Does what a call asked for and carries on what it emitted.
    pub(super) fn settle(&mut self, id: usize, outcome: Outcome, rows: &[Row]) {
        for op in outcome.timers {
            let key = self.keeping[id].slots.key(op.slot);
            self.keeping[id].timers.apply(op, key);
        }
        if !outcome.cleared.is_empty() {
            self.instance.drop_state(id as u32, &outcome.cleared);
            outcome.cleared.iter().for_each(|&slot| self.keeping[id].slots.forget(slot));
        }
        for failure in outcome.failures {
            self.refuse(failure.operator as usize, &failure.message, rows.get(failure.row as usize));
        }
        for (operator, port, bytes) in self.host.emitted.take() {
            let operator = operator as usize;
            let output = &self.plan(operator).outputs[port as usize];
            let (name, rows) = (output.name.clone(), decode(&bytes, &output.schema));
            self.observe(operator, &rows);
            self.carry(operator, &name, rows);
        }
    }

    fn refuse(&mut self, operator: usize, message: &str, row: Option<&Row>) {
        let plan = self.plan(operator);
        let (name, policy) = (plan.name.clone(), plan.on_error);
        assert!(policy != OnError::Fail || self.only.is_some(), "operator {name:?} refused a record and the job fails: {message}");
        self.refused.push(message.to_owned());
        if policy == OnError::DeadLetter {
            let record = row.map(|row| format!("{:?}", row.values)).unwrap_or_default();
            let letter = crate::record::DeadLetter { operator: name, place: "test".to_owned(), reason: message.to_owned(), record };
            let time = row.map_or(i64::MIN, |row| row.time);
            self.carry(operator, DEAD_LETTER, vec![super::row::row_of(&letter, time)]);
        }
    }

    /// Watermarks are made behind an operator that gives event times.
    fn observe(&mut self, id: usize, rows: &[Row]) {
        if let (Kind::Timestamps(watermarks), None) = (&self.plan(id).kind, self.only) {
            let watermark = match *watermarks {
                plan::Watermarks::Guest { .. } => {
                    let bytes = encode(rows, &self.schema(id, plan::MAIN));
                    self.instance.watermark(id as u32, SPLIT, self.now, &bytes)
                }
                watermarks => rows.iter().map(|row| watermark(watermarks, row.time)).max(),
            };
            self.watermarks[id] = self.watermarks[id].max(watermark.unwrap_or(i64::MIN));
        }
    }

    /// Asks the generators of watermarks that are due by the clock.
    fn ask_by_clock(&mut self) {
        let operators = if self.only.is_none() { self.operators() } else { 0 };
        for id in 0..operators {
            let Kind::Timestamps(plan::Watermarks::Guest { every_ms: Some(every) }) = self.plan(id).kind else { continue };
            if self.now.saturating_sub(self.keeping[id].asked) >= every {
                self.keeping[id].asked = self.now;
                if let Some(watermark) = self.instance.watermark(id as u32, SPLIT, self.now, &[]) {
                    self.watermark(id, watermark);
                }
            }
        }
    }

    pub(super) fn key(&self, names: &[String], schema: &Schema, row: &Row) -> Vec<Value> {
        names.iter().map(|name| row.values[index(schema, name)].clone()).collect()
    }

    fn process(&mut self, id: usize, input: usize, rows: &[Row]) {
        let schema = self.input_schema(id, input);
        let Kind::Process(spec) = &self.plan(id).kind else { return };
        let (names, applies) = (spec.keys.get(input).cloned(), spec.broadcast.as_ref().is_some_and(|broadcast| broadcast.apply));
        let shared = self.shared_slot(id);
        let names = names.filter(|names| shared.is_none() || !names.is_empty());
        let is_broadcast = input >= spec_keys(&self.plan(id).kind);
        let place = |names: &Vec<String>, row: &Row| -> Place { (self.key(names, &schema, row), None) };
        let places: Vec<Place> = names.iter().flat_map(|names| rows.iter().map(move |row| place(names, row))).collect();
        let mut slots: Vec<u32> = places.iter().map(|place| self.keeping[id].slots.slot(place)).collect();
        slots.extend(shared);
        let outcome = self.instance.process(id as u32, input as u32, self.at(id), &encode(rows, &schema), &[], &slots);
        let own = outcome.failures.iter().filter(|failure| failure.operator as usize == id);
        let refused: Vec<usize> = own.map(|failure| failure.row as usize).collect();
        self.settle(id, outcome, rows);
        if is_broadcast && applies {
            let applied = rows.iter().enumerate().filter(|(at, _)| !refused.contains(at));
            applied.for_each(|(_, row)| self.apply(id, input, row));
        }
        self.fire_timers(id);
    }

    /// The slot of what all keys share, where there is any.
    fn shared_slot(&mut self, id: usize) -> Option<u32> {
        let Kind::Process(plan::Process { broadcast: Some(_), .. }) = &self.plan(id).kind else { return None };
        Some(self.keeping[id].slots.slot(&(Vec::new(), SHARED)))
    }

    /// Applies a broadcast row to every key.
    fn apply(&mut self, id: usize, input: usize, row: &Row) {
        let (schema, shared) = (self.input_schema(id, input), self.shared_slot(id));
        let columns = self.key_columns(id);
        for slot in self.keeping[id].slots.all().into_iter().filter(|slot| Some(*slot) != shared) {
            let key = Row { time: row.time, values: self.keeping[id].slots.key(slot) };
            let slots: Vec<u32> = [slot].into_iter().chain(shared).collect();
            let record = encode(std::slice::from_ref(row), &schema);
            let outcome = self.instance.apply(id as u32, self.at(id), &record, &encode(&[key], &columns), &slots);
            self.settle(id, outcome, std::slice::from_ref(row));
        }
    }

    /// The columns of the key of a process function.
    fn key_columns(&self, id: usize) -> Schema {
        let Kind::Process(spec) = &self.plan(id).kind else { return Schema::default() };
        let schema = self.input_schema(id, 0);
        Schema { columns: spec.keys[0].iter().map(|name| schema.columns[index(&schema, name)].clone()).collect() }
    }

    fn fire_timers(&mut self, id: usize) {
        let Kind::Process(spec) = &self.plan(id).kind else { return };
        let domains: Vec<Domain> = spec.timers.iter().map(|timer| timer.domain).collect();
        let schema = self.key_columns(id).with([Column::of::<i32>("timer")]);
        let (watermark, now) = (self.watermarks[id], self.now);
        let limit = |timer: u32| if domains[timer as usize] == Domain::Event { watermark } else { now };
        let mut fired = BTreeMap::<Vec<Value>, (i64, usize, usize)>::new();
        while let Some((time, timer, key)) = self.keeping[id].timers.due(limit) {
            let (last, at_last, rounds) = fired.entry(key.clone()).or_insert((time, 0, 0));
            (*last, *at_last) = if time > *last { (time, 1) } else { (*last, *at_last + 1) };
            *rounds += 1;
            assert!(
                *at_last <= ROUNDS_AT_ONE_TIME_MAX && *rounds <= ROUNDS_MAX,
                "process {:?}: timers were still due after {rounds} rounds, at {time}: a timer function sets its own timer again",
                self.plan(id).name
            );
            let slot = self.keeping[id].slots.slot(&(key.clone(), None));
            let row = Row { time, values: key.into_iter().chain([Value::I32(timer as i32)]).collect() };
            let rows = [row];
            let slots: Vec<u32> = [slot].into_iter().chain(self.shared_slot(id)).collect();
            let outcome = self.instance.on_timer(id as u32, self.at(id), &encode(&rows, &schema), &slots);
            self.settle(id, outcome, &rows);
        }
    }

    fn roll(&mut self, id: usize, rows: &[Row]) {
        let schema = self.input_schema(id, 0);
        let Kind::Rolling(spec) = &self.plan(id).kind else { return };
        let (names, kind) = (spec.key.clone(), spec.aggregate.clone());
        let column = aggregate::field(&kind).map_or(usize::MAX, |field| index(&schema, field));
        for row in rows {
            let key = self.key(&names, &schema, row);
            let acc = self.keeping[id].rolling.entry(key.clone()).or_default();
            acc.add(&kind, column, row);
            let result = acc.result(&kind);
            let values = if aggregate::is_record(&kind) { result } else { key.into_iter().chain(result).collect() };
            self.carry(id, plan::MAIN, vec![Row { time: row.time, values }]);
        }
    }

    pub(super) fn is_guest(&self, id: usize) -> bool {
        self.instance.graph().nodes[id].guest.is_some()
    }

    /// Raises an operator's watermark and, unless it runs alone, that of all behind it.
    pub(super) fn watermark(&mut self, id: usize, watermark: i64) {
        self.watermarks[id] = self.watermarks[id].max(watermark);
        self.release(id);
        self.spread();
    }

    /// Brings every operator's watermark to the least of its inputs'.
    pub(super) fn spread(&mut self) {
        if self.only.is_some() {
            return;
        }
        for id in 0..self.operators() {
            let inputs = self.plan(id).inputs.iter().map(|input| self.watermarks[self.find(&input.from)]);
            let Some(least) = inputs.min() else { continue };
            let ended = least == i64::MAX;
            if matches!(self.plan(id).kind, Kind::Timestamps(_)) && !ended {
                continue;
            }
            if least > self.watermarks[id] {
                self.watermarks[id] = least;
                self.release(id);
            }
        }
    }

    /// Sets the clock.
    pub(super) fn set_now(&mut self, now: i64) {
        self.now = self.now.max(now);
        (0..self.operators()).for_each(|id| self.release(id));
        self.ask_by_clock();
    }

    fn release(&mut self, id: usize) {
        self.fire_timers(id);
        self.close_windows(id);
        self.release_joins(id);
    }

    /// The timers of an operator: name and time.
    pub(super) fn timers(&self, id: usize) -> Vec<(String, i64)> {
        let Kind::Process(spec) = &self.plan(id).kind else { return Vec::new() };
        self.keeping[id].timers.all().map(|(timer, time)| (spec.timers[timer as usize].name.clone(), time)).collect()
    }

    /// Exports the state of an operator, drops it and loads it again: what a restart does.
    pub(super) fn restart(&mut self, id: usize) {
        if matches!(self.plan(id).kind, Kind::Timestamps(_)) {
            self.instance.forget_splits(id as u32);
        }
        if !self.is_guest(id) || !matches!(self.plan(id).kind, Kind::Process(_) | Kind::Window(_) | Kind::CoGroup(_)) {
            return;
        }
        let slots = self.keeping[id].slots.all();
        let bytes = self.instance.export_state(id as u32, &slots).to_vec();
        self.instance.drop_state(id as u32, &slots);
        self.instance.import_state(id as u32, &slots, &bytes).unwrap_or_else(|error| panic!("state does not survive a restart: {error}"));
        assert_eq!(bytes, self.instance.export_state(id as u32, &slots), "state that was restored is exported as it was");
    }
}

/// The watermark that follows from an event time.
pub(super) fn watermark(watermarks: plan::Watermarks, time: i64) -> i64 {
    match watermarks {
        plan::Watermarks::Monotonic => time.saturating_sub(1),
        plan::Watermarks::Bounded { ms } => time.saturating_sub(ms).saturating_sub(1),
        plan::Watermarks::Guest { .. } => i64::MIN,
    }
}

pub(super) fn index(schema: &Schema, name: &str) -> usize {
    let found = schema.columns.iter().position(|column| column.name == name);
    found.unwrap_or_else(|| panic!("there is no column {name:?} in {schema}"))
}
