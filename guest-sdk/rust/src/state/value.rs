//! One value per key.

use std::cell::RefMut;
use std::rc::Rc;

use super::Handle;
use crate::record::Record;
use crate::runtime::ValueTable;

/// A value per key: a record, or nothing.
pub struct Value<T: Record + Clone>(pub(crate) Rc<ValueTable<T>>);

/// The value of the key in hand.
pub struct ValueRef<'h, T: Record + Clone> {
    table: &'h ValueTable<T>,
    entry: RefMut<'h, Option<T>>,
}

impl<T: Record + Clone> Handle for Value<T> {
    type Ref<'h> = ValueRef<'h, T>;

    #[inline]
    fn at(&self, slot: u32) -> ValueRef<'_, T> {
        ValueRef { table: &self.0, entry: self.0.0.entry(slot) }
    }
}

impl<T: Record + Clone> ValueRef<'_, T> {
    /// The value, if there is one.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.entry.as_ref()
    }

    /// A copy of the value, if there is one.
    #[inline]
    pub fn cloned(&self) -> Option<T> {
        self.entry.clone()
    }

    /// Replaces the value.
    #[inline]
    pub fn set(&mut self, value: T) {
        self.table.0.change(&self.entry, 0);
        *self.entry = Some(value);
    }

    /// The value for changing; `first` where there is none yet.
    #[inline]
    pub fn or_insert(&mut self, first: T) -> &mut T {
        self.table.0.change(&self.entry, 0);
        self.entry.get_or_insert(first)
    }

    /// The value for changing; the type's default where there is none yet.
    #[inline]
    pub fn or_default(&mut self) -> &mut T
    where
        T: Default,
    {
        self.table.0.change(&self.entry, 0);
        self.entry.get_or_insert_default()
    }

    /// The value for changing, if there is one.
    #[inline]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        if self.entry.is_some() {
            self.table.0.change(&self.entry, 0);
        }
        self.entry.as_mut()
    }

    /// Removes the value and returns it.
    #[inline]
    pub fn take(&mut self) -> Option<T> {
        if self.entry.is_some() {
            self.table.0.change(&self.entry, crate::runtime::CLEARED);
        }
        self.entry.take()
    }

    /// Removes the value.
    #[inline]
    pub fn clear(&mut self) {
        self.take();
    }
}
