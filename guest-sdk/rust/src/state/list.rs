//! A list per key.

use std::cell::RefMut;
use std::rc::Rc;

use super::Handle;
use crate::record::Record;
use crate::runtime::{CLEARED, ListTable};

/// A list of records per key, in the order they were pushed.
///
/// The whole list is loaded and saved with its key: it is meant for tens or hundreds of records, not for a log.
pub struct ListState<T: Record + Clone>(pub(crate) Rc<ListTable<T>>);

/// The list of the key in hand. Reads like a slice.
pub struct ListRef<'h, T: Record + Clone> {
    table: &'h ListTable<T>,
    entry: RefMut<'h, Vec<T>>,
}

impl<T: Record + Clone> Handle for ListState<T> {
    type Ref<'h> = ListRef<'h, T>;

    #[inline]
    fn at(&self, slot: u32) -> ListRef<'_, T> {
        ListRef { table: &self.0, entry: self.0.0.entry(slot) }
    }
}

impl<T: Record + Clone> std::ops::Deref for ListRef<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.entry
    }
}

impl<T: Record + Clone> ListRef<'_, T> {
    /// Adds a record at the end.
    pub fn push(&mut self, record: T) {
        self.table.0.change(&self.entry, 0);
        self.entry.push(record);
    }

    /// Replaces the list.
    pub fn set(&mut self, records: Vec<T>) {
        self.table.0.change(&self.entry, CLEARED);
        *self.entry = records;
    }

    /// The list for changing in any way.
    pub fn get_mut(&mut self) -> &mut Vec<T> {
        self.table.0.change(&self.entry, CLEARED);
        &mut self.entry
    }

    /// Keeps the records for which `keep` says so.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        if !self.entry.is_empty() {
            self.get_mut().retain(keep);
        }
    }

    /// Empties the list and returns what it held.
    pub fn take(&mut self) -> Vec<T> {
        if self.entry.is_empty() { Vec::new() } else { std::mem::take(self.get_mut()) }
    }

    /// Empties the list.
    pub fn clear(&mut self) {
        self.take();
    }
}
