//! Process functions: keyed state, timers, and full control over what is emitted when.
//!
//! A [`Process`] handles the records of one keyed stream, a [`Process2`] those of two with the same key. Its state, timers
//! and side outputs are declared where it is made:
//!
//! ```
//! use tidemill::prelude::*;
//!
//! #[derive(Record)]
//! struct Visit { user: String, at: i64 }
//!
//! /// Emits a user's number of visits when none has come for a minute.
//! struct Visits { count: Value<i64>, quiet: Timer }
//!
//! impl Process for Visits {
//!     type Key = String;
//!     type In = Visit;
//!     type Out = (String, i64);
//!
//!     fn on_record(&self, ctx: &mut Ctx<String, (String, i64)>, visit: Visit) -> Result {
//!         *ctx.state(&self.count).or_default() += 1;
//!         ctx.timer(&self.quiet).replace(visit.at + minutes(1).ms());
//!         Ok(())
//!     }
//!
//!     fn on_timer(&self, ctx: &mut Ctx<String, (String, i64)>, _: TimerEvent) -> Result {
//!         if let Some(count) = ctx.state(&self.count).take() {
//!             ctx.emit((ctx.key(), count));
//!         }
//!         Ok(())
//!     }
//! }
//!
//! fn job(job: &mut Job) -> Result {
//!     job.source::<Visit>("visits", json())
//!         .event_time(Visit::AT, monotonic())
//!         .key_by(Visit::USER)
//!         .process("count", |d| Visits { count: d.value("count"), quiet: d.event_timer("quiet") })
//!         .sink("counts", json());
//!     Ok(())
//! }
//! ```

use std::any::TypeId;
use std::cell::RefCell;
use std::rc::Rc;

use crate::aggregate::Aggregate;
use crate::broadcast::{BroadcastMap, BroadcastValue, Shared};
use crate::error::Result;
use crate::plan::{self, Domain, StateKind};
use crate::record::{Key, Record, Row};
use crate::runtime::{self, AnyPort, Call, ListTable, MapTable, Moment, Port, Push, Table, TimerAction, TimerOp, Touched, ValueTable};
use crate::schema::Schema;
use crate::state::{AggregatingState, ExpiringList, ExpiringMap, ExpiringValue, Handle, ListState, MapState, ReducingState, Ttl, Value};

/// A function over a keyed stream.
///
/// Methods take `&self`: what is to be remembered belongs into declared state.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a process function",
    label = "not a process function",
    note = "the closure makes it from what it declares: `.process(\"name\", |d| Visits {{ count: d.value(\"count\") }})`, with `impl Process for Visits`"
)]
pub trait Process: 'static {
    /// The key of the stream.
    type Key: Key;
    /// Its records.
    type In: Record;
    /// What is emitted.
    type Out: Record;

    /// Handles a record. An error refuses it, and undoes what was done for it if the job goes on.
    fn on_record(&self, ctx: &mut Ctx<'_, Self::Key, Self::Out>, record: Self::In) -> Result;

    /// Handles a timer that is due.
    fn on_timer(&self, _ctx: &mut Ctx<'_, Self::Key, Self::Out>, _event: TimerEvent) -> Result {
        Ok(())
    }
}

