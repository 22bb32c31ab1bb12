//! What a running job says of itself: what is open and until when, who holds the watermark, and what is left of that at its end.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use support::{Custom, Lines, SumFactory, schema, sink};
use tidemill_core::block::Builder;
use tidemill_core::connect::{Batch, Error, Polled, Reader, Sink, Source, SplitTime, Waker};
use tidemill_core::explain::output::{self, Reason};
use tidemill_core::explain::watermark::{self, Holder};
use tidemill_core::explain::{Facts, Held, Member, Phase};
use tidemill_core::guest::{OperatorId, Outcome, TimerAction, TimerOp};
use tidemill_core::plan::{Graph, Plan, Settings};
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};
use tidemill_dataflow::{Control, JobSpec, Options, facts, run};

/// Some splits of rows, `time, key`, which never end.
#[derive(Clone)]
struct Still(Vec<Vec<(TimeMs, i64)>>);

struct StillReader {
    rows: Vec<Vec<(TimeMs, i64)>>,
    splits: Vec<SplitTime>,
    next: usize,
}

impl Source for Still {
    fn reader(&self, worker: usize, _: usize, _: Waker) -> Result<Box<dyn Reader>, Error> {
        let rows = if worker == 0 { self.0.clone() } else { Vec::new() };
        let splits = vec![SplitTime { max_time: TIME_MIN, ended: false }; rows.len()];
        Ok(Box::new(StillReader { rows, splits, next: 0 }))
    }

    fn bounded(&self) -> bool {
        false
    }
}

impl Reader for StillReader {
    fn poll(&mut self, _: usize) -> Result<Polled, Error> {
        let split = self.next;
        let Some(rows) = self.rows.get(split) else {
            return Ok(if self.splits.is_empty() { Polled::Ended } else { Polled::Pending });
        };
        self.next += 1;
        let mut builder = Builder::new(&schema());
        for (time, key) in rows {
            builder.push_time(*time);
            builder.column(0).push_i64(*key);
            builder.column(1).push_i64(1);
            self.splits[split].max_time = self.splits[split].max_time.max(*time);
        }
        let blocks = builder.finish().map(|block| (0, block)).into_iter().collect();
        Ok(Polled::Batch(Batch { split, blocks, records: rows.len() as u64, ..Batch::default() }))
    }

    fn splits(&self) -> &[SplitTime] {
        &self.splits
    }

    fn split_name(&self, split: usize) -> Option<String> {
        Some(format!("part-{split}"))
    }

    fn observe(&mut self, _: usize, _: TimeMs) {}
}

struct Case {
    splits: Vec<Vec<(TimeMs, i64)>>,
    operators: Value,
    custom: Custom,
    idle_ms: Option<u64>,
    parallelism: usize,
    drain: bool,
}

impl Case {
    fn new(rows: &[(TimeMs, i64)], operators: Value) -> Case {
        Case { splits: vec![rows.to_vec()], operators, custom: Custom::default(), idle_ms: None, parallelism: 1, drain: false }
    }

    /// Runs until the facts are as wanted, then stops; those facts, and those behind its end.
    fn until(&self, wanted: impl Fn(&Facts) -> bool) -> (Facts, Facts) {
        let source = json!({"name": "rows", "kind": {"source": {"binding": "rows", "format": "json", "time": "t",
            "watermarks": "monotonic"}}, "outputs": [{"schema": "key:i64,value:i64"}]});
        let operators: Vec<Value> = std::iter::once(source).chain(self.operators.as_array().unwrap().iter().cloned()).collect();
        let plan: Plan = serde_json::from_value(json!({"contract": "0.2.0", "operators": operators})).unwrap();
        let plan = Arc::new(plan);
        let graph = Arc::new(Graph::resolve(&plan, &Settings { parallelism: Some(self.parallelism), ..Settings::default() }));
        let sinks = (0..).zip(&plan.operators).filter(|(_, operator)| operator.kind_name() == "sink");
        let sinks: HashMap<OperatorId, Arc<dyn Sink>> = sinks.map(|(id, _)| (id, Arc::new(Lines::default()) as Arc<dyn Sink>)).collect();
        let control = Arc::new(Control::new(plan.operators.len(), graph.workers()));
        let spec = JobSpec {
            plan: Arc::clone(&plan),
            graph: Arc::clone(&graph),
            factory: Arc::new(SumFactory(self.custom.clone())),
            sources: HashMap::from([(0, Arc::new(Still(self.splits.clone())) as Arc<dyn Source>)]),
            sinks,
            checkpoints: None,
            options: Options { idle_ms: self.idle_ms, ..Options::default() },
        };
        let own = Arc::clone(&control);
        let running = std::thread::spawn(move || run(spec, &own));
        let live = loop {
            let facts = facts("job", &plan, &graph, &control, Phase::Running);
            if wanted(&facts) {
                break facts;
            }
        };
        if self.drain {
            control.drain();
        } else {
            control.stop();
        }
        running.join().unwrap().unwrap();
        (live, facts("job", &plan, &graph, &control, Phase::Stopped))
    }

