//! Streams: the fluent face of a job.
//!
//! A method adds an operator and returns the stream of its results. Every operator has a name, given first: it is what
//! plans, metrics and errors show, and how state is found again when the job changes.

mod broadcast;
mod co_group;
mod connected;
mod emit;
pub mod join;
mod keyed;
mod source;
mod unkeyed;
mod windowed;

pub use broadcast::WithBroadcast;
pub use co_group::{CoGroup, CoGroupResults};
pub use connected::Connected;
pub use emit::Emit;
pub use join::{Interval, JoinResults, Pair, Side, Sides, between};
pub use keyed::{KeyedStream, Processed};
pub use source::{Format, Source, TaggedSource, csv, json, text};
#[doc(hidden)]
pub use unkeyed::Partitioned;
pub use windowed::{WindowResults, WindowedStream};

use std::any::TypeId;
use std::cell::RefCell;
use std::fmt::Display;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::job::{Node, SharedGraph};
use crate::plan::{self, Chaining, Input, Kind, OnError, Output, Partition};
use crate::record::{DeadLetter, Key, KeyFields, Record, With};
use crate::runtime::{AnyPort, Call, FilterOperator, Operator, Port, Push, StatelessOperator, TimestampsOperator};
use crate::schema::{Column, Schema};
use crate::watermark::Strategy;
use crate::window::Windows;

/// A stream of records. Cheap to clone; every use of it is a reader of its own.
#[must_use = "a stream that nothing reads does nothing"]
pub struct Stream<T> {
    graph: SharedGraph,
    operator: u32,
    port: String,
    /// The columns as the plan names them; the record's own may be followed by hidden ones.
    schema: Schema,
    partition: Partition,
    _record: PhantomData<fn() -> T>,
}

impl<T> Clone for Stream<T> {
    fn clone(&self) -> Self {
        Stream {
            graph: self.graph.clone(),
            operator: self.operator,
            port: self.port.clone(),
            schema: self.schema.clone(),
            partition: self.partition.clone(),
            _record: PhantomData,
        }
    }
}

/// What a stateless operator is made of: the call it reports to, its id, and a push into what follows.
type Compose<In, Out> = Box<dyn Fn(Push<Out>) -> Push<In>>;

/// Sets the event time of what passes.
fn stamp<T: Record>(call: Rc<Call>, id: u32, time: impl Fn(&T) -> i64 + 'static) -> Compose<T, T> {
    let time = Rc::new(time);
    Box::new(move |mut down: Push<T>| {
        let (time, call) = (time.clone(), call.clone());
        Push::stage(move |record, _| {
            call.at(id);
            let at = time(&record);
            down.push(record, at);
        })
    })
}

impl<T: Record> Stream<T> {
    fn of(graph: &SharedGraph, operator: u32, port: &str, schema: Schema) -> Stream<T> {
        Stream { graph: graph.clone(), operator, port: port.to_owned(), schema, partition: Partition::Forward, _record: PhantomData }
    }

    /// Turns each record into one.
    pub fn map<Out: Record>(&self, name: &str, f: impl Fn(T) -> Out + 'static) -> Stream<Out> {
        let f = Rc::new(f);
        self.stateless(name, Kind::Map, Schema::of::<Out>(), |call, id| {
            Box::new(move |mut down| {
                let (f, call) = (f.clone(), call.clone());
                Push::stage(move |record, time| {
                    call.at(id);
                    down.push(f(record), time);
                })
            })
        })
    }

    /// Turns each record into one, or refuses it.
    pub fn try_map<Out: Record, E: Display>(&self, name: &str, f: impl Fn(T) -> Result<Out, E> + 'static) -> Stream<Out> {
        let f = Rc::new(f);
        self.stateless(name, Kind::Map, Schema::of::<Out>(), |call, id| {
            Box::new(move |mut down| {
                let (f, call) = (f.clone(), call.clone());
                Push::stage(move |record, time| {
                    call.at(id);
                    match f(record) {
                        Ok(out) => down.push(out, time),
                        Err(error) => call.refuse(id, error.to_string()),
                    }
                })
            })
        })
    }

