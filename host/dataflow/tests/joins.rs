//! Joins end to end, against loops over all pairs of rows: whatever the parallelism, the block size and the tick, the same multiset of
//! results when nothing is late.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::{Custom, Job, Row, schema, sink};
use tidemill_core::block::gather;
use tidemill_core::guest::{Emission, Outcome};

/// Rows with an even value are of the left side, all others of the right one.
fn is_left(row: &Row) -> bool {
    row.2 % 2 == 0
}

/// Two filters behind the rows, `l` and `r`, and what is made of them.
fn job(rows: &[Row], join: Value) -> Job {
    let side =
        |name: &str| json!({"name": name, "kind": "filter", "inputs": [{"from": "rows"}], "outputs": [{"schema": "key:i64,value:i64"}]});
    let mut operators = vec![side("l"), side("r"), join, sink("j")];
    for port in ["unmatched-l", "unmatched-r"] {
        operators
            .push(json!({"name": port, "kind": {"sink": {"binding": port, "format": "json"}}, "inputs": [{"from": "j", "port": port}]}));
    }
    let mut job = Job::new(rows, Value::Array(operators));
    // A record of the same millisecond must not find that the time it waits for has passed.
    job.watermarks = json!({"bounded": {"ms": 1}});
    let process = |_: &mut _, operator: u32, _, block: &tidemill_core::block::Block, _: &[u32]| {
        let kept: Vec<u32> =
            (0..block.rows() as u32).filter(|&row| (block.column(1).i64s().get(row as usize) % 2 == 0) == (operator == 1)).collect();
        let emitted = gather(block, &kept, &schema()).map(|block| Emission { operator, port: 0, block });
        Ok(Outcome { emitted: emitted.into_iter().collect(), ..Outcome::default() })
    };
    job.custom = Custom { process: Some(Arc::new(process)), ..Custom::default() };
    job
}

/// What an interval join gives, by all pairs: `out`, `unmatched-l`, `unmatched-r`.
fn reference(rows: &[Row], (lower, upper): (i64, i64), required: (bool, bool)) -> [Vec<String>; 3] {
    let (left, right): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| is_left(row));
    let matches = |l: &Row, r: &Row| l.1 == r.1 && (l.0 + lower..=l.0 + upper).contains(&r.0);
    let [mut out, mut unmatched_left, mut unmatched_right] = [const { Vec::new() }; 3];
    for l in &left {
        for r in right.iter().filter(|r| matches(l, r)) {
            out.push(format!("{}|{},{},{},{}", l.0.max(r.0), l.1, l.2, r.1, r.2));
        }
        if !right.iter().any(|r| matches(l, r)) {
            match required.1 {
                true => unmatched_left.push(format!("{}|{},{}", l.0, l.1, l.2)),
                false => out.push(format!("{}|{},{},Absent,Absent", l.0, l.1, l.2)),
            }
        }
    }
    for r in right.iter().filter(|r| !left.iter().any(|l| matches(l, r))) {
        match required.0 {
            true => unmatched_right.push(format!("{}|{},{}", r.0, r.1, r.2)),
            false => out.push(format!("{}|Absent,Absent,{},{}", r.0, r.1, r.2)),
        }
    }
    let mut all = [out, unmatched_left, unmatched_right];
    all.iter_mut().for_each(|lines| lines.sort());
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn an_interval_join_is_all_pairs_that_are_close(
        mut rows in prop::collection::vec((-100i64..200, 0i64..4, 0i64..100), 0..80),
        lower in -20i64..20,
        width in 0i64..20,
        exclusive: (bool, bool),
        required: (bool, bool),
        parallelism in 1usize..5,
        block_rows in 1usize..40,
        tick_ms in 1u64..4,
        deal: u64,
    ) {
        rows.sort_by_key(|row| row.0);
        let upper = lower + width;
        let bounds = (lower + i64::from(exclusive.0), upper - i64::from(exclusive.1));
        prop_assume!(bounds.0 <= bounds.1);
        let absent = |required| if required { "" } else { "?" };
        let (l, r) = (absent(required.0), absent(required.1));
        let join = json!({"name": "j", "kind": {"interval-join": {"sides": [{"name": "l", "key": ["key"], "required": required.0},
                {"name": "r", "key": ["key"], "required": required.1}], "lower-ms": lower, "upper-ms": upper,
                "lower-exclusive": exclusive.0, "upper-exclusive": exclusive.1}},
            "inputs": [{"from": "l"}, {"from": "r"}],
            "outputs": [{"schema": format!("l.key:i64{l},l.value:i64{l},r.key:i64{r},r.value:i64{r}")},
                {"name": "unmatched-l", "schema": "key:i64,value:i64"}, {"name": "unmatched-r", "schema": "key:i64,value:i64"}]});
        let mut job = job(&rows, join);
        (job.parallelism, job.options.block_rows, job.options.tick_ms, job.deal) = (parallelism, block_rows, tick_ms, deal);
        let (sinks, report) = job.run().unwrap();
        let expected = reference(&rows, bounds, required);
        prop_assert_eq!(&sinks["out"], &expected[0]);
        prop_assert_eq!(&sinks["unmatched-l"], &expected[1]);
        prop_assert_eq!(&sinks["unmatched-r"], &expected[2]);
        prop_assert_eq!(report.snapshot.operators[3].late, 0);
    }
}
