//! State with a time-to-live.

use std::cell::{Ref, RefMut};
use std::rc::Rc;

use super::Handle;
use crate::plan::Domain;
use crate::record::{Key, Record, With};
use crate::runtime::{self, CLEARED, Stamp};
use crate::time::Span;

/// How long state lives after it was written last: a value as a whole, of a list each record and of a map each entry.
///
/// What has expired is never seen again, and is removed in the end, also of a key that no record comes for. In event time an entry is as old as the record it
/// was written for, or as the watermark where that is further on, and expires when the watermark comes to its end; in
/// processing time the host's clock counts.
///
/// ```
/// # use tidemill::prelude::*;
/// /// Lets the first record of a key through, and again one when none was let through for an hour.
/// struct Once { seen: ExpiringValue<bool> }
///
/// impl Process for Once {
///     type Key = String;
///     type In = i64;
///     type Out = i64;
///
///     fn on_record(&self, ctx: &mut Ctx<String, i64>, record: i64) -> Result {
///         if ctx.state(&self.seen).get().is_none() {
///             ctx.state(&self.seen).set(true);
///             ctx.emit(record);
///         }
///         Ok(())
///     }
/// }
///
/// let mut test = tidemill::testing::process(|d| Once { seen: d.expiring_value("seen", Ttl::processing_time(hours(1))) });
/// test.push("a".into(), 1, 0);
/// test.push("a".into(), 2, 0);
/// test.set_processing_time(hours(1).ms());
/// test.push("a".into(), 3, 0);
/// assert_eq!(test.output(), [(1, 0), (3, 0)]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl {
    pub(crate) span: Span,
    pub(crate) domain: Domain,
    pub(crate) is_renewed_by_reads: bool,
}

impl Ttl {
    /// In event time.
    pub const fn event_time(span: Span) -> Ttl {
        Ttl { span, domain: Domain::Event, is_renewed_by_reads: false }
    }

    /// In processing time.
    pub const fn processing_time(span: Span) -> Ttl {
        Ttl { span, domain: Domain::Processing, is_renewed_by_reads: false }
    }

    /// Reading an entry lets it live on as writing it does.
    #[must_use]
    pub const fn renewed_by_reads(self) -> Ttl {
        Ttl { is_renewed_by_reads: true, ..self }
    }
}

/// A value per key that expires.
pub struct ExpiringValue<T: Record + Clone>(pub(crate) Rc<runtime::ExpiringValue<T>>);

/// The value of the key in hand.
pub struct ExpiringValueRef<'h, T: Record + Clone> {
    table: &'h runtime::Expiring<Option<With<T, Stamp>>>,
    slot: u32,
}

impl<T: Record + Clone> ExpiringValue<T> {
    /// As [`Value::migrates_from`](super::Value::migrates_from). When the value was written stays known.
    #[must_use]
    pub fn migrates_from<Old: Record>(self, convert: impl Fn(Old) -> T + 'static) -> ExpiringValue<T> {
        self.0.migrates_from(convert);
        self
    }
}

impl<T: Record + Clone> Handle for ExpiringValue<T> {
    type Ref<'h> = ExpiringValueRef<'h, T>;

    #[inline]
    fn at(&self, slot: u32) -> ExpiringValueRef<'_, T> {
        ExpiringValueRef { table: &self.0.table, slot }
    }
}

impl<'h, T: Record + Clone> ExpiringValueRef<'h, T> {
    /// When the value was written, where there is one to be seen.
    fn stamp(&self) -> Option<Stamp> {
        self.table.entries.read(self.slot).as_ref().map(|value| value.extra).filter(|&stamp| self.table.lease.is_live(stamp))
    }

    /// The value, if there is one.
    #[track_caller]
    pub fn get(&self) -> Option<Ref<'h, T>> {
        let stamp = self.stamp()?;
        if self.table.lease.is_renewed_by_read(stamp)
            && let Some(value) = &mut *self.table.entries.change(self.slot, 0)
        {
            value.extra = self.table.lease.renewed(stamp);
        }
        Ref::filter_map(self.table.entries.read(self.slot), |value| value.as_ref().map(|value| &value.record)).ok()
    }

    /// A copy of the value, if there is one.
    #[track_caller]
    pub fn cloned(&self) -> Option<T> {
        self.get().map(|value| value.clone())
    }

    /// Replaces the value.
    #[track_caller]
    pub fn set(&self, record: T) {
        let extra = self.table.lease.renewed(self.stamp().unwrap_or_default());
        *self.table.entries.change(self.slot, 0) = Some(With { record, extra });
    }

    /// The value for changing; `first` where there is none.
    #[track_caller]
    pub fn or_insert(&self, first: T) -> RefMut<'h, T> {
        let before = self.stamp();
        let extra = self.table.lease.renewed(before.unwrap_or_default());
        RefMut::map(self.table.entries.change(self.slot, 0), |value| {
            value.take_if(|_| before.is_none());
            let value = value.get_or_insert(With { record: first, extra });
            value.extra = extra;
            &mut value.record
        })
    }

    /// The value for changing; the type's default where there is none.
    #[track_caller]
    pub fn or_default(&self) -> RefMut<'h, T>
    where
        T: Default,
    {
        self.or_insert(T::default())
    }

    /// Removes the value and returns it.
    #[track_caller]
    pub fn take(&self) -> Option<T> {
        let live = self.stamp();
        if self.table.entries.read(self.slot).is_none() {
            return None;
        }
        let value = self.table.entries.change(self.slot, CLEARED).take();
        live.and(value).map(|value| value.record)
    }

    /// Removes the value.
    #[track_caller]
    pub fn clear(&self) {
        self.take();
    }
}

