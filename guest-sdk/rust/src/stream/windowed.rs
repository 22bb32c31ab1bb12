//! Keyed streams cut into windows.

use std::any::TypeId;
use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;

use super::keyed::key_schema;
use super::{Emit, Stream, output};
use crate::aggregate::{self, Number};
use crate::evict::Evictor;
use crate::job::Node;
use crate::plan::{self, Aggregate, Domain, Kind, StateKind};
use crate::record::{Cell, Field, Key, List, Record, WindowCount, WindowRecord, WindowValue, With};
use crate::runtime::{Compute, Port, Slots, Table, Touched, ValueTable, WindowOperator};
use crate::schema::{Column, Schema};
use crate::time::Span;
use crate::trigger::{Decider, Decides, Trigger, TriggerFunction};
use crate::window::{Window, Windows};

/// A keyed stream cut into windows. A window exists from its first record on; its results leave when the watermark passes
/// its end, with the window's last millisecond as event time.
#[must_use = "windows that nothing computes do nothing"]
pub struct WindowedStream<K, T> {
    stream: Stream<T>,
    key: Vec<String>,
    windows: Windows,
    lateness_ms: i64,
    trigger: Option<plan::TriggerSpec>,
    decides: Option<MakeDecider<T>>,
    evictor: Option<Evictor<T>>,
    _key: PhantomData<fn() -> K>,
}

/// Makes the trigger function of one operator.
type MakeDecider<T> = Rc<dyn Fn(&Rc<Touched>) -> Rc<dyn Decides<T>>>;

/// The name of the state that a window keeps.
const ACC: &str = "acc";
/// The name of what its trigger function keeps.
const TRIGGER: &str = "trigger";

impl<K: Key, T: Record> WindowedStream<K, T> {
    pub(super) fn new(stream: Stream<T>, key: Vec<String>, mut windows: Windows) -> Self {
        if let (plan::Assigner::SessionBy { field }, Some(column)) = (&mut windows.assigner, windows.column) {
            field.clone_from(&stream.schema.columns[column].name);
        }
        WindowedStream { stream, key, windows, lateness_ms: 0, trigger: None, decides: None, evictor: None, _key: PhantomData }
    }

    /// Says when a window fires, instead of at its end and at each late record: see [`trigger`](crate::trigger).
    pub fn trigger(mut self, trigger: Trigger) -> Self {
        self.trigger = Some(trigger.0);
        self.decides = None;
        self
    }

    /// Lets a function say when a window fires, with state of its own for every window.
    pub fn trigger_function(mut self, function: impl TriggerFunction<T>) -> Self {
        let function = Rc::new(function);
        self.trigger = Some(plan::TriggerSpec { when: plan::Trigger::Guest, purge: false });
        self.decides = Some(Rc::new(move |touched| Rc::new(Decider::new(function.clone(), touched))));
        self
    }

    /// Says what a window leaves out when it fires: see [`evict`](crate::evict). Only for [`WindowedStream::process`]; the host refuses it
    /// where an aggregate is kept.
    pub fn evictor(mut self, mut evictor: Evictor<T>) -> Self {
        if let (plan::Evict::Delta { field, .. }, Some(column)) = (&mut evictor.plan.evict, evictor.column) {
            field.clone_from(&self.stream.schema.columns[column].name);
        }
        self.evictor = Some(evictor);
        self
    }

    /// Keeps a window for this long after its end: a late record until then lets it fire again. What comes later goes to
    /// [`WindowResults::late`].
    pub fn allowed_lateness(mut self, span: Span) -> Self {
        self.lateness_ms = span.ms();
        self
    }

