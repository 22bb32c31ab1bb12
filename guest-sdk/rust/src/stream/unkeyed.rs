//! What streams without a key answer to the methods of keyed ones: a compile error that says what is missing. None of
//! these methods can be called, for nothing implements [`Partitioned`].

use super::{Processed, Stream, WindowedStream};
use crate::aggregate::Number;
use crate::process::{Declare, Process};
use crate::record::{Field, KeyCount, KeyValue, Record};
use crate::window::Windows;

/// A stream with a key; no [`Stream`] is one.
#[diagnostic::on_unimplemented(
    message = "this stream has no key yet, and windows, process functions and running aggregates need one",
    label = "not partitioned by a key",
    note = "put `.key_by(Record::FIELD)` in front of it; windows over all records together are `.window_all(…)`"
)]
pub trait Partitioned {}

#[allow(unused_variables, clippy::missing_panics_doc, reason = "these methods cannot be called")]
impl<T: Record> Stream<T> {
    #[doc(hidden)]
    pub fn window(&self, windows: Windows) -> WindowedStream<(), T>
    where
        Self: Partitioned,
    {
        unreachable!()
    }

    #[doc(hidden)]
    pub fn process<P: Process<In = T>>(&self, name: &str, make: impl FnOnce(&mut Declare) -> P) -> Processed<P::Out>
    where
        Self: Partitioned,
    {
        unreachable!()
    }

    #[doc(hidden)]
    pub fn reduce(&self, name: &str, f: impl Fn(&T, &T) -> T + 'static) -> Stream<T>
    where
        Self: Partitioned,
    {
        unreachable!()
    }

    #[doc(hidden)]
    pub fn count(&self, name: &str) -> Stream<KeyCount<()>>
    where
        Self: Partitioned,
    {
        unreachable!()
    }

    #[doc(hidden)]
    pub fn sum<V: Number>(&self, name: &str, field: Field<T, V>) -> Stream<KeyValue<(), V::Sum>>
    where
        Self: Partitioned,
    {
        unreachable!()
    }
}
