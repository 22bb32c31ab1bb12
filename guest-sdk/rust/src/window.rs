//! Windows: which records belong together ([`tumbling`], [`sliding`], [`session`], [`calendar_days`], [`records`], [`global`]), and what a
//! result is told about them. When they fire is said by a [`trigger`](crate::trigger), what they leave out by an
//! [`evictor`](crate::evict).

use crate::plan::{Assigner, Domain, OrAfter};
use crate::record::{Field, Key};
use crate::time::Span;

/// Which windows a record belongs to.
#[derive(Clone, Debug)]
pub struct Windows {
    pub(crate) assigner: Assigner,
    pub(crate) domain: Domain,
    /// The column of the field that [`Assigner::SessionBy`] names, whose name is the stream's to say.
    pub(crate) column: Option<usize>,
}

/// Every record in one window of this size.
pub fn tumbling(size: Span) -> Windows {
    Windows { assigner: Assigner::Tumbling { size_ms: size.ms(), offset_ms: 0 }, domain: Domain::Event, column: None }
}

/// A window of this size begins every `slide`. The host shares work between the windows where the slide divides the size.
pub fn sliding(size: Span, slide: Span) -> Windows {
    Windows { assigner: Assigner::Sliding { size_ms: size.ms(), slide_ms: slide.ms(), offset_ms: 0 }, domain: Domain::Event, column: None }
}

/// Records that lie at most `gap` apart share a window, which ends `gap` after its last record.
pub fn session(gap: Span) -> Windows {
    Windows { assigner: Assigner::Session { gap_ms: gap.ms() }, domain: Domain::Event, column: None }
}

/// As [`session`], with a gap of its own for each record, in a field that holds it in milliseconds.
pub fn session_by<T>(gap: Field<T, i64>) -> Windows {
    Windows { assigner: Assigner::SessionBy { field: gap.name().to_owned() }, domain: Domain::Event, column: Some(gap.index()) }
}

/// Calendar days of a time zone, by its IANA name such as `Asia/Shanghai`: each begins where the day does there, also where the clock is
/// changed.
pub fn calendar_days(timezone: &str) -> Windows {
    Windows { assigner: Assigner::Days { timezone: timezone.to_owned(), days: 1 }, domain: Domain::Event, column: None }
}

/// So many records of a key, one behind the other, whenever they come. A window that is not full when the input ends gives nothing;
/// [`Windows::or_after`] lets it fire earlier. Its bounds are those of its records' times.
pub fn records(count: u64) -> Windows {
    Windows { assigner: Assigner::Count { records: count, slide: None, or_after: None }, domain: Domain::Event, column: None }
}

/// The last `count` records of a key, every `slide` records.
pub fn records_sliding(count: u64, slide: u64) -> Windows {
    Windows { assigner: Assigner::Count { records: count, slide: Some(slide), or_after: None }, domain: Domain::Event, column: None }
}

/// One window for ever. It fires when its [`trigger`](crate::trigger) says so, and without one the job is refused. The event time of a
/// result is that of the record or timer that made it fire.
pub fn global() -> Windows {
    Windows { assigner: Assigner::Global, domain: Domain::Event, column: None }
}

impl Windows {
    /// Lets a window of [`records`] fire although it is not full, so long of processing time after its first record.
    #[must_use]
    pub fn or_after(self, span: Span) -> Windows {
        self.cut_short(span, Domain::Processing)
    }

    /// As [`Windows::or_after`], in event time.
    #[must_use]
    pub fn or_after_event_time(self, span: Span) -> Windows {
        self.cut_short(span, Domain::Event)
    }

    fn cut_short(mut self, span: Span, domain: Domain) -> Windows {
        if let Assigner::Count { or_after, .. } = &mut self.assigner {
            *or_after = Some(OrAfter { ms: span.ms(), domain });
        }
        self
    }

    /// Makes windows of [`calendar_days`] so many days long, counted from 1970-01-01.
    #[must_use]
    pub fn every(mut self, count: u32) -> Windows {
        if let Assigner::Days { days, .. } = &mut self.assigner {
            *days = count;
        }
        self
    }

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
