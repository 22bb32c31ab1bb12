//! The input of a case as a source: one line at a time, the next when all that the line before led to has passed the sinks.
//!
//! All readers of all sources go through the lines together. A reader is polled for a line, does its part of it (a record is
//! one reader's, a mark everybody's) and says so; when all have, and everything emitted up to then has settled, they go to the next.
//! A reader whose source is idle answers that it has nothing: with an idle timeout of zero it is idle from then on.

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tidemill_core::block::Block;
use tidemill_core::checkpoint::CheckpointId;
use tidemill_core::connect::{Batch, Error, Polled, Reader, Source, SplitTime, Waker};
use tidemill_core::plan::{Kind, Operator, Watermarks};
use tidemill_core::{TIME_MIN, TimeMs};
use tidemill_dataflow::Control;

use crate::case::{Line, What};
use crate::record::{Row, block};

/// The checkpoint of a restart, which is the only one of its run.
pub(crate) const CHECKPOINT: CheckpointId = CheckpointId(1);

/// How the input was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// It has ended.
    AtEnd,
    /// A restart stands behind what has been read; the number is the parallelism to go on with.
    Restart(usize),
}

/// What all readers share.
pub(crate) struct Script {
    /// The first one is nobody's: what happens on the way to a line happens to all that are read.
    lines: Vec<Line>,
    /// The sources' names.
    sources: Vec<String>,
    /// Readers of all sources.
    readers: usize,
    /// Some source is idle at some time.
    has_idle: bool,
    control: OnceLock<Arc<Control>>,
    pub(crate) clock: AtomicI64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The line at hand.
    at: usize,
    /// Readers that have done their part of it.
    done: usize,
    /// The tick by which everything of the line has been emitted, once all have done their part.
    emitted_by: Option<u64>,
    /// Marks passed.
    phase: usize,
    restart: Option<usize>,
    /// By source: the greatest time its splits are to tell, and whether it is idle.
    sources: Vec<Told>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    max_time: TimeMs,
    idle: bool,
}

impl Script {
    /// For these sources, which have so many readers together.
    pub(crate) fn new(lines: &[Line], sources: &[String], readers: usize) -> Script {
        let told = Told { max_time: TIME_MIN, idle: false };
        let state = State { at: 0, done: 0, emitted_by: None, phase: 0, restart: None, sources: vec![told; sources.len()] };
        let begin = Line { number: 0, input: None, what: What::Step(String::new()) };
        let clock = AtomicI64::new(0);
        let has_idle = has_idle(lines);
        let lines = std::iter::once(begin).chain(lines.iter().cloned()).collect();
        Script { lines, has_idle, sources: sources.to_vec(), readers, control: OnceLock::new(), clock, state: Mutex::new(state) }
    }

