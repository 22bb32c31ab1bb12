//! Keyed windows (semantics.md #7-#15): the host assigns, keeps and fires them; a [`compute::Compute`], guest or host,
//! keeps the accumulators.
//!
//! `aligned` holds tumbling and sliding windows as shared panes, `session` the merging ones; `counted` those of a number of records, and
//! `triggered` all that have a trigger or an evictor of their own. They keep one promise: what a watermark releases has been emitted when
//! `advance` returns, in order of window end.

pub(crate) mod accumulators;
mod aligned;
mod asked;
mod assign;
pub(crate) mod compute;
mod counted;
mod firings;
mod held;
mod session;
#[cfg(test)]
mod tests;
mod triggered;
mod work;

use std::sync::atomic::Ordering::Relaxed;

use tidemill_core::block::{Block, gather};
use tidemill_core::checkpoint::Keyed;
use tidemill_core::explain::Held;
use tidemill_core::plan::{Assigner, Domain, Trigger, WindowSpec};
use tidemill_core::schema::Schema;
use tidemill_core::trigger::Machine;
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};

use crate::logic::{Context, Given, Logic};
use crate::operators::ahead::Ahead;
use crate::report::Failure;
use crate::restore::Restored;
use crate::run::Log;
use aligned::Aligned;
use assign::Assign;
use counted::Counted;
use session::Sessions;
use triggered::{Decides, Triggered};
pub(crate) use work::Work;

/// Late records shown in the log when nobody reads the `late` port.
const LATE_SHOWN: u64 = 10;

/// Rows to add.
pub(super) struct Rows<'a> {
    pub(super) input: usize,
    pub(super) block: &'a Block,
    /// Their time, where it is not their own.
    pub(super) now: Option<TimeMs>,
    /// Time in the domain of the windows.
    pub(super) watermark: TimeMs,
}

/// The windows of one operator on one worker.
enum Kept {
    Aligned(Aligned),
    Session(Sessions),
    Counted(Counted),
    Triggered(Box<Triggered>),
}

impl Kept {
    fn new(name: &str, spec: &WindowSpec, input: &Schema) -> Kept {
        let lateness_ms = if spec.domain == Domain::Event { spec.lateness_ms } else { 0 };
        if spec.trigger.is_none() && spec.evictor.is_none() {
            match spec.assigner {
                Assigner::Tumbling { size_ms, offset_ms } => {
                    return Kept::Aligned(Aligned::new(size_ms, size_ms, offset_ms, lateness_ms));
                }
                Assigner::Sliding { size_ms, slide_ms, offset_ms } => {
                    return Kept::Aligned(Aligned::new(size_ms, slide_ms, offset_ms, lateness_ms));
                }
                Assigner::Session { gap_ms } => return Kept::Session(Sessions::new(gap_ms, lateness_ms)),
                Assigner::Count { records, slide, or_after } => return Kept::Counted(Counted::new(records, slide, or_after)),
                Assigner::SessionBy { .. } | Assigner::Days { .. } | Assigner::Global => {}
            }
        }
        let usual = || (Trigger::Any(vec![Trigger::AtWatermark, Trigger::LateEach]), false);
        let (when, purge) = spec.trigger.as_ref().map_or_else(usual, |trigger| (trigger.when.clone(), trigger.purge));
        let decides = match when {
            Trigger::Guest => Decides::Guest,
            when => Decides::Host { machine: Machine::new(&when, spec.domain), purge },
        };
        Kept::Triggered(Box::new(Triggered::new(name, Assign::new(&spec.assigner, input), decides, spec.domain, lateness_ms)))
    }
}

/// See the module.
pub(crate) struct WindowOperator {
    name: String,
    domain: Domain,
    kept: Kept,
    work: Work,
    ahead: Ahead,
    inputs: Vec<Schema>,
    /// The outputs for late records, by input.
    late_outputs: Vec<Option<usize>>,
    late_rows: Vec<u32>,
    late_seen: u64,
    log: Log,
}

impl WindowOperator {
    pub(crate) fn new(
        name: String,
        spec: &WindowSpec,
        inputs: Vec<Schema>,
        work: Work,
        late_outputs: Vec<Option<usize>>,
        log: Log,
    ) -> WindowOperator {
        let kept = Kept::new(&name, spec, &inputs[0]);
        let (ahead, late_rows) = (Ahead::default(), Vec::new());
        WindowOperator { name, domain: spec.domain, kept, work, ahead, inputs, late_outputs, late_rows, late_seen: 0, log }
    }

    fn late(&mut self, input: usize, block: &Block, cx: &mut Context) {
        let late = self.late_rows.len() as u64;
        cx.counters().late.fetch_add(late, Relaxed);
        match self.late_outputs[input] {
            Some(output) => {
                if let Some(block) = gather(block, &self.late_rows, &self.inputs[input]) {
                    cx.emit(output, block);
                }
            }
            None => {
                for &row in &self.late_rows {
                    self.late_seen += 1;
                    if self.late_seen <= LATE_SHOWN {
                        let record = crate::operators::guest_call::render(block, &self.inputs[input], row as usize);
                        let (time, watermark) = (block.time(row as usize), cx.at.watermark);
                        (self.log)(&self.name, &format!("late record at {time}, watermark {watermark}: {record}"));
                    }
                }
            }
        }
        self.late_rows.clear();
    }

