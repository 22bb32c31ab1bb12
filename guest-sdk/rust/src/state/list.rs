//! A list per key.

use std::cell::{Ref, RefMut};
use std::rc::Rc;

use super::Handle;
use crate::record::Record;
use crate::runtime::{CLEARED, ListTable};

/// A list of records per key, in the order they were pushed.
///
/// The whole list is loaded and saved with its key: it is meant for tens or hundreds of records, not for a log.
pub struct ListState<T: Record + Clone>(pub(crate) Rc<ListTable<T>>);

/// The list of the key in hand.
pub struct ListRef<'h, T: Record + Clone> {
    table: &'h ListTable<T>,
    slot: u32,
}

impl<T: Record + Clone> Handle for ListState<T> {
    type Ref<'h> = ListRef<'h, T>;

    #[inline]
    fn at(&self, slot: u32) -> ListRef<'_, T> {
        ListRef { table: &self.0, slot }
    }
}

impl<'h, T: Record + Clone> ListRef<'h, T> {
    /// The list, for reading.
    #[track_caller]
    pub fn get(&self) -> Ref<'h, Vec<T>> {
        self.table.0.read(self.slot)
    }

    /// The list, for changing in any way.
    #[track_caller]
    pub fn get_mut(&self) -> RefMut<'h, Vec<T>> {
        self.table.0.change(self.slot, CLEARED)
    }

    /// How many records it has.
    #[track_caller]
    pub fn len(&self) -> usize {
        self.get().len()
    }

    /// Whether it has none.
    #[track_caller]
    pub fn is_empty(&self) -> bool {
        self.get().is_empty()
    }

    /// Adds a record at the end.
    #[track_caller]
    pub fn push(&self, record: T) {
        self.table.0.change(self.slot, 0).push(record);
    }

    /// Replaces the list.
    #[track_caller]
    pub fn set(&self, records: Vec<T>) {
        *self.get_mut() = records;
    }

    /// Keeps the records for which `keep` says so.
    #[track_caller]
    pub fn retain(&self, keep: impl FnMut(&T) -> bool) {
        if !self.is_empty() {
            self.get_mut().retain(keep);
        }
    }

    /// Empties the list and returns what it held.
    #[track_caller]
    pub fn take(&self) -> Vec<T> {
        if self.is_empty() { Vec::new() } else { std::mem::take(&mut *self.get_mut()) }
    }

    /// Empties the list.
    #[track_caller]
    pub fn clear(&self) {
        self.take();
    }
}