    /// Keeps the records for which `keep` says so.
    pub fn filter(&self, name: &str, keep: impl Fn(&T) -> bool + 'static) -> Stream<T> {
        let schema = Schema::of::<T>();
        let (id, call) = self.next();
        let out = Port::new(id, 0, &schema, &call);
        self.guest(name, Kind::Filter, schema, Box::new(FilterOperator { id, call, out, keep: Rc::new(keep) }))
    }

    /// Turns each record into any number of records, emitted on `out`.
    pub fn flat_map<Out: Record>(&self, name: &str, f: impl Fn(T, &mut Emit<'_, Out>) + 'static) -> Stream<Out> {
        let f = Rc::new(f);
        self.stateless(name, Kind::FlatMap, Schema::of::<Out>(), |call, id| {
            Box::new(move |mut down| {
                let (f, call) = (f.clone(), call.clone());
                Push::stage(move |record, time| {
                    call.at(id);
                    f(record, &mut Emit::new(&mut down, time, id, &call));
                })
            })
        })
    }

    /// Turns each record into any number of records, or refuses it; what it emitted is then taken back.
    pub fn try_flat_map<Out: Record, E: Display>(
        &self,
        name: &str,
        f: impl Fn(T, &mut Emit<'_, Out>) -> Result<(), E> + 'static,
    ) -> Stream<Out> {
        let f = Rc::new(f);
        self.stateless(name, Kind::FlatMap, Schema::of::<Out>(), |call, id| {
            Box::new(move |mut down| {
                let (f, call) = (f.clone(), call.clone());
                Push::stage(move |record, time| {
                    call.at(id);
                    let attempt = call.attempt();
                    match f(record, &mut Emit::new(&mut down, time, id, &call)) {
                        Ok(()) => call.stand(attempt),
                        Err(error) => call.refuse_all(attempt, id, error.to_string()),
                    }
                })
            })
        })
    }

    /// Sends each record to a main output, to a side output of the given port name, to both or to neither.
    pub fn split<Out: Record, Side: Record>(
        &self,
        name: &str,
        side_name: &str,
        f: impl Fn(T, &mut Emit<'_, Out>, &mut Emit<'_, Side>) + 'static,
    ) -> (Stream<Out>, Stream<Side>) {
        let f = Rc::new(f);
        let (id, call) = self.next();
        let (schema, side_schema) = (Schema::of::<Out>(), Schema::of::<Side>());
        let out = Port::new(id, 0, &schema, &call);
        let side = Port::<Side>::new(id, 1, &side_schema, &call);
        let sides = vec![side.clone() as Rc<dyn AnyPort>];
        let compose: Compose<T, Out> = Box::new(move |mut down| {
            let (f, call) = (f.clone(), call.clone());
            let mut side = Push::Port(side.clone());
            Push::stage(move |record, time| {
                call.at(id);
                f(record, &mut Emit::new(&mut down, time, id, &call), &mut Emit::new(&mut side, time, id, &call));
            })
        });
        let main = self.guest(name, Kind::FlatMap, schema, Box::new(StatelessOperator { out, sides, compose }));
        main.add_output::<Side>(side_name, &side_schema);
        let side = Stream::of(&self.graph, id, side_name, side_schema);
        (main, side)
    }

    /// This stream and others of the same records as one.
    pub fn union<'s>(&self, name: &str, others: impl IntoIterator<Item = &'s Stream<T>>) -> Stream<T> {
        let inputs = std::iter::once(self.input()).chain(others.into_iter().map(Stream::input)).collect();
        self.add(Node::new(name, Kind::Union, inputs, vec![output(self.schema.clone())]), self.schema.clone())
    }

    /// Gives each record an event time in milliseconds, from which watermarks follow: `monotonic()`, `out_of_order(..)`, or as the job
    /// says, see [`watermark`](crate::watermark). Prefer [`Source::event_time`], which costs nothing, where the host's rules do; this must
    /// come directly behind a source.
    pub fn assign_event_time(&self, name: &str, time: impl Fn(&T) -> i64 + 'static, watermarks: impl Into<Strategy<T>>) -> Stream<T> {
        let (strategy, schema) = (watermarks.into(), Schema::of::<T>());
        let kind = Kind::Timestamps(strategy.in_plan());
        let (id, call) = self.next();
        let stamps = StatelessOperator { out: Port::new(id, 0, &schema, &call), sides: Vec::new(), compose: stamp(call.clone(), id, time) };
        match strategy.make() {
            None => self.guest(name, kind, schema, Box::new(stamps)),
            Some(make) => self.guest(name, kind, schema, Box::new(TimestampsOperator { stamps, call, make, splits: RefCell::default() })),
        }
    }

    /// Partitions the stream by a field, such as `Bid::BIDDER`, or by a tuple of fields. The host does it.
    pub fn key_by<F: KeyFields<T>>(&self, fields: F) -> KeyedStream<F::Key, T> {
        let names = fields.indexes().into_iter().map(|index| self.schema.columns[index].name.clone()).collect();
        KeyedStream::new(self.clone(), names)
    }

    /// Partitions the stream by a key that is computed.
    pub fn key_by_fn<K: Key>(&self, name: &str, key: impl Fn(&T) -> K + 'static) -> KeyedStream<K, T> {
        let columns = Schema::of::<K>().columns.into_iter().enumerate().map(|(i, column)| Column { name: format!("$key{i}"), ..column });
        let columns: Vec<Column> = columns.collect();
        let names = columns.iter().map(|column| column.name.clone()).collect();
        KeyedStream::new(self.with_columns(name, columns, key), names)
    }

    /// Sends each record to the worker of the number that `worker` gives, modulo the parallelism.
    pub fn partition_by(&self, name: &str, worker: impl Fn(&T) -> i64 + 'static) -> Stream<T> {
        let column = Column::of::<i64>("$partition");
        let partition = Partition::Custom(column.name.clone());
        self.with_columns(name, vec![column], worker).partitioned(partition)
    }

    /// Spreads blocks over all workers in turn.
    pub fn rebalance(&self) -> Stream<T> {
        self.partitioned(Partition::Rebalance)
    }

    /// Sends each record to a random worker.
    pub fn shuffle(&self) -> Stream<T> {
        self.partitioned(Partition::Shuffle)
    }

    /// Spreads blocks over a local subset of workers in turn.
    pub fn rescale(&self) -> Stream<T> {
        self.partitioned(Partition::Rescale)
    }

    /// Sends every record to all workers.
    pub fn broadcast(&self) -> Stream<T> {
        self.partitioned(Partition::Broadcast)
    }

    /// Sends all records to the first worker.
    pub fn global(&self) -> Stream<T> {
        self.partitioned(Partition::Global)
    }

    /// Windows over all records, in one place. Partition by a key where you can: this does not run in parallel.
    pub fn window_all(&self, windows: Windows) -> WindowedStream<(), T> {
        KeyedStream::<(), T>::new(self.clone(), Vec::new()).window(windows)
    }

    /// Writes the stream. The name is also the name of the binding: `--bind NAME=URL` replaces the default.
    pub fn sink(&self, name: &str, format: Format) {
        if format.tag.is_some() {
            self.graph.borrow_mut().errors.push(format!("sink {name:?} has a tag: only sources have one"));
        }
        let kind = Kind::Sink(format.binding(name));
        let node = Node::new(name, kind, vec![self.input()], Vec::new());
        self.graph.borrow_mut().add(node);
    }

    /// Sets the parallelism of the operator that makes this stream; nothing overrides it. Rarely needed: without it
    /// `--parallelism` holds.
    pub fn parallelism(&self, workers: u32) -> Stream<T> {
        self.graph.borrow_mut().node(self.operator).plan.parallelism = Some(workers);
        self.clone()
    }

    /// Begins a new chain with the operator that makes this stream: it is not in one call with the operators before it. Errors name the
    /// operator also inside of a chain, so this is for measuring, or for a function whose call has to be short.
    pub fn start_new_chain(&self) -> Stream<T> {
        self.graph.borrow_mut().node(self.operator).plan.chaining = Some(Chaining::Start);
        self.clone()
    }

    /// Gives the operator that makes this stream a call of its own, with no operator before or behind it.
    pub fn disable_chaining(&self) -> Stream<T> {
        self.graph.borrow_mut().node(self.operator).plan.chaining = Some(Chaining::Never);
        self.clone()
    }

    /// Says what happens to records that the operator which makes this stream refuses.
    pub fn on_error(&self, policy: OnError) -> Stream<T> {
        self.graph.borrow_mut().node(self.operator).plan.on_error = policy;
        self.clone()
    }

    /// The records that the operator which makes this stream refuses; without it a refused record fails the job.
    pub fn dead_letters(&self) -> Stream<DeadLetter> {
        self.graph.borrow_mut().node(self.operator).plan.on_error = OnError::DeadLetter;
        Stream::of(&self.graph, self.operator, plan::DEAD_LETTER, Schema::of::<DeadLetter>())
    }

    fn partitioned(&self, partition: Partition) -> Stream<T> {
        Stream { partition, ..self.clone() }
    }

    /// The stream with columns behind each record.
    fn with_columns<X: Record>(&self, name: &str, columns: Vec<Column>, extra: impl Fn(&T) -> X + 'static) -> Stream<T> {
        let extra = Rc::new(extra);
        let schema = Schema::of::<T>().with(columns);
        let with: Stream<With<T, X>> = self.stateless(name, Kind::KeyBy, schema, |call, id| {
            Box::new(move |mut down: Push<With<T, X>>| {
                let (extra, call) = (extra.clone(), call.clone());
                Push::stage(move |record, time| {
                    call.at(id);
                    let extra = extra(&record);
                    down.push(With { record, extra }, time);
                })
            })
        });
        Stream::of(&self.graph, with.operator, plan::MAIN, with.schema)
    }

    /// The same stream, if the records have columns behind them.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn with_schema(&self, columns: Vec<Column>) -> Stream<T> {
        let schema = Schema::of::<T>().with(columns);
        self.graph.borrow_mut().node(self.operator).plan.outputs[0].schema = schema.clone();
        Stream { schema, ..self.clone() }
    }

