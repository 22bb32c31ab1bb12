//! The kit's host: windows, one by one, with their triggers.

use super::aggregate::{self, Acc};
use super::engine::{Engine, index};
use super::row::{Row, Value, encode};
use super::trigger::{At, Memory, NEVER};
use super::window;
use crate::plan::{self, Assigner, Compute, Domain, Kind, LATE, LATE_SIDE, Trigger};
use crate::schema::{Column, Schema};
use crate::trigger::{Action, Decision, Event};

/// End, start and key of a window.
pub(super) type Place = (i64, i64, Vec<Value>);

/// An open window.
#[derive(Clone, Default)]
pub(super) struct Open {
    fired: i32,
    contents: Contents,
    filled: bool,
    fresh: bool,
    memory: Memory,
    /// When the job's trigger wants to be asked, in event and in processing time.
    asked: Option<[i64; 2]>,
}

/// What the host computes of a window: an aggregate, or the records of each input of a join.
#[derive(Clone, Default)]
struct Contents {
    acc: Acc,
    rows: Vec<(usize, Row)>,
}

/// The records of a key in windows that count them, with their inputs.
#[derive(Clone, Default)]
pub(super) struct Line {
    rows: Vec<(usize, Row)>,
    since: u64,
    due: Option<i64>,
}

/// The trigger of a window that says nothing of one.
fn usual() -> Trigger {
    Trigger::Any(vec![Trigger::AtWatermark, Trigger::LateEach])
}

/// The windows of an operator of several inputs.
fn several(
    sides: &[plan::Side],
    assigner: &Assigner,
    domain: Domain,
    lateness_ms: i64,
    trigger: Option<plan::TriggerSpec>,
) -> plan::Window {
    let key = sides[0].key.clone();
    plan::Window {
        key,
        assigner: assigner.clone(),
        domain,
        lateness_ms,
        trigger,
        evictor: None,
        compute: Compute::Guest,
        state: Vec::new(),
    }
}

impl Engine {
    fn spec(&self, id: usize) -> Option<plan::Window> {
        match &self.plan(id).kind {
            Kind::Window(spec) => Some(spec.clone()),
            Kind::WindowJoin(join) => Some(several(&join.sides, &join.assigner, join.domain, join.lateness_ms, None)),
            Kind::CoGroup(group) => {
                let trigger = group.trigger.clone();
                Some(several(&group.sides, &group.assigner, group.domain, group.lateness_ms, trigger))
            }
            _ => None,
        }
    }

    /// Gives a row to a window operator.
    pub(super) fn window(&mut self, id: usize, input: usize, row: Row) {
        let Some(spec) = self.spec(id) else { return };
        let schema = self.input_schema(id, input);
        let side = self.plan(id).kind.sides().get(input).cloned();
        let key = self.key(side.as_ref().map_or(&spec.key, |side| &side.key), &schema, &row);
        if let Assigner::Count { .. } = spec.assigner {
            return self.count(id, &spec, key, (input, row));
        }
        let (time, clock) = match spec.domain {
            Domain::Event => (row.time, self.watermarks[id]),
            Domain::Processing => (self.now, self.now),
        };
        let gap = match &spec.assigner {
            Assigner::SessionBy { field } => match row.values[index(&schema, field)] {
                Value::I64(gap) => Some(gap),
                _ => None,
            },
            _ => None,
        };
        let merges = window::merges(&spec.assigner);
        let mut open = window::assign(&spec.assigner, time, gap);
        if merges {
            open = open.into_iter().map(|window| self.cover(id, &key, window)).collect();
        }
        let before = open.len();
        open.retain(|w| {
            spec.domain == Domain::Processing || spec.assigner == Assigner::Global || window::cleanup(*w, spec.lateness_ms) > clock
        });
        if open.is_empty() && before > 0 {
            let port = side.map_or_else(|| LATE.to_owned(), |side| format!("{LATE_SIDE}{}", side.name));
            return self.carry(id, &port, vec![row]);
        }
        open.reverse();
        for window in open {
            let place = (window.1, window.0, key.clone());
            self.open(id, &spec, &place);
            if merges {
                self.merge_sessions(id, &spec, &place);
            }
            self.add_to_window(id, &spec, &place, (input, &row), time);
        }
    }

