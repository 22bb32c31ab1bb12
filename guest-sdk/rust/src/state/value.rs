//! One value per key.

use std::cell::{Ref, RefMut};
use std::rc::Rc;

use super::Handle;
use crate::record::Record;
use crate::runtime::{CLEARED, ValueTable};

/// A value per key: a record, or nothing.
pub struct Value<T: Record + Clone>(pub(crate) Rc<ValueTable<T>>);

/// The value of the key in hand.
pub struct ValueRef<'h, T: Record + Clone> {
    table: &'h ValueTable<T>,
    slot: u32,
}

impl<T: Record + Clone> Value<T> {
    /// What an earlier version of the job kept under this name as an `Old` is turned into a `T` when the job goes on from its checkpoint or
    /// savepoint. Only where the columns are those of `Old`; may be said of several earlier types.
    ///
    /// ```
    /// # use tidemill::prelude::*;
    /// struct Mean { so_far: Value<(i64, f64)> }
    ///
    /// fn declare(declare: &mut Declare) -> Mean {
    ///     // The version before knew the sum of whole numbers only, and their count.
    ///     let so_far = declare.value("so_far").migrates_from(|(count, sum): (i64, i64)| (count, sum as f64));
    ///     Mean { so_far }
    /// }
    /// ```
    pub fn migrates_from<Old: Record>(self, convert: impl Fn(Old) -> T + 'static) -> Value<T> {
        self.0.migrates_from(convert);
        self
    }
}

impl<T: Record + Clone> Handle for Value<T> {
    type Ref<'h> = ValueRef<'h, T>;

    #[inline]
    fn at(&self, slot: u32) -> ValueRef<'_, T> {
        ValueRef { table: &self.0, slot }
    }
}

impl<'h, T: Record + Clone> ValueRef<'h, T> {
    /// The value, if there is one.
    #[inline]
    #[track_caller]
    pub fn get(&self) -> Option<Ref<'h, T>> {
        Ref::filter_map(self.table.0.read(self.slot), Option::as_ref).ok()
    }

    /// A copy of the value, if there is one.
    #[inline]
    #[track_caller]
    pub fn cloned(&self) -> Option<T> {
        self.table.0.read(self.slot).clone()
    }

    /// Replaces the value.
    #[inline]
    #[track_caller]
    pub fn set(&self, value: T) {
        *self.table.0.change(self.slot, 0) = Some(value);
    }

    /// The value for changing; `first` where there is none yet.
    #[inline]
    #[track_caller]
    pub fn or_insert(&self, first: T) -> RefMut<'h, T> {
        RefMut::map(self.table.0.change(self.slot, 0), |value| value.get_or_insert(first))
    }

    #[inline]
    #[track_caller]
    pub(super) fn or_insert_with(&self, first: impl FnOnce() -> T) -> RefMut<'h, T> {
        RefMut::map(self.table.0.change(self.slot, 0), |value| value.get_or_insert_with(first))
    }

    /// The value for changing; the type's default where there is none yet.
    #[inline]
    #[track_caller]
    pub fn or_default(&self) -> RefMut<'h, T>
    where
        T: Default,
    {
        RefMut::map(self.table.0.change(self.slot, 0), Option::get_or_insert_default)
    }

    /// The value for changing, if there is one.
    #[inline]
    #[track_caller]
    pub fn get_mut(&self) -> Option<RefMut<'h, T>> {
        if self.table.0.read(self.slot).is_none() {
            return None;
        }
        RefMut::filter_map(self.table.0.change(self.slot, 0), Option::as_mut).ok()
    }

    /// Removes the value and returns it.
    #[inline]
    #[track_caller]
    pub fn take(&self) -> Option<T> {
        if self.table.0.read(self.slot).is_none() {
            return None;
        }
        self.table.0.change(self.slot, CLEARED).take()
    }

    /// Removes the value.
    #[inline]
    #[track_caller]
    pub fn clear(&self) {
        self.take();
    }
}