    /// Adds a stateless operator that the component computes.
    fn stateless<Out: Record>(
        &self,
        name: &str,
        kind: Kind,
        schema: Schema,
        compose: impl FnOnce(Rc<Call>, u32) -> Compose<T, Out>,
    ) -> Stream<Out> {
        let (id, call) = self.next();
        let out = Port::new(id, 0, &schema, &call);
        let operator = StatelessOperator { out, sides: Vec::new(), compose: compose(call, id) };
        self.guest(name, kind, schema, Box::new(operator))
    }

    /// The id and call of an operator about to be added.
    fn next(&self) -> (u32, Rc<Call>) {
        let graph = self.graph.borrow();
        (graph.next_id(), graph.call.clone())
    }

    /// Adds an operator that reads this stream and that the component computes.
    fn guest<Out: Record>(&self, name: &str, kind: Kind, schema: Schema, operator: Box<dyn Operator>) -> Stream<Out> {
        let mut node = Node::new(name, kind, vec![self.input()], vec![output(schema.clone())]);
        node.guest = Some(operator);
        node.records.push(TypeId::of::<Out>());
        self.add(node, schema)
    }

    fn add<Out: Record>(&self, node: Node, schema: Schema) -> Stream<Out> {
        let id = self.graph.borrow_mut().add(node);
        Stream::of(&self.graph, id, plan::MAIN, schema)
    }