    /// What the first operator behind the source holds once it has had all records and the watermark stands.
    fn held(&self) -> Held {
        let records = self.splits.iter().map(Vec::len).sum::<usize>() as u64;
        let (live, last) = self.until(|facts| facts.operators[1].records_in == records && facts.operators[1].watermark() > TIME_MIN);
        assert_eq!(last.operators[1].held(), live.operators[1].held(), "what was open stays open when a job is stopped");
        live.operators[1].held()
    }
}

fn window(assigner: Value, more: Value) -> Value {
    let mut window = json!({"key": ["key"], "assigner": assigner, "compute": {"host": "count"}});
    window.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!([{"name": "w", "kind": {"window": window}, "inputs": [{"from": "rows"}],
        "outputs": [{"schema": "key:i64,start:i64,end:i64,count:i64"}]}, sink("w")])
}

const ROWS: [(TimeMs, i64); 4] = [(10, 1), (110, 1), (120, 2), (250, 1)];

#[test]
fn open_windows_of_every_kind_say_when_they_fire() {
    let size = json!({"tumbling": {"size_ms": 100}});
    let trigger = |when: Value| json!({"trigger": {"when": when}});
    let held = |windows, untimed, closes| Held { windows, untimed, closes, ..Held::default() };
    // The watermark is 249: windows that end at 100 and 200 have fired.
    let cases = [
        ("tumbling", size.clone(), json!({}), held(1, 0, Some(299))),
        ("kept for late records", size.clone(), json!({"lateness-ms": 1_000}), held(1, 0, Some(299))),
        ("sliding", json!({"sliding": {"size_ms": 200, "slide_ms": 100}}), json!({}), held(3, 0, Some(299))),
        ("session", json!({"session": {"gap_ms": 100}}), json!({}), held(1, 0, Some(349))),
        ("count", json!({"count": {"records": 2}}), json!({}), held(2, 2, None)),
        ("global", json!("global"), trigger(json!({"count": {"records": 3}})), held(1, 1, None)),
        ("triggered", size.clone(), trigger(json!("at-watermark")), held(1, 0, Some(299))),
        ("early", size, trigger(json!({"any": ["at-watermark", {"early-every": {"ms": 20, "domain": "event"}}]})), held(1, 0, Some(260))),
    ];
    for (name, assigner, more, expected) in cases {
        assert_eq!(Case::new(&ROWS, window(assigner, more)).held(), expected, "{name}");
    }
}

#[test]
fn windows_by_the_clock_wait_for_the_clock() {
    let hour = 3_600_000;
    let held = Case::new(&ROWS, window(json!({"tumbling": {"size_ms": hour}}), json!({"domain": "processing"}))).held();
    assert_eq!((held.windows, held.untimed, held.closes), (2, 0, None));
    assert_eq!(held.closes_by_clock.unwrap() % hour, 0, "they fire when the clock has left them");
    let or_after = json!({"count": {"records": 9, "or-after": {"ms": 500, "domain": "event"}}});
    assert_eq!(Case::new(&ROWS, window(or_after, json!({}))).held().closes, Some(510));
}

