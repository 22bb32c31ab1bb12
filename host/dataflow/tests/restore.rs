//! What an operator is told when it begins again: time, what was under way, and what a trigger of the component had kept.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use support::kept::{KeptJob, Run, differences};
use support::{Custom, Row, sink};
use tidemill_core::checkpoint::CheckpointId;
use tidemill_core::guest::{Decision, TriggerAction, TriggerEvent};
use tidemill_core::plan::{Graph, Plan, Settings};
use tidemill_dataflow::{Mode, Options, participants};

const NOW: i64 = 1_700_000_000_000;

fn job(rows: Vec<Row>, operators: Value) -> KeptJob {
    let options = Options { tick_ms: 1, block_rows: 3, clock: Arc::new(|| NOW), ..Options::default() };
    KeptJob {
        rows,
        more: None,
        operators,
        parallelism: 4,
        custom: Custom::default(),
        options,
        every: 15,
        mode: Mode::Aligned,
        asked: false,
        switch: None,
        slow: Duration::ZERO,
    }
}

/// Three of four readers are slow, so that a boundary finds something under way.
fn unaligned(job: KeptJob) -> KeptJob {
    KeptJob { mode: Mode::Unaligned, slow: Duration::from_millis(1), ..job }
}

fn rows() -> Vec<Row> {
    (0..2400).map(|i| (i, i % 97, i)).collect()
}

/// What a run has committed by a checkpoint and what one that begins there writes are together what the run has written.
fn goes_on(job: &KeptJob, whole: &Run, id: CheckpointId) {
    for parallelism in [1, 3, 4] {
        let rest = KeptJob { parallelism, ..job.clone() }.run(Some(&whole.saved(id))).unwrap();
        let both: Vec<String> = whole.committed(id).into_iter().chain(rest.lines()).collect();
        let wrong = differences(&both, &whole.lines(), false);
        assert!(wrong.is_empty(), "at {parallelism} from {id}: {wrong:#?}");
    }
}

fn counts(from: &str, more: Value) -> Value {
    let mut window = json!({"key": ["key"], "assigner": {"tumbling": {"size_ms": 100}}, "compute": {"host": "count"}});
    window.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"name": "w", "kind": {"window": window}, "inputs": [{"from": from}],
        "outputs": [{"schema": "key:i64,start:i64,end:i64,count:i64"}]})
}

/// The operator behind the source that has ended was saved at the end of time, and hears of nothing later.
#[test]
fn a_source_that_had_ended_holds_nobody_back() {
    let rolling = json!({"name": "sums", "kind": {"rolling": {"key": ["key"], "aggregate": {"sum": "value"}}},
        "inputs": [{"from": "more"}], "outputs": [{"schema": "key:i64,value:i64"}]});
    let union = json!({"name": "both", "kind": "union", "inputs": [{"from": "rows"}, {"from": "sums"}],
        "outputs": [{"schema": "key:i64,value:i64"}]});
    let operators = json!([rolling, union, counts("both", json!({})), sink("w")]);
    let job = KeptJob { more: Some(vec![(0, 1000, 1), (1, 1001, 1)]), ..job(rows(), operators) };
    let whole = job.run(None).unwrap();
    assert!(whole.lines().len() > 2000, "{}", whole.lines().len());
    let ids = whole.checkpoints();
    goes_on(&job, &whole, ids[ids.len() / 2]);
}

#[test]
fn what_was_under_way_comes_into_windows_of_the_hour_and_not_of_the_beginning_of_time() {
    let operators = json!([counts("rows", json!({"domain": "processing"})), sink("w")]);
    let job = unaligned(job(rows(), operators));
    let whole = job.run(None).unwrap();
    assert_eq!(whole.lines().len(), 97, "one window for each key: {:?}", whole.lines());
    let most = whole.checkpoints().into_iter().max_by_key(|id| whole.saved(*id).under_way()).unwrap();
    assert!(whole.saved(most).under_way() > 0);
    goes_on(&job, &whole, most);
}

/// Fires once for each key, with its third record, and keeps the window empty from then on; what it has counted is all that is left.
#[test]
fn what_a_trigger_keeps_of_an_empty_window_is_there_again() {
    let operators = json!([{"name": "w", "kind": {"window": {"key": ["key"], "assigner": "global", "compute": "guest",
            "trigger": {"when": "guest"}, "state": [{"name": "acc", "kind": "accumulator", "schema": "sum:i64,count:i64"}]}},
        "inputs": [{"from": "rows"}], "outputs": [{"schema": "key:i64,start:i64,end:i64,firing:i32,sum:i64,count:i64"}]}, sink("w")]);
    let mut job = job((0..2400).map(|i| (i, i % 97, 1)).collect(), operators);
    job.custom.process = Some(Arc::new(|_, _, _, _, _| Ok(Default::default())));
    job.custom.trigger = Some(Arc::new(|sums, asked| {
        assert_eq!(asked.event, TriggerEvent::Record, "it asks for no time");
        let decide = |slot: &u32| {
            let seen = sums.entry(*slot).or_default();
            seen.1 += 1;
            let action = match seen.1 {
                ..3 => TriggerAction::Continue,
                3 => TriggerAction::FireAndPurge,
                _ => TriggerAction::Purge,
            };
            Decision { action, event_time: None, processing_time: None }
        };
        Ok(asked.slots.iter().map(decide).collect())
    }));
    let whole = job.run(None).unwrap();
    assert_eq!(whole.lines().len(), 97, "{:?}", whole.lines());
    let ids = whole.checkpoints();
    goes_on(&job, &whole, ids[ids.len() / 2]);
}

/// The records of a side are saved as they are: other columns are another job, and that is found before anything runs.
#[test]
fn a_side_with_other_columns_is_another_join() {
    let kinds = |columns: &str| -> Vec<String> {
        let source = |name: &str, schema: &str| {
            json!({"name": name, "kind": {"source": {"binding": name, "format": "json", "time": "t", "watermarks": "monotonic"}},
                "outputs": [{"schema": schema}]})
        };
        let side = |name: &str| json!({"name": name, "key": ["key"]});
        let join = json!({"name": "j", "kind": {"interval-join": {"sides": [side("a"), side("b")], "lower-ms": 0, "upper-ms": 9}},
            "inputs": [{"from": "rows"}, {"from": "more"}], "outputs": [{"schema": "a.key:i64,b.key:i64"}]});
        let operators = json!([source("rows", "key:i64"), source("more", columns), join, sink("j")]);
        let plan: Plan = serde_json::from_value(json!({"contract": "0.2.0", "operators": operators})).unwrap();
        let graph = Graph::resolve(&plan, &Settings::default());
        participants(&plan, &graph, false).into_iter().filter(|p| p.name == "j").map(|p| p.kind).collect()
    };
    assert_eq!(kinds("key:i64,n:i64"), kinds("key:i64,n:i64"));
    assert_ne!(kinds("key:i64,n:i64"), kinds("key:i64,n:string"));
    assert_ne!(kinds("key:i64,n:i64,m:i64"), kinds("key:i64,m:i64,n:i64"));
}
