//! Alignment of splits that drift apart: nobody reads far ahead, nobody waits for ever, and what waits behind them stays small.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{SumFactory, schema, sink};
use tidemill_core::block::{Block, Builder};
use tidemill_core::connect::{Batch, Error, Polled, Reader, Sink, Source, SplitTime, Waker, Writer};
use tidemill_core::plan::{Graph, Plan, Settings};
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};
use tidemill_dataflow::{Control, JobSpec, Options, run};

/// How far all splits have come: by name, what they would hold others at; [`TIME_MAX`] where they have ended or are silent for good.
type Board = Arc<Mutex<BTreeMap<(usize, usize), TimeMs>>>;

/// Splits of times, one reader for every `peers`-th of them. Of each poll one split is read, in turn, unless it is held.
#[derive(Clone)]
struct Splits {
    source: usize,
    splits: Vec<Vec<TimeMs>>,
    /// The last split says nothing behind its records, and does not end before the others have: it is idle.
    silent: bool,
    board: Board,
    /// The greatest distance at which somebody read, to whoever was last.
    drift: Arc<AtomicI64>,
    /// Records that are behind the source and not yet in a result, and how many that was at most.
    waiting: Waiting,
    rows: usize,
}

/// Records that wait for event time.
#[derive(Clone, Default)]
struct Waiting {
    now: Arc<AtomicI64>,
    most: Arc<AtomicI64>,
}

impl Waiting {
    fn add(&self, records: i64) {
        let now = self.now.fetch_add(records, SeqCst) + records;
        self.most.fetch_max(now, SeqCst);
    }
}

/// Takes results, whose last column says how many records are in each.
#[derive(Clone, Default)]
struct Results {
    waiting: Waiting,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Sink for Results {
    fn writer(&self, _: usize, _: usize) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(self.clone()))
    }
}

