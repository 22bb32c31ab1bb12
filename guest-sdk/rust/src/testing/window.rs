//! Window arithmetic in its simplest form, after the host's rules.

use crate::plan::Assigner;

/// The windows that a record at `time` belongs to; `gap` is that of the record, where it has one.
pub(super) fn assign(assigner: &Assigner, time: i64, gap: Option<i64>) -> Vec<(i64, i64)> {
    match assigner {
        Assigner::Tumbling { size_ms, offset_ms } => {
            let start = start(time, *offset_ms, *size_ms);
            vec![(start, start.saturating_add(*size_ms))]
        }
        Assigner::Sliding { size_ms, slide_ms, offset_ms } => {
            let last = start(time, *offset_ms, *slide_ms);
            let starts = (0..).map(|i| last - i * slide_ms).take_while(|start| *start > time - size_ms);
            starts.map(|start| (start, start + size_ms)).collect()
        }
        Assigner::Session { gap_ms } => vec![(time, time.saturating_add(*gap_ms))],
        Assigner::SessionBy { .. } => vec![(time, time.saturating_add(gap.unwrap_or_default().max(1)))],
        Assigner::Global => vec![(i64::MIN, i64::MAX)],
        Assigner::Days { .. } | Assigner::Count { .. } => Vec::new(),
    }
}

fn start(time: i64, offset: i64, size: i64) -> i64 {
    time - (time - offset).rem_euclid(size)
}

/// Whether windows that touch become one.
pub(super) fn merges(assigner: &Assigner) -> bool {
    matches!(assigner, Assigner::Session { .. } | Assigner::SessionBy { .. })
}

/// Whether two sessions merge: they overlap or touch.
pub(super) fn touch(a: (i64, i64), b: (i64, i64)) -> bool {
    a.0 <= b.1 && a.1 >= b.0
}

/// When a window goes.
pub(super) fn cleanup(window: (i64, i64), lateness: i64) -> i64 {
    (window.1 - 1).saturating_add(lateness)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_hold_their_records() {
        assert_eq!(assign(&Assigner::Tumbling { size_ms: 10, offset_ms: 0 }, -1, None), [(-10, 0)]);
        assert_eq!(assign(&Assigner::Tumbling { size_ms: 10, offset_ms: 3 }, 2, None), [(-7, 3)]);
        assert_eq!(assign(&Assigner::Sliding { size_ms: 10, slide_ms: 4, offset_ms: 0 }, 9, None), [(8, 18), (4, 14), (0, 10)]);
        assert!(touch((0, 10), (10, 20)) && !touch((0, 10), (11, 21)));
        assert_eq!((cleanup((0, 10), 0), cleanup((0, 10), 5)), (9, 14));
    }
}