    /// Aggregates the records of each window; `finish` makes the result of the window and the aggregate.
    pub fn aggregate<A, Out>(
        &self,
        name: &str,
        aggregate: A,
        finish: impl Fn(&Window<'_, K>, A::Out) -> Out + 'static,
    ) -> WindowResults<Out, T>
    where
        A: aggregate::Aggregate<In = T>,
        Out: Record,
    {
        self.aggregate_flat(name, aggregate, move |window, result, out| out.emit(finish(window, result)))
    }

    /// Aggregates the records of each window; `finish` emits any number of results.
    pub fn aggregate_flat<A, Out>(
        &self,
        name: &str,
        aggregate: A,
        finish: impl Fn(&Window<'_, K>, A::Out, &mut Emit<'_, Out>) + 'static,
    ) -> WindowResults<Out, T>
    where
        A: aggregate::Aggregate<In = T>,
        Out: Record,
    {
        self.compute(name, StateKind::Accumulator, Aggregated { aggregate, finish, _types: PhantomData })
    }

    /// Folds the records of each window into an accumulator that begins as `start`: `add` adds a record, `merge` adds another
    /// accumulator (of a session grown together, or of a pane), `finish` makes the result.
    pub fn fold<Acc: Record + Clone, Out: Record>(
        &self,
        name: &str,
        start: Acc,
        add: impl Fn(&mut Acc, &T) + 'static,
        merge: impl Fn(&mut Acc, &Acc) + 'static,
        finish: impl Fn(&Window<'_, K>, &Acc) -> Out + 'static,
    ) -> WindowResults<Out, T> {
        self.compute(name, StateKind::Accumulator, Folded { start, add, merge, finish, _types: PhantomData })
    }

    /// Combines the records of each window two by two into one of the same type.
    pub fn reduce(&self, name: &str, f: impl Fn(&T, &T) -> T + 'static) -> WindowResults<T, T>
    where
        T: Clone,
    {
        self.compute(name, StateKind::Accumulator, Reduced { f, _types: PhantomData })
    }

    /// Handles all records of each window at once, in the order of their arrival. Keeps every record until then: where an
    /// aggregate can say the same, it needs less memory.
    pub fn process<Out: Record>(&self, name: &str, f: impl Fn(&Window<'_, K>, &[T], &mut Emit<'_, Out>) + 'static) -> WindowResults<Out, T>
    where
        T: Clone,
    {
        match self.evictor.clone() {
            Some(evictor) => self.compute(name, StateKind::List, Evicting { evictor, f, _types: PhantomData }),
            None => self.compute(name, StateKind::List, Buffered { f, _types: PhantomData }),
        }
    }

    /// Counts the records of each window. The host computes it.
    pub fn count(&self, name: &str) -> WindowResults<WindowCount<K>, T> {
        self.host(name, Aggregate::Count, vec![Column::of::<i64>("count")])
    }

    /// Sums a field over each window. The host computes it.
    pub fn sum<V: Number>(&self, name: &str, field: Field<T, V>) -> WindowResults<WindowValue<K, V::Sum>, T> {
        let column = self.column(field.index());
        self.host(name, Aggregate::Sum(column.name.clone()), vec![Column::of::<V::Sum>(column.name)])
    }

    /// The least value of a field in each window. The host computes it.
    pub fn min<V: Cell + Record>(&self, name: &str, field: Field<T, V>) -> WindowResults<WindowValue<K, V>, T> {
        let column = self.column(field.index());
        self.host(name, Aggregate::Min(column.name.clone()), vec![column])
    }

    /// The greatest value of a field in each window. The host computes it.
    pub fn max<V: Cell + Record>(&self, name: &str, field: Field<T, V>) -> WindowResults<WindowValue<K, V>, T> {
        let column = self.column(field.index());
        self.host(name, Aggregate::Max(column.name.clone()), vec![column])
    }

    /// The record with the least value of a field in each window, the first of equals. The host computes it.
    pub fn min_by<V: Cell>(&self, name: &str, field: Field<T, V>) -> WindowResults<WindowRecord<T>, T> {
        self.host_by(name, Aggregate::MinBy(self.column(field.index()).name))
    }

    /// The record with the greatest value of a field in each window, the first of equals. The host computes it.
    pub fn max_by<V: Cell>(&self, name: &str, field: Field<T, V>) -> WindowResults<WindowRecord<T>, T> {
        self.host_by(name, Aggregate::MaxBy(self.column(field.index()).name))
    }

    fn column(&self, index: usize) -> Column {
        self.stream.schema.columns[index].clone()
    }

    /// The key's columns and the window's, followed by others.
    fn host<Out: Record>(&self, name: &str, aggregate: Aggregate, columns: Vec<Column>) -> WindowResults<Out, T> {
        let schema = key_schema(&self.stream.schema, &self.key).with(bounds()).with(columns);
        self.add(name, plan::Compute::Host(aggregate), Vec::new(), schema, |node| node)
    }

    /// The window's columns followed by the record's.
    fn host_by(&self, name: &str, aggregate: Aggregate) -> WindowResults<WindowRecord<T>, T> {
        let schema = Schema::default().with(bounds()).with(self.stream.schema.columns.clone());
        self.add(name, plan::Compute::Host(aggregate), Vec::new(), schema, |node| node)
    }

    /// Adds a window that the component computes.
    fn compute<C: Compute<Key = K, In = T>>(&self, name: &str, kind: StateKind, compute: C) -> WindowResults<C::Out, T> {
        let (id, call) = self.stream.next();
        let schema = Schema::of::<C::Out>();
        let touched = Rc::<Touched>::default();
        let accs = Rc::new(ValueTable::<C::Acc>::new(&touched, kind));
        let mut pieces = vec![(ACC.to_owned(), accs.clone() as Rc<dyn Table>)];
        let decides = self.decides.as_ref().map(|make| make(&touched));
        pieces.extend(decides.as_ref().map(|decides| (TRIGGER.to_owned(), decides.table())));
        let state = pieces.iter().map(|(name, table)| table.declare(name)).collect();
        let operator = WindowOperator {
            id,
            compute: Rc::new(compute),
            out: Port::new(id, 0, &schema, &call),
            call,
            accs,
            decides,
            slots: Rc::new(Slots::new(&pieces, touched)),
        };
        self.add(name, plan::Compute::Guest, state, schema, |mut node| {
            node.guest = Some(Box::new(operator));
            node.records.push(TypeId::of::<C::Out>());
            node
        })
    }

    fn add<Out: Record>(
        &self,
        name: &str,
        compute: plan::Compute,
        state: Vec<plan::State>,
        schema: Schema,
        finish: impl FnOnce(Node) -> Node,
    ) -> WindowResults<Out, T> {
        let kind = Kind::Window(plan::Window {
            key: self.key.clone(),
            assigner: self.windows.assigner.clone(),
            domain: self.windows.domain,
            lateness_ms: self.lateness_ms,
            trigger: self.trigger.clone(),
            evictor: self.evictor.as_ref().map(|evictor| evictor.plan.clone()),
            compute,
            state,
        });
        let node = finish(Node::new(name, kind, vec![self.stream.keyed_input()], vec![output(schema.clone())]));
        let stream = self.stream.add(node, schema);
        let late = Stream::of(&self.stream.graph, stream.operator, plan::LATE, self.stream.schema.clone());
        WindowResults { stream, late, domain: self.windows.domain }
    }
}

/// The columns of a window.
fn bounds() -> [Column; 2] {
    [Column::of::<i64>("start"), Column::of::<i64>("end")]
}

/// The results of windows, and the records that came too late for theirs.
pub struct WindowResults<T, In> {
    stream: Stream<T>,
    late: Stream<In>,
    domain: Domain,
}

impl<T, In> Deref for WindowResults<T, In> {
    type Target = Stream<T>;

    fn deref(&self) -> &Stream<T> {
        &self.stream
    }
}

impl<T: Record, In: Record> WindowResults<T, In> {
    /// The records that came too late for every window they belong to. Without a reader the host counts them and
    /// logs the first ones. Windows in processing time have none.
    pub fn late(&self) -> Stream<In> {
        if self.domain == Domain::Processing {
            let mut graph = self.stream.graph.borrow_mut();
            let error = format!(
                "window {:?} is in processing time, where nothing is late: remove `.late()`",
                graph.node(self.stream.operator).plan.name
            );
            graph.errors.push(error);
        }
        self.late.clone()
    }
}

struct Aggregated<K, A, Out, F> {
    aggregate: A,
    finish: F,
    _types: PhantomData<fn() -> (K, Out)>,
}

impl<K: Key, A: aggregate::Aggregate, Out: Record, F: Fn(&Window<'_, K>, A::Out, &mut Emit<'_, Out>) + 'static> Compute
    for Aggregated<K, A, Out, F>
{
    type Key = K;
    type In = A::In;
    type Acc = A::Acc;
    type Out = Out;

    #[inline]
    fn add(&self, acc: &mut Option<A::Acc>, record: &A::In, _: i64) {
        self.aggregate.add(acc.get_or_insert_with(|| self.aggregate.start()), record);
    }

    fn merge(&self, into: &mut Option<A::Acc>, from: &A::Acc) {
        match into {
            Some(into) => self.aggregate.merge(into, from),
            None => *into = Some(from.clone()),
        }
    }

    fn finish(&self, window: &Window<'_, K>, acc: &A::Acc, out: &mut Emit<'_, Out>) {
        (self.finish)(window, self.aggregate.finish(acc), out);
    }
}

struct Folded<K, In, Acc, Out, Add, Merge, Finish> {
    start: Acc,
    add: Add,
    merge: Merge,
    finish: Finish,
    _types: PhantomData<fn(In) -> (K, Out)>,
}

impl<K, In, Acc, Out, Add, Merge, Finish> Compute for Folded<K, In, Acc, Out, Add, Merge, Finish>
where
    K: Key,
    In: Record,
    Acc: Record + Clone,
    Out: Record,
    Add: Fn(&mut Acc, &In) + 'static,
    Merge: Fn(&mut Acc, &Acc) + 'static,
    Finish: Fn(&Window<'_, K>, &Acc) -> Out + 'static,
{
    type Key = K;
    type In = In;
    type Acc = Acc;
    type Out = Out;

    #[inline]
    fn add(&self, acc: &mut Option<Acc>, record: &In, _: i64) {
        (self.add)(acc.get_or_insert_with(|| self.start.clone()), record);
    }

    fn merge(&self, into: &mut Option<Acc>, from: &Acc) {
        match into {
            Some(into) => (self.merge)(into, from),
            None => *into = Some(from.clone()),
        }
    }

    fn finish(&self, window: &Window<'_, K>, acc: &Acc, out: &mut Emit<'_, Out>) {
        out.emit((self.finish)(window, acc));
    }
}

struct Reduced<K, T, F> {
    f: F,
    _types: PhantomData<fn() -> (K, T)>,
}

impl<K: Key, T: Record + Clone, F: Fn(&T, &T) -> T + 'static> Compute for Reduced<K, T, F> {
    type Key = K;
    type In = T;
    type Acc = T;
    type Out = T;

    fn add(&self, acc: &mut Option<T>, record: &T, _: i64) {
        self.merge(acc, record);
    }

    fn add_owned(&self, acc: &mut Option<T>, record: T, _: i64) {
        match acc {
            Some(_) => self.merge(acc, &record),
            None => *acc = Some(record),
        }
    }

    fn merge(&self, into: &mut Option<T>, from: &T) {
        *into = Some(into.as_ref().map_or_else(|| from.clone(), |into| (self.f)(into, from)));
    }

    fn finish(&self, _: &Window<'_, K>, acc: &T, out: &mut Emit<'_, T>) {
        out.emit(acc.clone());
    }
}

struct Buffered<K, T, Out, F> {
    f: F,
    _types: PhantomData<fn() -> (K, T, Out)>,
}

impl<K: Key, T: Record + Clone, Out: Record, F: Fn(&Window<'_, K>, &[T], &mut Emit<'_, Out>) + 'static> Compute for Buffered<K, T, Out, F> {
    type Key = K;
    type In = T;
    type Acc = List<T>;
    type Out = Out;

    fn add(&self, acc: &mut Option<List<T>>, record: &T, time: i64) {
        self.add_owned(acc, record.clone(), time);
    }

    fn add_owned(&self, acc: &mut Option<List<T>>, record: T, _: i64) {
        acc.get_or_insert_with(|| List(Vec::new())).push(record);
    }

    fn merge(&self, into: &mut Option<List<T>>, from: &List<T>) {
        into.get_or_insert_with(|| List(Vec::new())).extend_from_slice(from);
    }

    fn finish(&self, window: &Window<'_, K>, acc: &List<T>, out: &mut Emit<'_, Out>) {
        (self.f)(window, acc, out);
    }
}

/// As [`Buffered`], with the event time of each record, which evictors ask for.
struct Evicting<K, T, Out, F> {
    evictor: Evictor<T>,
    f: F,
    _types: PhantomData<fn() -> (K, T, Out)>,
}

impl<K: Key, T: Record + Clone, Out: Record, F: Fn(&Window<'_, K>, &[T], &mut Emit<'_, Out>) + 'static> Compute for Evicting<K, T, Out, F> {
    type Key = K;
    type In = T;
    type Acc = List<With<T, i64>>;
    type Out = Out;

    const EVICTS: bool = true;

    fn add(&self, acc: &mut Option<Self::Acc>, record: &T, time: i64) {
        self.add_owned(acc, record.clone(), time);
    }

    fn add_owned(&self, acc: &mut Option<Self::Acc>, record: T, time: i64) {
        acc.get_or_insert_with(|| List(Vec::new())).push(With { record, extra: time });
    }

    fn merge(&self, into: &mut Option<Self::Acc>, from: &Self::Acc) {
        into.get_or_insert_with(|| List(Vec::new())).extend_from_slice(from);
    }

    fn finish(&self, window: &Window<'_, K>, acc: &Self::Acc, out: &mut Emit<'_, Out>) {
        let records: Vec<T> = acc.iter().map(|with| with.record.clone()).collect();
        (self.f)(window, &records, out);
    }

    fn evict(&self, acc: &mut Self::Acc, after: bool) {
        if self.evictor.plan.after == after {
            let (mut times, mut records) = acc.0.drain(..).map(|with| (with.extra, with.record)).unzip();
            self.evictor.apply(&mut times, &mut records);
            acc.0.extend(records.into_iter().zip(times).map(|(record, extra)| With { record, extra }));
        }
    }
}
