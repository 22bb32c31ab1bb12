//! The kit's host: joins, by going through all that is kept.

use std::collections::BTreeMap;

use super::engine::Engine;
use super::row::{Row, Value};
use crate::plan::{self, IntervalJoin, Kind, LATE_SIDE, Side, UNMATCHED};

/// What a join keeps.
#[derive(Default)]
pub(super) struct Kept {
    /// In the order of arrival.
    held: Vec<Held>,
    /// The last record of each side, by key.
    latest: BTreeMap<Vec<Value>, Vec<Option<Row>>>,
}

/// A record that may find somebody yet.
#[derive(Clone)]
struct Held {
    key: Vec<Value>,
    side: usize,
    row: Row,
    matched: bool,
}

/// A record of each side, where it has one.
type Picked<'r> = Vec<Option<&'r Row>>;

impl Engine {
    /// Gives a row to an input of a join.
    pub(super) fn join(&mut self, id: usize, input: usize, row: Row) {
        let kind = &self.plan(id).kind;
        let sides = kind.sides().to_vec();
        let key = self.key(&sides[input].key, &self.input_schema(id, input), &row);
        let held = Held { key, side: input, row, matched: false };
        let watermark = self.watermarks[id];
        match &self.plan(id).kind {
            Kind::KeyedJoin(_) => self.latest(id, &sides, held),
            Kind::IntervalJoin(_) if held.row.time < watermark => self.late(id, &sides[input], held.row),
            Kind::TemporalJoin(_) if input == 0 && held.row.time <= watermark && watermark > i64::MIN => {
                self.late(id, &sides[0], held.row);
            }
            Kind::IntervalJoin(spec) => {
                let spec = spec.clone();
                self.meet(id, &spec, held);
                self.release_joins(id);
            }
            _ => self.keeping[id].joined.held.push(held),
        }
    }

    fn late(&mut self, id: usize, side: &Side, row: Row) {
        self.carry(id, &format!("{LATE_SIDE}{}", side.name), vec![row]);
    }

    fn unmatched(&mut self, id: usize, side: &Side, row: &Row) {
        let port = format!("{UNMATCHED}{}", side.name);
        if self.plan(id).outputs.iter().any(|output| output.name == port) {
            self.carry(id, &port, vec![row.clone()]);
        }
    }

    /// The result of these rows.
    fn result(&mut self, id: usize, time: i64, picked: &Picked<'_>) {
        let cells = |(side, row): (usize, &Option<&Row>)| match row {
            Some(row) => row.values.clone(),
            None => vec![Value::Absent; self.input_schema(id, side).columns.len()],
        };
        let values = picked.iter().enumerate().flat_map(cells).collect();
        self.carry(id, plan::MAIN, vec![Row { time, values }]);
    }

    fn latest(&mut self, id: usize, sides: &[Side], held: Held) {
        let time = held.row.time;
        let table = self.keeping[id].joined.latest.entry(held.key).or_insert_with(|| vec![None; sides.len()]);
        table[held.side] = Some(held.row);
        let row = table.clone();
        if sides.iter().zip(&row).all(|(side, row)| row.is_some() || !side.required) {
            self.result(id, time, &row.iter().map(Option::as_ref).collect());
        }
    }

    /// Joins a row with those of the other side that are near it, and keeps it.
    fn meet(&mut self, id: usize, spec: &IntervalJoin, mut held: Held) {
        let (first, last) = partners(spec, held.side, held.row.time);
        let near = |other: &&mut Held| other.key == held.key && other.side != held.side && (first..=last).contains(&other.row.time);
        let mut found = Vec::new();
        for other in self.keeping[id].joined.held.iter_mut().filter(near) {
            other.matched = true;
            found.push(other.row.clone());
        }
        held.matched = !found.is_empty();
        found.sort_by_key(|row| row.time);
        for other in &found {
            let picked = if held.side == 0 { [&held.row, other] } else { [other, &held.row] };
            self.result(id, held.row.time.max(other.time), &picked.map(Some).to_vec());
        }
        self.keeping[id].joined.held.push(held);
    }

