//! A map per key.

use std::cell::RefMut;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::Handle;
use crate::record::{Key, Record};
use crate::runtime::{CLEARED, MapTable};

/// A map per key of the stream. Goes over its entries in the order of their keys, so that a job does the same every time.
///
/// The whole map is loaded and saved with the stream's key: it is meant for tens or hundreds of entries.
pub struct MapState<K: Key, V: Record + Clone>(pub(crate) Rc<MapTable<K, V>>);

/// The map of the key in hand. Reads like a [`BTreeMap`].
pub struct MapRef<'h, K: Key, V: Record + Clone> {
    table: &'h MapTable<K, V>,
    entry: RefMut<'h, BTreeMap<K, V>>,
}

impl<K: Key, V: Record + Clone> Handle for MapState<K, V> {
    type Ref<'h> = MapRef<'h, K, V>;

    #[inline]
    fn at(&self, slot: u32) -> MapRef<'_, K, V> {
        MapRef { table: &self.0, entry: self.0.0.entry(slot) }
    }
}

impl<K: Key, V: Record + Clone> std::ops::Deref for MapRef<'_, K, V> {
    type Target = BTreeMap<K, V>;

    fn deref(&self) -> &BTreeMap<K, V> {
        &self.entry
    }
}

impl<K: Key, V: Record + Clone> MapRef<'_, K, V> {
    /// Sets an entry; returns the value it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.table.0.change(&self.entry, 0);
        self.entry.insert(key, value)
    }

    /// The value of a key for changing; `first` where there is none yet.
    pub fn or_insert(&mut self, key: K, first: V) -> &mut V {
        self.table.0.change(&self.entry, 0);
        self.entry.entry(key).or_insert(first)
    }

    /// Removes an entry and returns its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        if self.entry.contains_key(key) { self.get_mut().remove(key) } else { None }
    }

    /// The map for changing in any way.
    pub fn get_mut(&mut self) -> &mut BTreeMap<K, V> {
        self.table.0.change(&self.entry, CLEARED);
        &mut self.entry
    }

    /// Empties the map.
    pub fn clear(&mut self) {
        if !self.entry.is_empty() {
            self.get_mut().clear();
        }
    }
}
