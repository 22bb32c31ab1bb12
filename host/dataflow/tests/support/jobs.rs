//! Jobs of all kinds of keyed state, drawn by chance, and rows for them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tidemill_core::block::{Block, Builder};
use tidemill_core::guest::{Emission, Moment, Outcome, TimerAction, TimerOp};
use tidemill_dataflow::{Mode, Options};

use super::kept::KeptJob;
use super::{Custom, Row, sink};

/// Boundaries tried in one run, about.
const BOUNDARIES: usize = 5;

pub fn window(assigner: Value, compute: Value, lateness_ms: i64) -> Value {
    let schema =
        if compute == "guest" { "key:i64,start:i64,end:i64,firing:i32,sum:i64,count:i64" } else { "key:i64,start:i64,end:i64,count:i64" };
    let state = if compute == "guest" { json!([{"name": "acc", "kind": "accumulator", "schema": "sum:i64,count:i64"}]) } else { json!([]) };
    json!([{"name": "w", "kind": {"window": {"key": ["key"], "assigner": assigner, "compute": compute, "lateness-ms": lateness_ms,
        "state": state}}, "inputs": [{"from": "rows"}], "outputs": [{"schema": schema}]}, sink("w")])
}

/// Every record gives a result here, in the order of arrival: rows of a key are to be alike, see [`alike`].
pub fn rolling(aggregate: Value, schema: &str) -> Value {
    json!([{"name": "r", "kind": {"rolling": {"key": ["key"], "aggregate": aggregate}}, "inputs": [{"from": "rows"}],
        "outputs": [{"schema": schema}]}, sink("r")])
}

/// Sums per key, told at the end of the input; a timer for each stretch of ten milliseconds in which the key had a record. What
/// it tells does not depend on how far event time is when a record arrives.
pub fn process() -> (Value, Custom) {
    let operators = json!([{"name": "p", "kind": {"process": {"keys": [["key"]], "timers": [{"name": "stretch"}, {"name": "end"}],
        "state": [{"name": "sum", "kind": "value", "schema": "sum:i64,count:i64"}]}},
        "inputs": [{"from": "rows"}], "outputs": [{"schema": "key:i64,timer:i32,sum:i64,count:i64"}]}, sink("p")]);
    let on_record = |sums: &mut HashMap<u32, (i64, i64)>, _: u32, _: Moment, block: &Block, slots: &[u32]| {
        let mut outcome = Outcome::default();
        for (row, &slot) in slots.iter().enumerate() {
            let sum = sums.entry(slot).or_default();
            *sum = (sum.0 + block.column(1).i64s().get(row), sum.1 + 1);
            let stretch = block.time(row) / 10 * 10 + 10;
            outcome.timers.push(TimerOp { slot, timer: 0, action: TimerAction::Add, time: stretch });
            outcome.timers.push(TimerOp { slot, timer: 1, action: TimerAction::Replace, time: i64::MAX });
        }
        Ok(outcome)
    };
    let on_timer = |sums: &mut HashMap<u32, (i64, i64)>, operator: u32, _: Moment, block: &Block, slots: &[u32]| {
        let mut outcome = Outcome::default();
        let mut builder = Builder::new(&"key:i64,timer:i32,sum:i64,count:i64".parse().unwrap());
        for (row, &slot) in slots.iter().enumerate() {
            let is_end = block.column(1).value(row) == tidemill_core::block::Value::I32(1);
            let sum = if is_end { sums.remove(&slot).unwrap() } else { (0, 0) };
            builder.push_time(block.time(row));
            (0..2).for_each(|c| builder.column(c).push_cell(block.column(c), row));
            builder.column(2).push_i64(sum.0);
            builder.column(3).push_i64(sum.1);
            if is_end {
                outcome.cleared.push(slot);
            } else {
                outcome.unchanged.push(slot);
            }
        }
        outcome.emitted.push(Emission { operator, port: 0, block: builder.finish().unwrap() });
        Ok(outcome)
    };
    (operators, Custom { process: Some(Arc::new(on_record)), timer: Some(Arc::new(on_timer)), ..Custom::default() })
}

pub fn jobs() -> impl Strategy<Value = (Value, Custom)> {
    let windows = prop_oneof![
        (1i64..40).prop_map(|size| json!({"tumbling": {"size_ms": size}})),
        (1i64..10, 1i64..6).prop_map(|(slide, n)| json!({"sliding": {"size_ms": slide * n, "slide_ms": slide}})),
        (1i64..30, 1i64..30).prop_map(|(size, slide)| json!({"sliding": {"size_ms": size, "slide_ms": slide}})),
        (1i64..20).prop_map(|gap| json!({"session": {"gap_ms": gap}})),
    ];
    let compute = prop_oneof![Just(json!("guest")), Just(json!({"host": "count"}))];
    prop_oneof![
        4 => (windows, compute, prop_oneof![Just(0i64), 1i64..30]).prop_map(|(a, c, l)| (window(a, c, l), Custom::default())),
        2 => Just(()).prop_map(|()| process()),
        1 => Just((rolling(json!({"sum": "value"}), "key:i64,value:i64"), Custom::default())),
        1 => Just((rolling(json!({"max-by": "value"}), "key:i64,value:i64"), Custom::default())),
    ]
}

/// The rows with one value for each key.
pub fn alike(rows: &[Row]) -> Vec<Row> {
    rows.iter().map(|&(time, key, _)| (time, key, key + 1)).collect()
}

/// No two rows have the same time: at equal times it is a matter of arrival whether a record still reaches the session that it touches.
pub fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (1i64..4, 0i64..12, -50i64..50);
    prop::collection::vec(row, 20..400).prop_map(|rows| {
        let mut time = 0;
        let timed = rows.into_iter().map(|(step, key, value)| {
            time += step;
            (time, key, value)
        });
        timed.collect()
    })
}

pub fn job(rows: &[Row], what: &(Value, Custom), parallelism: usize, block_rows: usize) -> KeptJob {
    let options = Options { tick_ms: 1, block_rows, ..Options::default() };
    let rows = if is_rolling(what) { alike(rows) } else { rows.to_vec() };
    let every = (rows.len() / parallelism / block_rows / BOUNDARIES).max(2);
    KeptJob {
        rows,
        more: None,
        operators: what.0.clone(),
        parallelism,
        custom: what.1.clone(),
        options,
        every,
        mode: Mode::Aligned,
        asked: false,
        switch: None,
        slow: Duration::ZERO,
    }
}

/// The modes in which every record counts once.
pub fn exact() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Aligned), Just(Mode::Unaligned)]
}

pub fn is_rolling(what: &(Value, Custom)) -> bool {
    what.0[0]["name"] == "r"
}
