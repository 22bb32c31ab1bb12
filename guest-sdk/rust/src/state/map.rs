//! A map per key.

use std::cell::{Ref, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::Handle;
use crate::record::{Key, Record};
use crate::runtime::{CLEARED, MapTable};

/// A map per key of the stream. Its entries are in the order of their keys, so that a job does the same every time.
///
/// The whole map is loaded and saved with the stream's key: it is meant for tens or hundreds of entries.
pub struct MapState<K: Key, V: Record + Clone>(pub(crate) Rc<MapTable<K, V>>);

/// The map of the key in hand.
pub struct MapRef<'h, K: Key, V: Record + Clone> {
    table: &'h MapTable<K, V>,
    slot: u32,
}

impl<K: Key, V: Record + Clone> Handle for MapState<K, V> {
    type Ref<'h> = MapRef<'h, K, V>;

    #[inline]
    fn at(&self, slot: u32) -> MapRef<'_, K, V> {
        MapRef { table: &self.0, slot }
    }
}

impl<'h, K: Key, V: Record + Clone> MapRef<'h, K, V> {
    /// The value of a key, if it has one.
    #[track_caller]
    pub fn get(&self, key: &K) -> Option<Ref<'h, V>> {
        Ref::filter_map(self.entries(), |entries| entries.get(key)).ok()
    }

    /// All entries, for reading.
    #[track_caller]
    pub fn entries(&self) -> Ref<'h, BTreeMap<K, V>> {
        self.table.0.read(self.slot)
    }

    /// All entries, for changing in any way.
    #[track_caller]
    pub fn entries_mut(&self) -> RefMut<'h, BTreeMap<K, V>> {
        self.table.0.change(self.slot, CLEARED)
    }

    /// How many entries it has.
    #[track_caller]
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether it has none.
    #[track_caller]
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// Sets an entry; returns the value it had.
    #[track_caller]
    pub fn insert(&self, key: K, value: V) -> Option<V> {
        self.table.0.change(self.slot, 0).insert(key, value)
    }

    /// The value of a key for changing; `first` where there is none yet.
    #[track_caller]
    pub fn or_insert(&self, key: K, first: V) -> RefMut<'h, V> {
        RefMut::map(self.table.0.change(self.slot, 0), |entries| entries.entry(key).or_insert(first))
    }

    /// Removes an entry and returns its value.
    #[track_caller]
    pub fn remove(&self, key: &K) -> Option<V> {
        if !self.entries().contains_key(key) {
            return None;
        }
        self.entries_mut().remove(key)
    }

    /// Empties the map.
    #[track_caller]
    pub fn clear(&self) {
        if !self.is_empty() {
            self.entries_mut().clear();
        }
    }
}
