//! A job without files and without wasm: rows from memory, results into memory, closures for a guest.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses its part")]

pub mod jobs;
pub mod kept;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidemill_core::block::{Block, Builder, Value};
use tidemill_core::checkpoint::poison::Suspect;
use tidemill_core::connect::{Batch, Error, Polled, Reader, Sink, Source, SplitTime, Waker, Writer};
use tidemill_core::guest::{self, Asked, ChainId, Decision, Emission, Factory, Guest, Moment, OperatorId, Outcome, Slot};
use tidemill_core::plan::{Graph, Plan, Settings};
use tidemill_core::schema::Schema;
use tidemill_core::{TIME_MIN, TimeMs};
use tidemill_dataflow::{Control, Failure, JobSpec, Options, Report, run};

/// `key:i64,value:i64` with an event time.
pub type Row = (TimeMs, i64, i64);

/// Rows read and not yet written, and how many that was at most.
#[derive(Default)]
pub struct Gauge {
    now: AtomicI64,
    pub most: AtomicI64,
}

/// Rows dealt out to readers; each reader's share is one split.
pub struct Rows {
    rows: Vec<Row>,
    gauge: Arc<Gauge>,
    /// See [`Job::deal`].
    deal: u64,
}

struct RowReader {
    rows: Vec<Row>,
    at: usize,
    split: [SplitTime; 1],
    gauge: Arc<Gauge>,
}

impl Source for Rows {
    fn reader(&self, worker: usize, peers: usize, _: Waker) -> Result<Box<dyn Reader>, Error> {
        let reader = |i: usize| (if self.deal == 0 { i } else { (i as u64 + 1).wrapping_mul(self.deal | 1) as usize >> 7 }) % peers;
        let rows = self.rows.iter().copied().enumerate().filter(|(i, _)| reader(*i) == worker).map(|(_, r)| r).collect();
        Ok(Box::new(RowReader { rows, at: 0, split: [SplitTime { max_time: TIME_MIN, ended: false }], gauge: Arc::clone(&self.gauge) }))
    }

    fn bounded(&self) -> bool {
        true
    }
}

impl Reader for RowReader {
    fn poll(&mut self, rows: usize) -> Result<Polled, Error> {
        let share = &self.rows[self.at..(self.at + rows).min(self.rows.len())];
        self.at += share.len();
        if share.is_empty() {
            self.split[0].ended = true;
            return Ok(Polled::Ended);
        }
        let mut builder = Builder::new(&schema());
        for (time, key, value) in share {
            builder.push_time(*time);
            builder.column(0).push_i64(*key);
            builder.column(1).push_i64(*value);
            self.split[0].max_time = self.split[0].max_time.max(*time);
        }
        let records = share.len() as u64;
        let under_way = self.gauge.now.fetch_add(records as i64, Relaxed) + records as i64;
        self.gauge.most.fetch_max(under_way, Relaxed);
        Ok(Polled::Batch(Batch { blocks: vec![(0, builder.finish().unwrap())], records, ..Batch::default() }))
    }

    fn splits(&self) -> &[SplitTime] {
        &self.split
    }

    fn observe(&mut self, _: usize, max_time: TimeMs) {
        self.split[0].max_time = self.split[0].max_time.max(max_time);
    }
}

/// The schema of [`Rows`].
pub fn schema() -> Schema {
    "key:i64,value:i64".parse().unwrap()
}

/// Results as text: `time|a,b,c`.
#[derive(Clone, Default)]
pub struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    gauge: Arc<Gauge>,
    /// How long a write takes.
    delay: Duration,
}

struct LineWriter(Lines);

impl Sink for Lines {
    fn writer(&self, _: usize, _: usize) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(LineWriter(self.clone())))
    }
}

