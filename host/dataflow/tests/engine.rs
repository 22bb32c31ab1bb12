//! Timers, partitioners, aggregates, failures: the engine with a guest of closures.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use serde_json::json;
use support::{Custom, Job, Row, sink};
use tidemill_core::block::Builder;
use tidemill_core::guest::{self, Emission, Failure as Refusal, Outcome, TimerAction, TimerOp};

fn rows(n: i64) -> Vec<Row> {
    (0..n).map(|i| (i, i % 7, i)).collect()
}

/// Counts per key until nothing has come for 5 ms, then emits `key, count`.
fn inactivity() -> Custom {
    let process = |sums: &mut std::collections::HashMap<u32, (i64, i64)>,
                   _: u32,
                   _: guest::Moment,
                   block: &tidemill_core::block::Block,
                   slots: &[u32]| {
        let mut outcome = Outcome::default();
        for (row, &slot) in slots.iter().enumerate() {
            sums.entry(slot).or_default().1 += 1;
            outcome.timers.push(TimerOp { slot, timer: 0, action: TimerAction::Replace, time: block.time(row) + 5 });
        }
        Ok(outcome)
    };
    let timer = |sums: &mut std::collections::HashMap<u32, (i64, i64)>,
                 operator: u32,
                 _: guest::Moment,
                 block: &tidemill_core::block::Block,
                 slots: &[u32]| {
        let mut builder = Builder::new(&"key:i64,count:i64".parse().unwrap());
        for (row, slot) in slots.iter().enumerate() {
            builder.push_time(block.time(row));
            builder.column(0).push_cell(block.column(0), row);
            builder.column(1).push_i64(sums.remove(slot).unwrap().1);
        }
        let emitted = vec![Emission { operator, port: 0, block: builder.finish().unwrap() }];
        Ok(Outcome { emitted, cleared: slots.to_vec(), ..Outcome::default() })
    };
    Custom { process: Some(Arc::new(process)), timer: Some(Arc::new(timer)) }
}

#[test]
fn a_timer_that_is_replaced_fires_once_after_the_last_record() {
    let operators = json!([{"name": "p", "kind": {"process": {"keys": [["key"]], "timers": [{"name": "idle"}]}},
        "inputs": [{"from": "rows"}], "outputs": [{"schema": "key:i64,count:i64"}]}, sink("p")]);
    // The watermark is 14 when the record of 20 comes: the timers of 8 and 9 have fired by then.
    let mut job = Job::new(&[(0, 1, 0), (3, 1, 0), (4, 2, 0), (15, 3, 0), (20, 1, 0)], operators);
    job.custom = inactivity();
    job.options.block_rows = 1;
    assert_eq!(job.out(), ["20|3,1", "25|1,1", "8|1,2", "9|2,1"]);
}

#[test]
fn host_aggregates_run_per_key() {
    for (aggregate, schema, expected) in [
        (json!("count"), "key:i64,count:i64", ["0|1,1", "1|1,2", "2|2,1", "3|1,3"]),
        (json!({"sum": "value"}), "key:i64,value:i64", ["0|1,5", "1|1,8", "2|2,9", "3|1,12"]),
        (json!({"min": "value"}), "key:i64,value:i64", ["0|1,5", "1|1,3", "2|2,9", "3|1,3"]),
        (json!({"max": "value"}), "key:i64,value:i64", ["0|1,5", "1|1,5", "2|2,9", "3|1,5"]),
        (json!({"min-by": "value"}), "key:i64,value:i64", ["0|1,5", "1|1,3", "2|2,9", "3|1,3"]),
    ] {
        let operators = json!([{"name": "r", "kind": {"rolling": {"key": ["key"], "aggregate": aggregate}},
            "inputs": [{"from": "rows"}], "outputs": [{"schema": schema}]}, sink("r")]);
        assert_eq!(Job::new(&[(0, 1, 5), (1, 1, 3), (2, 2, 9), (3, 1, 4)], operators).out(), expected, "{aggregate}");
    }
}

#[test]
fn every_partitioner_keeps_every_record() {
    let plain: Vec<String> = Job::new(&rows(5000), json!([sink("rows")])).out();
    for partition in [json!("rebalance"), json!("shuffle"), json!("rescale"), json!("global"), json!("forward"), json!({"custom": "value"})]
    {
        let out = json!({"name": "out", "kind": {"sink": {"binding": "out", "format": "json"}}, "inputs": [{"from": "rows", "partition": partition}]});
        let mut job = Job::new(&rows(5000), json!([out]));
        for (parallelism, block_rows) in [(1, 100), (2, 7), (4, 1000)] {
            (job.parallelism, job.options.block_rows) = (parallelism, block_rows);
            assert_eq!(job.out(), plain, "{partition} over {parallelism}");
        }
    }
}

