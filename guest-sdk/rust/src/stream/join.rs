//! Joins of keyed streams, which the host runs: in windows, by distance in time, by key, and with the version of a time.
//!
//! Each stream becomes a [`Side`] with a name, which may be [`Side::optional`]; sides are joined, and then it is said how. A job with
//! three sides:
//!
//! ```
//! use tidemill::prelude::*;
//!
//! #[derive(Record)]
//! struct Order { id: i64, item: String, at: i64 }
//!
//! #[derive(Record)]
//! struct Payment { order: i64, cents: i64, at: i64 }
//!
//! #[derive(Record)]
//! struct Parcel { order: i64, place: String, at: i64 }
//!
//! #[derive(Record)]
//! struct Status { order: i64, item: String, cents: i64, place: Option<String> }
//!
//! fn job(job: &mut Job) -> Result {
//!     let orders = job.source::<Order>("orders", json()).event_time(Order::AT, monotonic());
//!     let payments = job.source::<Payment>("payments", json()).event_time(Payment::AT, monotonic());
//!     let parcels = job.source::<Parcel>("parcels", json()).event_time(Parcel::AT, monotonic());
//!     orders.key_by(Order::ID).side("order")
//!         .join(&payments.key_by(Payment::ORDER).side("payment"))
//!         .join(&parcels.key_by(Parcel::ORDER).side("parcel").optional())
//!         .latest("table")
//!         .map("status", |row| {
//!             let Joined { left: Joined { left: order, right: payment }, right: parcel } = row;
//!             Status { order: order.id, item: order.item, cents: payment.cents, place: parcel.0.map(|parcel| parcel.place) }
//!         })
//!         .sink("statuses", json());
//!     Ok(())
//! }
//! # assert!(tidemill::testing::job(job).error().is_none());
//! ```

use std::any::{TypeId, type_name};
use std::marker::PhantomData;
use std::ops::Deref;

use super::{KeyedStream, Stream, output};
use crate::job::{Node, SharedGraph};
use crate::plan::{self, Domain, IntervalJoin, KeyedJoin, Kind, LATE_SIDE, UNMATCHED, WindowJoin};
use crate::record::{Joined, Key, Maybe, Record, WindowRecord};
use crate::schema::{Column, Schema};
use crate::time::Span;
use crate::window::Windows;

/// A keyed stream as a side of a join.
#[must_use = "a side that nothing is joined with does nothing"]
pub struct Side<K, T> {
    graph: SharedGraph,
    part: Part,
    _types: PhantomData<fn() -> (K, T)>,
}

/// What a join knows of a side.
#[derive(Clone)]
struct Part {
    input: plan::Input,
    side: plan::Side,
    schema: Schema,
    record: TypeId,
}

impl<K: Key, T: Record> KeyedStream<K, T> {
    /// This stream as a side of a [join](crate::stream::join). The name is that of its fields in the plan, and finds what the join keeps of it
    /// again when the job changes.
    pub fn side(&self, name: &str) -> Side<K, T> {
        let (stream, graph) = (&self.stream, self.stream.graph.clone());
        if stream.schema.columns.len() > T::COLUMNS {
            let error =
                format!("side {name:?} has a key that is computed: a join needs it in a field, so give it one in a map in front of it");
            graph.borrow_mut().errors.push(error);
        }
        let side = plan::Side { name: name.to_owned(), key: self.key.clone(), required: true };
        let part = Part { input: stream.keyed_input(), side, schema: stream.schema.clone(), record: TypeId::of::<T>() };
        Side { graph, part, _types: PhantomData }
    }
}

impl<K: Key, T: Record> Side<K, T> {
    /// Lets the others be joined where this side has nothing: a left or right join of two, of two such sides a full one.
    pub fn optional(&self) -> Side<K, Maybe<T>> {
        let side = plan::Side { required: false, ..self.part.side.clone() };
        Side { graph: self.graph.clone(), part: Part { side, ..self.part.clone() }, _types: PhantomData }
    }

