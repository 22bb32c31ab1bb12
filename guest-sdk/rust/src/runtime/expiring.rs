//! Tables whose entries expire: beside each value stands when it was written (decisions/0012).
//!
//! An expired entry is never shown. It is taken out when its key is swept: at a timer of the runtime's own, which a key with such state
//! always has, so that a key nobody comes back to is let go as well.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::slots::{CHANGED, CLEARED, Each, Entries, Table, Touched, are_of, export_lists, read_values, write_values};
use super::slots::{block_of, import_bytes};
use super::{TimerAction, TimerOp};
use crate::block::{Block, Error};
use crate::plan::{Domain, State, StateKind};
use crate::record::{Cursor, Key, List, Record, With};
use crate::schema::{Column, Schema, Type};
use crate::state::Ttl;

/// The column that holds when a value was written, in event time.
const EVENT: &str = "$event";
/// The same in processing time.
const PROCESSING: &str = "$processing";

/// Whether a column of a piece of state holds when it was written.
pub(crate) fn is_stamp(column: &Column) -> bool {
    [EVENT, PROCESSING].contains(&column.name.as_str())
}

/// When an entry was written, in the time domain of its time-to-live; in neither where that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, tidemill_macros::Record)]
pub(crate) struct Stamp {
    event: Option<i64>,
    processing: Option<i64>,
}

impl Stamp {
    fn of(self, domain: Domain) -> Option<i64> {
        match domain {
            Domain::Event => self.event,
            Domain::Processing => self.processing,
        }
    }
}

/// The times of the record or timer in flight.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    /// Of the record; the least for a timer, whose time may be of the other domain.
    pub(crate) time: i64,
    pub(crate) watermark: i64,
    pub(crate) now: i64,
}

/// What all tables of an operator whose entries expire share.
#[derive(Debug, Default)]
pub(crate) struct Expiry {
    clock: Cell<Clock>,
    /// Which domains have an entry that was written for the record in flight.
    written: Cell<[bool; 2]>,
    /// The timers that sweep.
    sweepers: Cell<[Option<u32>; 2]>,
    /// Which slots have such a timer, as far as this instance has set it.
    set: RefCell<[Vec<bool>; 2]>,
}

const DOMAINS: [Domain; 2] = [Domain::Event, Domain::Processing];

fn index(domain: Domain) -> usize {
    usize::from(domain == Domain::Processing)
}

impl Expiry {
    /// The timer that sweeps in a domain; `make` declares it.
    pub(crate) fn sweeper(&self, domain: Domain, make: impl FnOnce() -> u32) {
        let mut sweepers = self.sweepers.get();
        sweepers[index(domain)].get_or_insert_with(make);
        self.sweepers.set(sweepers);
    }

    /// Whether anything here expires.
    #[inline]
    pub(crate) fn is_used(&self) -> bool {
        self.sweepers.get() != [None, None]
    }

    pub(crate) fn begin(&self, clock: Clock) {
        self.clock.set(clock);
        self.written.set([false; 2]);
    }

    /// Notes that a sweeping timer has fired; whether it was one.
    pub(crate) fn fired(&self, slot: u32, timer: u32) -> bool {
        let Some(domain) = DOMAINS.into_iter().find(|&domain| self.sweepers.get()[index(domain)] == Some(timer)) else { return false };
        self.forget_timer(slot, domain);
        self.write(domain);
        true
    }

    /// Notes that a slot is another key's from now on.
    pub(crate) fn forget(&self, slot: u32) {
        DOMAINS.into_iter().for_each(|domain| self.forget_timer(slot, domain));
    }

    fn forget_timer(&self, slot: u32, domain: Domain) {
        if let Some(set) = self.set.borrow_mut()[index(domain)].get_mut(slot as usize) {
            *set = false;
        }
    }

    fn write(&self, domain: Domain) {
        let mut written = self.written.get();
        written[index(domain)] = true;
        self.written.set(written);
    }

    /// Sweeps the slot where it has been written to and has no timer, and sets one for what is left.
    pub(crate) fn schedule(&self, slot: u32, tables: &[Rc<dyn Table>], timers: &RefCell<Vec<TimerOp>>) {
        for domain in DOMAINS {
            let (at, mut set) = (index(domain), self.set.borrow_mut());
            let set = &mut set[at];
            let (true, Some(timer)) = (self.written.get()[at], self.sweepers.get()[at]) else { continue };
            if set.len() <= slot as usize {
                set.resize(slot as usize + 1, false);
            }
            if set[slot as usize] {
                continue;
            }
            if let Some(time) = tables.iter().filter_map(|table| table.sweep(slot, domain)).max() {
                // Another one may be there from before a restore.
                timers.borrow_mut().push(TimerOp { slot, timer, action: TimerAction::Replace, time });
                set[slot as usize] = true;
            }
        }
    }
}

