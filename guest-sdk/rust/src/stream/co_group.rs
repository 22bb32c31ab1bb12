//! Co-groups: what two keyed streams have in a window, handled at once.

use std::any::TypeId;
use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;

use super::{Emit, KeyedStream, Stream, output};
use crate::job::Node;
use crate::plan::{self, Kind, LATE_SIDE, Side, StateKind, TriggerSpec};
use crate::record::{Key, List, Record};
use crate::runtime::{CoGroupOperator, Port, Slots, Table, Touched, ValueTable};
use crate::schema::Schema;
use crate::time::Span;
use crate::trigger::Trigger;
use crate::window::{Window, Windows};

/// The names of the two sides in the plan, and of what is kept of them.
const SIDES: [&str; 2] = ["first", "second"];

/// Two keyed streams cut into the same windows.
///
/// ```
/// use tidemill::prelude::*;
///
/// #[derive(Clone, Record)]
/// struct Offer { item: String, cents: i64, at: i64 }
///
/// #[derive(Clone, Record)]
/// struct Bid { item: String, cents: i64, at: i64 }
///
/// fn job(job: &mut Job) -> Result {
///     let offers = job.source::<Offer>("offers", json()).event_time(Offer::AT, monotonic());
///     let bids = job.source::<Bid>("bids", json()).event_time(Bid::AT, monotonic());
///     offers.key_by(Offer::ITEM)
///         .co_group(&bids.key_by(Bid::ITEM), tumbling(minutes(1)))
///         .process("unsold", |window, offers, bids, out| {
///             if bids.is_empty() {
///                 out.emit((window.key(), offers.len() as i64));
///             }
///         })
///         .sink("unsold-items", json());
///     Ok(())
/// }
/// # assert!(tidemill::testing::job(job).error().is_none());
/// ```
#[must_use = "windows that nothing computes do nothing"]
pub struct CoGroup<K, A, B> {
    first: (Stream<A>, Vec<String>),
    second: (Stream<B>, Vec<String>),
    windows: Windows,
    lateness_ms: i64,
    trigger: Option<TriggerSpec>,
    _key: PhantomData<fn() -> K>,
}

impl<K: Key, T: Record> KeyedStream<K, T> {
    /// This stream and another of the same key, cut into windows together: a window holds the records of both, and exists where one has
    /// some.
    pub fn co_group<U: Record>(&self, other: &KeyedStream<K, U>, windows: Windows) -> CoGroup<K, T, U> {
        CoGroup {
            first: (self.stream.clone(), self.key.clone()),
            second: (other.stream.clone(), other.key.clone()),
            windows,
            lateness_ms: 0,
            trigger: None,
            _key: PhantomData,
        }
    }
}

impl<K: Key, A: Record + Clone, B: Record + Clone> CoGroup<K, A, B> {
    /// Says when a window fires, instead of at its end and at each late record: see [`trigger`](crate::trigger).
    pub fn trigger(mut self, trigger: Trigger) -> Self {
        self.trigger = Some(trigger.0);
        self
    }

    /// Keeps a window for this long after its end: a late record until then lets it fire again.
    pub fn allowed_lateness(mut self, span: Span) -> Self {
        self.lateness_ms = span.ms();
        self
    }

    /// Handles all records of each window at once, those of each stream in the order of their arrival.
    pub fn process<Out: Record>(
        &self,
        name: &str,
        f: impl Fn(&Window<'_, K>, &[A], &[B], &mut Emit<'_, Out>) + 'static,
    ) -> CoGroupResults<Out, A, B> {
        let (first, second) = (&self.first, &self.second);
        let (id, call) = first.0.next();
        let schema = Schema::of::<Out>();
        let touched = Rc::<Touched>::default();
        let kept = (
            Rc::new(ValueTable::<List<A>>::new(&touched, StateKind::List)),
            Rc::new(ValueTable::<List<B>>::new(&touched, StateKind::List)),
        );
        let tables = [kept.0.clone() as Rc<dyn Table>, kept.1.clone()];
        let pieces: Vec<_> = SIDES.into_iter().map(str::to_owned).zip(tables).collect();
        let state = pieces.iter().map(|(name, table)| table.declare(name)).collect();
        let (out, slots) = (Port::new(id, 0, &schema, &call), Rc::new(Slots::new(&pieces, touched)));
        let operator = CoGroupOperator { id, call, function: Rc::new(f), out, kept, slots, key: PhantomData::<fn() -> K> };
        let side = |(name, key): (&str, &Vec<String>)| Side { name: name.to_owned(), key: key.clone(), required: true };
        let kind = Kind::CoGroup(plan::CoGroup {
            sides: SIDES.into_iter().zip([&first.1, &second.1]).map(side).collect(),
            assigner: self.windows.assigner.clone(),
            domain: self.windows.domain,
            lateness_ms: self.lateness_ms,
            trigger: self.trigger.clone(),
            state,
        });
        let inputs = vec![first.0.keyed_input(), second.0.keyed_input()];
        let mut node = Node::new(name, kind, inputs, vec![output(schema.clone())]);
        node.guest = Some(Box::new(operator));
        node.records.push(TypeId::of::<Out>());
        CoGroupResults { stream: first.0.add(node, schema), first: first.0.clone(), second: second.0.clone() }
    }
}

/// The results of a co-group, and the records that came too late for their window.
pub struct CoGroupResults<T, A, B> {
    stream: Stream<T>,
    first: Stream<A>,
    second: Stream<B>,
}

impl<T, A, B> Deref for CoGroupResults<T, A, B> {
    type Target = Stream<T>;

    fn deref(&self) -> &Stream<T> {
        &self.stream
    }
}

impl<T: Record, A: Record, B: Record> CoGroupResults<T, A, B> {
    /// The records of the first stream that came too late. Windows in processing time have none.
    pub fn late_first(&self) -> Stream<A> {
        self.late(&self.first, SIDES[0])
    }

    /// The records of the second stream that came too late.
    pub fn late_second(&self) -> Stream<B> {
        self.late(&self.second, SIDES[1])
    }

    fn late<S: Record>(&self, side: &Stream<S>, name: &str) -> Stream<S> {
        Stream::of(&self.stream.graph, self.stream.operator, &format!("{LATE_SIDE}{name}"), side.schema.clone())
    }
}