    /// Joins another side.
    pub fn join<U: Record>(&self, other: &Side<K, U>) -> Pair<K, T, U> {
        let parts = vec![self.part.clone(), other.part.clone()];
        Pair { sides: Sides { graph: self.graph.clone(), parts, _types: PhantomData } }
    }
}

/// Sides about to be joined.
#[must_use = "sides that are not joined do nothing"]
pub struct Sides<K, T> {
    graph: SharedGraph,
    parts: Vec<Part>,
    _types: PhantomData<fn() -> (K, T)>,
}

/// Two sides about to be joined, which may also be joined [within](Pair::within) some time of each other and [as of](Pair::as_of) a time.
#[must_use = "sides that are not joined do nothing"]
pub struct Pair<K, L: Record, R: Record> {
    sides: Sides<K, Joined<L, R>>,
}

impl<K, L: Record, R: Record> Deref for Pair<K, L, R> {
    type Target = Sides<K, Joined<L, R>>;

    fn deref(&self) -> &Sides<K, Joined<L, R>> {
        &self.sides
    }
}

impl<K: Key, T: Record> Sides<K, T> {
    /// Joins another side.
    pub fn join<U: Record>(&self, other: &Side<K, U>) -> Sides<K, Joined<T, U>> {
        let parts = self.parts.iter().chain([&other.part]).cloned().collect();
        Sides { graph: self.graph.clone(), parts, _types: PhantomData }
    }

    /// The last record of each side by key, as a table: each record that comes gives the row of its key, once every required side has one,
    /// with the record's event time.
    pub fn latest(&self, name: &str) -> JoinResults<T> {
        self.add(name, Kind::KeyedJoin(KeyedJoin { sides: self.in_plan() }), [])
    }

    /// Each record of a side with each of the others that has the same key and is in the same window.
    pub fn window(&self, windows: Windows) -> WindowedSides<'_, K, T> {
        WindowedSides { sides: self, windows, lateness_ms: 0 }
    }

    fn in_plan(&self) -> Vec<plan::Side> {
        self.parts.iter().map(|part| part.side.clone()).collect()
    }

    fn add<Out: Record>(&self, name: &str, kind: Kind, bounds: impl IntoIterator<Item = Column>) -> JoinResults<Out> {
        let field = |part: &Part, column: &Column| Column {
            name: format!("{}.{}", part.side.name, column.name),
            optional: column.optional || !part.side.required,
            ..column.clone()
        };
        let columns = self.parts.iter().flat_map(|part| part.schema.columns.iter().map(move |column| field(part, column)));
        let schema = Schema::default().with(bounds).with(columns);
        let inputs = self.parts.iter().map(|part| part.input.clone()).collect();
        let mut node = Node::new(name, kind, inputs, vec![output(schema.clone())]);
        node.records.push(TypeId::of::<Out>());
        let id = self.graph.borrow_mut().add(node);
        JoinResults { stream: Stream::of(&self.graph, id, plan::MAIN, schema), parts: self.parts.clone() }
    }
}

impl<K: Key, L: Record, R: Record> Pair<K, L, R> {
    /// Records of one key whose times are this far [apart](between). The result has the greater time; it takes event time.
    pub fn within(&self, name: &str, interval: Interval) -> JoinResults<Joined<L, R>> {
        let Interval { lower, upper, exclusive } = interval;
        let [lower_exclusive, upper_exclusive] = exclusive;
        let (lower_ms, upper_ms, sides) = (lower.ms(), upper.ms(), self.in_plan());
        let join = IntervalJoin { sides, lower_ms, upper_ms, lower_exclusive, upper_exclusive };
        self.add(name, Kind::IntervalJoin(join), [])
    }

    /// Each record of the first side with what the second said last at its time: a temporal join. Results come when the watermark has come
    /// to their time, since an earlier version may still be on its way.
    pub fn as_of(&self, name: &str) -> JoinResults<Joined<L, R>> {
        self.add(name, Kind::TemporalJoin(KeyedJoin { sides: self.in_plan() }), [])
    }
}

/// How far apart in time two records may be: see [`between`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    lower: Span,
    upper: Span,
    exclusive: [bool; 2],
}

