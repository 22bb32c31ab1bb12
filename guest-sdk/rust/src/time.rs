//! Spans of time, in the words jobs use: `seconds(10)`, `minutes(5)`. All time is in whole milliseconds.

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    ms: i64,
}

impl Span {
    /// The span in milliseconds.
    pub const fn ms(self) -> i64 {
        self.ms
    }
}

impl std::ops::Neg for Span {
    type Output = Span;

    fn neg(self) -> Span {
        Span { ms: self.ms.saturating_neg() }
    }
}

/// A span of milliseconds.
pub const fn millis(n: i64) -> Span {
    Span { ms: n }
}

/// A span of seconds.
pub const fn seconds(n: i64) -> Span {
    Span { ms: n.saturating_mul(1_000) }
}

/// A span of minutes.
pub const fn minutes(n: i64) -> Span {
    seconds(n.saturating_mul(60))
}

/// A span of hours.
pub const fn hours(n: i64) -> Span {
    minutes(n.saturating_mul(60))
}

/// A span of days of 24 hours.
pub const fn days(n: i64) -> Span {
    hours(n.saturating_mul(24))
}

/// How watermarks follow event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks(pub(crate) Option<i64>);

/// Event times never fall: the watermark is the greatest time so far minus one millisecond.
pub const fn monotonic() -> Watermarks {
    Watermarks(None)
}

/// Records come at most `bound` late: the watermark is the greatest time so far minus the bound minus one millisecond.
pub const fn out_of_order(bound: Span) -> Watermarks {
    Watermarks(Some(bound.ms()))
}

impl Watermarks {
    pub(crate) fn in_plan(self) -> crate::plan::Watermarks {
        match self.0 {
            None => crate::plan::Watermarks::Monotonic,
            Some(ms) => crate::plan::Watermarks::Bounded { ms },
        }
    }
}