/// A function over two streams with the same key: Flink's `connect`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a process function of two streams",
    label = "not a process function of two streams",
    note = "connected streams are handled by a type with `impl Process2`, made by the closure from what it declares"
)]
pub trait Process2: 'static {
    /// The key of both streams.
    type Key: Key;
    /// The records of the first stream.
    type First: Record;
    /// The records of the second stream.
    type Second: Record;
    /// What is emitted.
    type Out: Record;

    /// Handles a record of the first stream.
    fn on_first(&self, ctx: &mut Ctx<'_, Self::Key, Self::Out>, record: Self::First) -> Result;

    /// Handles a record of the second stream.
    fn on_second(&self, ctx: &mut Ctx<'_, Self::Key, Self::Out>, record: Self::Second) -> Result;

    /// Handles a timer that is due.
    fn on_timer(&self, _ctx: &mut Ctx<'_, Self::Key, Self::Out>, _event: TimerEvent) -> Result {
        Ok(())
    }
}

/// Declares what a process function has. Names are part of the plan: state is found by them across versions of the job.
pub struct Declare {
    operator: u32,
    call: Rc<Call>,
    touched: Rc<Touched>,
    pub(crate) pieces: Vec<(String, Rc<dyn Table>)>,
    /// What all keys share.
    pub(crate) shared: Vec<(String, Rc<dyn Table>)>,
    pub(crate) timers: Vec<plan::Timer>,
    pub(crate) sides: Vec<Side>,
}

/// A declared side output.
pub(crate) struct Side {
    pub(crate) name: String,
    pub(crate) schema: Schema,
    pub(crate) record: TypeId,
    pub(crate) port: Rc<dyn AnyPort>,
}

impl Declare {
    pub(crate) fn new(operator: u32, call: &Rc<Call>) -> Declare {
        Declare {
            operator,
            call: call.clone(),
            touched: Rc::default(),
            pieces: Vec::new(),
            shared: Vec::new(),
            timers: Vec::new(),
            sides: Vec::new(),
        }
    }

    pub(crate) fn touched(&self) -> &Rc<Touched> {
        &self.touched
    }

    /// A value per key.
    pub fn value<T: Record + Clone>(&mut self, name: &str) -> Value<T> {
        let table = Rc::new(ValueTable::new(&self.touched, StateKind::Value));
        self.pieces.push((name.to_owned(), table.clone()));
        Value(table)
    }

    /// A list per key.
    pub fn list<T: Record + Clone>(&mut self, name: &str) -> ListState<T> {
        let table = Rc::new(ListTable::new(&self.touched));
        self.pieces.push((name.to_owned(), table.clone()));
        ListState(table)
    }

    /// A map per key.
    pub fn map<K: Key, V: Record + Clone>(&mut self, name: &str) -> MapState<K, V> {
        let table = Rc::new(MapTable::new(&self.touched));
        self.pieces.push((name.to_owned(), table.clone()));
        MapState(table)
    }

    /// A value per key that lives for a time.
    pub fn expiring_value<T: Record + Clone>(&mut self, name: &str, ttl: Ttl) -> ExpiringValue<T> {
        let table = Rc::new(runtime::ExpiringValue::new(&self.touched, ttl));
        self.expiring(name, ttl, table.clone());
        ExpiringValue(table)
    }

    /// A list per key, each record of which lives for a time.
    pub fn expiring_list<T: Record + Clone>(&mut self, name: &str, ttl: Ttl) -> ExpiringList<T> {
        let table = Rc::new(runtime::ExpiringList::new(&self.touched, ttl));
        self.expiring(name, ttl, table.clone());
        ExpiringList(table)
    }

    /// A map per key, each entry of which lives for a time.
    pub fn expiring_map<K: Key, V: Record + Clone>(&mut self, name: &str, ttl: Ttl) -> ExpiringMap<K, V> {
        let table = Rc::new(runtime::ExpiringMap::new(&self.touched, ttl));
        self.expiring(name, ttl, table.clone());
        ExpiringMap(table)
    }

    fn expiring(&mut self, name: &str, ttl: Ttl, table: Rc<dyn Table>) {
        self.pieces.push((name.to_owned(), table));
        let timer = match ttl.domain {
            Domain::Event => "$expire-event",
            Domain::Processing => "$expire-processing",
        };
        let touched = self.touched.clone();
        touched.expiry.sweeper(ttl.domain, || self.timer(timer, ttl.domain).index);
    }

    /// A record per key, to which others are added by a function: the first argument is what there is, the second what comes.
    pub fn reducing<T: Record + Clone>(&mut self, name: &str, reduce: impl Fn(&T, &T) -> T + 'static) -> ReducingState<T> {
        ReducingState { value: self.value(name), reduce: Rc::new(reduce) }
    }

    /// An accumulator per key.
    pub fn aggregating<A: Aggregate>(&mut self, name: &str, aggregate: A) -> AggregatingState<A> {
        AggregatingState { value: self.value(name), aggregate }
    }

    /// A value that all keys share, changed by a broadcast stream: see [`broadcast`](crate::broadcast).
    pub fn broadcast_value<T: Record + Clone>(&mut self, name: &str) -> BroadcastValue<T> {
        let table = Rc::new(ValueTable::new(&self.touched, StateKind::Value));
        self.shared.push((name.to_owned(), table.clone()));
        BroadcastValue(Value(table))
    }

    /// A map that all keys share, changed by a broadcast stream.
    pub fn broadcast_map<K: Key, V: Record + Clone>(&mut self, name: &str) -> BroadcastMap<K, V> {
        let table = Rc::new(MapTable::new(&self.touched));
        self.shared.push((name.to_owned(), table.clone()));
        BroadcastMap(MapState(table))
    }

    /// A timer driven by watermarks.
    pub fn event_timer(&mut self, name: &str) -> Timer {
        self.timer(name, Domain::Event)
    }

    /// A timer driven by the host's clock.
    pub fn processing_timer(&mut self, name: &str) -> Timer {
        self.timer(name, Domain::Processing)
    }

    fn timer(&mut self, name: &str, domain: Domain) -> Timer {
        self.timers.push(plan::Timer { name: name.to_owned(), domain });
        Timer { index: self.timers.len() as u32 - 1 }
    }

    /// An output beside the main one; the stream of its records is had by
    /// [`side_output`](crate::stream::Processed::side_output) of the same name.
    pub fn side_output<T: Record>(&mut self, name: &str) -> SideOutput<T> {
        let schema = Schema::of::<T>();
        let port = Port::new(self.operator, self.sides.len() as u32 + 1, &schema, &self.call);
        self.sides.push(Side { name: name.to_owned(), schema, record: TypeId::of::<T>(), port: port.clone() });
        SideOutput(port)
    }
}

/// A declared timer: any number of times per key at which [`Process::on_timer`] is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    index: u32,
}

