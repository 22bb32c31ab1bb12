//! Windows end to end, against plain loops over sorted rows: whatever the parallelism, the block size and the tick, the
//! same multiset of results when nothing is late; late records where semantics.md #7 puts them.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use support::{Job, Row, sink};

fn window(assigner: &serde_json::Value, compute: &serde_json::Value, lateness_ms: i64) -> serde_json::Value {
    let schema =
        if compute == "guest" { "key:i64,start:i64,end:i64,firing:i32,sum:i64,count:i64" } else { "key:i64,start:i64,end:i64,count:i64" };
    json!([{"name": "w", "kind": {"window": {"key": ["key"], "assigner": assigner, "compute": compute, "lateness-ms": lateness_ms}},
        "inputs": [{"from": "rows"}], "outputs": [{"schema": schema}]}, sink("w")])
}

/// `(key, start, end) -> (sum, count)` by sorting and looping.
fn reference(rows: &[Row], assigner: &serde_json::Value) -> BTreeMap<(i64, i64, i64), (i64, i64)> {
    let mut result = BTreeMap::new();
    let mut add = |key, start, end, value| {
        let sum: &mut (i64, i64) = result.entry((key, start, end)).or_default();
        *sum = (sum.0 + value, sum.1 + 1);
    };
    if let Some(gap) = assigner.pointer("/session/gap_ms").and_then(serde_json::Value::as_i64) {
        let mut sorted = rows.to_vec();
        sorted.sort_by_key(|(t, k, _)| (*k, *t));
        let mut at = 0;
        while at < sorted.len() {
            let mut end = at + 1;
            while end < sorted.len() && sorted[end].1 == sorted[at].1 && sorted[end].0 <= sorted[end - 1].0 + gap {
                end += 1;
            }
            let (key, start, last) = (sorted[at].1, sorted[at].0, sorted[end - 1].0 + gap);
            sorted[at..end].iter().for_each(|(_, _, v)| add(key, start, last, *v));
            at = end;
        }
        return result;
    }
    let number = |path: &str| assigner.pointer(path).and_then(serde_json::Value::as_i64);
    let size = number("/tumbling/size_ms").or(number("/sliding/size_ms")).unwrap();
    let slide = number("/sliding/slide_ms").unwrap_or(size);
    for (time, key, value) in rows {
        for start in (time - size + 1..=*time).filter(|s| s.rem_euclid(slide) == 0) {
            add(*key, start, start + size, *value);
        }
    }
    result
}

fn assigners() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        (1i64..40).prop_map(|size| json!({"tumbling": {"size_ms": size}})),
        (1i64..10, 1i64..6).prop_map(|(slide, n)| json!({"sliding": {"size_ms": slide * n, "slide_ms": slide}})),
        (1i64..30, 1i64..30).prop_map(|(size, slide)| json!({"sliding": {"size_ms": size, "slide_ms": slide}})),
        (1i64..20).prop_map(|gap| json!({"session": {"gap_ms": gap}})),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn results_depend_on_nothing_but_the_rows(
        mut rows in prop::collection::vec((-100i64..200, 0i64..7, -5i64..5), 0..120),
        assigner in assigners(),
        parallelism in 1usize..5,
        block_rows in 1usize..40,
        tick_ms in 1u64..4,
        deal: u64,
        guest: bool,
    ) {
        rows.sort_by_key(|r| r.0);
        let compute = if guest { json!("guest") } else { json!({"host": "count"}) };
        let mut job = Job::new(&rows, window(&assigner, &compute, 0));
        // One millisecond of slack: a record that only touches a session must not find it closed by its own time.
        job.watermarks = json!({"bounded": {"ms": 1}});
        job.parallelism = parallelism;
        job.deal = deal;
        job.options.block_rows = block_rows;
        job.options.tick_ms = tick_ms;
        let mut expected: Vec<String> = reference(&rows, &assigner)
            .into_iter()
            .map(|((key, start, end), (sum, count))| match guest {
                true => format!("{}|{key},{start},{end},0,{sum},{count}", end - 1),
                false => format!("{}|{key},{start},{end},{count}", end - 1),
            })
            .collect();
        expected.sort();
        prop_assert_eq!(job.out(), expected);
    }
}

