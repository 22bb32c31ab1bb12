//! A job with checkpoints, in memory: rows that can be read again, a sink that stages, and a keeper that remembers every handover, so
//! that a test can begin again from each boundary of one run.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use tidemill_core::TIME_MIN;
use tidemill_core::block::{Block, Builder, gather};
use tidemill_core::checkpoint::{CheckpointId, Handover, Keeper, Saved, SavedOperator, column, page_schema};
use tidemill_core::connect::{Batch, Error, Polled, Reader, Sink, Source, SplitTime, Waker, Writer};
use tidemill_core::plan::{Graph, Plan, Settings};
use tidemill_dataflow::{Checkpoints, Control, Failure, JobSpec, Mode, Options, SwitchError, Switched, is_under_way, participants, run};

use super::{Custom, Row, SumFactory, schema};

/// Rows, dealt out in turn; the first reader announces a boundary at every `every`-th poll.
struct Rows {
    rows: Vec<Row>,
    /// Which of them are still to be read.
    left: Mutex<Vec<usize>>,
    control: Arc<Control>,
    every: usize,
    asked: bool,
    slow: Duration,
    next: AtomicU64,
    switch: Option<Switching>,
}

/// An exchange of code, begun by the first reader.
struct Switching {
    after: usize,
    to: Custom,
    begun: OnceLock<JoinHandle<()>>,
    done: Mutex<Option<Result<Switched, SwitchError>>>,
}

/// How long an exchange may take here: much longer than it does.
const PATIENCE: Duration = Duration::from_secs(20);

impl Rows {
    /// Begins the exchange when it is time; whether it is under way.
    fn switch(self: &Arc<Rows>, read: usize) -> bool {
        let Some(switch) = self.switch.as_ref().filter(|switch| read >= switch.after) else { return false };
        switch.begun.get_or_init(|| {
            let source = Arc::clone(self);
            std::thread::spawn(move || {
                let switch = source.switch.as_ref().unwrap();
                let done = source.control.switch(Arc::new(SumFactory(switch.to.clone())), || {}, PATIENCE);
                *switch.done.lock().unwrap() = Some(done);
            })
        });
        switch.done.lock().unwrap().is_none()
    }
}

struct RowReader {
    source: Arc<Rows>,
    share: Vec<usize>,
    at: usize,
    polls: usize,
    first: bool,
    split: [SplitTime; 1],
}

struct Shared(Arc<Rows>);

impl Source for Shared {
    fn reader(&self, worker: usize, peers: usize, _: Waker) -> Result<Box<dyn Reader>, Error> {
        let left = self.0.left.lock().unwrap();
        let share = left.iter().copied().enumerate().filter(|(i, _)| i % peers == worker).map(|(_, row)| row).collect();
        let split = [SplitTime { max_time: TIME_MIN, ended: false }];
        Ok(Box::new(RowReader { source: Arc::clone(&self.0), share, at: 0, polls: 0, first: worker == 0, split }))
    }

    fn bounded(&self) -> bool {
        true
    }

    fn restore(&self, positions: &[String]) -> Result<(), Error> {
        let left = positions.iter().flat_map(|p| serde_json::from_str::<Vec<usize>>(p).unwrap());
        let mut left: Vec<usize> = left.collect();
        left.sort_unstable();
        *self.0.left.lock().unwrap() = left;
        Ok(())
    }
}

impl Reader for RowReader {
    fn poll(&mut self, rows: usize) -> Result<Polled, Error> {
        self.polls += 1;
        if !self.first {
            // A slow disk, not a way to wait for somebody.
            std::thread::sleep(self.source.slow);
        }
        if self.first && self.polls.is_multiple_of(self.source.every) {
            let id = CheckpointId(self.source.next.fetch_add(1, Relaxed));
            // A moment in which the boundary before this one gets through, since one run of a few hundred rows is over in no time.
            match self.source.asked {
                true => self.source.control.announce_aligned(id),
                false => self.source.control.announce(id),
            };
            return Ok(Polled::Pending);
        }
        if self.first && self.source.switch(self.at) {
            return Ok(Polled::Pending);
        }
        let share = &self.share[self.at..(self.at + rows).min(self.share.len())];
        self.at += share.len();
        if share.is_empty() {
            self.split[0].ended = true;
            return Ok(Polled::Ended);
        }
        let mut builder = Builder::new(&schema());
        for &row in share {
            let (time, key, value) = self.source.rows[row];
            builder.push_time(time);
            builder.column(0).push_i64(key);
            builder.column(1).push_i64(value);
            self.split[0].max_time = self.split[0].max_time.max(time);
        }
        Ok(Polled::Batch(Batch { blocks: vec![(0, builder.finish().unwrap())], records: share.len() as u64, ..Batch::default() }))
    }