impl Writer for Results {
    fn write(&mut self, block: &Block) -> Result<(), Error> {
        for row in 0..block.rows() {
            let cells: Vec<i64> = (0..4).map(|column| block.column(column).i64s().get(row)).collect();
            self.waiting.add(-cells[3]);
            self.lines.lock().unwrap().push(format!("{cells:?}"));
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

struct SplitReader {
    of: Splits,
    own: Vec<usize>,
    at: Vec<usize>,
    times: Vec<SplitTime>,
    held: Vec<bool>,
    turn: usize,
}

impl Source for Splits {
    fn reader(&self, worker: usize, peers: usize, _: Waker) -> Result<Box<dyn Reader>, Error> {
        let own: Vec<usize> = (0..self.splits.len()).filter(|split| split % peers == worker).collect();
        let times = vec![SplitTime { max_time: TIME_MIN, ended: false }; own.len()];
        let reader = SplitReader { of: self.clone(), at: vec![0; own.len()], own, times, held: Vec::new(), turn: 0 };
        // One that never has a record is never read.
        let mute = (0..reader.own.len()).find(|split| reader.is_silent(*split) && self.splits[reader.own[*split]].is_empty());
        mute.into_iter().for_each(|split| reader.publish(split, TIME_MAX));
        Ok(Box::new(reader))
    }

    fn bounded(&self) -> bool {
        !self.silent
    }
}

impl SplitReader {
    fn is_silent(&self, split: usize) -> bool {
        self.of.silent && self.own[split] + 1 == self.of.splits.len()
    }

    /// Notes how far a split that is about to be read is ahead of the last.
    fn note(&self, split: usize) {
        let board = self.of.board.lock().unwrap();
        let last = board.values().min().copied().unwrap_or(TIME_MAX);
        if self.times[split].max_time > TIME_MIN && last != TIME_MAX {
            self.of.drift.fetch_max(self.times[split].max_time.saturating_sub(last), SeqCst);
        }
    }

    fn publish(&self, split: usize, time: TimeMs) {
        self.of.board.lock().unwrap().insert((self.of.source, self.own[split]), time);
    }

    fn read(&mut self, split: usize, rows: usize) -> Polled {
        let times = &self.of.splits[self.own[split]];
        let share = &times[self.at[split]..(self.at[split] + rows.min(self.of.rows)).min(times.len())];
        let mut builder = Builder::new(&schema());
        for time in share {
            builder.push_time(*time);
            builder.column(0).push_i64(self.own[split] as i64);
            builder.column(1).push_i64(1);
            self.times[split].max_time = self.times[split].max_time.max(*time);
        }
        self.at[split] += share.len();
        self.of.waiting.add(share.len() as i64);
        let ended = self.at[split] == times.len();
        let silent = ended && self.is_silent(split);
        self.times[split].ended = ended && !silent;
        self.publish(split, if ended { TIME_MAX } else { self.times[split].max_time });
        let blocks = builder.finish().map(|block| (0, block)).into_iter().collect();
        Polled::Batch(Batch { split, blocks, records: share.len() as u64, ..Batch::default() })
    }
}

impl Reader for SplitReader {
    fn poll(&mut self, rows: usize) -> Result<Polled, Error> {
        for _ in 0..self.own.len() {
            self.turn = (self.turn + 1) % self.own.len();
            let split = self.turn;
            let done = self.at[split] == self.of.splits[self.own[split]].len() && (self.times[split].ended || self.is_silent(split));
            if done || self.held.get(split).copied().unwrap_or_default() {
                continue;
            }
            self.note(split);
            return Ok(self.read(split, rows));
        }
        let everybody = self.of.board.lock().unwrap().values().all(|time| *time == TIME_MAX);
        // Those that are left are silent, and end when all others have.
        if (0..self.own.len()).all(|split| self.times[split].ended || (everybody && self.is_silent(split))) {
            self.times.iter_mut().for_each(|split| split.ended = true);
            return Ok(Polled::Ended);
        }
        Ok(Polled::Pending)
    }

    fn splits(&self) -> &[SplitTime] {
        &self.times
    }

    fn hold(&mut self, held: &[bool]) {
        self.held = held.to_vec();
    }

    fn observe(&mut self, _: usize, _: TimeMs) {}
}

/// A job that counts by key and window over some sources, each of some splits.
#[derive(Clone, Debug)]
struct Case {
    sources: Vec<Vec<Vec<TimeMs>>>,
    /// How far they may drift apart; none for as far as they like.
    max_drift_ms: Option<i64>,
    /// The last split of the last source is silent behind its records.
    silent: bool,
    parallelism: usize,
    /// Records of a block.
    rows: usize,
}

/// What a case gave: sorted results, the greatest drift at which somebody read, and the records that waited at most.
#[derive(Debug)]
struct Gave {
    lines: Vec<String>,
    drift: TimeMs,
    waiting: i64,
}

impl Case {
    fn plan(&self) -> Plan {
        let source = |index: usize| {
            let mut kind = json!({"binding": "rows", "format": "json", "time": "t", "watermarks": "monotonic"});
            if let Some(ms) = self.max_drift_ms {
                kind["align"] = json!({"max-drift-ms": ms, "group": "all"});
            }
            json!({"name": format!("s{index}"), "kind": {"source": kind}, "outputs": [{"schema": "key:i64,value:i64"}]})
        };
        let mut operators: Vec<Value> = (0..self.sources.len()).map(source).collect();
        let inputs: Vec<Value> = (0..self.sources.len()).map(|index| json!({"from": format!("s{index}")})).collect();
        let windows = json!({"key": ["key"], "assigner": {"tumbling": {"size_ms": 10}}, "compute": {"host": "count"}});
        let all = if inputs.len() > 1 { "all" } else { "s0" };
        if inputs.len() > 1 {
            operators.push(json!({"name": "all", "kind": "union", "inputs": inputs, "outputs": [{"schema": "key:i64,value:i64"}]}));
        }
        operators.push(json!({"name": "w", "kind": {"window": windows}, "inputs": [{"from": all}],
            "outputs": [{"schema": "key:i64,start:i64,end:i64,count:i64"}]}));
        operators.push(sink("w"));
        let plan: Plan = serde_json::from_value(json!({"contract": "0.2.0", "operators": operators})).unwrap();
        tidemill_core::plan::check(&plan).expect("the plan is right");
        plan
    }

    fn run(&self) -> Gave {
        let plan = self.plan();
        let (board, drift, results) = (Board::default(), Arc::new(AtomicI64::new(0)), Results::default());
        let place = |source: usize| (0..self.sources[source].len()).map(move |split| ((source, split), TIME_MIN));
        board.lock().unwrap().extend((0..self.sources.len()).flat_map(place));
        let source = |(index, splits): (usize, &Vec<Vec<TimeMs>>)| {
            let silent = self.silent && index + 1 == self.sources.len();
            let source = Splits {
                source: index,
                splits: splits.clone(),
                silent,
                board: Arc::clone(&board),
                drift: Arc::clone(&drift),
                waiting: results.waiting.clone(),
                rows: self.rows,
            };
            (index as u32, Arc::new(source) as Arc<dyn Source>)
        };
        let graph = Graph::resolve(&plan, &Settings { parallelism: Some(self.parallelism), ..Settings::default() });
        let control = Arc::new(Control::new(plan.operators.len(), graph.workers()));
        let spec = JobSpec {
            sources: self.sources.iter().enumerate().map(source).collect(),
            sinks: HashMap::from([(plan.operators.len() as u32 - 1, Arc::new(results.clone()) as Arc<dyn Sink>)]),
            plan: Arc::new(plan),
            graph: Arc::new(graph),
            factory: Arc::new(SumFactory::default()),
            checkpoints: None,
            options: Options { tick_ms: 1, idle_ms: self.silent.then_some(0), ..Options::default() },
        };
        within_a_minute(&control, || run(spec, &control).expect("the job runs"));
        let mut lines = results.lines.lock().unwrap().clone();
        lines.sort();
        Gave { lines, drift: drift.load(SeqCst), waiting: results.waiting.most.load(SeqCst) }
    }
}

/// Ends a job in which everybody waits for everybody.
fn within_a_minute<T>(control: &Arc<Control>, body: impl FnOnce() -> T) -> T {
    let (running, ended) = channel::<()>();
    let own = Arc::clone(control);
    let watch = std::thread::spawn(move || {
        if ended.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
            own.abort("everybody waits for everybody".to_owned());
        }
    });
    let result = body();
    drop(running);
    watch.join().unwrap();
    result
}

/// Times that rise by `step` from 0 to `end`.
fn rising(step: i64, end: TimeMs) -> Vec<TimeMs> {
    (0..end / step).map(|n| n * step).collect()
}

#[test]
fn what_waits_behind_a_fast_source_stays_small() {
    // The slow source gives a record of every 10 ms in each block, the fast one sixteen of 1 ms.
    let case = |max_drift_ms, parallelism| Case {
        sources: vec![vec![rising(1, 20_000)], vec![rising(10, 20_000).into_iter().flat_map(|time| vec![time; 16]).collect()]],
        max_drift_ms,
        silent: false,
        parallelism,
        rows: 16,
    };
    let apart = case(None, 1).run();
    for parallelism in [1, 2] {
        let together = case(Some(100), parallelism).run();
        assert!(together.drift <= 100, "{}", together.drift);
        assert!(together.waiting < 3_000, "{} records waited, of 52,000", together.waiting);
        assert_eq!(together.lines, apart.lines);
    }
}

#[test]
fn without_alignment_a_fast_source_runs_away() {
    let case = Case {
        sources: vec![vec![rising(1, 20_000)], vec![rising(10, 200), rising(1, 100)]],
        max_drift_ms: None,
        silent: true,
        parallelism: 2,
        rows: 16,
    };
    assert!(case.run().drift > 1_000);
    let aligned = Case { max_drift_ms: Some(50), ..case }.run();
    assert!(aligned.drift <= 50, "the silent split holds nobody once it is idle: {}", aligned.drift);
}

/// What two readers know of each other.
#[derive(Clone, Default)]
struct Between {
    /// Polls of the fast one that found nothing.
    quiet: Arc<AtomicI64>,
    /// How often the engine has looked at its splits.
    looks: Arc<AtomicI64>,
    /// The slow one has ended.
    ended: Arc<AtomicBool>,
}

/// The fast one reads a record, is idle, is held by the slow one, which came later and is behind, and has another when that has ended.
struct Fast(Between, usize, [SplitTime; 1]);
/// The slow one waits until the fast one is idle, reads a record, and ends when the engine has had the time to hold the fast one.
struct Slow(Between, usize, [SplitTime; 1], i64);

fn one(at: &mut SplitTime, time: TimeMs) -> Polled {
    let mut builder = Builder::new(&schema());
    builder.push_time(time);
    builder.column(0).push_i64(1);
    builder.column(1).push_i64(1);
    at.max_time = time;
    let blocks = vec![(0, builder.finish().unwrap())];
    Polled::Batch(Batch { blocks, records: 1, ..Batch::default() })
}

impl Reader for Fast {
    fn poll(&mut self, _: usize) -> Result<Polled, Error> {
        if self.1 == 1 && !self.0.ended.load(SeqCst) {
            self.0.quiet.fetch_add(1, SeqCst);
            return Ok(Polled::Pending);
        }
        self.1 += 1;
        Ok(match self.1 {
            1 => one(&mut self.2[0], 1_000),
            2 => one(&mut self.2[0], 1_005),
            _ => Polled::Ended,
        })
    }

    fn splits(&self) -> &[SplitTime] {
        self.0.looks.fetch_add(1, SeqCst);
        &self.2
    }

    fn observe(&mut self, _: usize, _: TimeMs) {}
}

impl Reader for Slow {
    fn poll(&mut self, _: usize) -> Result<Polled, Error> {
        if self.0.quiet.load(SeqCst) == 0 {
            return Ok(Polled::Pending);
        }
        self.1 += 1;
        match self.1 {
            1 => return Ok(one(&mut self.2[0], 0)),
            // Everybody is held from here on that is ahead of this record.
            2 => self.3 = self.0.looks.load(SeqCst),
            _ => {}
        }
        if self.0.looks.load(SeqCst) < self.3 + 4 {
            return Ok(Polled::Batch(Batch::default()));
        }
        self.0.ended.store(true, SeqCst);
        self.2[0].ended = true;
        Ok(Polled::Ended)
    }

    fn splits(&self) -> &[SplitTime] {
        &self.2
    }

    fn observe(&mut self, _: usize, _: TimeMs) {}
}

struct Either(Between, bool);

impl Source for Either {
    fn reader(&self, _: usize, _: usize, _: Waker) -> Result<Box<dyn Reader>, Error> {
        let splits = [SplitTime { max_time: TIME_MIN, ended: false }];
        Ok(if self.1 { Box::new(Fast(self.0.clone(), 0, splits)) } else { Box::new(Slow(self.0.clone(), 0, splits, 0)) })
    }

    fn bounded(&self) -> bool {
        false
    }
}

#[test]
fn time_held_by_alignment_is_no_idleness() {
    let case = Case { sources: vec![Vec::new(), Vec::new()], max_drift_ms: Some(100), silent: false, parallelism: 1, rows: 1 };
    let (plan, between, results) = (case.plan(), Between::default(), Results::default());
    let graph = Graph::resolve(&plan, &Settings::default());
    let control = Arc::new(Control::new(plan.operators.len(), 1));
    let spec = JobSpec {
        sources: (0..2).map(|id| (id, Arc::new(Either(between.clone(), id == 0)) as Arc<dyn Source>)).collect(),
        sinks: HashMap::from([(plan.operators.len() as u32 - 1, Arc::new(results.clone()) as Arc<dyn Sink>)]),
        plan: Arc::new(plan),
        graph: Arc::new(graph),
        factory: Arc::new(SumFactory::default()),
        checkpoints: None,
        options: Options { tick_ms: 1, idle_ms: Some(0), ..Options::default() },
    };
    within_a_minute(&control, || run(spec, &control).expect("the job runs"));
    // The slow one's record is late, since all were idle. Were the fast one still idle when the slow one ended, event time would have
    // ended, and the fast one's other record come too late as well.
    assert_eq!(*results.lines.lock().unwrap(), ["[1, 1000, 1010, 2]"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nobody_reads_far_ahead_and_nobody_waits_for_ever(
        sources in vec(vec((1i64..200, 0usize..30), 1..4), 1..3), max_drift_ms in 1i64..400, silent: bool, parallelism in 1usize..4, rows in 1usize..5,
    ) {
        let splits = |splits: Vec<(i64, usize)>| splits.into_iter().map(|(step, records)| rising(step, step * records as i64)).collect();
        let case = Case { sources: sources.into_iter().map(splits).collect(), max_drift_ms: Some(max_drift_ms), silent, parallelism, rows };
        let aligned = case.run();
        prop_assert!(aligned.drift <= max_drift_ms, "somebody read {} ms ahead", aligned.drift);
        // Monotonic splits are never late, so that what comes out depends on nothing but the records; behind an idle one they may be.
        if !silent {
            prop_assert_eq!(aligned.lines, Case { max_drift_ms: None, ..case }.run().lines);
        }
    }
}
