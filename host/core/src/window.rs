//! Window arithmetic (semantics.md #9-#16): which windows a time belongs to, when one is over, and how sessions merge.
//!
//! Times are i64 milliseconds and may be negative or extreme; every sum saturates, so a window at the edge
//! of time is cut there rather than wrapped around.

use std::cell::Cell;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

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

/// Milliseconds of a day that no change of the clock makes longer or shorter.
const DAY_MS: TimeMs = 86_400_000;

/// Windows of whole calendar days in a time zone: each begins where the day does there, so that it has 23 or 25 hours where the
/// clock is changed (#9).
#[derive(Clone, Debug)]
pub struct Days {
    zone: TimeZone,
    days: i64,
    /// The window that was asked for last: the next record is probably in it too.
    last: Cell<Window>,
}

impl Days {
    /// Windows of so many days, counted from 1970-01-01. The zones are those that this release was built with.
    ///
    /// # Errors
    /// When there is no zone of this name.
    pub fn new(zone: &str, days: u32) -> Result<Days, String> {
        let found = TimeZone::get(zone).map_err(|error| error.to_string())?;
        Ok(Days { zone: found, days: i64::from(days.max(1)), last: Cell::new(Window { start: 0, end: 0 }) })
    }

    /// The window that holds `time`. Before the year -9999 and behind the year 9999 days are those of UTC.
    pub fn window(&self, time: TimeMs) -> Window {
        let last = self.last.get();
        if last.start <= time && time < last.end {
            return last;
        }
        let window = self.civil(time).unwrap_or_else(|| tumbling(time, 0, self.days.saturating_mul(DAY_MS)));
        self.last.set(window);
        window
    }

    fn civil(&self, time: TimeMs) -> Option<Window> {
        let epoch: Date = date(1970, 1, 1);
        let day = self.zone.to_datetime(Timestamp::from_millisecond(time).ok()?).date();
        let number = i64::from((day - epoch).get_days());
        let begin = |number: i64| -> Option<TimeMs> {
            let day = epoch.checked_add(Span::new().try_days(number).ok()?).ok()?;
            Some(day.to_zoned(self.zone.clone()).ok()?.start_of_day().ok()?.timestamp().as_millisecond())
        };
        let first = number - number.rem_euclid(self.days);
        Some(Window { start: begin(first)?, end: begin(first + self.days)? })
    }
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

    #[test]
    fn days_begin_where_they_do_in_their_zone() {
        let shanghai = Days::new("Asia/Shanghai", 1).expect("a zone");
        assert_eq!(shanghai.window(0), Window { start: -8 * 3_600_000, end: 16 * 3_600_000 });
        assert_eq!(shanghai.window(16 * 3_600_000).start, 16 * 3_600_000);
        let berlin = Days::new("Europe/Berlin", 1).expect("a zone");
        // The clock goes forward on 2024-03-31 and back on 2024-10-27.
        let (spring, autumn) = (berlin.window(1_711_850_000_000), berlin.window(1_730_000_000_000));
        assert_eq!(((spring.end - spring.start) / 3_600_000, (autumn.end - autumn.start) / 3_600_000), (23, 25));
        let weeks = Days::new("UTC", 7).expect("a zone");
        assert_eq!(weeks.window(-1), Window { start: -7 * DAY_MS, end: 0 });
        assert!(Days::new("Mars/Olympus", 1).is_err());
        assert_eq!(shanghai.window(TimeMs::MAX - DAY_MS - 1).end - shanghai.window(TimeMs::MAX - DAY_MS - 1).start, DAY_MS);
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