/// From `lower` to `upper` later than the record of the first side; both may be negative, and both are included.
pub const fn between(lower: Span, upper: Span) -> Interval {
    Interval { lower, upper, exclusive: [false; 2] }
}

impl Interval {
    /// Leaves the lower bound itself out.
    #[must_use]
    pub const fn lower_exclusive(self) -> Interval {
        Interval { exclusive: [true, self.exclusive[1]], ..self }
    }

    /// Leaves the upper bound itself out.
    #[must_use]
    pub const fn upper_exclusive(self) -> Interval {
        Interval { exclusive: [self.exclusive[0], true], ..self }
    }
}

/// Sides about to be joined in windows.
#[must_use = "sides that are not joined do nothing"]
pub struct WindowedSides<'s, K, T> {
    sides: &'s Sides<K, T>,
    windows: Windows,
    lateness_ms: i64,
}

impl<K: Key, T: Record> WindowedSides<'_, K, T> {
    /// Keeps a window for this long after its end: a late record until then lets it fire again.
    pub fn allowed_lateness(mut self, span: Span) -> Self {
        self.lateness_ms = span.ms();
        self
    }

    /// Joins each with each. A result's time is the last millisecond of its window.
    pub fn join(&self, name: &str) -> JoinResults<WindowRecord<T>> {
        let Windows { assigner, domain, .. } = self.windows.clone();
        let join = WindowJoin { sides: self.sides.in_plan(), assigner, domain, lateness_ms: self.lateness_ms };
        self.sides.add(name, Kind::WindowJoin(join), ["start", "end"].map(Column::of::<i64>))
    }
}

/// The results of a join, and what did not come into them.
pub struct JoinResults<T> {
    stream: Stream<T>,
    parts: Vec<Part>,
}

impl<T> Deref for JoinResults<T> {
    type Target = Stream<T>;

    fn deref(&self) -> &Stream<T> {
        &self.stream
    }
}

impl<T: Record> JoinResults<T> {
    /// The records of the side of this name that found nobody where somebody was required.
    pub fn unmatched<S: Record>(&self, side: &str) -> Stream<S> {
        let schema = self.side::<S>(side);
        let port = format!("{UNMATCHED}{side}");
        let listed = self.stream.graph.borrow_mut().node(self.stream.operator).plan.outputs.iter().any(|output| output.name == port);
        if !listed {
            self.stream.declare_output(&port, &schema, TypeId::of::<S>());
        }
        Stream::of(&self.stream.graph, self.stream.operator, &port, schema)
    }

    /// The records of the side of this name that came too late. Without a reader the host counts them.
    pub fn late<S: Record>(&self, side: &str) -> Stream<S> {
        let schema = self.side::<S>(side);
        let mut graph = self.stream.graph.borrow_mut();
        let node = &graph.node(self.stream.operator).plan;
        let none = match &node.kind {
            Kind::WindowJoin(join) if join.domain == Domain::Processing => "is in processing time",
            Kind::KeyedJoin(_) => "joins whenever a record comes",
            _ => "",
        };
        if !none.is_empty() {
            let error = format!("join {:?} {none}, where nothing is late: remove `.late(…)`", node.name);
            graph.errors.push(error);
        }
        drop(graph);
        Stream::of(&self.stream.graph, self.stream.operator, &format!("{LATE_SIDE}{side}"), schema)
    }

    /// The columns of a side, whose records are to be of type `S`.
    fn side<S: Record>(&self, name: &str) -> Schema {
        let mut graph = self.stream.graph.borrow_mut();
        let join = graph.node(self.stream.operator).plan.name.clone();
        let found = self.parts.iter().find(|part| part.side.name == name);
        let error = match found {
            None => Some(format!("join {join:?} has no side {name:?}")),
            Some(part) if part.record != TypeId::of::<S>() => {
                Some(format!("side {name:?} of join {join:?} has other records than `{}`", type_name::<S>()))
            }
            Some(_) => None,
        };
        graph.errors.extend(error);
        found.map_or_else(Schema::of::<S>, |part| part.schema.clone())
    }
}
