//! Sources, and the formats that sources and sinks have.

use std::ops::Deref;

use super::Stream;
use crate::job::{Node, SharedGraph};
use crate::plan::{self, Binding, FormatName, Kind, Output};
use crate::record::{Field, Record};
use crate::schema::Schema;
use crate::time::{Span, Watermarks};

/// How bytes become records and back, and where they come from or go to unless `--bind` says otherwise.
#[derive(Clone, Debug)]
pub struct Format {
    name: FormatName,
    default: Option<String>,
    pub(super) tag: Option<String>,
}

/// One JSON object a line.
pub fn json() -> Format {
    Format { name: FormatName::Json, default: None, tag: None }
}

/// Comma-separated values; a source reads a header line.
pub fn csv() -> Format {
    Format { name: FormatName::Csv, default: None, tag: None }
}

/// A line as one string: a source of `String`.
pub fn text() -> Format {
    Format { name: FormatName::Text, default: None, tag: None }
}

impl Format {
    /// The URL used when nothing is bound, such as `stdin:`, `stdout:` or `file:data.json`.
    #[must_use]
    pub fn default(mut self, url: &str) -> Format {
        self.default = Some(url.to_owned());
        self
    }

    /// The string field whose value tells what kind of record it is; see [`TaggedSource::variant`].
    #[must_use]
    pub fn tag(mut self, field: &str) -> Format {
        self.tag = Some(field.to_owned());
        self
    }

    pub(super) fn binding(&self, name: &str) -> Binding {
        Binding { binding: name.to_owned(), default: self.default.clone(), format: self.name }
    }

    fn source(&self, name: &str) -> Kind {
        Kind::Source(plan::Source { binding: self.binding(name), tag: self.tag.clone(), time: None, watermarks: None, align: None })
    }
}

/// A source of records of one type: a stream whose event time can be declared.
pub struct Source<T> {
    stream: Stream<T>,
}

impl<T> Deref for Source<T> {
    type Target = Stream<T>;

    fn deref(&self) -> &Stream<T> {
        &self.stream
    }
}

impl<T: Record> Source<T> {
    pub(crate) fn new(graph: &SharedGraph, name: &str, format: Format) -> Source<T> {
        let schema = Schema::of::<T>();
        let outputs = vec![Output { name: plan::MAIN.to_owned(), schema: schema.clone(), variant: None }];
        if format.tag.is_some() {
            graph.borrow_mut().errors.push(format!("source {name:?} has a tag: use `tagged_source`, or leave the tag out"));
        }
        let id = graph.borrow_mut().add(Node::new(name, format.source(name), Vec::new(), outputs));
        Source { stream: Stream::of(graph, id, plan::MAIN, schema) }
    }

    /// Says which field holds the event time, in milliseconds since 1970 in UTC, and how watermarks follow.
    pub fn event_time(self, field: Field<T, i64>, watermarks: Watermarks) -> Source<T> {
        set_time(&self.stream.graph, self.stream.operator, field.name(), watermarks);
        self
    }

    /// Keeps the splits of this source together: one whose watermark is more than `max_drift` ahead of the slowest is not read until that
    /// has caught up, so that what waits for event time behind them stays small. Splits that are idle or have ended hold nobody.
    ///
    /// ```
    /// use tidemill::prelude::*;
    ///
    /// #[derive(Record)]
    /// struct Order { id: i64, at: i64 }
    ///
    /// #[derive(Record)]
    /// struct Payment { order: i64, paid: i64 }
    ///
    /// fn late_payments(job: &mut Job) -> Result {
    ///     let orders = job.source::<Order>("orders", json()).event_time(Order::AT, monotonic()).align_in("shop", minutes(5));
    ///     let payments = job.source::<Payment>("payments", json()).event_time(Payment::PAID, monotonic()).align_in("shop", minutes(5));
    ///     // ...
    /// #   orders.map("order", |order| order.id).union("all", [&payments.map("payment", |payment| payment.order)]).sink("ids", json());
    ///     Ok(())
    /// }
    /// # assert_eq!(tidemill::testing::job(late_payments).error(), None);
    /// ```
    pub fn align(self, max_drift: Span) -> Source<T> {
        set_align(&self.stream.graph, self.stream.operator, None, max_drift);
        self
    }

    /// The same among all sources of the job that name this group.
    pub fn align_in(self, group: &str, max_drift: Span) -> Source<T> {
        set_align(&self.stream.graph, self.stream.operator, Some(group), max_drift);
        self
    }
}

/// A source whose records are of several types, told apart by a tag field.
pub struct TaggedSource {
    graph: SharedGraph,
    operator: u32,
}

impl TaggedSource {
    pub(crate) fn new(graph: &SharedGraph, name: &str, format: Format) -> TaggedSource {
        if format.tag.is_none() {
            graph.borrow_mut().errors.push(format!("source {name:?} has no tag: say which field it is, as in `json().tag(\"type\")`"));
        }
        let operator = graph.borrow_mut().add(Node::new(name, format.source(name), Vec::new(), Vec::new()));
        TaggedSource { graph: graph.clone(), operator }
    }

    /// Says which field of every variant holds the event time, in milliseconds since 1970 in UTC, and how watermarks
    /// follow. The field need not be one that the job reads.
    pub fn event_time_field(self, name: &str, watermarks: Watermarks) -> TaggedSource {
        set_time(&self.graph, self.operator, name, watermarks);
        self
    }

    /// Keeps the splits of this source together; see [`Source::align`].
    pub fn align(self, max_drift: Span) -> TaggedSource {
        set_align(&self.graph, self.operator, None, max_drift);
        self
    }

    /// Keeps the splits of all sources that name this group together.
    pub fn align_in(self, group: &str, max_drift: Span) -> TaggedSource {
        set_align(&self.graph, self.operator, Some(group), max_drift);
        self
    }

    /// The records with this value of the tag. Variants that no job asks for are not decoded.
    pub fn variant<T: Record>(&self, value: &str) -> Stream<T> {
        let schema = Schema::of::<T>();
        let mut graph = self.graph.borrow_mut();
        let outputs = &mut graph.node(self.operator).plan.outputs;
        let again = outputs.iter().any(|output| output.name == value);
        outputs.push(Output { name: value.to_owned(), schema: schema.clone(), variant: Some(value.to_owned()) });
        if again {
            graph.errors.push(format!("variant {value:?} is asked for twice: use one stream twice"));
        }
        Stream::of(&self.graph, self.operator, value, schema)
    }
}

fn set_time(graph: &SharedGraph, operator: u32, field: &str, watermarks: Watermarks) {
    if let Kind::Source(source) = &mut graph.borrow_mut().node(operator).plan.kind {
        source.time = Some(field.to_owned());
        source.watermarks = Some(watermarks.in_plan());
    }
}

fn set_align(graph: &SharedGraph, operator: u32, group: Option<&str>, max_drift: Span) {
    if let Kind::Source(source) = &mut graph.borrow_mut().node(operator).plan.kind {
        source.align = Some(plan::Align { max_drift_ms: max_drift.ms(), group: group.map(str::to_owned) });
    }
}
