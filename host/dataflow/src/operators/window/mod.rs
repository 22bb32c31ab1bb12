//! Keyed windows (semantics.md #7-#15): the host assigns, keeps and fires them; a [`compute::Compute`], guest or host,
//! keeps the accumulators.
//!
//! `aligned` holds tumbling and sliding windows as shared panes, `session` the merging ones. Both keep one promise: what a
//! watermark releases has been emitted when `advance` returns, in order of window end.

pub(crate) mod accumulators;
mod ahead;
mod aligned;
pub(crate) mod compute;
mod firings;
mod session;
mod work;

use std::sync::atomic::Ordering::Relaxed;

use tidemill_core::block::{Block, gather};
use tidemill_core::checkpoint::Keyed;
use tidemill_core::plan::{Assigner, Domain, WindowSpec};
use tidemill_core::schema::Schema;
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};

use crate::harness::{Context, Given, Logic};
use crate::report::Failure;
use crate::restore::Restored;
use crate::run::Log;
use ahead::Ahead;
use aligned::Aligned;
use session::Sessions;
pub(crate) use work::Work;

/// Late records shown in the log when nobody reads the `late` port.
const LATE_SHOWN: u64 = 10;

/// The windows of one operator on one worker.
enum Kept {
    Aligned(Aligned),
    Session(Sessions),
}

/// See the module.
pub(crate) struct WindowOperator {
    name: String,
    domain: Domain,
    kept: Kept,
    work: Work,
    ahead: Ahead,
    input: Schema,
    late_output: Option<usize>,
    late_rows: Vec<u32>,
    late_seen: u64,
    log: Log,
}

impl WindowOperator {
    pub(crate) fn new(name: String, spec: &WindowSpec, input: Schema, work: Work, late_output: Option<usize>, log: Log) -> WindowOperator {
        let lateness_ms = if spec.domain == Domain::Event { spec.lateness_ms } else { 0 };
        let kept = match spec.assigner {
            Assigner::Tumbling { size_ms, offset_ms } => Kept::Aligned(Aligned::new(size_ms, size_ms, offset_ms, lateness_ms)),
            Assigner::Sliding { size_ms, slide_ms, offset_ms } => Kept::Aligned(Aligned::new(size_ms, slide_ms, offset_ms, lateness_ms)),
            Assigner::Session { gap_ms } => Kept::Session(Sessions::new(gap_ms, lateness_ms)),
            Assigner::Global => unreachable!("plan::check refuses a global window"),
        };
        let (ahead, late_rows) = (Ahead::default(), Vec::new());
        WindowOperator { name, domain: spec.domain, kept, work, ahead, input, late_output, late_rows, late_seen: 0, log }
    }

    fn late(&mut self, block: &Block, cx: &mut Context) {
        let late = self.late_rows.len() as u64;
        cx.counters().late.fetch_add(late, Relaxed);
        match self.late_output {
            Some(output) => {
                if let Some(block) = gather(block, &self.late_rows, &self.input) {
                    cx.emit(output, block);
                }
            }
            None => {
                for &row in &self.late_rows {
                    self.late_seen += 1;
                    if self.late_seen <= LATE_SHOWN {
                        let record = crate::operators::guest_call::render(block, &self.input, row as usize);
                        let (time, watermark) = (block.time(row as usize), cx.at.watermark);
                        (self.log)(&self.name, &format!("late record at {time}, watermark {watermark}: {record}"));
                    }
                }
            }
        }
        self.late_rows.clear();
    }

    fn advance(&mut self, to: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        match &mut self.kept {
            Kept::Aligned(aligned) => aligned.advance(to, &self.ahead, &mut self.work, cx)?,
            Kept::Session(sessions) => sessions.advance(to, &mut self.work, cx)?,
        }
        self.ahead.reached(to);
        Ok(())
    }

    /// Adds rows for which this watermark holds.
    fn add(&mut self, block: &Block, now: Option<TimeMs>, watermark: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        match &mut self.kept {
            Kept::Aligned(aligned) => aligned.add(block, now, watermark, &mut self.work, &mut self.late_rows, cx)?,
            Kept::Session(sessions) => sessions.add(block, now, watermark, &mut self.work, &mut self.late_rows, cx)?,
        }
        if !self.late_rows.is_empty() {
            self.late(block, cx);
        }
        Ok(())
    }

    /// Processing-time windows are over when the clock has left them: at `now`, time up to `now - 1` is complete.
    fn complete(now: TimeMs) -> TimeMs {
        if now == TIME_MAX { TIME_MAX } else { now.saturating_sub(1) }
    }
}

impl Logic for WindowOperator {
    fn block(&mut self, _input: usize, block: Block, cx: &mut Context) -> Result<(), Failure> {
        let (now, watermark) = match self.domain {
            Domain::Event => (None, cx.at.watermark),
            Domain::Processing => (Some(cx.at.now), Self::complete(cx.at.now)),
        };
        match self.ahead.split(&block, &self.work.key, watermark) {
            None => self.add(&block, now, watermark, cx),
            Some(rows) => rows.into_iter().try_for_each(|(watermark, rows)| {
                let part = gather(&block, &rows, &self.input).expect("there are rows");
                self.add(&part, now, watermark, cx)
            }),
        }
    }

    fn watermark(&mut self, watermark: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        if self.domain == Domain::Event { self.advance(watermark, cx) } else { Ok(()) }
    }

    fn clock(&mut self, now: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        if self.domain == Domain::Processing { self.advance(Self::complete(now), cx) } else { Ok(()) }
    }

    fn hand_over(&mut self, _: &mut Context) -> Result<Given, Failure> {
        match &mut self.kept {
            Kept::Aligned(aligned) => aligned.hand_over(&mut self.work),
            Kept::Session(sessions) => sessions.hand_over(&mut self.work),
        }
        Ok(Given { keyed: true, ..Given::default() })
    }

    fn hand_over_more(&mut self, cx: &mut Context) -> Result<Option<Keyed>, Failure> {
        match &mut self.kept {
            Kept::Aligned(aligned) => aligned.hand_over_more(&mut self.work, cx),
            Kept::Session(sessions) => sessions.hand_over_more(&mut self.work, cx),
        }
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
        }
    }
}
