//! State: per operator some tables indexed by slot, one table per declared piece.
//!
//! A slot is one key's (or one key and window's) state. Reading and writing it costs an index; nothing is hashed and
//! nothing is encoded until the host asks for an export. What a refused record did to its slot is undone from a copy
//! made at the first write, and only where the job goes on after refused records.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::block::{Block, Builder, Error, Parts, Writer, lay_out};
use crate::plan::{State, StateKind};
use crate::record::{Cell as Column, Cursor, Key, List, Record, With};
use crate::schema::Schema;

/// The record in flight changed its slot.
pub(crate) const CHANGED: u8 = 1;
/// The record in flight emptied a piece of its slot.
pub(crate) const CLEARED: u8 = 2;

/// What the record in flight did to its slot.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub(crate) flags: Cell<u8>,
    /// Whether a copy is made before the first change.
    pub(crate) undo: Cell<bool>,
}

impl Touched {
    #[inline]
    fn change(&self, flags: u8) {
        self.flags.set(self.flags.get() | flags);
    }
}

/// The state of one operator.
pub(crate) struct Slots {
    tables: Vec<Rc<dyn Table>>,
    touched: Rc<Touched>,
    schema_id: u64,
    columns: usize,
}

/// One declared piece of state, for all slots.
pub(crate) trait Table {
    /// How the plan declares it.
    fn declare(&self, name: &str) -> State;
    /// Makes room for slots below this number.
    fn reserve(&self, slots: usize);
    fn is_empty(&self, slot: u32) -> bool;
    fn clear(&self, slot: u32);
    /// Forgets the copy made for undoing.
    fn commit(&self);
    /// Puts the copy back, if one was made.
    fn roll_back(&self, slot: u32);
    /// Calls `each` with the columns of these slots.
    fn export(&self, slots: &[u32], each: &mut dyn FnMut(&mut dyn Writer, Option<&[u8]>));
    /// Loads columns from `first` on; returns how many there were.
    fn import(&self, slots: &[u32], block: &Block<'_>, first: usize) -> Result<usize, Error>;
}

impl Slots {
    /// The state of an operator that declares these pieces.
    pub(crate) fn new(pieces: &[(String, Rc<dyn Table>)], touched: Rc<Touched>) -> Slots {
        let mut schema = Schema::default();
        for (name, table) in pieces {
            schema.columns.extend(table.declare(name).schema.columns.into_iter().map(|mut column| {
                column.name = format!("{name}.{}", column.name);
                column.optional = true;
                column
            }));
        }
        let tables = pieces.iter().map(|(_, table)| table.clone()).collect();
        Slots { tables, touched, schema_id: schema.id(), columns: schema.columns.len() }
    }

    pub(crate) fn touched(&self) -> &Touched {
        &self.touched
    }

    /// Makes room for all of these slots; returns how many there is room for.
    pub(crate) fn reserve(&self, slots: &[u32]) -> usize {
        let room = slots.iter().max().map_or(0, |&greatest| greatest as usize + 1);
        self.tables.iter().for_each(|table| table.reserve(room));
        room
    }

    pub(crate) fn is_empty(&self, slot: u32) -> bool {
        self.tables.iter().all(|table| table.is_empty(slot))
    }

    pub(crate) fn clear(&self, slot: u32) {
        self.tables.iter().for_each(|table| {
            table.reserve(slot as usize + 1);
            table.clear(slot);
        });
    }

    pub(crate) fn commit(&self) {
        self.tables.iter().for_each(|table| table.commit());
    }

    pub(crate) fn roll_back(&self, slot: u32) {
        self.tables.iter().for_each(|table| table.roll_back(slot));
    }

    pub(crate) fn export(&self, slots: &[u32], out: &mut Vec<u8>) {
        self.reserve(slots);
        let times = vec![0; 8 * slots.len()];
        let parts = Parts { schema_id: self.schema_id, rows: slots.len(), columns: self.columns, times: &times };
        lay_out(out, parts, &mut |each| self.tables.iter().for_each(|table| table.export(slots, each)));
    }

