//! What handles of state answer to the methods of the state of one key: a compile error that says how it is reached. None of
//! these methods can be called, for nothing implements [`OfOneKey`].

use std::cell::Ref;

use super::{ListState, MapState, Value};
use crate::record::{Key, Record};

/// The state of one key; no handle is one.
#[diagnostic::on_unimplemented(
    message = "a declared piece of state is that of all keys",
    label = "of which key?",
    note = "reach it through the context, which knows the key: `ctx.state(&self.count).get()`"
)]
pub trait OfOneKey {}

#[allow(unused_variables, clippy::missing_panics_doc, reason = "these methods cannot be called")]
impl<T: Record + Clone> Value<T> {
    #[doc(hidden)]
    pub fn get(&self) -> Option<Ref<'_, T>>
    where
        Self: OfOneKey,
    {
        unreachable!()
    }

    #[doc(hidden)]
    pub fn set(&self, value: T)
    where
        Self: OfOneKey,
    {
        unreachable!()
    }
}

#[allow(unused_variables, clippy::missing_panics_doc, reason = "these methods cannot be called")]
impl<T: Record + Clone> ListState<T> {
    #[doc(hidden)]
    pub fn get(&self) -> Ref<'_, Vec<T>>
    where
        Self: OfOneKey,
    {
        unreachable!()
    }

    #[doc(hidden)]
    pub fn push(&self, record: T)
    where
        Self: OfOneKey,
    {
        unreachable!()
    }
}

#[allow(unused_variables, clippy::missing_panics_doc, reason = "these methods cannot be called")]
impl<K: Key, V: Record + Clone> MapState<K, V> {
    #[doc(hidden)]
    pub fn get(&self, key: &K) -> Option<Ref<'_, V>>
    where
        Self: OfOneKey,
    {
        unreachable!()
    }

    #[doc(hidden)]
    pub fn insert(&self, key: K, value: V) -> Option<V>
    where
        Self: OfOneKey,
    {
        unreachable!()
    }
}
