//! Watermarks (semantics.md #1-#8): made per split at the source, merged as the minimum over active senders.
//!
//! [`Merge`] is the valve in front of every operator. Invariants: its output never falls; an idle
//! sender does not hold it back, and one that comes back holds it again only once it has caught up (#2).

use crate::connect::SplitTime;
use crate::plan::Watermarks;
use crate::{TIME_MAX, TIME_MIN, TimeMs};

impl Watermarks {
    /// The watermark after reading `max_time`: everything at or before it has been seen, so a record that equals
    /// `max_time - bound` is still on time (#3). Where the component makes watermarks, none follows from times.
    pub fn after(self, max_time: TimeMs) -> TimeMs {
        if max_time == TIME_MIN {
            return TIME_MIN;
        }
        let bound_ms = match self {
            Watermarks::Monotonic => 0,
            Watermarks::Bounded { ms } => ms,
            Watermarks::Guest { .. } => return TIME_MIN,
        };
        max_time.saturating_sub(bound_ms).saturating_sub(1)
    }
}

/// The watermark of a worker that reads several splits: the least over those that have not ended and are not idle;
/// [`TIME_MAX`] when all have ended. `None` when every split that has not ended is idle. A reader that has no split yet has
/// not begun, and holds event time. `of` gives the watermark of a split.
pub fn of_splits(splits: &[SplitTime], of: impl Fn(usize) -> TimeMs, idle: impl Fn(usize) -> bool) -> Option<TimeMs> {
    if splits.is_empty() {
        return Some(TIME_MIN);
    }
    if splits.iter().all(|s| s.ended) {
        return Some(TIME_MAX);
    }
    let open = splits.iter().enumerate().filter(|(i, s)| !s.ended && !idle(*i));
    open.map(|(i, _)| of(i)).min()
}

/// What a sender last said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its watermark.
    pub watermark: TimeMs,
    /// Whether it counts. An idle sender does not, nor one back from idling that is still behind the output.
    pub counted: bool,
    /// Whether it is idle.
    pub idle: bool,
}

/// What changed in a [`Merge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// Nothing to tell downstream.
    None,
    /// The watermark rose to this.
    To(TimeMs),
    /// Every sender is idle now; the watermark stands at the greatest of theirs, this one.
    Idle(TimeMs),
}

/// The minimum over active senders. See the module.
#[derive(Clone, Debug)]
pub struct Merge {
    senders: Vec<Said>,
    output: TimeMs,
    idle: bool,
}

impl Merge {
    /// A valve in front of `senders` active senders that have said nothing.
    pub fn new(senders: usize) -> Merge {
        let sender = Said { watermark: TIME_MIN, counted: true, idle: false };
        Merge { senders: vec![sender; senders], output: TIME_MIN, idle: false }
    }

    /// Begins at a watermark that was reached before a restore: it never falls behind that.
    pub fn restore(&mut self, watermark: TimeMs) {
        self.output = watermark;
    }

    /// The watermark.
    pub fn output(&self) -> TimeMs {
        self.output
    }

    /// Whether every sender is idle.
    pub fn is_idle(&self) -> bool {
        self.idle
    }

    /// What each sender last said: for `explain`.
    pub fn senders(&self) -> impl Iterator<Item = Said> + '_ {
        self.senders.iter().copied()
    }

    /// A sender says its watermark. It is active from now on; a watermark that falls is ignored.
    pub fn watermark(&mut self, sender: usize, watermark: TimeMs) -> Advance {
        let output = self.output;
        let s = &mut self.senders[sender];
        s.idle = false;
        s.watermark = s.watermark.max(watermark);
        s.counted = s.counted || s.watermark >= output;
        self.settle()
    }

    /// A sender says that it is idle.
    pub fn idle(&mut self, sender: usize) -> Advance {
        let s = &mut self.senders[sender];
        (s.idle, s.counted) = (true, false);
        self.settle()
    }

    fn settle(&mut self) -> Advance {
        let was_idle = std::mem::replace(&mut self.idle, self.senders.iter().all(|s| s.idle));
        let least = self.senders.iter().filter(|s| s.counted).map(|s| s.watermark).min();
        let greatest = self.senders.iter().map(|s| s.watermark).max();
        let target = if self.idle { greatest } else { least };
        let rose = target.is_some_and(|t| t > self.output);
        if rose {
            self.output = target.unwrap_or(self.output);
        }
        match (self.idle && !was_idle, rose || (was_idle && !self.idle)) {
            (true, _) => Advance::Idle(self.output),
            (false, true) => Advance::To(self.output),
            (false, false) => Advance::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_at_the_bound_is_on_time() {
        let strategy = Watermarks::Bounded { ms: 4000 };
        assert_eq!(strategy.after(10_000), 5_999);
        assert_eq!(Watermarks::Monotonic.after(10), 9);
        assert_eq!(strategy.after(TIME_MIN), TIME_MIN);
    }

    #[test]
    fn one_silent_sender_holds_everything_until_it_is_idle() {
        let mut merge = Merge::new(2);
        assert_eq!(merge.watermark(0, 10), Advance::None);
        assert_eq!(merge.idle(1), Advance::To(10));
        assert_eq!(merge.watermark(0, 20), Advance::To(20));
        // Back from idling behind the output: ignored until it has caught up.
        assert_eq!(merge.watermark(1, 15), Advance::None);
        assert_eq!(merge.watermark(0, 30), Advance::To(30));
        assert_eq!(merge.watermark(1, 30), Advance::None);
        assert_eq!(merge.watermark(0, 40), Advance::None);
        assert_eq!(merge.watermark(1, 35), Advance::To(35));
    }

    #[test]
    fn when_all_are_idle_the_greatest_is_flushed_once() {
        let mut merge = Merge::new(2);
        merge.watermark(0, 10);
        merge.watermark(1, 5);
        assert_eq!(merge.idle(0), Advance::None);
        assert_eq!(merge.idle(1), Advance::Idle(10));
        assert_eq!(merge.idle(1), Advance::None);
        assert_eq!(merge.watermark(1, 10), Advance::To(10), "tells downstream that it is active again");
    }
}