impl Writer for LineWriter {
    fn write(&mut self, block: &Block) -> Result<(), Error> {
        // A slow disk or network, not a way to wait for somebody.
        std::thread::sleep(self.0.delay);
        self.0.gauge.now.fetch_sub(block.rows() as i64, Relaxed);
        let mut lines = self.0.lines.lock().unwrap();
        for row in 0..block.rows() {
            let cells: Vec<String> = (0..block.columns())
                .map(|c| match block.column(c).value(row) {
                    Value::I64(v) => v.to_string(),
                    Value::I32(v) => v.to_string(),
                    Value::String(v) => v.to_owned(),
                    other => format!("{other:?}"),
                })
                .collect();
            lines.push(format!("{}|{}", block.time(row), cells.join(",")));
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

/// A guest of closures: sums by slot, and whatever `on_process` and `on_timer` do.
pub struct SumGuest {
    pub sums: HashMap<Slot, (i64, i64)>,
    pub chains: HashMap<ChainId, Vec<OperatorId>>,
    pub custom: Custom,
}

/// Replaces calls of a [`SumGuest`].
#[derive(Clone, Default)]
pub struct Custom {
    pub process: Option<ProcessFn>,
    pub timer: Option<ProcessFn>,
    pub trigger: Option<TriggerFn>,
    pub apply: Option<ApplyFn>,
    pub watermark: Option<WatermarkFn>,
}

impl std::fmt::Debug for Custom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = [self.process.is_some(), self.timer.is_some(), self.trigger.is_some(), self.apply.is_some(), self.watermark.is_some()];
        write!(f, "Custom(process, timer, trigger, apply, watermark: {of:?})")
    }
}

pub type ProcessFn =
    Arc<dyn Fn(&mut HashMap<Slot, (i64, i64)>, OperatorId, Moment, &Block, &[Slot]) -> Result<Outcome, guest::Error> + Send + Sync>;

/// A trigger: what it is asked of, with the sums, which it may use as it likes: nothing here is emptied by a purge.
pub type TriggerFn = Arc<dyn Fn(&mut HashMap<Slot, (i64, i64)>, &Asked<'_>) -> Result<Vec<Decision>, guest::Error> + Send + Sync>;

/// Applies a record to keys.
pub type ApplyFn = Arc<dyn Fn(u32, &Block, &Block) -> Result<Outcome, guest::Error> + Send + Sync>;

/// Gives the watermark of a split: `split, now, block`.
pub type WatermarkFn = Arc<dyn Fn(u32, TimeMs, Option<&Block>) -> Result<Option<TimeMs>, guest::Error> + Send + Sync>;

/// Makes [`SumGuest`]s.
#[derive(Clone, Default)]
pub struct SumFactory(pub Custom);

impl Factory for SumFactory {
    fn instantiate(&self) -> Result<Box<dyn Guest>, guest::Error> {
        Ok(Box::new(SumGuest { sums: HashMap::new(), chains: HashMap::new(), custom: self.0.clone() }))
    }
}

impl Guest for SumGuest {
    fn link(&mut self, chain: ChainId, members: &[OperatorId]) -> Result<(), guest::Error> {
        self.chains.insert(chain, members.to_vec());
        Ok(())
    }

    fn process(
        &mut self,
        chain: ChainId,
        _: u32,
        at: Moment,
        block: &Block,
        rows: &[u32],
        slots: &[Slot],
    ) -> Result<Outcome, guest::Error> {
        if let Some(process) = &self.custom.process {
            let head = self.chains[&chain][0];
            return process(&mut self.sums, head, at, block, slots);
        }
        for (i, slot) in slots.iter().enumerate() {
            let row = rows.get(i).map_or(i, |r| *r as usize);
            let sum = self.sums.entry(*slot).or_default();
            sum.0 += block.column(1).i64s().get(row);
            sum.1 += 1;
        }
        Ok(Outcome::default())
    }

    fn on_timer(&mut self, chain: ChainId, at: Moment, block: &Block, slots: &[Slot]) -> Result<Outcome, guest::Error> {
        let head = self.chains[&chain][0];
        (self.custom.timer.as_ref().unwrap())(&mut self.sums, head, at, block, slots)
    }

    /// Emits `key, start, end, firing, sum, count`.
    fn fire(&mut self, chain: ChainId, _: Moment, block: &Block, offsets: &[u32], slots: &[Slot]) -> Result<Outcome, guest::Error> {
        let mut builder = Builder::new(&"key:i64,start:i64,end:i64,firing:i32,sum:i64,count:i64".parse().unwrap());
        for row in 0..block.rows() {
            builder.push_time(block.time(row));
            (0..4).for_each(|c| builder.column(c).push_cell(block.column(c), row));
            let span = &slots[offsets[row] as usize..offsets[row + 1] as usize];
            let total = span.iter().filter_map(|s| self.sums.get(s)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
            builder.column(4).push_i64(total.0);
            builder.column(5).push_i64(total.1);
        }
        let emitted = vec![Emission { operator: self.chains[&chain][0], port: 0, block: builder.finish().unwrap() }];
        Ok(Outcome { emitted, ..Outcome::default() })
    }

    fn merge(&mut self, _: OperatorId, targets: &[Slot], sources: &[Slot]) -> Result<(), guest::Error> {
        for (target, source) in targets.iter().zip(sources) {
            let gone = self.sums.remove(source).unwrap_or_default();
            let sum = self.sums.entry(*target).or_default();
            *sum = (sum.0 + gone.0, sum.1 + gone.1);
        }
        Ok(())
    }

    fn export_state(&mut self, _: OperatorId, slots: &[Slot]) -> Result<Block, guest::Error> {
        let mut builder = Builder::new(&"sum:i64?,count:i64?".parse().unwrap());
        for slot in slots {
            builder.push_time(0);
            match self.sums.get(slot) {
                Some((sum, count)) => [*sum, *count].into_iter().enumerate().for_each(|(c, v)| builder.column(c).push_i64(v)),
                None => (0..2).for_each(|c| builder.column(c).push_absent()),
            }
        }
        Ok(builder.finish().unwrap())
    }

    fn import_state(&mut self, _: OperatorId, slots: &[Slot], block: &Block) -> Result<(), guest::Error> {
        for (row, slot) in slots.iter().enumerate().filter(|(row, _)| block.column(0).present(*row)) {
            assert!(
                self.sums.insert(*slot, (block.column(0).i64s().get(row), block.column(1).i64s().get(row))).is_none(),
                "the slot was empty"
            );
        }
        Ok(())
    }

    /// What was a sum and a count becomes a count and a sum.
    fn migrate_state(&mut self, _: OperatorId, from: &Schema, block: &Block) -> Result<Block, guest::Error> {
        let mut builder = Builder::new(from);
        for row in 0..block.rows() {
            builder.push_time(0);
            (0..2).for_each(|c| builder.column(c).push_cell(block.column(1 - c), row));
        }
        Ok(builder.finish().unwrap())
    }

    fn slots(&self, _: OperatorId) -> Option<Vec<Slot>> {
        Some(self.sums.keys().copied().collect())
    }

    fn trigger(&mut self, _: OperatorId, _: Moment, asked: &Asked<'_>) -> Result<Vec<Decision>, guest::Error> {
        (self.custom.trigger.as_ref().unwrap())(&mut self.sums, asked)
    }

    fn purge(&mut self, _: OperatorId, _: &[Slot]) -> Result<(), guest::Error> {
        Ok(())
    }

    fn apply(&mut self, _: ChainId, input: u32, _: Moment, block: &Block, keys: &Block, _: &[Slot]) -> Result<Outcome, guest::Error> {
        (self.custom.apply.as_ref().unwrap())(input, block, keys)
    }

    fn watermark(&mut self, _: OperatorId, split: u32, now: TimeMs, block: Option<&Block>) -> Result<Option<TimeMs>, guest::Error> {
        (self.custom.watermark.as_ref().unwrap())(split, now, block)
    }

    fn drop_state(&mut self, _: OperatorId, slots: &[Slot]) -> Result<(), guest::Error> {
        slots.iter().for_each(|s| {
            self.sums.remove(s);
        });
        Ok(())
    }
}

/// A job: source `rows`, whatever operators the JSON says, one sink for each operator of kind sink.
pub struct Job {
    pub rows: Vec<Row>,
    pub operators: serde_json::Value,
    pub parallelism: usize,
    pub options: Options,
    pub custom: Custom,
    pub watermarks: serde_json::Value,
    pub gauge: Arc<Gauge>,
    pub delay: Duration,
    /// Which reader has which row: in turn, or some other way for each other number.
    pub deal: u64,
}

impl Job {
    pub fn new(rows: &[Row], operators: serde_json::Value) -> Job {
        Job {
            rows: rows.to_vec(),
            operators,
            parallelism: 1,
            options: Options::default(),
            custom: Custom::default(),
            watermarks: "monotonic".into(),
            gauge: Arc::default(),
            delay: Duration::ZERO,
            deal: 0,
        }
    }

    /// Runs it; the sorted lines of every sink by name.
    pub fn run(&self) -> Result<(HashMap<String, Vec<String>>, Report), Failure> {
        self.run_to_its_end().0
    }

    /// Runs it; also in which call of user code it ended, where it ended in one.
    pub fn run_to_its_end(&self) -> (Result<(HashMap<String, Vec<String>>, Report), Failure>, Option<Suspect>) {
        let source = serde_json::json!({"name": "rows", "kind": {"source": {"binding": "rows", "format": "json", "time": "t",
            "watermarks": self.watermarks}}, "outputs": [{"schema": "key:i64,value:i64"}]});
        let mut operators = vec![source];
        operators.extend(self.operators.as_array().unwrap().iter().cloned());
        let plan: Plan = serde_json::from_value(serde_json::json!({"contract": "0.2.0", "operators": operators})).unwrap();
        let graph = Graph::resolve(&plan, &Settings { parallelism: Some(self.parallelism), ..Settings::default() });
        let mut sinks = HashMap::new();
        let mut open: HashMap<OperatorId, Arc<dyn Sink>> = HashMap::new();
        for (id, operator) in plan.operators.iter().enumerate().filter(|(_, o)| o.kind_name() == "sink") {
            let lines = Lines { gauge: Arc::clone(&self.gauge), delay: self.delay, ..Lines::default() };
            sinks.insert(operator.name.clone(), lines.clone());
            open.insert(id as OperatorId, Arc::new(lines));
        }
        let source: Arc<dyn Source> = Arc::new(Rows { rows: self.rows.clone(), gauge: Arc::clone(&self.gauge), deal: self.deal });
        let control = Arc::new(Control::new(plan.operators.len(), graph.workers()));
        let spec = JobSpec {
            plan: Arc::new(plan),
            graph: Arc::new(graph),
            factory: Arc::new(SumFactory(self.custom.clone())),
            sources: HashMap::from([(0, source)]),
            sinks: open,
            checkpoints: None,
            options: self.options.clone(),
        };
        let report = match run(spec, &control) {
            Ok(report) => report,
            Err(failure) => return (Err(failure), control.take_suspect()),
        };
        let sorted = |lines: &Lines| {
            let mut lines = lines.lines.lock().unwrap().clone();
            lines.sort();
            lines
        };
        (Ok((sinks.iter().map(|(name, lines)| (name.clone(), sorted(lines))).collect(), report)), None)
    }

    /// The sorted lines of the sink `out`.
    pub fn out(&self) -> Vec<String> {
        self.run().expect("the job runs").0.remove("out").unwrap()
    }
}

/// A sink named `out` reading `from`.
pub fn sink(from: &str) -> serde_json::Value {
    serde_json::json!({"name": "out", "kind": {"sink": {"binding": "out", "format": "json"}}, "inputs": [{"from": from}]})
}
