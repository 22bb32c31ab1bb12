//! Alignment: splits that are far ahead of the slowest of their group are not read, so that what waits behind them for event time stays
//! small. Arithmetic only; who asks and who waits is the source's affair.
//!
//! Invariants: whoever is the slowest of those that count never waits, so that a group always goes on; who has ended or is idle counts for
//! nobody; when nobody counts, nobody waits.

use crate::{TIME_MAX, TIME_MIN, TimeMs};

/// How far the members of a group have come. A member is a source on one worker.
#[derive(Clone, Debug)]
pub struct Group {
    /// The watermark of each member; `None` where it does not count.
    said: Vec<Option<TimeMs>>,
}

impl Group {
    /// A group of so many members, none of which has begun: they count, and hold the others.
    pub fn new(members: usize) -> Group {
        Group { said: vec![Some(TIME_MIN); members] }
    }

    /// A member says the watermark of its slowest split that is neither idle nor at its end; `None` or the end of time when it has none.
    pub fn say(&mut self, member: usize, watermark: Option<TimeMs>) {
        self.said[member] = watermark.filter(|watermark| *watermark != TIME_MAX);
    }

    /// The watermark of the slowest that counts.
    pub fn slowest(&self) -> Option<TimeMs> {
        self.said.iter().flatten().min().copied()
    }

    /// The watermark beyond which a split that may be so far ahead waits.
    pub fn limit(&self, max_drift_ms: i64) -> TimeMs {
        self.slowest().map_or(TIME_MAX, |slowest| slowest.saturating_add(max_drift_ms))
    }
}
