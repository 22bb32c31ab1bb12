//! Streams partitioned by a key.

use std::any::TypeId;
use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;

use super::{Connected, Stream, WindowedStream, output};
use crate::aggregate::Number;
use crate::block::Block;
use crate::job::Node;
use crate::plan::{self, Aggregate, Input, Kind, Rolling};
use crate::process::{Ctx, Declare, Process, TimerEvent};
use crate::record::{Cell, Cursor, Field, Key, KeyCount, KeyValue, Record};
use crate::runtime::{Keyed, KeyedOperator, Port, Run, Slots, Table};
use crate::schema::{Column, Schema};
use crate::state::Value;
use crate::window::Windows;

/// A stream partitioned by a key: all records of one key are handled in one place, in order.
#[must_use = "a stream that nothing reads does nothing"]
pub struct KeyedStream<K, T> {
    pub(super) stream: Stream<T>,
    /// The names of the key's columns.
    pub(super) key: Vec<String>,
    _key: PhantomData<fn() -> K>,
}

impl<K: Key, T: Record> KeyedStream<K, T> {
    pub(crate) fn new(stream: Stream<T>, key: Vec<String>) -> Self {
        KeyedStream { stream, key, _key: PhantomData }
    }

    /// Cuts the stream into windows, each key for itself.
    pub fn window(&self, windows: Windows) -> WindowedStream<K, T> {
        WindowedStream::new(self.stream.clone(), self.key.clone(), windows)
    }

    /// Handles the stream with state and timers; see [`Process`]. `make` declares them and makes the function.
    pub fn process<P: Process<Key = K, In = T>>(&self, name: &str, make: impl FnOnce(&mut Declare) -> P) -> Processed<P::Out> {
        let inputs = vec![(self.stream.keyed_input(), &self.stream.schema, self.key.clone())];
        self.stream.keyed(name, inputs, |declare| One(make(declare)))
    }

    /// This stream and another of the same key, to be handled by one function with common state.
    pub fn connect<U: Record>(&self, other: &KeyedStream<K, U>) -> Connected<K, T, U> {
        Connected::new(self, other)
    }

    /// Combines each record with the result so far of its key, and emits the new result.
    pub fn reduce(&self, name: &str, f: impl Fn(&T, &T) -> T + 'static) -> Stream<T>
    where
        T: Clone,
    {
        (*self.process(name, |declare| Reduce { so_far: declare.value("so-far"), f, _key: PhantomData })).clone()
    }

    /// Counts the records of each key; every record emits the new count. The host computes it.
    pub fn count(&self, name: &str) -> Stream<KeyCount<K>> {
        self.rolling(name, Aggregate::Count, Some(Column::of::<i64>("count")))
    }

    /// Sums a field for each key; every record emits the new sum. The host computes it.
    pub fn sum<V: Number>(&self, name: &str, field: Field<T, V>) -> Stream<KeyValue<K, V::Sum>> {
        let column = self.column(field.index());
        self.rolling(name, Aggregate::Sum(column.name.clone()), Some(Column::of::<V::Sum>(column.name)))
    }

    /// The least value of a field so far; every record emits it. The host computes it.
    pub fn min<V: Cell + Record>(&self, name: &str, field: Field<T, V>) -> Stream<KeyValue<K, V>> {
        let column = self.column(field.index());
        self.rolling(name, Aggregate::Min(column.name.clone()), Some(column))
    }

    /// The greatest value of a field so far; every record emits it. The host computes it.
    pub fn max<V: Cell + Record>(&self, name: &str, field: Field<T, V>) -> Stream<KeyValue<K, V>> {
        let column = self.column(field.index());
        self.rolling(name, Aggregate::Max(column.name.clone()), Some(column))
    }

    /// The record with the least value of a field so far; every record emits it. The host computes it.
    pub fn min_by<V: Cell>(&self, name: &str, field: Field<T, V>) -> Stream<T> {
        self.rolling(name, Aggregate::MinBy(self.column(field.index()).name), None)
    }

    /// The record with the greatest value of a field so far; every record emits it. The host computes it.
    pub fn max_by<V: Cell>(&self, name: &str, field: Field<T, V>) -> Stream<T> {
        self.rolling(name, Aggregate::MaxBy(self.column(field.index()).name), None)
    }

    fn column(&self, index: usize) -> Column {
        self.stream.schema.columns[index].clone()
    }

    /// A running aggregate: the key and a column, or the whole record.
    fn rolling<Out: Record>(&self, name: &str, aggregate: Aggregate, column: Option<Column>) -> Stream<Out> {
        let schema = match column {
            Some(column) => key_schema(&self.stream.schema, &self.key).with([column]),
            None => self.stream.schema.clone(),
        };
        let kind = Kind::Rolling(Rolling { key: self.key.clone(), aggregate });
        self.stream.add(Node::new(name, kind, vec![self.stream.keyed_input()], vec![output(schema.clone())]), schema)
    }
}

/// The columns of a key.
pub(super) fn key_schema(schema: &Schema, key: &[String]) -> Schema {
    let column = |name: &String| schema.columns.iter().find(|column| column.name == *name).cloned();
    Schema { columns: key.iter().filter_map(column).collect() }
}

/// The results of a process function.
pub struct Processed<T> {
    stream: Stream<T>,
}

impl<T> Deref for Processed<T> {
    type Target = Stream<T>;