/// The time-to-live of one piece of state.
pub(crate) struct Lease {
    pub(crate) ttl: Ttl,
    touched: Rc<Touched>,
}

impl Lease {
    /// Since when an entry would count that is written now.
    fn now(&self) -> Option<i64> {
        let clock = self.touched.expiry.clock.get();
        let now = match self.ttl.domain {
            Domain::Event => clock.time.max(clock.watermark),
            Domain::Processing => clock.now,
        };
        (now > i64::MIN).then_some(now)
    }

    /// When an entry expires, where it is known when it was written.
    fn end(&self, stamp: Stamp) -> Option<i64> {
        stamp.of(self.ttl.domain).map(|at| at.saturating_add(self.ttl.span.ms()))
    }

    /// Whether the entry may be seen.
    pub(crate) fn is_live(&self, stamp: Stamp) -> bool {
        let clock = self.touched.expiry.clock.get();
        let now = if self.ttl.domain == Domain::Event { clock.watermark } else { clock.now };
        self.end(stamp).is_none_or(|end| now < end)
    }

    /// The stamp of an entry that is written in place of one with the stamp `before`: a record behind its time takes nothing away.
    pub(crate) fn renewed(&self, before: Stamp) -> Stamp {
        self.touched.expiry.write(self.ttl.domain);
        let at = before.of(self.ttl.domain).max(self.now());
        match self.ttl.domain {
            Domain::Event => Stamp { event: at, processing: None },
            Domain::Processing => Stamp { event: None, processing: at },
        }
    }

    /// Whether reading an entry writes its stamp anew.
    pub(crate) fn is_renewed_by_read(&self, stamp: Stamp) -> bool {
        let is_unknown = stamp.of(self.ttl.domain).is_none();
        (self.ttl.is_renewed_by_reads || is_unknown) && self.renewed(stamp) != stamp
    }

    /// Whether a sweep keeps an entry; one whose time is not known begins to live now.
    fn keeps(&self, stamp: &mut Stamp) -> bool {
        if stamp.of(self.ttl.domain).is_none() {
            *stamp = self.renewed(*stamp);
        }
        self.is_live(*stamp)
    }
}

/// A table whose entries expire.
pub(crate) struct Expiring<S: Clone + Default> {
    pub(crate) entries: Entries<S>,
    pub(crate) lease: Lease,
}

impl<S: Clone + Default> Expiring<S> {
    pub(crate) fn new(touched: &Rc<Touched>, ttl: Ttl) -> Self {
        Expiring { entries: Entries::new(touched), lease: Lease { ttl, touched: touched.clone() } }
    }

    /// Sweeps the entry of a slot by `sweep`, which says when the last that is left expires and whether it took something out.
    fn swept(&self, slot: u32, domain: Domain, sweep: impl FnOnce(&mut S) -> Option<i64>) -> Option<i64> {
        if domain != self.lease.ttl.domain {
            return None;
        }
        let end = sweep(&mut self.entries.entry(slot));
        self.lease.touched.change(CHANGED | CLEARED);
        end
    }
}

/// A value that expires, with what earlier types it can be made of.
pub(crate) struct ExpiringValue<T: Record + Clone> {
    pub(crate) table: Expiring<Option<With<T, Stamp>>>,
    older: RefCell<Vec<(Schema, Box<ReadOlder<T>>)>>,
}