    fn open(&mut self, id: usize, spec: &plan::Window, place: &Place) {
        let when = spec.trigger.as_ref().map_or_else(usual, |trigger| trigger.when.clone());
        let asked = (when == Trigger::Guest).then_some([NEVER; 2]);
        let new = || Open { memory: Memory::new(&when), asked, ..Open::default() };
        self.keeping[id].windows.entry(place.clone()).or_insert_with(new);
    }

    fn moment(&self, id: usize, spec: &plan::Window, place: &Place) -> At {
        let fresh = self.keeping[id].windows.get(place).is_some_and(|open| open.fresh);
        At { end: place.0, domain: spec.domain, watermark: self.watermarks[id], now: self.now, fresh }
    }

    /// The session that a new one grows into with those that it touches.
    fn cover(&self, id: usize, key: &[Value], mut window: (i64, i64)) -> (i64, i64) {
        loop {
            let open = self.keeping[id].windows.keys().filter(|(_, _, k)| k == key).map(|(end, start, _)| (*start, *end));
            let grown = open.filter(|other| window::touch(window, *other)).fold(window, |a, b| (a.0.min(b.0), a.1.max(b.1)));
            if grown == window {
                return window;
            }
            window = grown;
        }
    }

    /// Merges the sessions inside of a window into it.
    fn merge_sessions(&mut self, id: usize, spec: &plan::Window, place: &Place) {
        let guest = self.is_guest(id);
        let window = (place.1, place.0);
        let inside = |(end, start, k): &&Place| *k == place.2 && window::touch(window, (*start, *end)) && (*start, *end) != window;
        let parts: Vec<_> = self.keeping[id].windows.keys().filter(inside).cloned().collect();
        let when = spec.trigger.as_ref().map_or_else(usual, |trigger| trigger.when.clone());
        let at = self.moment(id, spec, place);
        for part_place in parts {
            let part = self.keeping[id].windows.remove(&part_place).unwrap_or_default();
            let aggregate = self.aggregate(id);
            let whole = self.keeping[id].windows.entry(place.clone()).or_default();
            if let Some(aggregate) = aggregate {
                whole.contents.acc.merge(&aggregate, part.contents.acc);
            }
            whole.contents.rows.extend(part.contents.rows);
            whole.memory.merge(&when, &part.memory, at);
            whole.fired = whole.fired.max(part.fired);
            (whole.filled, whole.fresh) = (whole.filled || part.filled, whole.fresh || part.fresh);
            if let (Some(whole), Some(part)) = (&mut whole.asked, part.asked) {
                *whole = [whole[0].min(part[0]), whole[1].min(part[1])];
            }
            if guest {
                let (end, start, key) = part_place;
                let source = self.keeping[id].slots.slot(&(key.clone(), Some((start, end))));
                let target = self.keeping[id].slots.slot(&(key, Some(window)));
                self.instance.merge(id as u32, &[target], &[source]);
                self.instance.drop_state(id as u32, &[source]);
                self.keeping[id].slots.forget(source);
            }
        }
    }