/// One row a block, so that the watermark moves behind every row.
fn step_by_step(rows: &[Row], operators: serde_json::Value) -> Job {
    let mut job = Job::new(rows, operators);
    job.options.block_rows = 1;
    job
}

#[test]
fn a_record_behind_the_watermark_goes_to_the_late_port_and_is_counted() {
    let rows = [(5, 1, 1), (20, 1, 1), (7, 1, 1), (19, 1, 1)];
    let mut operators = window(&json!({"tumbling": {"size_ms": 10}}), &json!({"host": "count"}), 0);
    operators.as_array_mut().unwrap().push(json!({"name": "late", "kind": {"sink": {"binding": "late", "format": "json"}},
        "inputs": [{"from": "w", "port": "late"}]}));
    let (sinks, report) = step_by_step(&rows, operators).run().unwrap();
    // After 20 the watermark is 19: the window of 7 is over, that of 19 too.
    assert_eq!(sinks["late"], ["19|1,1", "7|1,1"]);
    assert_eq!(sinks["out"], ["29|1,20,30,1", "9|1,0,10,1"]);
    assert_eq!(report.snapshot.operators[1].late, 2);
}

#[test]
fn within_its_lateness_a_window_fires_again_for_each_record_with_a_firing_index() {
    let rows = [(5, 1, 1), (20, 1, 1), (7, 1, 10), (8, 1, 100), (40, 1, 1), (9, 1, 1000)];
    let job = step_by_step(&rows, window(&json!({"tumbling": {"size_ms": 10}}), &json!("guest"), 15));
    assert_eq!(
        job.out(),
        ["29|1,20,30,0,1,1", "49|1,40,50,0,1,1", "9|1,0,10,0,1,1", "9|1,0,10,1,11,2", "9|1,0,10,2,111,3"],
        "9 comes when the watermark is 39, past 9 + 15"
    );
}

#[test]
fn a_late_record_may_bridge_two_sessions_and_fire_them_as_one() {
    let rows = [(0, 1, 1), (20, 1, 10), (100, 2, 0), (10, 1, 100)];
    let job = step_by_step(&rows, window(&json!({"session": {"gap_ms": 10}}), &json!("guest"), 1000));
    // Sessions [0, 10) and [20, 30) have fired when 10 comes, which touches both.
    assert_eq!(job.out(), ["109|2,100,110,0,0,1", "29|1,0,30,1,111,3", "29|1,20,30,0,10,1", "9|1,0,10,0,1,1"]);
}

#[test]
fn a_session_that_grows_after_it_has_fired_fires_again_at_its_new_end() {
    let rows = [(0, 1, 1), (13, 2, 0), (10, 1, 10), (100, 3, 0), (8, 1, 100)];
    let job = step_by_step(&rows, window(&json!({"session": {"gap_ms": 10}}), &json!("guest"), 100_000));
    // [0, 10) has fired at watermark 12 when 10 makes it [0, 20), which closes at watermark 99, long before its lateness is over.
    let of_key: Vec<String> = job.out().into_iter().filter(|line| line.contains("|1,")).collect();
    assert_eq!(of_key, ["19|1,0,20,1,11,2", "19|1,0,20,2,111,3", "9|1,0,10,0,1,1"]);
}

#[test]
fn a_bridge_that_comes_too_late_is_late_and_nothing_crashes() {
    let rows = [(0, 1, 1), (20, 1, 10), (100, 2, 0), (10, 1, 100)];
    let (sinks, report) = step_by_step(&rows, window(&json!({"session": {"gap_ms": 10}}), &json!("guest"), 0)).run().unwrap();
    assert_eq!(sinks["out"], ["109|2,100,110,0,0,1", "29|1,20,30,0,10,1", "9|1,0,10,0,1,1"]);
    assert_eq!(report.snapshot.operators[1].late, 1);
}

#[test]
fn gaps_between_windows_belong_to_no_window_and_are_not_late() {
    let rows = [(0, 1, 1), (7, 1, 1), (12, 1, 1)];
    let job = step_by_step(&rows, window(&json!({"sliding": {"size_ms": 5, "slide_ms": 10}}), &json!({"host": "count"}), 0));
    let (sinks, report) = job.run().unwrap();
    assert_eq!(sinks["out"], ["14|1,10,15,1", "4|1,0,5,1"]);
    assert_eq!(report.snapshot.operators[1].late, 0);
}
