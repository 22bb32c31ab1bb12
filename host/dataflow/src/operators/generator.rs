//! Watermarks that the component makes: a generator for each split, asked behind every block and, where the plan says so, every so
//! often by the clock (semantics.md #3).
//!
//! Promises: one call a block, never one a record; the watermark of a split never falls, whatever the component answers. What the
//! component remembers of a split is not saved: behind a restore every split begins anew, below the watermark that was told before.

use tidemill_core::block::Block;
use tidemill_core::guest::Emission;
use tidemill_core::plan::Watermarks;
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};

use crate::logic::Context;
use crate::operators::guest_call::GuestCall;
use crate::report::Failure;

/// See the module.
pub(crate) struct Generator {
    every_ms: Option<i64>,
    splits: Vec<Split>,
}

/// What is known of a split.
#[derive(Clone, Copy)]
struct Split {
    watermark: TimeMs,
    /// When it is to be asked by the clock; nothing before it has been seen.
    due: Option<TimeMs>,
}

impl Generator {
    /// For watermarks that the component makes; none for others.
    pub(crate) fn new(watermarks: Watermarks) -> Option<Generator> {
        let Watermarks::Guest { every_ms } = watermarks else { return None };
        Some(Generator { every_ms, splits: Vec::new() })
    }

    /// The watermark of a split.
    pub(crate) fn watermark(&self, split: usize) -> TimeMs {
        self.splits.get(split).map_or(TIME_MIN, |split| split.watermark)
    }

    /// Asks behind the blocks of a call that leave on the main port of the last member.
    pub(crate) fn behind(
        &mut self,
        split: usize,
        now: TimeMs,
        emitted: &[Emission],
        (call, cx): (&GuestCall, &Context),
    ) -> Result<(), Failure> {
        let last = call.last();
        for emission in emitted.iter().filter(|e| e.operator == last && e.port == 0 && e.block.rows() > 0) {
            self.ask(split, now, Some(&emission.block), (call, cx))?;
        }
        Ok(())
    }

    /// Asks for a split without a block, if that is due.
    pub(crate) fn by_clock(&mut self, split: usize, now: TimeMs, (call, cx): (&GuestCall, &Context)) -> Result<(), Failure> {
        let Some(every_ms) = self.every_ms else { return Ok(()) };
        let due = *self.split(split).due.get_or_insert(now.saturating_add(every_ms));
        if now < due {
            return Ok(());
        }
        // From now on and not from when it was due: after a long pause once is enough.
        self.split(split).due = Some(now.saturating_add(every_ms));
        self.ask(split, now, None, (call, cx))
    }

    fn ask(&mut self, split: usize, now: TimeMs, block: Option<&Block>, (call, cx): (&GuestCall, &Context)) -> Result<(), Failure> {
        let said = call.watermark(cx, split as u32, now, block)?;
        let split = self.split(split);
        // That event time has ended is the host's to say.
        split.watermark = split.watermark.max(said.unwrap_or(TIME_MIN).min(TIME_MAX - 1));
        Ok(())
    }

    fn split(&mut self, split: usize) -> &mut Split {
        if self.splits.len() <= split {
            self.splits.resize(split + 1, Split { watermark: TIME_MIN, due: None });
        }
        &mut self.splits[split]
    }
}