    fn add_to_window(&mut self, id: usize, spec: &plan::Window, place: &Place, (input, row): (usize, &Row), time: i64) {
        let decision = self.ask(id, spec, place, Event::Record, time, Some(row));
        let schema = self.input_schema(id, input);
        let (aggregate, guest) = (self.aggregate(id), self.is_guest(id));
        let open = self.keeping[id].windows.entry(place.clone()).or_default();
        (open.filled, open.fresh) = (true, true);
        if let Some(aggregate) = aggregate {
            let column = aggregate::field(&aggregate).map_or(usize::MAX, |field| index(&schema, field));
            open.contents.acc.add(&aggregate, column, row);
        } else if !guest {
            open.contents.rows.push((input, row.clone()));
        } else {
            let slot = self.slot(id, place);
            let rows = std::slice::from_ref(row);
            let outcome = self.instance.process(id as u32, input as u32, self.at(id), &encode(rows, &schema), &[0], &[slot]);
            self.settle(id, outcome, rows);
        }
        match decision {
            Some(decision) => self.follow(id, spec, place, decision, time),
            None => self.step(id, spec, place, Some(time), time),
        }
    }

    fn slot(&mut self, id: usize, place: &Place) -> u32 {
        self.keeping[id].slots.slot(&(place.2.clone(), Some((place.1, place.0))))
    }

    /// Tells a declared trigger what happened.
    fn step(&mut self, id: usize, spec: &plan::Window, place: &Place, record: Option<i64>, time: i64) {
        let when = spec.trigger.as_ref().map_or_else(usual, |trigger| trigger.when.clone());
        let at = self.moment(id, spec, place);
        let Some(open) = self.keeping[id].windows.get_mut(place) else { return };
        if open.memory.step(&when, at, record) {
            self.fire(id, spec, place, time);
            if spec.trigger.as_ref().is_some_and(|trigger| trigger.purge) {
                self.purge(id, place, false);
            }
        }
    }

    /// Asks the job's trigger, where it has one.
    fn ask(&mut self, id: usize, spec: &plan::Window, place: &Place, event: Event, time: i64, record: Option<&Row>) -> Option<Decision> {
        let open = self.keeping[id].windows.get(place).filter(|open| open.asked.is_some())?.clone();
        let slot = self.slot(id, place);
        let (windows, schema) = self.described(id, spec, place, open.fired, time);
        let records = record.map(|row| encode(std::slice::from_ref(row), &self.input_schema(id, 0))).unwrap_or_default();
        let (at, windows) = (self.at(id), encode(&[windows], &schema));
        self.instance.trigger(id as u32, event, at, &windows, &[slot], &records, &[0]).pop()
    }

    fn follow(&mut self, id: usize, spec: &plan::Window, place: &Place, decision: Decision, time: i64) {
        if let Some(open) = self.keeping[id].windows.get_mut(place)
            && let Some(asked) = &mut open.asked
        {
            asked.iter_mut().zip(decision.asked).for_each(|(asked, new)| *asked = new.unwrap_or(*asked));
        }
        if matches!(decision.action, Action::Fire | Action::FireAndPurge) {
            self.fire(id, spec, place, time);
        }
        if matches!(decision.action, Action::Purge | Action::FireAndPurge) {
            self.purge(id, place, true);
        }
    }

    fn purge(&mut self, id: usize, place: &Place, keeps_trigger: bool) {
        let Some(open) = self.keeping[id].windows.get_mut(place) else { return };
        (open.filled, open.fresh, open.contents) = (false, false, Contents::default());
        if self.is_guest(id) {
            let slot = self.slot(id, place);
            if keeps_trigger { self.instance.purge(id as u32, &[slot]) } else { self.instance.drop_state(id as u32, &[slot]) }
        }
    }

    /// What a window's host computes.
    fn aggregate(&self, id: usize) -> Option<plan::Aggregate> {
        match &self.plan(id).kind {
            Kind::Window(plan::Window { compute: Compute::Host(aggregate), .. }) => Some(aggregate.clone()),
            _ => None,
        }
    }

    /// A window as the row that `fire` and `trigger` are given, and its schema.
    fn described(&self, id: usize, spec: &plan::Window, place: &Place, fired: i32, time: i64) -> (Row, Schema) {
        let input = self.input_schema(id, 0);
        let columns = spec.key.iter().map(|name| input.columns[index(&input, name)].clone()).collect();
        let schema = Schema { columns }.with([Column::of::<i64>("start"), Column::of::<i64>("end"), Column::of::<i32>("firing")]);
        let bounds = [Value::I64(place.1), Value::I64(place.0), Value::I32(fired)];
        (Row { time, values: place.2.iter().cloned().chain(bounds).collect() }, schema)
    }

