//! Window arithmetic (semantics.md #9-#16): which windows a time belongs to, when one is over, and how sessions merge.
//!
//! Times are i64 milliseconds and may be negative or extreme; every sum saturates, so a window at the edge
//! of time is cut there rather than wrapped around.

use crate::TimeMs;

/// A half-open range of event or processing time: `start` inclusive, `end` exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// First millisecond.
    pub start: TimeMs,
    /// First millisecond behind it.
    pub end: TimeMs,
}

impl Window {
    /// The last millisecond: the event time of its results, and the watermark that fires it (#11).
    pub fn max_time(&self) -> TimeMs {
        self.end.saturating_sub(1)
    }

    /// When its state goes: at the watermark `max_time + lateness` (#12).
    pub fn cleanup_time(&self, lateness_ms: TimeMs) -> TimeMs {
        self.max_time().saturating_add(lateness_ms)
    }

    /// Whether a record for this window is late (#7).
    pub fn is_late(&self, lateness_ms: TimeMs, watermark: TimeMs) -> bool {
        self.cleanup_time(lateness_ms) <= watermark
    }

    /// Whether two sessions merge: they overlap or touch (#14).
    pub fn touches(&self, other: &Window) -> bool {
        self.start <= other.end && self.end >= other.start
    }

    /// The least window over both.
    pub fn cover(&self, other: &Window) -> Window {
        Window { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// The start of the aligned window of `size_ms` that holds `time` (#9).
pub fn window_start(time: TimeMs, offset_ms: TimeMs, size_ms: TimeMs) -> TimeMs {
    let into = (i128::from(time) - i128::from(offset_ms)).rem_euclid(i128::from(size_ms));
    (i128::from(time) - into).max(i128::from(TimeMs::MIN)) as TimeMs
}

/// The tumbling window that holds `time`.
pub fn tumbling(time: TimeMs, offset_ms: TimeMs, size_ms: TimeMs) -> Window {
    let start = window_start(time, offset_ms, size_ms);
    Window { start, end: start.saturating_add(size_ms) }
}

/// The sliding windows that hold `time`, latest start first (#13).
pub fn sliding(time: TimeMs, offset_ms: TimeMs, size_ms: TimeMs, slide_ms: TimeMs) -> impl Iterator<Item = Window> {
    let last = window_start(time, offset_ms, slide_ms);
    let starts = std::iter::successors(Some(last), move |start| start.checked_sub(slide_ms));
    let holds = move |start: &TimeMs| i128::from(*start) > i128::from(time) - i128::from(size_ms);
    starts.take_while(holds).map(move |start| Window { start, end: start.saturating_add(size_ms) })
}

/// The session that a single record opens.
pub fn session(time: TimeMs, gap_ms: TimeMs) -> Window {
    Window { start: time, end: time.saturating_add(gap_ms) }
}

/// Whether sliding windows can share panes of one slide each: the slide divides the size (#13, #21).
pub fn panes_per_window(size_ms: TimeMs, slide_ms: TimeMs) -> Option<usize> {
    (size_ms % slide_ms == 0).then(|| (size_ms / slide_ms) as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn negative_times_fall_into_the_window_before_the_epoch() {
        assert_eq!(tumbling(-1, 0, 10), Window { start: -10, end: 0 });
        assert_eq!(tumbling(0, 0, 10), Window { start: 0, end: 10 });
        assert_eq!(tumbling(-8 * 3_600_000 - 1, -8 * 3_600_000, 86_400_000).end, -8 * 3_600_000);
    }

    #[test]
    fn a_record_at_the_last_watermark_is_late_one_after_it_is_not() {
        let window = Window { start: 0, end: 10 };
        assert!(!window.is_late(0, 8));
        assert!(window.is_late(0, 9));
        assert!(!window.is_late(5, 13));
        assert!(window.is_late(5, 14));
        assert!(Window { start: 0, end: TimeMs::MAX }.cleanup_time(5) == TimeMs::MAX, "saturates");
    }

    proptest! {
        /// Against plain search: of all windows that begin at a multiple of the slide, exactly those that hold the time.
        #[test]
        fn sliding_is_every_aligned_window_that_holds_the_time(
            time in -1000i64..1000, offset in -50i64..50, size in 1i64..60, slide in 1i64..60,
        ) {
            let mut expected: Vec<Window> = (-3000..3000)
                .filter(|s: &i64| (s - offset).rem_euclid(slide) == 0 && *s <= time && time < s + size)
                .map(|start| Window { start, end: start + size })
                .collect();
            expected.reverse();
            prop_assert_eq!(sliding(time, offset, size, slide).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn extreme_times_neither_panic_nor_wrap(time: i64, offset: i64, size in 1i64.., slide in 1i64 << 55..) {
            let window = tumbling(time, offset, size);
            prop_assert!(window.start <= time && (time < window.end || window.end == i64::MAX));
            for window in sliding(time, offset, size, slide) {
                prop_assert!(window.start <= time && (time < window.end || window.end == i64::MAX));
            }
            prop_assert!(session(time, size).end >= time);
        }
    }
}
