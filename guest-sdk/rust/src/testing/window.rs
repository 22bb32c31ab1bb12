//! Window arithmetic in its simplest form, after the host's rules.

use crate::plan::Assigner;

/// The windows that a record at `time` belongs to.
pub(super) fn assign(assigner: Assigner, time: i64) -> Vec<(i64, i64)> {
    match assigner {
        Assigner::Tumbling { size_ms, offset_ms } => {
            let start = start(time, offset_ms, size_ms);
            vec![(start, start.saturating_add(size_ms))]
        }
        Assigner::Sliding { size_ms, slide_ms, offset_ms } => {
            let last = start(time, offset_ms, slide_ms);
            let starts = (0..).map(|i| last - i * slide_ms).take_while(|start| *start > time - size_ms);
            starts.map(|start| (start, start + size_ms)).collect()
        }
        Assigner::Session { gap_ms } => vec![(time, time.saturating_add(gap_ms))],
    }
}

fn start(time: i64, offset: i64, size: i64) -> i64 {
    time - (time - offset).rem_euclid(size)
}

/// Whether two sessions merge: they overlap or touch.
pub(super) fn touch(a: (i64, i64), b: (i64, i64)) -> bool {
    a.0 <= b.1 && a.1 >= b.0
}

/// Whether a record for this window is late.
pub(super) fn is_late(window: (i64, i64), lateness: i64, watermark: i64) -> bool {
    (window.1 - 1).saturating_add(lateness) <= watermark
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_hold_their_records() {
        assert_eq!(assign(Assigner::Tumbling { size_ms: 10, offset_ms: 0 }, -1), [(-10, 0)]);
        assert_eq!(assign(Assigner::Tumbling { size_ms: 10, offset_ms: 3 }, 2), [(-7, 3)]);
        assert_eq!(assign(Assigner::Sliding { size_ms: 10, slide_ms: 4, offset_ms: 0 }, 9), [(8, 18), (4, 14), (0, 10)]);
        assert!(touch((0, 10), (10, 20)) && !touch((0, 10), (11, 21)));
        assert!(is_late((0, 10), 0, 9) && !is_late((0, 10), 0, 8) && !is_late((0, 10), 5, 13));
    }
}
