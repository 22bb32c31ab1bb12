//! Two keyed streams handled by one function.

use std::marker::PhantomData;

use super::{KeyedStream, Processed, Stream};
use crate::block::Block;
use crate::process::{Ctx, Declare, Process2, TimerEvent};
use crate::record::{Cursor, Key, Record};
use crate::runtime::{Keyed, Run};

/// Two streams with the same key, about to be handled by one [`Process2`].
#[must_use = "connected streams that nothing processes do nothing"]
pub struct Connected<K, A, B> {
    first: (Stream<A>, Vec<String>),
    second: (Stream<B>, Vec<String>),
    _key: PhantomData<fn() -> K>,
}

impl<K: Key, A: Record, B: Record> Connected<K, A, B> {
    pub(super) fn new(first: &KeyedStream<K, A>, second: &KeyedStream<K, B>) -> Self {
        let parts = (first.stream.clone(), first.key.clone());
        Connected { first: parts, second: (second.stream.clone(), second.key.clone()), _key: PhantomData }
    }

    /// Handles both streams with common state and timers. `make` declares them and makes the function.
    pub fn process<P: Process2<Key = K, First = A, Second = B>>(
        &self,
        name: &str,
        make: impl FnOnce(&mut Declare) -> P,
    ) -> Processed<P::Out> {
        let (first, second) = (&self.first, &self.second);
        let inputs =
            vec![(first.0.keyed_input(), &first.0.schema, first.1.clone()), (second.0.keyed_input(), &second.0.schema, second.1.clone())];
        first.0.keyed(name, inputs, |declare| Two(make(declare)))
    }
}

/// A function of two inputs, as the runtime calls it.
struct Two<P>(P);

impl<P: Process2> Keyed for Two<P> {
    type Key = P::Key;
    type Out = P::Out;

    fn process(&self, input: u32, block: &Block<'_>, run: &mut Run<'_, P::Key, P::Out>) {
        if input == 0 {
            let readers = open::<P::First>(block);
            run.each(|ctx, row| self.0.on_first(ctx, P::First::read(&readers, row)));
        } else {
            let readers = open::<P::Second>(block);
            run.each(|ctx, row| self.0.on_second(ctx, P::Second::read(&readers, row)));
        }
    }

    fn on_timer(&self, ctx: &mut Ctx<'_, P::Key, P::Out>, event: TimerEvent) -> crate::Result<()> {
        self.0.on_timer(ctx, event)
    }
}

fn open<'a, T: Record>(block: &Block<'a>) -> T::Readers<'a> {
    T::open(&mut Cursor::new(block)).unwrap_or_else(|error| panic!("the host gave a wrong block: {error}"))
}