    pub(crate) fn import(&self, slots: &[u32], block: &Block<'_>) -> Result<(), Error> {
        self.reserve(slots);
        let mut first = 0;
        for table in &self.tables {
            first += table.import(slots, block, first)?;
        }
        Ok(())
    }
}

/// A function holds on to state that it changes at the same time.
const IN_USE: &str = "this piece of state is in use: drop what `get`, `get_mut` or `or_insert` gave of it before it is used again";

/// What all three kinds of table have: a value per slot, and perhaps the copy for undoing.
pub(crate) struct Entries<S> {
    entries: RefCell<Vec<S>>,
    touched: Rc<Touched>,
    undo: RefCell<Option<S>>,
}

impl<S: Clone + Default> Entries<S> {
    fn new(touched: &Rc<Touched>) -> Self {
        Entries { entries: RefCell::default(), touched: touched.clone(), undo: RefCell::default() }
    }

    fn reserve(&self, slots: usize) {
        let mut entries = self.entries.borrow_mut();
        if entries.len() < slots {
            entries.resize_with(slots, S::default);
        }
    }

    /// The entry of a slot, for reading.
    #[inline]
    #[track_caller]
    pub(crate) fn read(&self, slot: u32) -> Ref<'_, S> {
        Ref::map(self.entries.try_borrow().expect(IN_USE), |entries| &entries[slot as usize])
    }

    /// The entry of a slot, for what is not a change of the job's.
    #[inline]
    #[track_caller]
    pub(crate) fn entry(&self, slot: u32) -> RefMut<'_, S> {
        RefMut::map(self.entries.try_borrow_mut().expect(IN_USE), |entries| &mut entries[slot as usize])
    }

    /// The entry of a slot, for a change by the record in flight.
    #[inline]
    #[track_caller]
    pub(crate) fn change(&self, slot: u32, flags: u8) -> RefMut<'_, S> {
        let entry = self.entry(slot);
        self.touched.change(flags | CHANGED);
        if self.touched.undo.get() {
            self.undo.borrow_mut().get_or_insert_with(|| entry.clone());
        }
        entry
    }

    fn commit(&self) {
        self.undo.take();
    }

    fn roll_back(&self, slot: u32) {
        if let Some(copy) = self.undo.take() {
            *self.entry(slot) = copy;
        }
    }
}

macro_rules! common {
    () => {
        fn reserve(&self, slots: usize) {
            self.0.reserve(slots);
        }

        fn commit(&self) {
            self.0.commit();
        }

        fn roll_back(&self, slot: u32) {
            self.0.roll_back(slot);
        }
    };
}

/// A value per slot, or none.
pub(crate) struct ValueTable<T>(pub(crate) Entries<Option<T>>, StateKind);

/// A list per slot.
pub(crate) struct ListTable<T>(pub(crate) Entries<Vec<T>>);

/// A map per slot, in the order of its keys.
pub(crate) struct MapTable<K, V>(pub(crate) Entries<BTreeMap<K, V>>);

impl<T: Record + Clone> ValueTable<T> {
    pub(crate) fn new(touched: &Rc<Touched>, kind: StateKind) -> Self {
        ValueTable(Entries::new(touched), kind)
    }
}

impl<T: Record + Clone> ListTable<T> {
    pub(crate) fn new(touched: &Rc<Touched>) -> Self {
        ListTable(Entries::new(touched))
    }
}

impl<K: Key, V: Record + Clone> MapTable<K, V> {
    pub(crate) fn new(touched: &Rc<Touched>) -> Self {
        MapTable(Entries::new(touched))
    }
}

impl<T: Record + Clone> Table for ValueTable<T> {
    common!();

    fn declare(&self, name: &str) -> State {
        State { name: name.to_owned(), kind: self.1, schema: Schema::of::<T>() }
    }

    fn is_empty(&self, slot: u32) -> bool {
        self.0.read(slot).is_none()
    }

    fn clear(&self, slot: u32) {
        *self.0.entry(slot) = None;
    }

    fn export(&self, slots: &[u32], each: &mut dyn FnMut(&mut dyn Writer, Option<&[u8]>)) {
        let mut writers = T::Writers::default();
        let mut presence = vec![0; slots.len().div_ceil(8)];
        for (row, &slot) in slots.iter().enumerate() {
            match &*self.0.entry(slot) {
                Some(value) => {
                    value.write(&mut writers);
                    presence[row / 8] |= 1 << (row % 8);
                }
                None => T::each_writer(&mut writers, &mut |writer| writer.push_absent()),
            }
        }
        T::each_writer(&mut writers, &mut |writer| each(writer, Some(&presence)));
    }