/// A declared side output.
pub struct SideOutput<T: Record>(Rc<Port<T>>);

/// A timer that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerEvent {
    pub(crate) timer: u32,
    pub(crate) time: i64,
}

impl TimerEvent {
    /// Whether it is this timer.
    pub fn is(&self, timer: &Timer) -> bool {
        self.timer == timer.index
    }

    /// The time it was set for, in milliseconds.
    pub fn time(&self) -> i64 {
        self.time
    }
}

/// What a process function sees besides the record: its key, times, state, timers and outputs.
pub struct Ctx<'a, K: Key, Out: Record> {
    key: &'a dyn Fn(usize) -> K,
    row: usize,
    slot: u32,
    /// The slot of what all keys share, where there is any.
    shared: Option<u32>,
    time: i64,
    at: Moment,
    out: &'a mut Push<Out>,
    timers: &'a RefCell<Vec<TimerOp>>,
    operator: u32,
    call: &'a Call,
}

impl<'a, K: Key, Out: Record> Ctx<'a, K, Out> {
    #[inline]
    #[allow(clippy::too_many_arguments, reason = "one call, in the runtime's loop")]
    pub(crate) fn new(
        key: &'a dyn Fn(usize) -> K,
        row: usize,
        (slot, shared): (u32, Option<u32>),
        time: i64,
        at: Moment,
        out: &'a mut Push<Out>,
        timers: &'a RefCell<Vec<TimerOp>>,
        operator: u32,
        call: &'a Call,
    ) -> Self {
        Ctx { key, row, slot, shared, time, at, out, timers, operator, call }
    }

    #[inline]
    pub(crate) fn slot(&self) -> u32 {
        self.slot
    }

    /// The key.
    pub fn key(&self) -> K {
        (self.key)(self.row)
    }

    /// The event time of the record, or the time the timer was set for, in milliseconds.
    pub fn time(&self) -> i64 {
        self.time
    }

    /// The watermark of the operator: no record before it is expected any more. The least `i64` before the first.
    pub fn watermark(&self) -> i64 {
        self.at.watermark
    }

    /// Processing time as the host hands it out, in milliseconds.
    pub fn now(&self) -> i64 {
        self.at.now
    }

    /// The key's piece of declared state.
    #[inline]
    pub fn state<'h, H: Handle>(&self, handle: &'h H) -> H::Ref<'h> {
        handle.at(self.slot)
    }

    /// A piece of what all keys share, to read: only records of the broadcast stream change it.
    #[inline]
    pub fn shared<'h, S: Shared>(&self, piece: &'h S) -> S::Read<'h> {
        piece.read(self.shared_slot())
    }

    #[inline]
    pub(crate) fn shared_slot(&self) -> u32 {
        self.shared.expect("what is shared is declared beside a broadcast stream")
    }

    /// The key's timers of a declared name.
    #[inline]
    pub fn timer(&self, timer: &Timer) -> TimerRef<'a> {
        TimerRef { timer: timer.index, slot: self.slot, ops: self.timers }
    }

    /// Emits a record at the time of this context.
    #[inline]
    pub fn emit(&mut self, record: Out) {
        self.out.push(record, self.time);
        self.call.at(self.operator);
    }

    /// Emits a record as the tuple of its fields, in which text may be borrowed.
    #[inline]
    pub fn emit_row(&mut self, row: impl Row<Out>) {
        self.out.push_row(row, self.time);
        self.call.at(self.operator);
    }

    /// Emits a record at another event time.
    #[inline]
    pub fn emit_at(&mut self, record: Out, time: i64) {
        self.out.push(record, time);
        self.call.at(self.operator);
    }

    /// Emits a record on a side output.
    pub fn emit_to<T: Record>(&mut self, side: &SideOutput<T>, record: T) {
        side.0.push(&record, self.time);
    }
}

/// The timers of one name of the key in hand.
pub struct TimerRef<'c> {
    timer: u32,
    slot: u32,
    ops: &'c RefCell<Vec<TimerOp>>,
}

impl TimerRef<'_> {
    /// Sets a timer beside those that are set; one of the same time is the same timer.
    pub fn add(self, time: i64) {
        self.push(TimerAction::Add, time);
    }

    /// Sets a timer in place of all others of this name.
    pub fn replace(self, time: i64) {
        self.push(TimerAction::Replace, time);
    }

    /// Removes the timer of exactly this time, if there is one.
    pub fn delete(self, time: i64) {
        self.push(TimerAction::Delete, time);
    }

    /// Removes all timers of this name.
    pub fn clear(self) {
        self.push(TimerAction::Clear, 0);
    }

    fn push(self, action: TimerAction, time: i64) {
        self.ops.borrow_mut().push(TimerOp { slot: self.slot, timer: self.timer, action, time });
    }
}
