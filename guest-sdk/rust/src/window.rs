//! Windows: which records belong together ([`tumbling`], [`sliding`], [`session`]), and what a result is told about them.

use crate::plan::{Assigner, Domain};
use crate::record::Key;
use crate::time::Span;

/// Which windows a record belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    pub(crate) assigner: Assigner,
    pub(crate) domain: Domain,
}

/// Every record in one window of this size.
pub fn tumbling(size: Span) -> Windows {
    Windows { assigner: Assigner::Tumbling { size_ms: size.ms(), offset_ms: 0 }, domain: Domain::Event }
}

/// A window of this size begins every `slide`. The host shares work between the windows where the slide divides the size.
pub fn sliding(size: Span, slide: Span) -> Windows {
    Windows { assigner: Assigner::Sliding { size_ms: size.ms(), slide_ms: slide.ms(), offset_ms: 0 }, domain: Domain::Event }
}

/// Records that lie at most `gap` apart share a window, which ends `gap` after its last record.
pub fn session(gap: Span) -> Windows {
    Windows { assigner: Assigner::Session { gap_ms: gap.ms() }, domain: Domain::Event }
}

impl Windows {
    /// Moves the beginnings of the windows, which otherwise are multiples of their size since 1970 in UTC: days in China
    /// are `tumbling(days(1)).offset(-hours(8))`. A session has no offset.
    #[must_use]
    pub fn offset(mut self, by: Span) -> Windows {
        if let Assigner::Tumbling { offset_ms, .. } | Assigner::Sliding { offset_ms, .. } = &mut self.assigner {
            *offset_ms = by.ms();
        }
        self
    }

    /// Lets the host's clock drive the windows rather than the records' event time.
    #[must_use]
    pub fn processing_time(mut self) -> Windows {
        self.domain = Domain::Processing;
        self
    }
}

/// The window that a result is for.
#[derive(Clone, Copy)]
pub struct Window<'a, K: Key> {
    pub(crate) key: &'a dyn Fn() -> K,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) firing: i32,
}

impl<K: Key> Window<'_, K> {
    /// The key.
    pub fn key(&self) -> K {
        (self.key)()
    }

    /// The first millisecond.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// The first millisecond behind it.
    pub fn end(&self) -> i64 {
        self.end
    }

    /// How often the window has fired before: more than 0 only for late records within the allowed lateness, when the
    /// result replaces the one before.
    pub fn firing(&self) -> i32 {
        self.firing
    }
}