    fn fire(&mut self, id: usize, spec: &plan::Window, place: &Place, time: i64) {
        let when = spec.trigger.as_ref().map_or_else(usual, |trigger| trigger.when.clone());
        let Some(open) = self.keeping[id].windows.get_mut(place) else { return };
        open.memory.fired(&when);
        open.fresh = false;
        if !open.filled {
            return;
        }
        let (firing, contents) = (open.fired, open.contents.clone());
        open.fired += 1;
        let time = if spec.assigner == Assigner::Global { time } else { place.0 - 1 };
        self.emit_window(id, spec, place, (firing, time), &contents);
    }

    fn emit_window(&mut self, id: usize, spec: &plan::Window, place: &Place, (firing, time): (i32, i64), contents: &Contents) {
        if matches!(self.plan(id).kind, Kind::WindowJoin(_)) {
            return self.join_window(id, [place.1, place.0], time, &contents.rows);
        }
        if let Some(aggregate) = self.aggregate(id) {
            let (end, start, key) = place.clone();
            let head = if aggregate::is_record(&aggregate) { Vec::new() } else { key };
            let bounds = [Value::I64(start), Value::I64(end)];
            let values = head.into_iter().chain(bounds).chain(contents.acc.result(&aggregate)).collect();
            return self.carry(id, plan::MAIN, vec![Row { time, values }]);
        }
        let slot = self.slot(id, place);
        let (row, schema) = self.described(id, spec, place, firing, time);
        let rows = [row];
        let outcome = self.instance.fire(id as u32, self.at(id), &encode(&rows, &schema), &[0, 1], &[slot]);
        self.settle(id, outcome, &rows);
    }

    /// Comes to everything of a window operator whose time has come, in order, and removes windows that are over.
    pub(super) fn close_windows(&mut self, id: usize) {
        let Some(spec) = self.spec(id) else { return };
        self.cut_short(id, &spec);
        for domain in [Domain::Event, Domain::Processing] {
            let clock = if domain == Domain::Event { self.watermarks[id] } else { self.now };
            while let Some((time, place)) = self.next_due(id, &spec, domain).filter(|(time, _)| *time <= clock) {
                self.come_to(id, &spec, &place, domain, time);
            }
        }
    }

    /// The window that is due first in a domain, and when.
    fn next_due(&self, id: usize, spec: &plan::Window, domain: Domain) -> Option<(i64, Place)> {
        let when = spec.trigger.as_ref().map_or_else(usual, |trigger| trigger.when.clone());
        let due = |place: &Place, open: &Open| {
            let asked = open.asked.map_or(NEVER, |asked| asked[usize::from(domain == Domain::Processing)]);
            let ends = domain == spec.domain && spec.assigner != Assigner::Global;
            let cleanup = if ends { window::cleanup((place.1, place.0), spec.lateness_ms) } else { NEVER };
            open.memory.due(&when, self.moment(id, spec, place), domain).min(asked).min(cleanup)
        };
        let windows = self.keeping[id].windows.iter().map(|(place, open)| (due(place, open), place.clone()));
        windows.filter(|(time, _)| *time != NEVER).min()
    }