#[test]
fn timers_say_when_the_next_one_is_due() {
    let process = json!([{"name": "p", "kind": {"process": {"keys": [["key"]], "timers": [{"name": "t"}]}},
        "inputs": [{"from": "rows"}], "outputs": [{"schema": "key:i64"}]}, sink("p")]);
    let mut case = Case::new(&ROWS, process);
    case.custom.process = Some(Arc::new(|_, _, _, block, slots| {
        let timer = |row: usize| TimerOp { slot: slots[row], timer: 0, action: TimerAction::Add, time: block.time(row) + 1_000 };
        Ok(Outcome { timers: (0..block.rows()).map(timer).collect(), ..Outcome::default() })
    }));
    assert_eq!(case.held(), Held { timers: 4, timer: Some(1_010), ..Held::default() });
}

#[test]
fn the_split_that_holds_a_window_is_named_and_an_idle_one_is_not() {
    let mut case = Case::new(&[(250, 1)], window(json!({"tumbling": {"size_ms": 100}}), json!({})));
    case.splits.push(vec![(110, 1)]);
    case.splits.push(Vec::new());
    case.parallelism = 2;
    // A split in which nothing has been read holds event time: no watermark at all.
    let (live, _) = case.until(|facts| facts.operators[1].records_in == 2);
    let standing = watermark::one(&live, 1);
    assert_eq!(standing.watermark, TIME_MIN);
    assert!(matches!(&standing.holder, Holder::Split { split, .. } if split.name == "part-2"), "{standing:?}");
    // Once they are idle nobody holds it, and the watermark is that of the one which is furthest ahead.
    case.idle_ms = Some(1);
    let (live, _) = case.until(|facts| facts.operators[0].workers[0].idle && facts.operators[1].watermark() > TIME_MIN);
    let source = live.operators[0].workers[0].source.clone().unwrap();
    assert_eq!((source.open, source.idle), (3, 3));
    case.idle_ms = None;
    case.splits.pop();
    let (live, last) = case.until(|facts| facts.operators[1].watermark() == 109);
    let standing = watermark::one(&live, 1);
    assert!(matches!(&standing.holder, Holder::Split { split, worker: 0, .. } if split.name == "part-1"), "{standing:?}");
    assert!(standing.age_ms.is_some());
    match output::all(&live).remove(0).reason {
        Reason::Waiting { operator: 1, until: 199, short_ms: Some(90), .. } => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(last.operators[1].watermark(), 109);
}

#[test]
fn behind_a_drained_job_the_last_watermark_before_the_end_is_known() {
    let mut case = Case::new(&ROWS, window(json!({"tumbling": {"size_ms": 100}}), json!({})));
    case.drain = true;
    let (live, last) = case.until(|facts| facts.operators[1].watermark() == 249);
    assert_eq!(live.operators[1].workers[0].before_end, TIME_MIN);
    assert_eq!((last.operators[1].watermark(), last.operators[1].workers[0].before_end), (TIME_MAX, 249));
    assert_eq!((last.operators[1].held(), last.operators[2].records_out), (Held::default(), 4));
}

#[test]
fn what_may_have_filtered_in_a_chain_is_named() {
    let stateless = |name: &str, kind: &str, from: &str| json!({"name": name, "kind": kind, "inputs": [{"from": from}], "outputs": [{"schema": "key:i64,value:i64"}]});
    let chain = json!([stateless("m", "map", "rows"), stateless("f", "filter", "m"), stateless("n", "map", "f"), sink("n")]);
    let mut case = Case::new(&ROWS, chain);
    case.custom.process = Some(Arc::new(|_, _, _, _, _| Ok(Outcome::default())));
    let (live, _) = case.until(|facts| facts.operators[1].records_in == ROWS.len() as u64);
    let member = |name: &str, kind: &str| Member { name: name.to_owned(), kind: kind.to_owned() };
    assert_eq!(live.operators[1].fused, [member("f", "filter"), member("n", "map")]);
    assert_eq!(output::all(&live).remove(0).reason, Reason::Filtered { operator: 1, by: vec![member("f", "filter")] });
}
