//! A slow sink stops its sources: what is under way stays within the byte budget, on every worker.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde_json::json;
use support::{Job, Row};

/// Bytes of a block of 50 rows of two i64 and a time, headers included, rounded up.
const BLOCK_BYTES: usize = 1400;
const BLOCK_ROWS: usize = 50;

/// The most rows that were under way while 20,000 were read by three workers and written by one, slowly; and how long the three waited.
fn most_under_way(bytes_in_flight: usize) -> (usize, Duration) {
    let rows: Vec<Row> = (0..20_000).map(|i| (i, i, i)).collect();
    let out = json!({"name": "out", "kind": {"sink": {"binding": "out", "format": "json"}}, "parallelism": 1,
        "inputs": [{"from": "rows", "partition": "rebalance"}]});
    let mut job = Job::new(&rows, json!([out]));
    job.parallelism = 3;
    job.delay = Duration::from_micros(500);
    job.options.block_rows = BLOCK_ROWS;
    job.options.ticks_in_flight = u64::MAX;
    job.options.bytes_in_flight = bytes_in_flight;
    let (lines, report) = job.run().unwrap();
    assert_eq!(lines["out"].len(), rows.len(), "slow, but nothing is lost");
    (job.gauge.most.load(Relaxed) as usize, Duration::from_nanos(report.snapshot.operators[0].held_ns))
}

#[test]
fn bytes_under_way_stay_within_the_budget() {
    let blocks = 30;
    let (most, held) = most_under_way(blocks * BLOCK_BYTES);
    // A source looks at its credit once an activation, in which it reads four blocks; one more may be in each hand.
    let allowed = (blocks + 3 * 5) * BLOCK_ROWS;
    assert!(most <= allowed, "{most} rows were under way, {allowed} are allowed");
    let (unbounded, never) = most_under_way(usize::MAX);
    assert!(unbounded > 2 * allowed, "without a budget only {unbounded} rows were under way: the sink is not slow enough to tell");
    // The sink alone takes a fifth of a second.
    assert!(held > Duration::from_millis(20) && never.is_zero(), "sources were held back for {held:?}, without a budget for {never:?}");
}