    /// Time in a domain has come to `to`.
    fn advance(&mut self, of: Domain, to: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        match &mut self.kept {
            Kept::Aligned(aligned) if of == self.domain => aligned.advance(to, &self.ahead, &mut self.work, cx)?,
            Kept::Session(sessions) if of == self.domain => sessions.advance(to, &mut self.work, cx)?,
            Kept::Aligned(_) | Kept::Session(_) => {}
            Kept::Counted(counted) => counted.advance(of, to, &mut self.work, cx)?,
            Kept::Triggered(triggered) => triggered.advance(of, to, &mut self.work, cx)?,
        }
        if of == self.domain {
            self.ahead.reached(to);
        }
        Ok(())
    }

    fn add(&mut self, rows: &Rows<'_>, cx: &mut Context) -> Result<(), Failure> {
        let (work, late) = (&mut self.work, &mut self.late_rows);
        match &mut self.kept {
            Kept::Aligned(aligned) => aligned.add(rows, work, late, cx)?,
            Kept::Session(sessions) => sessions.add(rows, work, late, cx)?,
            Kept::Counted(counted) => counted.add(rows, work, cx)?,
            Kept::Triggered(triggered) => triggered.add(rows, work, late, cx)?,
        }
        if !self.late_rows.is_empty() {
            self.late(rows.input, rows.block, cx);
        }
        Ok(())
    }

    /// Processing-time windows are over when the clock has left them: at `now`, time up to `now - 1` is complete.
    fn complete(now: TimeMs) -> TimeMs {
        if now == TIME_MAX { TIME_MAX } else { now.saturating_sub(1) }
    }
}

impl Logic for WindowOperator {
    fn block(&mut self, input: usize, block: Block, cx: &mut Context) -> Result<(), Failure> {
        let (now, watermark) = match self.domain {
            Domain::Event => (None, cx.at.watermark),
            Domain::Processing => (Some(cx.at.now), Self::complete(cx.at.now)),
        };
        match self.ahead.split(&block, &self.work.key(input), watermark) {
            None => self.add(&Rows { input, block: &block, now, watermark }, cx),
            Some(rows) => rows.into_iter().try_for_each(|(watermark, rows)| {
                let part = gather(&block, &rows, &self.inputs[input]).expect("there are rows");
                self.add(&Rows { input, block: &part, now, watermark }, cx)
            }),
        }
    }

    fn watermark(&mut self, watermark: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        self.advance(Domain::Event, watermark, cx)
    }

    fn clock(&mut self, now: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        let to = if self.domain == Domain::Processing { Self::complete(now) } else { now };
        self.advance(Domain::Processing, to, cx)
    }

    fn hand_over(&mut self, cx: &mut Context) -> Result<Given, Failure> {
        match &mut self.kept {
            Kept::Aligned(aligned) => aligned.hand_over(&mut self.work),
            Kept::Session(sessions) => sessions.hand_over(&mut self.work),
            Kept::Counted(counted) => counted.hand_over(&mut self.work, cx)?,
            Kept::Triggered(triggered) => triggered.hand_over(&mut self.work, cx)?,
        }
        Ok(Given { keyed: true, ..Given::default() })
    }

    fn hand_over_more(&mut self, cx: &mut Context) -> Result<Option<Keyed>, Failure> {
        match &mut self.kept {
            Kept::Aligned(aligned) => aligned.hand_over_more(&mut self.work, cx),
            Kept::Session(sessions) => sessions.hand_over_more(&mut self.work, cx),
            Kept::Counted(counted) => counted.hand_over_more(&mut self.work, cx),
            Kept::Triggered(triggered) => triggered.hand_over_more(&mut self.work, cx),
        }
    }

    fn held(&self) -> Held {
        self.open_windows()
    }

    fn ahead(&self) -> &[TimeMs] {
        self.ahead.watermarks()
    }

    fn restore(&mut self, restored: &Restored, watermarks: &[TimeMs], cx: &mut Context) -> Result<(), Failure> {
        if self.domain == Domain::Event {
            self.ahead = Ahead::new(watermarks);
            self.ahead.reached(restored.watermark());
        }
        let watermark = if self.domain == Domain::Event { restored.watermark() } else { TIME_MIN };
        match &mut self.kept {
            Kept::Aligned(aligned) => aligned.restore(restored, watermark, &mut self.work, cx),
            Kept::Session(sessions) => sessions.restore(restored, &mut self.work, cx),
            Kept::Counted(counted) => counted.restore(restored, &mut self.work, cx),
            Kept::Triggered(triggered) => triggered.restore(restored, watermark, &mut self.work, cx),
        }
    }
}
