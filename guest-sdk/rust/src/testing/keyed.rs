//! Slots and timers of one operator, as a host keeps them.

use std::collections::{BTreeMap, BTreeSet};

use super::row::Value;
use crate::runtime::{TimerAction, TimerOp};

/// A key and, for windows, the window's bounds.
pub(super) type Place = (Vec<Value>, Option<(i64, i64)>);

/// Which slot belongs to which key and window.
#[derive(Debug, Default)]
pub(super) struct Slots {
    numbers: BTreeMap<Place, u32>,
    places: Vec<Option<Place>>,
    free: Vec<u32>,
}

impl Slots {
    /// The slot of a place, a new one if need be.
    pub(super) fn slot(&mut self, place: &Place) -> u32 {
        if let Some(&slot) = self.numbers.get(place) {
            return slot;
        }
        let slot = self.free.pop().unwrap_or(self.places.len() as u32);
        if slot as usize == self.places.len() {
            self.places.push(None);
        }
        self.places[slot as usize] = Some(place.clone());
        self.numbers.insert(place.clone(), slot);
        slot
    }

    /// Forgets a slot, whose number may come back.
    pub(super) fn forget(&mut self, slot: u32) {
        if let Some(place) = self.places[slot as usize].take() {
            self.numbers.remove(&place);
            self.free.push(slot);
        }
    }

    /// The key of a slot.
    pub(super) fn key(&self, slot: u32) -> Vec<Value> {
        self.places[slot as usize].as_ref().map(|(key, _)| key.clone()).expect("a slot that the call named")
    }

    /// The places of the slots in use, in the order of [`Slots::all`].
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.numbers.keys()
    }

    /// All slots in use.
    pub(super) fn all(&self) -> Vec<u32> {
        self.numbers.values().copied().collect()
    }
}

/// The timers of one operator: when, which, and of which key.
#[derive(Debug, Default)]
pub(super) struct Timers {
    set: BTreeSet<(i64, u32, Vec<Value>)>,
}

impl Timers {
    /// Applies a change.
    pub(super) fn apply(&mut self, op: TimerOp, key: Vec<Value>) {
        if matches!(op.action, TimerAction::Replace | TimerAction::Clear) {
            self.set.retain(|(_, timer, k)| *timer != op.timer || *k != key);
        }
        match op.action {
            TimerAction::Add | TimerAction::Replace => {
                self.set.insert((op.time, op.timer, key));
            }
            TimerAction::Delete => {
                self.set.remove(&(op.time, op.timer, key));
            }
            TimerAction::Clear => {}
        }
    }

    /// Takes the earliest timer that is due: `limit` gives for each timer up to when it is.
    pub(super) fn due(&mut self, limit: impl Fn(u32) -> i64) -> Option<(i64, u32, Vec<Value>)> {
        let next = self.set.iter().find(|(time, timer, _)| *time <= limit(*timer)).cloned()?;
        self.set.remove(&next);
        Some(next)
    }

    /// Takes over timers of an earlier version: `number` gives what each is now, if it is still declared.
    pub(super) fn take_over(&mut self, earlier: &Timers, number: impl Fn(u32) -> Option<u32>) {
        let timers = earlier.set.iter().filter_map(|(time, timer, key)| Some((*time, number(*timer)?, key.clone())));
        self.set.extend(timers);
    }

    /// All timers, the earliest first.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, i64)> {
        self.set.iter().map(|(time, timer, _)| (*timer, *time))
    }
}
