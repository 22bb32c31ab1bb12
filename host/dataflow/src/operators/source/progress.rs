//! How far a source says that it has come: watermarks of its splits, idleness, alignment and processing time.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tidemill_core::connect::SplitTime;
use tidemill_core::plan::Watermarks;
use tidemill_core::watermark::of_splits;
use tidemill_core::{TIME_MIN, TimeMs};

use super::{SourceSpec, State};
use crate::operators::generator::Generator;
use crate::parcel::{Mark, Signal};
use crate::report::Failure;

/// Whether a split has been silent for so long that it holds nobody.
pub(super) fn is_idle(spec: &SourceSpec, quiet_since: &[Option<Instant>], split: usize, now: Instant) -> bool {
    let limit = spec.options.idle_ms.filter(|_| !spec.bounded).map(Duration::from_millis);
    match (limit, quiet_since.get(split)) {
        (Some(limit), Some(Some(since))) => now.duration_since(*since) >= limit,
        _ => false,
    }
}

/// How far a split has come: by its times, or as the component says.
pub(super) fn watermark_of(strategy: Watermarks, generator: Option<&Generator>, split: usize, max_time: TimeMs) -> TimeMs {
    generator.map_or_else(|| strategy.after(max_time), |generator| generator.watermark(split))
}

impl State {
    /// Finds the splits that are too far ahead of others. Whether there is no other to read.
    pub(super) fn align(&mut self) -> bool {
        let (Some(member), Some(strategy), Some(reader)) = (&self.spec.member, self.spec.watermarks, self.reader.as_deref_mut()) else {
            return false;
        };
        let (now, splits) = (Instant::now(), reader.splits());
        let of = |split: usize| watermark_of(strategy, self.generator.as_ref(), split, splits[split].max_time);
        let limit = member.say(of_splits(splits, of, |split| is_idle(&self.spec, &self.quiet_since, split, now)));
        let held: Vec<bool> = splits.iter().enumerate().map(|(index, split)| !split.ended && of(index) > limit).collect();
        // Time in which nobody looked whether a split has something is no time in which it had nothing.
        self.quiet_since.iter_mut().zip(&held).filter(|(_, held)| **held).for_each(|(quiet, _)| *quiet = None);
        let all = held.contains(&true) && splits.iter().zip(&held).all(|(split, held)| split.ended || *held);
        if held != self.held {
            if !all {
                reader.hold(&held);
            }
            self.held = held;
        }
        all
    }

    /// Asks generators that are due by the clock. A split that is idle or held has nothing to say, as it has no records.
    fn ask_by_clock(&mut self, splits: &[SplitTime], at: Instant) -> Result<(), Failure> {
        let now = (self.spec.options.clock)();
        let (Some(generator), Some(prelude)) = (&mut self.generator, &self.spec.prelude) else { return Ok(()) };
        let open = splits.iter().enumerate().filter(|(_, split)| !split.ended).map(|(index, _)| index);
        let waits = |split: usize| self.held.get(split).copied().unwrap_or_default() || is_idle(&self.spec, &self.quiet_since, split, at);
        for split in open.filter(|&split| !waits(split)) {
            generator.by_clock(split, now, (&prelude.call, &self.cx))?;
        }
        Ok(())
    }

    /// Tells the watermark when it has risen, and idleness when it has come.
    pub(super) fn tell_progress(&mut self, polled_nothing: bool) -> Result<(), Failure> {
        let now = Instant::now();
        if !polled_nothing {
            self.reading.note(now);
        }
        let Some(strategy) = self.spec.watermarks else { return Ok(()) };
        let splits = self.reader.as_deref().map_or(&[][..], |r| r.splits()).to_vec();
        self.note_quiet(&splits, polled_nothing, now);
        self.ask_by_clock(&splits, now)?;
        let of = |split: usize| watermark_of(strategy, self.generator.as_ref(), split, splits[split].max_time);
        let watermark = of_splits(&splits, of, |split| is_idle(&self.spec, &self.quiet_since, split, now));
        self.tell(watermark);
        Ok(())
    }

    fn note_quiet(&mut self, splits: &[SplitTime], polled_nothing: bool, now: Instant) {
        self.quiet_since.resize(splits.len(), None);
        if polled_nothing {
            for (split, quiet) in self.quiet_since.iter_mut().enumerate() {
                if !self.held.get(split).copied().unwrap_or_default() {
                    quiet.get_or_insert(now);
                }
            }
        }
    }

    /// `None` means idle.
    pub(super) fn tell(&mut self, watermark: Option<TimeMs>) {
        let sender = self.worker as u32;
        match watermark {
            Some(watermark) if watermark > self.told || (self.told_idle && watermark > TIME_MIN) => {
                if watermark > self.told {
                    self.teller.rises(self.told, watermark, Instant::now());
                }
                self.told = self.told.max(watermark);
                self.told_idle = false;
                self.cx.mark(Mark { sender, signal: Signal::Watermark(self.told) });
                self.cx.counters().watermarks[self.worker].store(self.told, Relaxed);
            }
            None if !self.told_idle => {
                self.told_idle = true;
                self.cx.mark(Mark { sender, signal: Signal::Idle });
                (self.spec.options.log)(&self.spec.name, &format!("worker {sender} is idle: its watermark no longer holds anybody back"));
            }
            _ => {}
        }
    }

    pub(super) fn tell_clock(&mut self) {
        if !self.spec.clock {
            return;
        }
        let now = (self.spec.options.clock)();
        if now > self.clock_told {
            self.clock_told = now;
            self.cx.mark(Mark { sender: self.worker as u32, signal: Signal::Clock(now) });
        }
    }
}