    fn splits(&self) -> &[SplitTime] {
        &self.split
    }

    fn observe(&mut self, _: usize, _: i64) {}

    fn position(&mut self, _: Option<u64>) -> Result<Option<String>, Error> {
        Ok(Some(serde_json::to_string(&self.share[self.at..]).unwrap()))
    }
}

/// Output by name of what was staged; a name says which writer and which of its stagings.
#[derive(Clone, Default)]
struct Staging(Arc<Mutex<BTreeMap<String, Vec<String>>>>);

struct StagingWriter {
    staging: Staging,
    worker: usize,
    count: usize,
    lines: Vec<String>,
}

impl Sink for Staging {
    fn writer(&self, worker: usize, _: usize) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(StagingWriter { staging: self.clone(), worker, count: 0, lines: Vec::new() }))
    }
}

impl Writer for StagingWriter {
    fn write(&mut self, block: &Block) -> Result<(), Error> {
        for row in 0..block.rows() {
            let cells: Vec<String> = (0..block.columns()).map(|c| format!("{:?}", block.column(c).value(row))).collect();
            self.lines.push(format!("{}|{}", block.time(row), cells.join(",")));
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn stage(&mut self) -> Result<Vec<String>, Error> {
        self.count += 1;
        let name = format!("{}-{}", self.worker, self.count);
        self.staging.0.lock().unwrap().insert(name.clone(), std::mem::take(&mut self.lines));
        Ok(vec![name])
    }
}

/// Every handover of a run, in order, by operator and worker.
#[derive(Default)]
pub struct Book {
    handovers: Mutex<BTreeMap<(u32, usize), Vec<(CheckpointId, Handover)>>>,
}

impl Keeper for Book {
    fn keep(&self, checkpoint: CheckpointId, handover: Handover) {
        let place = (handover.operator, handover.worker);
        self.handovers.lock().unwrap().entry(place).or_default().push((checkpoint, handover));
    }
}

/// One finished run: what it wrote, and what it would have kept.
pub struct Run {
    /// How each participant is found in a checkpoint.
    names: HashMap<u32, String>,
    staging: Staging,
    book: Arc<Book>,
    expected: usize,
    /// What became of the exchange of code.
    pub switched: Option<Result<Switched, SwitchError>>,
    /// What the run began with: the rows of keyed state by operator, key and namespace.
    base: BTreeMap<String, BTreeMap<Name, StateRow>>,
}

type Name = (Vec<u8>, Vec<u8>);
/// A page with one row.
type StateRow = Block;

impl Run {
    /// All lines, sorted.
    pub fn lines(&self) -> Vec<String> {
        sorted(self.staging.0.lock().unwrap().values().flatten())
    }

    /// The checkpoints that every operator has handed over for, in order.
    pub fn checkpoints(&self) -> Vec<CheckpointId> {
        let book = self.book.handovers.lock().unwrap();
        assert_eq!(book.len(), self.expected, "every operator has handed over on every worker");
        let mut ids: Vec<CheckpointId> = book.values().flatten().map(|(id, _)| *id).filter(|id| id.0 > 0).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The handovers of one operator and worker up to a checkpoint: all, when it had ended before.
    fn until(list: &[(CheckpointId, Handover)], id: CheckpointId) -> &[(CheckpointId, Handover)] {
        let end = list.iter().position(|(at, _)| *at >= id).map_or(list.len(), |i| if list[i].0 == id { i + 1 } else { i });
        &list[..end]
    }

    /// The job as it was at a checkpoint.
    pub fn saved(&self, id: CheckpointId) -> Arc<Memory> {
        let mut memory = Memory { id, operators: HashMap::new(), rows: self.base.clone(), schemas: HashMap::new() };
        for (&(operator, _), list) in &*self.book.handovers.lock().unwrap() {
            let list = Self::until(list, id);
            let Some((_, last)) = list.last() else { continue };
            let name = self.names[&operator].clone();
            let saved =
                memory.operators.entry(name.clone()).or_insert_with(|| SavedOperator { watermark: i64::MAX, ..SavedOperator::default() });
            saved.watermark = saved.watermark.min(last.watermark);
            saved.positions.extend(last.position.clone());
            for keyed in list.iter().filter_map(|(_, h)| h.keyed.as_ref()) {
                saved.state = Some(keyed.state.clone());
                memory.schemas.insert(name.clone(), page_schema(&keyed.state));
                let rows = memory.rows.entry(name.clone()).or_default();
                for page in &keyed.pages {
                    apply(rows, page, &page_schema(&keyed.state));
                }
            }
        }
        Arc::new(memory)
    }

    /// What was committed with a checkpoint or before.
    pub fn committed(&self, id: CheckpointId) -> Vec<String> {
        let book = self.book.handovers.lock().unwrap();
        let names = book.values().flat_map(|list| Self::until(list, id)).flat_map(|(_, h)| h.staged.clone());
        let staging = self.staging.0.lock().unwrap();
        names.flat_map(|name| staging[&name].clone()).collect()
    }
}

fn apply(rows: &mut BTreeMap<Name, StateRow>, page: &Block, schema: &tidemill_core::schema::Schema) {
    let mut seen = std::collections::HashSet::new();
    for row in 0..page.rows() {
        let name = (page.column(column::KEY).bytes(row).to_vec(), page.column(column::NAMESPACE).bytes(row).to_vec());
        assert!(seen.insert(name.clone()), "a page names each piece of state once");
        if page.column(column::GONE).value(row) == tidemill_core::block::Value::Bool(true) {
            assert!(rows.remove(&name).is_some(), "what is said to be gone was there");
        } else {
            rows.insert(name, gather(page, &[row as u32], schema).unwrap());
        }
    }
}

fn sorted<'a>(lines: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.cloned().collect();
    lines.sort();
    lines
}

/// A job as it was at a checkpoint.
pub struct Memory {
    id: CheckpointId,
    operators: HashMap<String, SavedOperator>,
    rows: BTreeMap<String, BTreeMap<Name, StateRow>>,
    schemas: HashMap<String, tidemill_core::schema::Schema>,
}

impl Memory {
    /// Pieces of keyed state, all operators together.
    pub fn rows(&self) -> usize {
        self.rows.iter().filter(|(name, _)| !is_under_way(name)).map(|(_, rows)| rows.len()).sum()
    }

    /// The columns of an operator's keyed state.
    pub fn state(&self, name: &str) -> String {
        self.operators[name].state.as_ref().unwrap().to_string()
    }

    /// Pieces of blocks that were under way.
    pub fn under_way(&self) -> usize {
        let of = |(name, rows): (&String, &BTreeMap<Name, StateRow>)| match is_under_way(name) {
            true => rows.keys().filter(|(key, _)| key[0] == 1).count(),
            false => 0,
        };
        self.rows.iter().map(of).sum()
    }
}

impl Saved for Memory {
    fn checkpoint(&self) -> CheckpointId {
        self.id
    }

    fn operator(&self, name: &str) -> Option<&SavedOperator> {
        self.operators.get(name)
    }

    fn pages(&self, name: &str, groups: Range<u32>, each: &mut dyn FnMut(Block) -> Result<(), Error>) -> Result<(), Error> {
        let Some(rows) = self.rows.get(name) else { return Ok(()) };
        let group = |block: &Block| match block.column(column::GROUP).value(0) {
            tidemill_core::block::Value::I32(group) => group as u32,
            other => panic!("a group is a number, not {other:?}"),
        };
        let mine: Vec<Block> = rows.values().filter(|row| groups.contains(&group(row))).cloned().collect();
        for some in mine.chunks(3) {
            each(tidemill_core::block::concat(some, &self.schemas[name]).unwrap())?;
        }
        Ok(())
    }
}

/// A job to be run, perhaps from a checkpoint.
#[derive(Clone)]
pub struct KeptJob {
    pub rows: Vec<Row>,
    /// Rows of a second source, `more`, where there is one.
    pub more: Option<Vec<Row>>,
    pub operators: serde_json::Value,
    pub parallelism: usize,
    pub custom: Custom,
    pub options: Options,
    /// Polls of the first reader between two boundaries.
    pub every: usize,
    pub mode: Mode,
    /// Boundaries are asked for as for a savepoint.
    pub asked: bool,
    /// After so many rows of the first reader its code is exchanged for this.
    pub switch: Option<(usize, Custom)>,
    /// How long a poll of any but the first reader takes: what they have read leaves when others have long come to a boundary.
    pub slow: Duration,
}

impl KeptJob {
    /// Runs it to its end.
    pub fn run(&self, from: Option<&Arc<Memory>>) -> Result<Run, Failure> {
        let source = |name: &str| {
            serde_json::json!({"name": name, "kind": {"source": {"binding": name, "format": "json", "time": "t",
                "watermarks": "monotonic"}}, "outputs": [{"schema": "key:i64,value:i64"}]})
        };
        let mut operators = vec![source("rows")];
        operators.extend(self.more.as_ref().map(|_| source("more")));
        operators.extend(self.operators.as_array().unwrap().iter().cloned());
        let plan: Plan = serde_json::from_value(serde_json::json!({"contract": "0.2.0", "operators": operators})).unwrap();
        let graph = Graph::resolve(&plan, &Settings { parallelism: Some(self.parallelism), ..Settings::default() });
        let control = Arc::new(Control::new(plan.operators.len(), graph.workers()));
        let (mut sources, mut first) = (HashMap::new(), None);
        for (id, (name, rows, every)) in
            [("rows", Some(&self.rows), self.every), ("more", self.more.as_ref(), usize::MAX)].into_iter().enumerate()
        {
            let Some(rows) = rows else { continue };
            let source = Shared(Arc::new(Rows {
                rows: rows.clone(),
                left: Mutex::new((0..rows.len()).collect()),
                control: Arc::clone(&control),
                every,
                asked: self.asked,
                slow: self.slow,
                next: AtomicU64::new(1),
                switch: self.switch.clone().filter(|_| name == "rows").map(|(after, to)| Switching {
                    after,
                    to,
                    begun: OnceLock::new(),
                    done: Mutex::default(),
                }),
            }));
            first.get_or_insert_with(|| Arc::clone(&source.0));
            if let Some(from) = from {
                source.restore(&from.operators[name].positions).unwrap();
            }
            sources.insert(id as u32, Arc::new(source) as Arc<dyn Source>);
        }
        let (staging, book) = (Staging::default(), Arc::new(Book::default()));
        let sinks = plan.operators.iter().enumerate().filter(|(_, o)| o.kind_name() == "sink");
        let sinks = sinks.map(|(id, _)| (id as u32, Arc::new(staging.clone()) as Arc<dyn Sink>)).collect();
        let under_way = self.mode == Mode::Unaligned || from.is_some_and(|from| from.operators.keys().any(|name| is_under_way(name)));
        let participants = participants(&plan, &graph, under_way);
        let expected = participants.len() * graph.workers();
        let names = participants.into_iter().map(|p| (p.operator, p.name)).collect();
        let plan = Arc::new(plan);
        let spec = JobSpec {
            plan: Arc::clone(&plan),
            graph: Arc::new(graph),
            factory: Arc::new(SumFactory(self.custom.clone())),
            sources,
            sinks,
            checkpoints: Some(Checkpoints {
                keeper: Arc::clone(&book) as Arc<dyn Keeper>,
                saved: from.map(|from| Arc::clone(from) as Arc<dyn Saved>),
                mode: self.mode,
                under_way,
            }),
            options: self.options.clone(),
        };
        run(spec, &control)?;
        let switched = first.and_then(|source| source.switch.as_ref().and_then(|switch| switch.done.lock().unwrap().take()));
        Ok(Run { names, staging, book, expected, switched, base: from.map(|from| from.rows.clone()).unwrap_or_default() })
    }
}

/// Lines that only one of two runs has, marked with - for those that are missing and + for those that should not be there.
/// Without their times where rows of a key are alike, since any of them may be the one that gave a result.
pub fn differences(got: &[String], expected: &[String], alike: bool) -> Vec<String> {
    let mut count: BTreeMap<&str, i32> = BTreeMap::new();
    let shown = |line: &'_ String| if alike { line.find('|').unwrap_or(0) } else { 0 };
    got.iter().for_each(|line| *count.entry(&line[shown(line)..]).or_default() += 1);
    expected.iter().for_each(|line| *count.entry(&line[shown(line)..]).or_default() -= 1);
    count.into_iter().filter(|(_, n)| *n != 0).map(|(line, n)| format!("{n:+} {line}")).collect()
}