/// A list per key of which each record expires by itself.
pub struct ExpiringList<T: Record + Clone>(pub(crate) Rc<runtime::ExpiringList<T>>);

/// The list of the key in hand.
pub struct ExpiringListRef<'h, T: Record + Clone> {
    table: &'h runtime::ExpiringList<T>,
    slot: u32,
}

impl<T: Record + Clone> Handle for ExpiringList<T> {
    type Ref<'h> = ExpiringListRef<'h, T>;

    #[inline]
    fn at(&self, slot: u32) -> ExpiringListRef<'_, T> {
        ExpiringListRef { table: &self.0, slot }
    }
}

impl<T: Record + Clone> ExpiringListRef<'_, T> {
    /// Copies of the records that have not expired, in the order they were pushed.
    #[track_caller]
    pub fn get(&self) -> Vec<T> {
        let lease = &self.table.lease;
        let renews = |entry: &With<T, Stamp>| lease.is_live(entry.extra) && lease.is_renewed_by_read(entry.extra);
        if self.table.entries.read(self.slot).iter().any(renews) {
            let mut entries = self.table.entries.change(self.slot, 0);
            entries.iter_mut().filter(|entry| lease.is_live(entry.extra)).for_each(|entry| entry.extra = lease.renewed(entry.extra));
        }
        let entries = self.table.entries.read(self.slot);
        entries.iter().filter(|entry| lease.is_live(entry.extra)).map(|entry| entry.record.clone()).collect()
    }

    /// Adds a record at the end.
    #[track_caller]
    pub fn push(&self, record: T) {
        let extra = self.table.lease.renewed(Stamp::default());
        self.table.entries.change(self.slot, 0).push(With { record, extra });
    }

    /// Replaces the list.
    #[track_caller]
    pub fn set(&self, records: Vec<T>) {
        let extra = self.table.lease.renewed(Stamp::default());
        *self.table.entries.change(self.slot, CLEARED) = records.into_iter().map(|record| With { record, extra }).collect();
    }

    /// Empties the list.
    #[track_caller]
    pub fn clear(&self) {
        if !self.table.entries.read(self.slot).is_empty() {
            self.table.entries.change(self.slot, CLEARED).clear();
        }
    }
}

/// A map per key of the stream of which each entry expires by itself.
pub struct ExpiringMap<K: Key, V: Record + Clone>(pub(crate) Rc<runtime::ExpiringMap<K, V>>);

/// The map of the key in hand.
pub struct ExpiringMapRef<'h, K: Key, V: Record + Clone> {
    table: &'h runtime::ExpiringMap<K, V>,
    slot: u32,
}

impl<K: Key, V: Record + Clone> Handle for ExpiringMap<K, V> {
    type Ref<'h> = ExpiringMapRef<'h, K, V>;

    #[inline]
    fn at(&self, slot: u32) -> ExpiringMapRef<'_, K, V> {
        ExpiringMapRef { table: &self.0, slot }
    }
}

impl<'h, K: Key, V: Record + Clone> ExpiringMapRef<'h, K, V> {
    fn stamp(&self, key: &K) -> Option<Stamp> {
        self.table.entries.read(self.slot).get(key).map(|value| value.extra).filter(|&stamp| self.table.lease.is_live(stamp))
    }

    /// The value of a key, if it has one.
    #[track_caller]
    pub fn get(&self, key: &K) -> Option<Ref<'h, V>> {
        let stamp = self.stamp(key)?;
        if self.table.lease.is_renewed_by_read(stamp)
            && let Some(value) = self.table.entries.change(self.slot, 0).get_mut(key)
        {
            value.extra = self.table.lease.renewed(stamp);
        }
        Ref::filter_map(self.table.entries.read(self.slot), |map| map.get(key).map(|value| &value.record)).ok()
    }

    /// Copies of the entries that have not expired, in the order of their keys. This reads each of them.
    #[track_caller]
    pub fn entries(&self) -> Vec<(K, V)> {
        let keys: Vec<K> = self.table.entries.read(self.slot).keys().cloned().collect();
        keys.into_iter().filter_map(|key| self.get(&key).map(|value| value.clone()).map(|value| (key, value))).collect()
    }

    /// Sets an entry; returns the value it had.
    #[track_caller]
    pub fn insert(&self, key: K, record: V) -> Option<V> {
        let before = self.stamp(&key);
        let extra = self.table.lease.renewed(before.unwrap_or_default());
        let value = self.table.entries.change(self.slot, 0).insert(key, With { record, extra });
        before.and(value).map(|value| value.record)
    }

    /// Removes an entry and returns its value.
    #[track_caller]
    pub fn remove(&self, key: &K) -> Option<V> {
        let live = self.stamp(key);
        if !self.table.entries.read(self.slot).contains_key(key) {
            return None;
        }
        let value = self.table.entries.change(self.slot, CLEARED).remove(key);
        live.and(value).map(|value| value.record)
    }

    /// Empties the map.
    #[track_caller]
    pub fn clear(&self) {
        if !self.table.entries.read(self.slot).is_empty() {
            self.table.entries.change(self.slot, CLEARED).clear();
        }
    }
}
