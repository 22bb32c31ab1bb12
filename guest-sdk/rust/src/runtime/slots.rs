//! State: per operator some tables indexed by slot, one table per declared piece.
//!
//! A slot is one key's (or one key and window's) state. Reading and writing it costs an index; nothing is hashed and
//! nothing is encoded until the host asks for an export. What a refused record did to its slot is undone from a copy
//! made at the first write, and only where the job goes on after refused records.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::TimerOp;
use super::expiring::{Clock, Expiry, is_stamp};
use crate::block::{Block, Builder, Error, Parts, Writer, lay_out};
use crate::plan::{Domain, State, StateKind};
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
    /// When entries were written that do not live for ever.
    pub(crate) expiry: Expiry,
}

impl Touched {
    #[inline]
    pub(crate) fn change(&self, flags: u8) {
        self.flags.set(self.flags.get() | flags);
    }
}

/// Takes a column that is written, and which of its rows are present where the column does not say it itself.
pub(crate) type Each<'a> = &'a mut dyn FnMut(&mut dyn Writer, Option<&[u8]>);

/// The state of one operator.
pub(crate) struct Slots {
    names: Vec<String>,
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
    fn export(&self, slots: &[u32], each: Each<'_>);
    /// Loads columns from `first` on; returns how many there were.
    fn import(&self, slots: &[u32], block: &Block<'_>, first: usize) -> Result<usize, Error>;
    /// Calls `each` with today's columns for the rows of a block that has `saved` columns of this piece from `first` on, today's or those of an
    /// earlier version. Columns that nobody knows become absent ones, where the job was told to leave state behind.
    fn migrate(&self, saved: &Schema, block: &Block<'_>, first: usize, each: Each<'_>) -> Result<(), Error>;
    /// Takes out what has expired by this domain; returns when the last of what is left does, where anything does.
    fn sweep(&self, _slot: u32, _domain: Domain) -> Option<i64> {
        None
    }
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
        let names = pieces.iter().map(|(name, _)| name.clone()).collect();
        Slots { names, tables, touched, schema_id: schema.id(), columns: schema.columns.len() }
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
        self.touched.expiry.forget(slot);
        self.tables.iter().for_each(|table| {
            table.reserve(slot as usize + 1);
            table.clear(slot);
        });
    }

    /// Begins a record or timer, where state expires.
    #[inline]
    pub(crate) fn begin(&self, clock: impl FnOnce() -> Clock) {
        if self.touched.expiry.is_used() {
            self.touched.expiry.begin(clock());
        }
    }

    /// Sees to it that what was written is removed one day.
    #[inline]
    pub(crate) fn schedule(&self, slot: u32, timers: &RefCell<Vec<TimerOp>>) {
        if self.touched.expiry.is_used() {
            self.touched.expiry.schedule(slot, &self.tables, timers);
        }
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

impl Slots {
    /// Turns rows with the columns of an earlier version into rows of today's.
    pub(crate) fn migrate(&self, from: &Schema, block: &Block<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        let times = vec![0; 8 * block.rows()];
        let parts = Parts { schema_id: self.schema_id, rows: block.rows(), columns: self.columns, times: &times };
        let mut failed = None;
        lay_out(out, parts, &mut |each| {
            for (name, table) in self.names.iter().zip(&self.tables) {
                let (first, saved) = columns_of(from, name);
                if let Err(error) = table.migrate(&saved, block, first, each) {
                    failed.get_or_insert(error);
                }
            }
        });
        failed.map_or(Ok(()), Err)
    }
}

/// The columns of one piece of state and the index of the first: they stand together, since a version declared them together.
fn columns_of(from: &Schema, piece: &str) -> (usize, Schema) {
    let name = |column: &crate::schema::Column| column.name.strip_prefix(piece).and_then(|rest| rest.strip_prefix('.')).map(str::to_owned);
    let first = from.columns.iter().position(|column| name(column).is_some()).unwrap_or_default();
    let columns = from.columns.iter().filter_map(|column| Some(crate::schema::Column { name: name(column)?, ..column.clone() }));
    (first, Schema { columns: columns.collect() })
}

/// Whether these are columns of a record type, as state has them: all optional. When a value was written that expires stands behind them.
pub(super) fn are_of(saved: &Schema, of: &Schema) -> bool {
    let same = |(a, b): (&crate::schema::Column, &crate::schema::Column)| a.name == b.name && a.ty == b.ty;
    let behind = saved.columns.iter().skip(of.columns.len());
    saved.columns.len() >= of.columns.len() && saved.columns.iter().zip(&of.columns).all(same) && behind.into_iter().all(is_stamp)
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
    pub(crate) fn new(touched: &Rc<Touched>) -> Self {
        Entries { entries: RefCell::default(), touched: touched.clone(), undo: RefCell::default() }
    }

    pub(crate) fn reserve(&self, slots: usize) {
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

    pub(crate) fn commit(&self) {
        self.undo.take();
    }

    pub(crate) fn roll_back(&self, slot: u32) {
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

/// A value per slot, or none; and the earlier types that it can be made of.
pub(crate) struct ValueTable<T>(pub(crate) Entries<Option<T>>, StateKind, RefCell<Vec<Older<T>>>);

/// A record type that a value had in an earlier version.
pub(crate) struct Older<T> {
    schema: Schema,
    read: Box<ReadValues<T>>,
}

/// Reads a value of each row of a block from the columns from an index on; none where the row has none.
type ReadValues<T> = dyn Fn(&Block<'_>, usize) -> Result<Vec<Option<T>>, Error>;

/// Reads a value of each row from the columns from `first` on; none where all of them are absent.
pub(super) fn read_values<T: Record>(block: &Block<'_>, first: usize) -> Result<Vec<Option<T>>, Error> {
    let columns = (first..first + T::COLUMNS).map(|index| block.column(index)).collect::<Result<Vec<_>, _>>()?;
    let readers = T::open(&mut Cursor::state(block, first))?;
    let present = |row: usize| columns.iter().any(|column| column.present(row));
    Ok((0..block.rows()).map(|row| present(row).then(|| T::read(&readers, row))).collect())
}

/// Writes values as columns.
pub(super) fn write_values<'v, T: Record + 'v>(values: impl ExactSizeIterator<Item = Option<&'v T>>, each: Each<'_>) {
    let mut writers = T::Writers::default();
    let mut presence = vec![0; values.len().div_ceil(8)];
    for (row, value) in values.enumerate() {
        match value {
            Some(value) => {
                value.write(&mut writers);
                presence[row / 8] |= 1 << (row % 8);
            }
            None => T::each_writer(&mut writers, &mut |writer| writer.push_absent()),
        }
    }
    T::each_writer(&mut writers, &mut |writer| each(writer, Some(&presence)));
}

/// A list per slot.
pub(crate) struct ListTable<T>(pub(crate) Entries<Vec<T>>);

/// A map per slot, in the order of its keys.
pub(crate) struct MapTable<K, V>(pub(crate) Entries<BTreeMap<K, V>>);

impl<T: Record + Clone> ValueTable<T> {
    pub(crate) fn new(touched: &Rc<Touched>, kind: StateKind) -> Self {
        ValueTable(Entries::new(touched), kind, RefCell::default())
    }

    /// Declares a type that the value had in an earlier version.
    pub(crate) fn migrates_from<Old: Record>(&self, convert: impl Fn(Old) -> T + 'static) {
        let read = move |block: &Block<'_>, first: usize| {
            let values = read_values::<Old>(block, first)?;
            Ok(values.into_iter().map(|value| value.map(&convert)).collect())
        };
        self.2.borrow_mut().push(Older { schema: Schema::of::<Old>(), read: Box::new(read) });
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
        let migrates = self.2.borrow().iter().map(|older| older.schema.clone()).collect();
        State { name: name.to_owned(), kind: self.1, schema: Schema::of::<T>(), migrates, ttl: None }
    }

    fn is_empty(&self, slot: u32) -> bool {
        self.0.read(slot).is_none()
    }

    fn clear(&self, slot: u32) {
        *self.0.entry(slot) = None;
    }

    fn export(&self, slots: &[u32], each: Each<'_>) {
        let entries = self.0.entries.borrow();
        write_values(slots.iter().map(|&slot| entries[slot as usize].as_ref()), each);
    }

    fn import(&self, slots: &[u32], block: &Block<'_>, first: usize) -> Result<usize, Error> {
        for (value, &slot) in read_values(block, first)?.into_iter().zip(slots) {
            *self.0.entry(slot) = value;
        }
        Ok(T::COLUMNS)
    }

    fn migrate(&self, saved: &Schema, block: &Block<'_>, first: usize, each: Each<'_>) -> Result<(), Error> {
        let older = self.2.borrow();
        let values = match older.iter().find(|older| are_of(saved, &older.schema)) {
            _ if are_of(saved, &Schema::of::<T>()) => read_values(block, first),
            Some(older) => (older.read)(block, first),
            None => Ok(Vec::new()),
        };
        // The layout wants every column, also of what could not be read.
        let (mut values, failed) = match values {
            Ok(values) => (values, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        values.resize_with(block.rows(), || None);
        write_values(values.iter().map(Option::as_ref), each);
        failed.map_or(Ok(()), Err)
    }
}

/// Exports one bytes column of lists; an empty one is absent.
pub(super) fn export_lists(lists: impl Iterator<Item = Vec<u8>>, each: Each<'_>) {
    let mut writer = <Option<Vec<u8>> as Column>::Writer::default();
    lists.for_each(|bytes| match bytes.is_empty() {
        true => writer.push_absent(),
        false => writer.present().push(&bytes),
    });
    each(&mut writer, None);
}

/// The block of some records, or nothing for none.
pub(super) fn block_of<'r, T: Record>(records: impl Iterator<Item = &'r T>) -> Vec<u8> {
    let mut builder = Builder::<T>::new(0);
    records.for_each(|record| builder.push(record, 0));
    if builder.rows() == 0 { Vec::new() } else { builder.finish().to_vec() }
}

/// Reads one bytes column of lists.
fn import_lists<T: Record>(block: &Block<'_>, first: usize, rows: usize) -> Result<Vec<List<T>>, Error> {
    let readers = <List<T> as Record>::open(&mut Cursor::state(block, first))?;
    Ok((0..rows).map(|row| Record::read(&readers, row)).collect())
}

/// Reads one bytes column as it is; an absent one is empty.
pub(super) fn import_bytes(block: &Block<'_>, first: usize) -> Result<Vec<Vec<u8>>, Error> {
    let readers = <Vec<u8> as Record>::open(&mut Cursor::state(block, first))?;
    Ok((0..block.rows()).map(|row| Record::read(&readers, row)).collect())
}

/// Lists as they were, since what a list holds has no earlier types; none where it was something else.
fn migrate_lists<T: Record>(saved: &Schema, block: &Block<'_>, first: usize, each: Each<'_>) -> Result<(), Error> {
    let lists = if are_of(saved, &Schema::of::<List<T>>()) { import_lists::<T>(block, first, block.rows()) } else { Ok(Vec::new()) };
    let (lists, failed) = lists.map_or_else(|error| (Vec::new(), Some(error)), |lists| (lists, None));
    export_lists((0..block.rows()).map(|row| lists.get(row).map_or_else(Vec::new, |list| block_of(list.0.iter()))), each);
    failed.map_or(Ok(()), Err)
}

impl<T: Record + Clone> Table for ListTable<T> {
    common!();

    fn declare(&self, name: &str) -> State {
        State { name: name.to_owned(), kind: StateKind::List, schema: Schema::of::<List<T>>(), migrates: Vec::new(), ttl: None }
    }

    fn is_empty(&self, slot: u32) -> bool {
        self.0.read(slot).is_empty()
    }

    fn clear(&self, slot: u32) {
        *self.0.entry(slot) = Vec::new();
    }

    fn export(&self, slots: &[u32], each: Each<'_>) {
        export_lists(slots.iter().map(|&slot| block_of(self.0.entry(slot).iter())), each);
    }

    fn import(&self, slots: &[u32], block: &Block<'_>, first: usize) -> Result<usize, Error> {
        for (list, &slot) in import_lists(block, first, slots.len())?.into_iter().zip(slots) {
            *self.0.entry(slot) = list.0;
        }
        Ok(1)
    }

    fn migrate(&self, saved: &Schema, block: &Block<'_>, first: usize, each: Each<'_>) -> Result<(), Error> {
        migrate_lists::<T>(saved, block, first, each)
    }
}

impl<K: Key, V: Record + Clone> Table for MapTable<K, V> {
    common!();

    fn declare(&self, name: &str) -> State {
        State { name: name.to_owned(), kind: StateKind::Map, schema: Schema::of::<List<With<K, V>>>(), migrates: Vec::new(), ttl: None }
    }

    fn is_empty(&self, slot: u32) -> bool {
        self.0.read(slot).is_empty()
    }

    fn clear(&self, slot: u32) {
        *self.0.entry(slot) = BTreeMap::new();
    }

    fn export(&self, slots: &[u32], each: Each<'_>) {
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

    fn migrate(&self, saved: &Schema, block: &Block<'_>, first: usize, each: Each<'_>) -> Result<(), Error> {
        migrate_lists::<With<K, V>>(saved, block, first, each)
    }
}