    fn deref(&self) -> &Stream<T> {
        &self.stream
    }
}

impl<T: Record> Processed<T> {
    /// The records of a side output that the function declared under this name.
    pub fn side_output<Side: Record>(&self, name: &str) -> Stream<Side> {
        let schema = Schema::of::<Side>();
        let mut graph = self.stream.graph.borrow_mut();
        let node = graph.node(self.stream.operator);
        let index = node.plan.outputs.iter().position(|output| output.name == name);
        let error = match index {
            None => Some(format!("operator {:?} declares no side output {name:?}", node.plan.name)),
            Some(index) if node.records[index] != TypeId::of::<Side>() => {
                Some(format!("side output {name:?} of {:?} has other records than `{}`", node.plan.name, std::any::type_name::<Side>()))
            }
            Some(_) => None,
        };
        graph.errors.extend(error);
        Stream::of(&self.stream.graph, self.stream.operator, name, schema)
    }
}

impl<T: Record> Stream<T> {
    /// Adds a process function with these inputs and their keys' columns.
    pub(super) fn keyed<F: Keyed>(
        &self,
        name: &str,
        inputs: Vec<(Input, &Schema, Vec<String>)>,
        make: impl FnOnce(&mut Declare) -> F,
    ) -> Processed<F::Out> {
        self.keyed_beside(name, inputs, None, make)
    }

    /// As [`Stream::keyed`], beside a broadcast input, and whether its records are applied to every key.
    pub(super) fn keyed_beside<F: Keyed>(
        &self,
        name: &str,
        inputs: Vec<(Input, &Schema, Vec<String>)>,
        broadcast: Option<(Input, bool)>,
        make: impl FnOnce(&mut Declare) -> F,
    ) -> Processed<F::Out> {
        let (id, call) = self.next();
        let mut declare = Declare::new(id, &call);
        let function = Rc::new(make(&mut declare));
        let schema = Schema::of::<F::Out>();
        let index = |schema: &Schema, name: &String| schema.columns.iter().position(|column| column.name == *name).unwrap_or_default();
        let operator = KeyedOperator {
            id,
            function,
            keys: inputs.iter().map(|(_, schema, key)| key.iter().map(|name| index(schema, name)).collect()).collect(),
            out: Port::new(id, 0, &schema, &call),
            sides: declare.sides.iter().map(|side| side.port.clone()).collect(),
            slots: Rc::new(Slots::new(&[&declare.pieces[..], &declare.shared[..]].concat(), declare.touched().clone())),
            is_beside_broadcast: broadcast.is_some(),
        };
        let in_plan = |pieces: &[(String, Rc<dyn Table>)]| pieces.iter().map(|(name, table)| table.declare(name)).collect();
        if broadcast.is_none() && !declare.shared.is_empty() {
            let error = format!("process {name:?} declares broadcast state, but no stream is broadcast to it: use connect_broadcast");
            self.graph.borrow_mut().errors.push(error);
        }
        let (broadcast_input, broadcast) =
            broadcast.map(|(input, apply)| (input, plan::Broadcast { state: in_plan(&declare.shared), apply })).unzip();
        let kind = Kind::Process(plan::Process {
            keys: inputs.iter().map(|(_, _, key)| key.clone()).collect(),
            state: in_plan(&declare.pieces),
            timers: std::mem::take(&mut declare.timers),
            broadcast,
        });
        let mut node = Node::new(
            name,
            kind,
            inputs.into_iter().map(|(input, ..)| input).chain(broadcast_input).collect(),
            vec![output(schema.clone())],
        );
        node.guest = Some(Box::new(operator));
        node.records.push(TypeId::of::<F::Out>());
        let stream = self.add::<F::Out>(node, schema);
        for side in &declare.sides {
            stream.declare_output(&side.name, &side.schema, side.record);
        }
        Processed { stream }
    }
}

/// A function of one input, as the runtime calls it.
struct One<P>(P);

impl<P: Process> Keyed for One<P> {
    type Key = P::Key;
    type Out = P::Out;

    fn process(&self, _: u32, block: &Block<'_>, run: &mut Run<'_, P::Key, P::Out>) {
        let readers = P::In::open(&mut Cursor::new(block)).unwrap_or_else(|error| panic!("the host gave a wrong block: {error}"));
        run.each(|ctx, row| self.0.on_record(ctx, P::In::read(&readers, row)));
    }

    fn on_timer(&self, ctx: &mut Ctx<'_, P::Key, P::Out>, event: TimerEvent) -> crate::Result<()> {
        self.0.on_timer(ctx, event)
    }
}

/// [`KeyedStream::reduce`].
struct Reduce<K, T: Record + Clone, F> {
    so_far: Value<T>,
    f: F,
    _key: PhantomData<fn() -> K>,
}

impl<K: Key, T: Record + Clone, F: Fn(&T, &T) -> T + 'static> Process for Reduce<K, T, F> {
    type Key = K;
    type In = T;
    type Out = T;

    fn on_record(&self, ctx: &mut Ctx<'_, K, T>, record: T) -> crate::Result {
        let so_far = ctx.state(&self.so_far);
        let result = so_far.get().map_or_else(|| record.clone(), |before| (self.f)(&before, &record));
        so_far.set(result.clone());
        ctx.emit(result);
        Ok(())
    }
}
