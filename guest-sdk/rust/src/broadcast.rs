//! Broadcast state: what all keys share, fed by a stream of which every worker gets every record.
//!
//! A [`BroadcastProcess`] handles a stream, keyed or not, beside a broadcast one. Only records of the broadcast stream can change what is shared:
//! [`BroadcastCtx`] gives it to change, a [`Ctx`] only to read, and there is no other way to it. So every worker comes to the same, whatever its
//! share of the data. In which order records of the two streams meet is not said.
//!
//! ```
//! use tidemill::prelude::*;
//! use tidemill::broadcast::*;
//!
//! #[derive(Record)]
//! struct Payment { account: String, cents: i64, at: i64 }
//!
//! #[derive(Record)]
//! struct Limit { cents: i64, at: i64 }
//!
//! /// Lets payments through that are not above the limit.
//! struct Limited { limit: BroadcastValue<i64> }
//!
//! impl BroadcastProcess for Limited {
//!     type Key = String;
//!     type In = Payment;
//!     type Broadcast = Limit;
//!     type Out = Payment;
//!
//!     fn on_record(&self, ctx: &mut Ctx<String, Payment>, payment: Payment) -> Result {
//!         if ctx.shared(&self.limit).is_none_or(|limit| payment.cents <= *limit) {
//!             ctx.emit(payment);
//!         }
//!         Ok(())
//!     }
//!
//!     fn on_broadcast(&self, ctx: &mut BroadcastCtx<Payment>, limit: Limit) -> Result {
//!         ctx.shared(&self.limit).set(limit.cents);
//!         Ok(())
//!     }
//! }
//!
//! fn job(job: &mut Job) -> Result {
//!     let limits = job.source::<Limit>("limits", json()).event_time(Limit::AT, monotonic());
//!     job.source::<Payment>("payments", json())
//!         .event_time(Payment::AT, monotonic())
//!         .key_by(Payment::ACCOUNT)
//!         .connect_broadcast(&limits)
//!         .process("limited", |d| Limited { limit: d.broadcast_value("limit") })
//!         .sink("allowed", json());
//!     Ok(())
//! }
//! # assert!(tidemill::testing::job(job).error().is_none());
//! ```

use std::cell::Ref;
use std::collections::BTreeMap;

use crate::error::Result;
use crate::process::{Ctx, SideOutput, TimerEvent};
use crate::record::{Key, Record};
use crate::state::{Handle, MapRef, MapState, Value, ValueRef};

/// A function over a stream and a broadcast one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a process function beside a broadcast stream",
    label = "not a process function beside a broadcast stream",
    note = "what `.connect_broadcast(…)` gives is handled by a type with `impl BroadcastProcess`, made by the closure from what it declares"
)]
pub trait BroadcastProcess: 'static {
    /// The key of the stream; `()` where it has none, and then there is no state but the shared one, and no timer.
    type Key: Key;
    /// Its records.
    type In: Record;
    /// The records of the broadcast stream.
    type Broadcast: Record;
    /// What is emitted.
    type Out: Record;

    /// Whether [`BroadcastProcess::on_key`] wants every broadcast record for every key.
    const APPLIES: bool = false;

    /// Handles a record of the stream, which can read what is shared.
    fn on_record(&self, ctx: &mut Ctx<'_, Self::Key, Self::Out>, record: Self::In) -> Result;

    /// Handles a record of the broadcast stream, which can change what is shared. It runs on every worker, and what it emits is emitted by each.
    fn on_broadcast(&self, ctx: &mut BroadcastCtx<'_, '_, Self::Out>, record: Self::Broadcast) -> Result;

    /// Applies a record of the broadcast stream to a key that has state or a timer, after [`BroadcastProcess::on_broadcast`], unless that refused it; each key once.
    /// Only with [`BroadcastProcess::APPLIES`].
    fn on_key(&self, _ctx: &mut Ctx<'_, Self::Key, Self::Out>, _record: &Self::Broadcast) -> Result {
        Ok(())
    }

    /// Handles a timer that is due.
    fn on_timer(&self, _ctx: &mut Ctx<'_, Self::Key, Self::Out>, _event: TimerEvent) -> Result {
        Ok(())
    }
}

/// What is declared to be shared by all keys.
pub trait Shared {
    /// What records of the stream get of it: to read.
    type Read<'h>
    where
        Self: 'h;
    /// What records of the broadcast stream get of it: to change.
    type Change<'h>
    where
        Self: 'h;

    #[doc(hidden)]
    fn read(&self, slot: u32) -> Self::Read<'_>;

    #[doc(hidden)]
    fn change(&self, slot: u32) -> Self::Change<'_>;
}

/// A value that all keys share.
pub struct BroadcastValue<T: Record + Clone>(pub(crate) Value<T>);

impl<T: Record + Clone> Shared for BroadcastValue<T> {
    type Read<'h> = Option<Ref<'h, T>>;
    type Change<'h> = ValueRef<'h, T>;

    #[inline]
    fn read(&self, slot: u32) -> Option<Ref<'_, T>> {
        self.0.at(slot).get()
    }

    fn change(&self, slot: u32) -> ValueRef<'_, T> {
        self.0.at(slot)
    }
}

/// A map that all keys share, in the order of its keys.
pub struct BroadcastMap<K: Key, V: Record + Clone>(pub(crate) MapState<K, V>);

impl<K: Key, V: Record + Clone> Shared for BroadcastMap<K, V> {
    type Read<'h> = Ref<'h, BTreeMap<K, V>>;
    type Change<'h> = MapRef<'h, K, V>;

    #[inline]
    fn read(&self, slot: u32) -> Ref<'_, BTreeMap<K, V>> {
        self.0.at(slot).entries()
    }

    fn change(&self, slot: u32) -> MapRef<'_, K, V> {
        self.0.at(slot)
    }
}

/// What a record of the broadcast stream sees.
pub struct BroadcastCtx<'c, 'a, Out: Record>(pub(crate) &'c mut Ctx<'a, (), Out>);

impl<Out: Record> BroadcastCtx<'_, '_, Out> {
    /// The event time of the record, in milliseconds.
    pub fn time(&self) -> i64 {
        self.0.time()
    }

    /// The watermark of the operator.
    pub fn watermark(&self) -> i64 {
        self.0.watermark()
    }

    /// Processing time as the host hands it out, in milliseconds.
    pub fn now(&self) -> i64 {
        self.0.now()
    }

    /// A piece of what is shared, to change.
    pub fn shared<'h, S: Shared>(&self, piece: &'h S) -> S::Change<'h> {
        piece.change(self.0.shared_slot())
    }

    /// Emits a record, on every worker.
    pub fn emit(&mut self, record: Out) {
        self.0.emit(record);
    }

    /// Emits a record on a side output, on every worker.
    pub fn emit_to<T: Record>(&mut self, side: &SideOutput<T>, record: T) {
        self.0.emit_to(side, record);
    }
}