#[test]
fn broadcast_gives_every_worker_every_record() {
    let out = json!({"name": "out", "kind": {"sink": {"binding": "out", "format": "json"}}, "inputs": [{"from": "rows", "partition": "broadcast"}]});
    let mut job = Job::new(&rows(1000), json!([out]));
    job.parallelism = 3;
    assert_eq!(job.out().len(), 3000);
}

#[test]
fn operators_of_different_parallelism_meet() {
    let operators = json!([
        {"name": "r", "kind": {"rolling": {"key": ["key"], "aggregate": "count"}}, "parallelism": 3,
            "inputs": [{"from": "rows"}], "outputs": [{"schema": "key:i64,count:i64"}]},
        {"name": "u", "kind": "union", "parallelism": 2, "inputs": [{"from": "r"}, {"from": "r"}], "outputs": [{"schema": "key:i64,count:i64"}]},
        sink("u")]);
    let mut job = Job::new(&rows(700), operators);
    job.parallelism = 4;
    let lines = job.out();
    assert_eq!(lines.len(), 1400);
    assert_eq!(lines.iter().filter(|l| l.ends_with(",100")).count(), 14, "each of seven keys comes to 100, twice by the union");
}

#[test]
fn a_refused_record_follows_the_policy() {
    let process = |_: &mut std::collections::HashMap<u32, (i64, i64)>,
                   operator: u32,
                   _: guest::Moment,
                   block: &tidemill_core::block::Block,
                   _: &[u32]| {
        let refused: Vec<u32> = (0..block.rows() as u32).filter(|&row| block.column(1).i64s().get(row as usize) == 3).collect();
        let failures = refused.into_iter().map(|row| Refusal { row, operator, message: "three".to_owned() }).collect();
        Ok(Outcome { emitted: vec![Emission { operator, port: 0, block: block.clone() }], failures, ..Outcome::default() })
    };
    let custom = Custom { process: Some(Arc::new(process)), timer: None };
    let operators = |policy: &str| {
        let mut operators = json!([{"name": "m", "kind": "map", "on-error": policy, "inputs": [{"from": "rows"}],
            "outputs": [{"schema": "key:i64,value:i64"}]}, sink("m")]);
        if policy == "dead-letter" {
            operators.as_array_mut().unwrap().push(json!({"name": "dead", "kind": {"sink": {"binding": "dead", "format": "json"}},
                "inputs": [{"from": "m", "port": "dead-letter"}]}));
        }
        operators
    };
    let job = |policy: &str| {
        let mut job = Job::new(&rows(10), operators(policy));
        job.custom = custom.clone();
        job.run()
    };
    let failure = job("fail").unwrap_err().to_string();
    assert!(failure.contains("\"m\"") && failure.contains("three") && failure.contains("key=3 value=3"), "{failure}");
    assert_eq!(job("skip").unwrap().1.snapshot.operators[1].skipped, 1);
    assert_eq!(job("dead-letter").unwrap().0["dead"], ["3|m,row 3,three,key=3 value=3"]);
}

#[test]
fn a_trap_ends_the_job_on_every_worker_and_names_operator_and_record() {
    let process = |_: &mut std::collections::HashMap<u32, (i64, i64)>,
                   operator: u32,
                   _: guest::Moment,
                   _: &tidemill_core::block::Block,
                   _: &[u32]| {
        Err(guest::Error::Trap { export: "process", message: "divided by zero".to_owned(), backtrace: Vec::new(), at: Some((operator, 0)) })
    };
    let operators =
        json!([{"name": "m", "kind": "map", "inputs": [{"from": "rows"}], "outputs": [{"schema": "key:i64,value:i64"}]}, sink("m")]);
    let mut job = Job::new(&rows(100_000), operators);
    job.custom = Custom { process: Some(Arc::new(process)), timer: None };
    job.parallelism = 4;
    let failure = job.run().unwrap_err();
    assert_eq!(failure.operator, "m");
    assert!(failure.to_string().contains("divided by zero") && failure.record.is_some(), "{failure}");
}
