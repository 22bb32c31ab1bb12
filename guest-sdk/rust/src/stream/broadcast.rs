//! A stream beside a broadcast one.

use std::marker::PhantomData;

use super::{KeyedStream, Processed, Stream};
use crate::block::Block;
use crate::broadcast::{BroadcastCtx, BroadcastProcess};
use crate::plan::{Input, Partition};
use crate::process::{Ctx, Declare, TimerEvent};
use crate::record::{Cursor, Key, Record};
use crate::runtime::{Keyed, Run};

/// A stream and a broadcast one, about to be handled by one [`BroadcastProcess`].
#[must_use = "connected streams that nothing processes do nothing"]
pub struct WithBroadcast<K, T, B> {
    stream: Stream<T>,
    /// The columns of its key; none without one.
    key: Vec<String>,
    broadcast: Stream<B>,
    _key: PhantomData<fn() -> K>,
}

impl<K: Key, T: Record> KeyedStream<K, T> {
    /// This stream beside another, all of whose records come to every worker: see [`broadcast`](crate::broadcast).
    pub fn connect_broadcast<B: Record>(&self, broadcast: &Stream<B>) -> WithBroadcast<K, T, B> {
        WithBroadcast { stream: self.stream.clone(), key: self.key.clone(), broadcast: broadcast.clone(), _key: PhantomData }
    }
}

impl<T: Record> Stream<T> {
    /// This stream, without a key, beside another, all of whose records come to every worker: see [`broadcast`](crate::broadcast).
    pub fn connect_broadcast<B: Record>(&self, broadcast: &Stream<B>) -> WithBroadcast<(), T, B> {
        WithBroadcast { stream: self.clone(), key: Vec::new(), broadcast: broadcast.clone(), _key: PhantomData }
    }
}

impl<K: Key, T: Record, B: Record> WithBroadcast<K, T, B> {
    /// Handles both streams. `make` declares state, timers and what is shared, and makes the function.
    pub fn process<P: BroadcastProcess<Key = K, In = T, Broadcast = B>>(
        &self,
        name: &str,
        make: impl FnOnce(&mut Declare) -> P,
    ) -> Processed<P::Out> {
        let data = if self.key.is_empty() { self.stream.input() } else { self.stream.keyed_input() };
        let inputs = vec![(data, &self.stream.schema, self.key.clone())];
        let broadcast = Input { partition: Partition::Broadcast, ..self.broadcast.input() };
        self.stream.keyed_beside(name, inputs, Some((broadcast, P::APPLIES)), |declare| Beside(make(declare)))
    }
}

/// A function beside a broadcast stream, as the runtime calls it.
struct Beside<P>(P);

impl<P: BroadcastProcess> Keyed for Beside<P> {
    type Key = P::Key;
    type Out = P::Out;

    fn process(&self, _: u32, block: &Block<'_>, run: &mut Run<'_, P::Key, P::Out>) {
        let readers = open::<P::In>(block);
        run.each(|ctx, row| self.0.on_record(ctx, P::In::read(&readers, row)));
    }

    fn on_broadcast(&self, block: &Block<'_>, run: &mut Run<'_, (), P::Out>) {
        let readers = open::<P::Broadcast>(block);
        run.each(|ctx, row| self.0.on_broadcast(&mut BroadcastCtx(ctx), P::Broadcast::read(&readers, row)));
    }

    fn apply(&self, record: &Block<'_>, run: &mut Run<'_, P::Key, P::Out>) {
        let record = P::Broadcast::read(&open::<P::Broadcast>(record), 0);
        run.each(|ctx, _| self.0.on_key(ctx, &record));
    }

    fn on_timer(&self, ctx: &mut Ctx<'_, P::Key, P::Out>, event: TimerEvent) -> crate::Result<()> {
        self.0.on_timer(ctx, event)
    }
}

fn open<'a, T: Record>(block: &Block<'a>) -> T::Readers<'a> {
    T::open(&mut Cursor::new(block)).unwrap_or_else(|error| panic!("the host gave a wrong block: {error}"))
}