    fn come_to(&mut self, id: usize, spec: &plan::Window, place: &Place, domain: Domain, time: i64) {
        let (watermark, now) = (self.watermarks[id], self.now);
        if domain == Domain::Event {
            self.watermarks[id] = time
        } else {
            self.now = time
        }
        let place_of = usize::from(domain == Domain::Processing);
        let asked = self.keeping[id].windows.get_mut(place).and_then(|open| open.asked.as_mut()).filter(|asked| asked[place_of] <= time);
        if let Some(asked) = asked {
            asked[place_of] = NEVER;
            let event = if domain == Domain::Event { Event::EventTime } else { Event::ProcessingTime };
            if let Some(decision) = self.ask(id, spec, place, event, time, None) {
                self.follow(id, spec, place, decision, time);
            }
        }
        self.step(id, spec, place, None, time);
        (self.watermarks[id], self.now) = (watermark, now);
        let ends = domain == spec.domain && spec.assigner != Assigner::Global;
        if ends && window::cleanup((place.1, place.0), spec.lateness_ms) <= time {
            self.keeping[id].windows.remove(place);
            if self.is_guest(id) {
                let slot = self.slot(id, place);
                self.instance.drop_state(id as u32, &[slot]);
                self.keeping[id].slots.forget(slot);
            }
        }
    }

    /// Gives a row to windows that count.
    fn count(&mut self, id: usize, spec: &plan::Window, key: Vec<Value>, row: (usize, Row)) {
        let Assigner::Count { records, slide, or_after } = spec.assigner else { return };
        let time = row.1.time;
        let now = self.now;
        let line = self.keeping[id].lines.entry(key.clone()).or_default();
        line.rows.push(row);
        line.since += 1;
        if let Some(after) = or_after.filter(|_| line.since == 1) {
            line.due = Some(if after.domain == Domain::Event { time } else { now }.saturating_add(after.ms));
        }
        if line.since == slide.unwrap_or(records) {
            self.fire_line(id, spec, key, records);
        }
        self.cut_short(id, spec);
    }

    fn fire_line(&mut self, id: usize, spec: &plan::Window, key: Vec<Value>, records: u64) {
        let Assigner::Count { slide, .. } = spec.assigner else { return };
        let Some(line) = self.keeping[id].lines.get_mut(&key) else { return };
        let first = line.rows.len().saturating_sub(usize::try_from(records).unwrap_or(usize::MAX));
        let rows = line.rows.split_off(first);
        line.rows = if slide.is_some() { rows.clone() } else { Vec::new() };
        (line.since, line.due) = (0, None);
        let (least, greatest) = rows.iter().fold((i64::MAX, i64::MIN), |(a, b), (_, row)| (a.min(row.time), b.max(row.time)));
        let place = (greatest.saturating_add(1), least, key);
        let mut contents = Contents::default();
        if let Some(aggregate) = self.aggregate(id) {
            let schema = self.input_schema(id, 0);
            let column = aggregate::field(&aggregate).map_or(usize::MAX, |field| index(&schema, field));
            rows.iter().for_each(|(_, row)| contents.acc.add(&aggregate, column, row));
            return self.emit_window(id, spec, &place, (0, greatest), &contents);
        }
        if !self.is_guest(id) {
            contents.rows = rows;
            return self.emit_window(id, spec, &place, (0, greatest), &contents);
        }
        let slot = self.slot(id, &place);
        for (input, row) in rows {
            let (schema, rows) = (self.input_schema(id, input), [row]);
            let outcome = self.instance.process(id as u32, input as u32, self.at(id), &encode(&rows, &schema), &[], &[slot]);
            self.settle(id, outcome, &rows);
        }
        self.emit_window(id, spec, &place, (0, greatest), &contents);
        self.instance.drop_state(id as u32, &[slot]);
        self.keeping[id].slots.forget(slot);
    }

    /// Fires windows that count and are not full when their time has come.
    fn cut_short(&mut self, id: usize, spec: &plan::Window) {
        let Assigner::Count { records, or_after: Some(after), .. } = spec.assigner else { return };
        let clock = if after.domain == Domain::Event { self.watermarks[id] } else { self.now };
        let due = |line: &Line| line.due.is_some_and(|due| due <= clock);
        let keys: Vec<_> = self.keeping[id].lines.iter().filter(|(_, line)| due(line)).map(|(key, _)| key.clone()).collect();
        keys.into_iter().for_each(|key| self.fire_line(id, spec, key, records));
    }
}
