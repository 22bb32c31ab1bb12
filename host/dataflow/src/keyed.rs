//! Keys on one worker: a map from canonical key bytes to a value, in order of insertion.
//!
//! The hash that routed a record is not carried along; it is computed again from the key columns, which costs less than
//! eight more bytes a record. Keys of up to [`INLINE`] bytes live inside the entry.

use hashbrown::HashTable;
use tidemill_core::block::{Block, Builder};
use tidemill_core::key;
use tidemill_core::plan::{Edge, Operator};
use tidemill_core::schema::{Schema, Type};

/// Key bytes kept without an allocation: two i64 fields, or a word of twelve letters.
const INLINE: usize = 23;

#[derive(Clone, Debug)]
enum KeyBytes {
    Inline(u8, [u8; INLINE]),
    Heap(Box<[u8]>),
}

impl KeyBytes {
    fn new(bytes: &[u8]) -> KeyBytes {
        if bytes.len() > INLINE {
            return KeyBytes::Heap(bytes.into());
        }
        let mut inline = [0; INLINE];
        inline[..bytes.len()].copy_from_slice(bytes);
        KeyBytes::Inline(bytes.len() as u8, inline)
    }

    #[inline]
    fn as_slice(&self) -> &[u8] {
        match self {
            KeyBytes::Inline(len, bytes) => &bytes[..usize::from(*len)],
            KeyBytes::Heap(bytes) => bytes,
        }
    }
}

#[derive(Debug)]
struct Entry<V> {
    hash: u64,
    key: KeyBytes,
    value: V,
}

/// See the module. Indexes are stable until the entry is removed, then reused.
#[derive(Debug)]
pub(crate) struct KeyMap<V> {
    table: HashTable<u32>,
    entries: Vec<Option<Entry<V>>>,
    free: Vec<u32>,
}

impl<V> Default for KeyMap<V> {
    fn default() -> KeyMap<V> {
        KeyMap { table: HashTable::new(), entries: Vec::new(), free: Vec::new() }
    }
}

/// Whether two keys are the same. Those of eight to sixteen bytes, a number or a word, are compared without a call: by their first and
/// their last eight bytes.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    match (a.first_chunk::<8>(), a.last_chunk::<8>(), b.first_chunk::<8>(), b.last_chunk::<8>()) {
        (Some(first), Some(last), Some(other_first), Some(other_last)) if a.len() <= 16 => {
            a.len() == b.len() && first == other_first && last == other_last
        }
        _ => a == b,
    }
}

impl<V> KeyMap<V> {
    /// The index of a key, inserted with `value()` when new.
    pub(crate) fn index(&mut self, hash: u64, key: &[u8], value: impl FnOnce() -> V) -> u32 {
        let entries = &mut self.entries;
        let found = |&i: &u32| entries[i as usize].as_ref().is_some_and(|e| e.hash == hash && same(e.key.as_slice(), key));
        if let Some(&index) = self.table.find(hash, found) {
            return index;
        }
        let entry = Some(Entry { hash, key: KeyBytes::new(key), value: value() });
        let index = match self.free.pop() {
            Some(index) => {
                entries[index as usize] = entry;
                index
            }
            None => {
                entries.push(entry);
                (entries.len() - 1) as u32
            }
        };
        self.table.insert_unique(hash, index, |&i| entries[i as usize].as_ref().map_or(0, |e| e.hash));
        index
    }

    /// The value of a key.
    pub(crate) fn find(&self, hash: u64, key: &[u8]) -> Option<&V> {
        let found = |&i: &u32| self.entries[i as usize].as_ref().is_some_and(|e| e.hash == hash && same(e.key.as_slice(), key));
        let index = *self.table.find(hash, found)?;
        self.entries[index as usize].as_ref().map(|e| &e.value)
    }

    /// The value at an index.
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut V> {
        self.entries.get_mut(index as usize)?.as_mut().map(|e| &mut e.value)
    }

    /// The value at an index, for reading.
    pub(crate) fn value(&self, index: u32) -> Option<&V> {
        self.entries.get(index as usize)?.as_ref().map(|e| &e.value)
    }

    /// The key at an index.
    pub(crate) fn key(&self, index: u32) -> Option<&[u8]> {
        self.entries.get(index as usize)?.as_ref().map(|e| e.key.as_slice())
    }

    /// The indexes of all entries.
    pub(crate) fn indexes(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.entries).filter_map(|(index, entry)| entry.as_ref().map(|_| index))
    }

    /// Removes an entry; its index may come back.
    pub(crate) fn remove(&mut self, index: u32) -> Option<V> {
        let entry = self.entries.get_mut(index as usize)?.take()?;
        if let Ok(occupied) = self.table.find_entry(entry.hash, |&i| i == index) {
            occupied.remove();
        }
        self.free.push(index);
        Some(entry.value)
    }

    /// Hash, key and value of every entry, in order of index.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &[u8], &V)> {
        self.entries.iter().flatten().map(|e| (e.hash, e.key.as_slice(), &e.value))
    }
}

/// Calls `each(row, hash, key)` for every row of a block.
pub(crate) fn for_each_key(block: &Block, columns: &[usize], mut each: impl FnMut(usize, u64, &[u8])) {
    key::for_each(block, columns, |row, bytes| each(row, key::hash(bytes), bytes));
}

/// Writes a canonical key back into the first columns of a builder.
pub(crate) fn push_key(builder: &mut Builder, schema: &Schema, mut key: &[u8]) {
    let mut take = |n: usize| {
        let (head, tail) = key.split_at(n);
        key = tail;
        head
    };
    for (index, field) in schema.fields().iter().enumerate() {
        let column = builder.column(index);
        if field.optional && take(1) == [0] {
            column.push_absent();
            continue;
        }
        let eight = |b: &[u8]| -> [u8; 8] { b.try_into().expect("a canonical key has eight bytes here") };
        match field.ty {
            Type::Bool => column.push_bool(take(1) == [1]),
            Type::I32 => column.push_i32(i32::from_le_bytes(take(4).try_into().expect("a canonical key has four bytes here"))),
            Type::I64 => column.push_i64(i64::from_le_bytes(eight(take(8)))),
            Type::F64 => column.push_f64(f64::from_le_bytes(eight(take(8)))),
            Type::String | Type::Bytes => {
                let len = u32::from_le_bytes(take(4).try_into().expect("a canonical key has four bytes here"));
                column.push_heap(take(len as usize));
            }
        }
    }
}

/// The schema of the key fields of a record schema.
pub(crate) fn key_schema(schema: &Schema, columns: &[usize]) -> Schema {
    Schema::new(columns.iter().map(|&c| schema.fields()[c].clone()).collect()).unwrap_or_default()
}

/// The columns of the key fields of an edge's receiver.
pub(crate) fn key_columns(operator: &Operator, edge: &Edge) -> Vec<usize> {
    let fields = operator.key(edge.input as usize).unwrap_or_default();
    fields.iter().filter_map(|field| edge.schema.index_of(field)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_same_when_all_their_bytes_are() {
        let key: Vec<u8> = (0..40).collect();
        for len in 0..key.len() {
            assert!(same(&key[..len], &key[..len]), "{len} bytes");
            assert!(!same(&key[..len], &key[..len + 1]) && !same(&key[..len + 1], &key[..len]), "{len} bytes and one more");
            for changed in 0..len {
                let mut other = key[..len].to_vec();
                other[changed] ^= 1;
                assert!(!same(&key[..len], &other), "byte {changed} of {len}");
            }
        }
    }
}