type ReadOlder<T> = dyn Fn(&Block<'_>, usize) -> Result<Vec<Option<T>>, Error>;

/// A list of which each record expires by itself.
pub(crate) type ExpiringList<T> = Expiring<Vec<With<T, Stamp>>>;

/// A map of which each entry expires by itself.
pub(crate) type ExpiringMap<K, V> = Expiring<BTreeMap<K, With<V, Stamp>>>;

impl<T: Record + Clone> ExpiringValue<T> {
    pub(crate) fn new(touched: &Rc<Touched>, ttl: Ttl) -> Self {
        ExpiringValue { table: Expiring::new(touched, ttl), older: RefCell::default() }
    }

    pub(crate) fn migrates_from<Old: Record>(&self, convert: impl Fn(Old) -> T + 'static) {
        let read = move |block: &Block<'_>, first: usize| {
            let values = read_values::<Old>(block, first)?;
            Ok(values.into_iter().map(|value| value.map(&convert)).collect())
        };
        self.older.borrow_mut().push((Schema::of::<Old>(), Box::new(read)));
    }

    /// The values of a block that an earlier version exported, with or without a time-to-live.
    fn read_saved(&self, saved: &Schema, block: &Block<'_>, first: usize) -> Result<Vec<Option<With<T, Stamp>>>, Error> {
        let of_value = saved.columns.iter().filter(|column| !is_stamp(column));
        let values = Schema { columns: of_value.cloned().collect() };
        let older = self.older.borrow();
        let read = match older.iter().find(|(schema, _)| are_of(&values, schema)) {
            _ if are_of(&values, &Schema::of::<T>()) => read_values(block, first)?,
            Some((_, read)) => read(block, first)?,
            None => Vec::new(),
        };
        let stamps = match saved.columns.len() - values.columns.len() {
            Stamp::COLUMNS => read_values::<Stamp>(block, first + values.columns.len())?,
            _ => vec![None; read.len()],
        };
        let stamped = |(record, stamp): (Option<T>, Option<Stamp>)| Some(With { record: record?, extra: stamp.unwrap_or_default() });
        Ok(read.into_iter().zip(stamps).map(stamped).collect())
    }
}

/// How a piece is declared.
fn declared(name: &str, kind: StateKind, schema: Schema, ttl: Ttl, migrates: Vec<Schema>) -> State {
    State { name: name.to_owned(), kind, schema, migrates, ttl: Some(ttl) }
}

macro_rules! entries {
    ($($path:ident).+) => {
        fn reserve(&self, slots: usize) {
            self.$($path).+.reserve(slots);
        }

        fn commit(&self) {
            self.$($path).+.commit();
        }

        fn roll_back(&self, slot: u32) {
            self.$($path).+.roll_back(slot);
        }

        fn clear(&self, slot: u32) {
            *self.$($path).+.entry(slot) = Default::default();
        }
    };
}

impl<T: Record + Clone> Table for ExpiringValue<T> {
    entries!(table.entries);

    fn declare(&self, name: &str) -> State {
        let mut schema = Schema::of::<T>();
        let stamp = |name: &str| Column { name: name.to_owned(), ty: Type::I64, optional: false };
        schema.columns.extend([EVENT, PROCESSING].map(stamp));
        let migrates = self.older.borrow().iter().map(|(schema, _)| schema.clone()).collect();
        declared(name, StateKind::Value, schema, self.table.lease.ttl, migrates)
    }

    fn is_empty(&self, slot: u32) -> bool {
        self.table.entries.read(slot).is_none()
    }

    fn export(&self, slots: &[u32], each: Each<'_>) {
        let values: Vec<_> = slots.iter().map(|&slot| self.table.entries.read(slot).clone()).collect();
        write_values(values.iter().map(Option::as_ref), each);
    }

    fn import(&self, slots: &[u32], block: &Block<'_>, first: usize) -> Result<usize, Error> {
        for (value, &slot) in read_values(block, first)?.into_iter().zip(slots) {
            *self.table.entries.entry(slot) = value;
        }
        Ok(<With<T, Stamp>>::COLUMNS)
    }