    fn import(&self, slots: &[u32], block: &Block<'_>, first: usize) -> Result<usize, Error> {
        let columns = (first..first + T::COLUMNS).map(|index| block.column(index)).collect::<Result<Vec<_>, _>>()?;
        let readers = T::open(&mut Cursor::state(block, first))?;
        for (row, &slot) in slots.iter().enumerate() {
            let present = columns.iter().any(|column| column.present(row));
            *self.0.entry(slot) = present.then(|| T::read(&readers, row));
        }
        Ok(T::COLUMNS)
    }
}

/// Exports one bytes column of lists; an empty one is absent.
fn export_lists(lists: impl Iterator<Item = Vec<u8>>, each: &mut dyn FnMut(&mut dyn Writer, Option<&[u8]>)) {
    let mut writer = <Option<Vec<u8>> as Column>::Writer::default();
    lists.for_each(|bytes| match bytes.is_empty() {
        true => writer.push_absent(),
        false => writer.present().push(&bytes),
    });
    each(&mut writer, None);
}

/// The block of some records, or nothing for none.
fn block_of<'r, T: Record>(records: impl Iterator<Item = &'r T>) -> Vec<u8> {
    let mut builder = Builder::<T>::new(0);
    records.for_each(|record| builder.push(record, 0));
    if builder.rows() == 0 { Vec::new() } else { builder.finish().to_vec() }
}

/// Reads one bytes column of lists.
fn import_lists<T: Record>(block: &Block<'_>, first: usize, rows: usize) -> Result<Vec<List<T>>, Error> {
    let readers = <List<T> as Record>::open(&mut Cursor::state(block, first))?;
    Ok((0..rows).map(|row| Record::read(&readers, row)).collect())
}

impl<T: Record + Clone> Table for ListTable<T> {
    common!();

    fn declare(&self, name: &str) -> State {
        State { name: name.to_owned(), kind: StateKind::List, schema: Schema::of::<List<T>>() }
    }

    fn is_empty(&self, slot: u32) -> bool {
        self.0.read(slot).is_empty()
    }

    fn clear(&self, slot: u32) {
        *self.0.entry(slot) = Vec::new();
    }

    fn export(&self, slots: &[u32], each: &mut dyn FnMut(&mut dyn Writer, Option<&[u8]>)) {
        export_lists(slots.iter().map(|&slot| block_of(self.0.entry(slot).iter())), each);
    }

    fn import(&self, slots: &[u32], block: &Block<'_>, first: usize) -> Result<usize, Error> {
        for (list, &slot) in import_lists(block, first, slots.len())?.into_iter().zip(slots) {
            *self.0.entry(slot) = list.0;
        }
        Ok(1)
    }
}

impl<K: Key, V: Record + Clone> Table for MapTable<K, V> {
    common!();

    fn declare(&self, name: &str) -> State {
        State { name: name.to_owned(), kind: StateKind::Map, schema: Schema::of::<List<With<K, V>>>() }
    }

    fn is_empty(&self, slot: u32) -> bool {
        self.0.read(slot).is_empty()
    }

    fn clear(&self, slot: u32) {
        *self.0.entry(slot) = BTreeMap::new();
    }

    fn export(&self, slots: &[u32], each: &mut dyn FnMut(&mut dyn Writer, Option<&[u8]>)) {
        let pairs = |slot: &u32| {
            let map = self.0.entry(*slot);
            let pairs: Vec<_> = map.iter().map(|(key, value)| With { record: key.clone(), extra: value.clone() }).collect();
            block_of(pairs.iter())
        };
        export_lists(slots.iter().map(pairs), each);
    }

    fn import(&self, slots: &[u32], block: &Block<'_>, first: usize) -> Result<usize, Error> {
        for (pairs, &slot) in import_lists::<With<K, V>>(block, first, slots.len())?.into_iter().zip(slots) {
            *self.0.entry(slot) = pairs.0.into_iter().map(|pair| (pair.record, pair.extra)).collect();
        }
        Ok(1)
    }
}
