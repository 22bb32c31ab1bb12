//! Which windows a record belongs to, where they are kept one by one.

use tidemill_core::TimeMs;
use tidemill_core::block::{Block, Value};
use tidemill_core::plan::Assigner;
use tidemill_core::schema::Schema;
use tidemill_core::window::{Days, Window, session, sliding, tumbling};
use tidemill_core::{TIME_MAX, TIME_MIN};

/// See the module.
pub(super) enum Assign {
    Tumbling {
        size_ms: TimeMs,
        offset_ms: TimeMs,
    },
    Sliding {
        size_ms: TimeMs,
        slide_ms: TimeMs,
        offset_ms: TimeMs,
    },
    Session {
        gap_ms: TimeMs,
    },
    /// The column of the gap.
    SessionBy {
        column: usize,
    },
    Days(Days),
    Global,
}

impl Assign {
    /// For an assigner that a plan's check has passed and that is kept one by one; counted windows are not.
    pub(super) fn new(assigner: &Assigner, input: &Schema) -> Assign {
        match assigner {
            Assigner::Tumbling { size_ms, offset_ms } => Assign::Tumbling { size_ms: *size_ms, offset_ms: *offset_ms },
            Assigner::Sliding { size_ms, slide_ms, offset_ms } => {
                Assign::Sliding { size_ms: *size_ms, slide_ms: *slide_ms, offset_ms: *offset_ms }
            }
            Assigner::Session { gap_ms } => Assign::Session { gap_ms: *gap_ms },
            Assigner::SessionBy { field } => {
                Assign::SessionBy { column: input.index_of(field).expect("plan::check has found the field of the gap") }
            }
            Assigner::Days { timezone, days } => Assign::Days(Days::new(timezone, *days).expect("plan::check has found the time zone")),
            Assigner::Global => Assign::Global,
            Assigner::Count { .. } => unreachable!("counted windows are kept by `counted`"),
        }
    }

    /// Whether windows that touch become one.
    pub(super) fn merges(&self) -> bool {
        matches!(self, Assign::Session { .. } | Assign::SessionBy { .. })
    }

    /// Whether windows have no end.
    pub(super) fn is_endless(&self) -> bool {
        matches!(self, Assign::Global)
    }

    /// Puts the windows of a record at `time` into `windows`, earliest first. False when it belongs to none, which is not late.
    pub(super) fn windows(&self, block: &Block, row: usize, time: TimeMs, windows: &mut Vec<Window>) -> bool {
        match self {
            Assign::Tumbling { size_ms, offset_ms } => windows.push(tumbling(time, *offset_ms, *size_ms)),
            Assign::Sliding { size_ms, slide_ms, offset_ms } => {
                windows.extend(sliding(time, *offset_ms, *size_ms, *slide_ms));
                windows.reverse();
            }
            Assign::Session { gap_ms } => windows.push(session(time, *gap_ms)),
            Assign::SessionBy { column } => {
                let gap_ms = match block.column(*column).value(row) {
                    Value::I64(gap_ms) => gap_ms,
                    _ => 0,
                };
                // A gap of nothing would be a window of no length, which no watermark passes in time.
                windows.push(session(time, gap_ms.max(1)));
            }
            Assign::Days(days) => windows.push(days.window(time)),
            Assign::Global => windows.push(Window { start: TIME_MIN, end: TIME_MAX }),
        }
        !windows.is_empty()
    }
}