    /// A script that goes on, with so many readers, where this one was left.
    pub(crate) fn rest(&self, readers: usize) -> Script {
        let before = self.state();
        let state = State { done: 0, emitted_by: None, restart: None, sources: before.sources.clone(), ..*before };
        Script {
            lines: self.lines.clone(),
            sources: self.sources.clone(),
            readers,
            has_idle: self.has_idle,
            control: OnceLock::new(),
            clock: AtomicI64::new(self.clock.load(SeqCst)),
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_control(&self, control: &Arc<Control>) {
        // A script is of one run, like its control.
        let _ = self.control.set(Arc::clone(control));
    }

    /// Marks passed so far.
    pub(crate) fn phase(&self) -> usize {
        self.state().phase
    }

    /// How the input was left.
    pub(crate) fn left(&self) -> Left {
        self.state().restart.map_or(Left::AtEnd, Left::Restart)
    }

    /// Goes to the next line if everybody is through with the one at hand.
    fn turn(&self, state: &mut State) {
        let Some(control) = self.control.get() else { return };
        let unsettled = state.emitted_by.is_none_or(|tick| !control.has_settled(tick));
        if unsettled || state.restart.is_some() || state.at == self.lines.len() {
            return;
        }
        (state.done, state.emitted_by, state.at) = (0, None, state.at + 1);
        let Some(line) = self.lines.get(state.at) else {
            // The end is a mark too.
            state.phase += 1;
            return;
        };
        if !matches!(line.what, What::Record(_)) {
            state.phase += 1;
        }
        let named = self.sources.iter().zip(&mut state.sources).filter(|(name, _)| line.is_of(name));
        named.for_each(|(_, told)| match line.what {
            What::Record(_) | What::Watermark(_) => told.idle = false,
            What::Idle => told.idle = true,
            _ => {}
        });
        match line.what {
            What::Now(now) => self.clock.store(now, SeqCst),
            What::Restart(workers) => {
                state.restart = Some(workers);
                control.announce(CHECKPOINT);
            }
            _ => {}
        }
    }

    /// A reader has done its part of the line at hand.
    fn did(&self, state: &mut State) {
        state.done += 1;
        if state.done == self.readers {
            state.emitted_by = self.control.get().and_then(|control| control.tick());
        }
    }
}

/// Whether some source is idle at some time.
pub(crate) fn has_idle(lines: &[Line]) -> bool {
    lines.iter().any(|line| line.what == What::Idle)
}

/// A source operator of a case.
pub(crate) struct ScriptSource {
    script: Arc<Script>,
    /// Its place among the sources, which names it in the script's state.
    index: usize,
    operator: Operator,
    strategy: Option<Watermarks>,
    /// Its watermarks are told by marks, not by its records.
    by_marks: bool,
    bounded: bool,
}

impl ScriptSource {
    pub(crate) fn new(
        script: &Arc<Script>,
        index: usize,
        operator: &Operator,
        strategy: Option<Watermarks>,
        bounded: bool,
    ) -> ScriptSource {
        let by_marks = script.lines.iter().any(|line| line.is_of(&operator.name) && matches!(line.what, What::Watermark(_)));
        ScriptSource { script: Arc::clone(script), index, operator: operator.clone(), strategy, by_marks, bounded }
    }
}

impl Source for ScriptSource {
    fn reader(&self, worker: usize, peers: usize, _: Waker) -> Result<Box<dyn Reader>, Error> {
        let split = SplitTime { max_time: self.script.state().sources[self.index].max_time, ended: false };
        Ok(Box::new(ScriptReader {
            script: Arc::clone(&self.script),
            source: self.index,
            operator: self.operator.clone(),
            strategy: self.strategy,
            by_marks: self.by_marks,
            worker,
            peers,
            did: None,
            split: [split],
        }))
    }

    fn bounded(&self) -> bool {
        self.bounded
    }

    /// The script itself knows where it was left.
    fn restore(&self, _: &[String]) -> Result<(), Error> {
        Ok(())
    }

    fn replayable(&self) -> bool {
        true
    }
}

struct ScriptReader {
    script: Arc<Script>,
    source: usize,
    operator: Operator,
    strategy: Option<Watermarks>,
    by_marks: bool,
    worker: usize,
    peers: usize,
    /// The last line that it has done its part of.
    did: Option<usize>,
    split: [SplitTime; 1],
}

impl ScriptReader {
    /// Its part of a line.
    fn part(&mut self, line: &Line, state: &mut State) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        if !line.is_of(&self.operator.name) {
            return Ok(batch);
        }
        let told = self.source;
        let told = &mut state.sources[told];
        match &line.what {
            What::Record(record) => {
                if line.number % self.peers == self.worker {
                    let row = Row { time: self.time_of(record)?, record: record.clone() };
                    if !self.by_marks {
                        self.split[0].max_time = self.split[0].max_time.max(row.time);
                        told.max_time = told.max_time.max(row.time);
                    }
                    batch.records = 1;
                    batch.blocks.extend(self.blocks(row)?);
                }
            }
            What::Watermark(watermark) => {
                told.max_time = told.max_time.max(self.max_time_for(*watermark));
                self.split[0].max_time = told.max_time;
            }
            What::Idle | What::Now(_) | What::Step(_) | What::Restart(_) => {}
        }
        Ok(batch)
    }

    fn time_of(&self, record: &crate::record::Record) -> Result<TimeMs, Error> {
        let Kind::Source(spec) = &self.operator.kind else { return Ok(TIME_MIN) };
        let Some(field) = &spec.time else { return Ok(TIME_MIN) };
        let missing = || Error::Binding(format!("a record of {:?} has no time {field:?}", self.operator.name));
        record.get(field).and_then(serde_json::Value::as_i64).ok_or_else(missing)
    }

    /// The time to tell so that the watermark is this.
    fn max_time_for(&self, watermark: TimeMs) -> TimeMs {
        match self.strategy {
            Some(Watermarks::Bounded { ms }) => watermark.saturating_add(1).saturating_add(ms),
            _ => watermark.saturating_add(1),
        }
    }

    /// The record on the port that its tag chooses; on none when nobody reads its variant.
    fn blocks(&self, row: Row) -> Result<Option<(usize, Block)>, Error> {
        let Kind::Source(spec) = &self.operator.kind else { return Ok(None) };
        let port = match &spec.tag {
            None => Some(0),
            Some(tag) => {
                let value = row.record.get(tag).and_then(serde_json::Value::as_str);
                self.operator.outputs.iter().position(|o| o.variant.as_deref() == value)
            }
        };
        let Some(port) = port else { return Ok(None) };
        let block = block(&[row], &self.operator.outputs[port].schema).map_err(|e| Error::Binding(format!("{e:#}")))?;
        Ok(block.map(|block| (port, block)))
    }
}

impl Reader for ScriptReader {
    fn poll(&mut self, _: usize) -> Result<Polled, Error> {
        let script = Arc::clone(&self.script);
        let mut state = script.state();
        if self.did == Some(state.at) {
            script.turn(&mut state);
        }
        let at = state.at;
        if self.did == Some(at) {
            // Where idleness counts, waiting for others must not look like having nothing.
            let waits = script.has_idle && !state.sources[self.source].idle;
            return Ok(if waits { Polled::Batch(Batch::default()) } else { Polled::Pending });
        }
        let Some(line) = script.lines.get(at) else {
            // Everybody has turned to the end before anybody says that it is there.
            self.split[0].ended = true;
            return Ok(Polled::Ended);
        };
        let batch = self.part(line, &mut state)?;
        self.did = Some(at);
        script.did(&mut state);
        Ok(if state.sources[self.source].idle { Polled::Pending } else { Polled::Batch(batch) })
    }

    fn splits(&self) -> &[SplitTime] {
        &self.split
    }

    fn observe(&mut self, _: usize, max_time: TimeMs) {
        if !self.by_marks {
            self.split[0].max_time = self.split[0].max_time.max(max_time);
        }
    }

    fn position(&mut self, _: Option<u64>) -> Result<Option<String>, Error> {
        Ok(Some(self.script.state().at.to_string()))
    }
}