    /// Lets go of what finds nobody any more, and joins what has waited for the watermark.
    pub(super) fn release_joins(&mut self, id: usize) {
        let watermark = self.watermarks[id];
        let sides = self.plan(id).kind.sides().to_vec();
        match &self.plan(id).kind {
            Kind::IntervalJoin(spec) => {
                let spec = spec.clone();
                let last = |held: &Held| partners(&spec, held.side, held.row.time).1;
                for held in self.take(id, last, |held| watermark > last(held) || watermark == i64::MAX) {
                    if !held.matched {
                        self.alone(id, &sides, &held);
                    }
                }
            }
            Kind::TemporalJoin(_) => {
                for held in self.take(id, |held| held.row.time, |held| held.side == 0 && held.row.time <= watermark) {
                    self.look_up(id, &sides, &held);
                }
            }
            _ => {}
        }
    }

    /// Takes out what is due, in order.
    fn take(&mut self, id: usize, order: impl Fn(&Held) -> i64, is_due: impl Fn(&Held) -> bool) -> Vec<Held> {
        let held = &mut self.keeping[id].joined.held;
        let (mut due, rest): (Vec<Held>, Vec<Held>) = held.drain(..).partition(is_due);
        *held = rest;
        due.sort_by_key(order);
        due
    }

    fn alone(&mut self, id: usize, sides: &[Side], held: &Held) {
        if sides[1 - held.side].required {
            return self.unmatched(id, &sides[held.side], &held.row);
        }
        let picked = if held.side == 0 { [Some(&held.row), None] } else { [None, Some(&held.row)] };
        self.result(id, held.row.time, &picked.to_vec());
    }

    /// Joins a record with the version of its time.
    fn look_up(&mut self, id: usize, sides: &[Side], record: &Held) {
        let versions = self.keeping[id].joined.held.iter();
        let valid = versions.filter(|held| held.side == 1 && held.key == record.key && held.row.time <= record.row.time);
        let version = valid.max_by_key(|held| held.row.time).map(|held| held.row.clone());
        if version.is_none() && sides[1].required {
            return self.unmatched(id, &sides[0], &record.row);
        }
        self.result(id, record.row.time, &vec![Some(&record.row), version.as_ref()]);
    }

    /// Joins the rows of a window, each with each.
    pub(super) fn join_window(&mut self, id: usize, bounds: [i64; 2], time: i64, rows: &[(usize, Row)]) {
        let sides = self.plan(id).kind.sides().to_vec();
        let of = |side: usize| rows.iter().filter(move |(input, _)| *input == side).map(|(_, row)| row);
        if sides.iter().enumerate().any(|(side, spec)| spec.required && of(side).next().is_none()) {
            return rows.iter().for_each(|(input, row)| self.unmatched(id, &sides[*input], row));
        }
        let mut results = vec![bounds.map(Value::I64).to_vec()];
        for side in 0..sides.len() {
            let mut choices: Vec<Vec<Value>> = of(side).map(|row| row.values.clone()).collect();
            if choices.is_empty() {
                choices.push(vec![Value::Absent; self.input_schema(id, side).columns.len()]);
            }
            results = results.iter().flat_map(|head| choices.iter().map(move |tail| [&head[..], &tail[..]].concat())).collect();
        }
        self.carry(id, plan::MAIN, results.into_iter().map(|values| Row { time, values }).collect());
    }
}

/// The first and the last time of a partner of a row.
fn partners(spec: &IntervalJoin, side: usize, time: i64) -> (i64, i64) {
    let (lower, upper) = (spec.lower_ms + i64::from(spec.lower_exclusive), spec.upper_ms - i64::from(spec.upper_exclusive));
    match side {
        0 => (time.saturating_add(lower), time.saturating_add(upper)),
        _ => (time.saturating_sub(upper), time.saturating_sub(lower)),
    }
}