    /// Adds a port to the operator that makes this stream.
    fn add_output<Side: Record>(&self, name: &str, schema: &Schema) {
        self.declare_output(name, schema, TypeId::of::<Side>());
    }

    fn declare_output(&self, name: &str, schema: &Schema, record: TypeId) {
        let mut graph = self.graph.borrow_mut();
        let node = graph.node(self.operator);
        let taken = node.plan.outputs.iter().any(|output| output.name == name) || [plan::LATE, plan::DEAD_LETTER].contains(&name);
        node.plan.outputs.push(Output { name: name.to_owned(), schema: schema.clone(), variant: None });
        node.records.push(record);
        if taken {
            let error = format!("operator {:?} has two outputs called {name:?}", node.plan.name);
            graph.errors.push(error);
        }
    }

    fn input(&self) -> Input {
        let from = self.graph.borrow().nodes[self.operator as usize].plan.name.clone();
        Input { from, port: self.port.clone(), partition: self.partition.clone() }
    }

    /// The input of an operator with a key.
    fn keyed_input(&self) -> Input {
        Input { partition: Partition::Forward, ..self.input() }
    }
}

/// The main output of an operator.
fn output(schema: Schema) -> Output {
    Output { name: plan::MAIN.to_owned(), schema, variant: None }
}