    fn migrate(&self, saved: &Schema, block: &Block<'_>, first: usize, each: Each<'_>) -> Result<(), Error> {
        // The layout wants every column, also of what could not be read.
        let (mut values, failed) = match self.read_saved(saved, block, first) {
            Ok(values) => (values, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        values.resize_with(block.rows(), || None);
        write_values(values.iter().map(Option::as_ref), each);
        failed.map_or(Ok(()), Err)
    }

    fn sweep(&self, slot: u32, domain: Domain) -> Option<i64> {
        let lease = &self.table.lease;
        self.table.swept(slot, domain, |value| {
            value.take_if(|value| !lease.keeps(&mut value.extra));
            value.as_ref().and_then(|value| lease.end(value.extra))
        })
    }
}

/// Records of a nested block with their stamps, which one of a time before the time-to-live does not have.
fn stamped<T: Record>(bytes: &[u8]) -> Result<Vec<With<T, Stamp>>, Error> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let block = Block::parse(bytes)?;
    if block.columns() == T::COLUMNS {
        let readers = T::open(&mut Cursor::new(&block))?;
        return Ok((0..block.rows()).map(|row| With { record: T::read(&readers, row), extra: Stamp::default() }).collect());
    }
    let readers = <With<T, Stamp> as Record>::open(&mut Cursor::new(&block))?;
    Ok((0..block.rows()).map(|row| Record::read(&readers, row)).collect())
}

/// The lists of earlier versions are blocks as today's are: they are handed on.
fn migrate_bytes(saved: &Schema, block: &Block<'_>, first: usize, each: Each<'_>) -> Result<(), Error> {
    let read = if are_of(saved, &Schema::of::<List<i64>>()) { import_bytes(block, first) } else { Ok(Vec::new()) };
    let (mut lists, failed) = read.map_or_else(|error| (Vec::new(), Some(error)), |lists| (lists, None));
    lists.resize_with(block.rows(), Vec::new);
    export_lists(lists.into_iter(), each);
    failed.map_or(Ok(()), Err)
}

impl<T: Record + Clone> Table for ExpiringList<T> {
    entries!(entries);

    fn declare(&self, name: &str) -> State {
        declared(name, StateKind::List, Schema::of::<List<T>>(), self.lease.ttl, Vec::new())
    }

    fn is_empty(&self, slot: u32) -> bool {
        self.entries.read(slot).is_empty()
    }

    fn export(&self, slots: &[u32], each: Each<'_>) {
        export_lists(slots.iter().map(|&slot| block_of(self.entries.read(slot).iter())), each);
    }

    fn import(&self, slots: &[u32], block: &Block<'_>, first: usize) -> Result<usize, Error> {
        for (bytes, &slot) in import_bytes(block, first)?.iter().zip(slots) {
            *self.entries.entry(slot) = stamped(bytes)?;
        }
        Ok(1)
    }

    fn migrate(&self, saved: &Schema, block: &Block<'_>, first: usize, each: Each<'_>) -> Result<(), Error> {
        migrate_bytes(saved, block, first, each)
    }

    fn sweep(&self, slot: u32, domain: Domain) -> Option<i64> {
        self.swept(slot, domain, |list| {
            list.retain_mut(|entry| self.lease.keeps(&mut entry.extra));
            list.iter().filter_map(|entry| self.lease.end(entry.extra)).max()
        })
    }
}

impl<K: Key, V: Record + Clone> Table for ExpiringMap<K, V> {
    entries!(entries);

    fn declare(&self, name: &str) -> State {
        declared(name, StateKind::Map, Schema::of::<List<With<K, V>>>(), self.lease.ttl, Vec::new())
    }

    fn is_empty(&self, slot: u32) -> bool {
        self.entries.read(slot).is_empty()
    }

    fn export(&self, slots: &[u32], each: Each<'_>) {
        let pairs = |slot: &u32| {
            let map = self.entries.read(*slot);
            let pair = |(key, value): (&K, &With<V, Stamp>)| {
                let record = With { record: key.clone(), extra: value.record.clone() };
                With { record, extra: value.extra }
            };
            let pairs: Vec<_> = map.iter().map(pair).collect();
            block_of(pairs.iter())
        };
        export_lists(slots.iter().map(pairs), each);
    }

    fn import(&self, slots: &[u32], block: &Block<'_>, first: usize) -> Result<usize, Error> {
        for (bytes, &slot) in import_bytes(block, first)?.iter().zip(slots) {
            let pairs = stamped::<With<K, V>>(bytes)?.into_iter();
            let entry = |pair: With<With<K, V>, Stamp>| (pair.record.record, With { record: pair.record.extra, extra: pair.extra });
            *self.entries.entry(slot) = pairs.map(entry).collect();
        }
        Ok(1)
    }

    fn migrate(&self, saved: &Schema, block: &Block<'_>, first: usize, each: Each<'_>) -> Result<(), Error> {
        migrate_bytes(saved, block, first, each)
    }

    fn sweep(&self, slot: u32, domain: Domain) -> Option<i64> {
        self.swept(slot, domain, |map| {
            map.retain(|_, value| self.lease.keeps(&mut value.extra));
            map.values().filter_map(|value| self.lease.end(value.extra)).max()
        })
    }
}
