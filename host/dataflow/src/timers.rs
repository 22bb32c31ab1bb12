//! Timers of one keyed operator on one worker and one time domain (semantics.md #22, #23).
//!
//! Rules: at most one timer per (key, name, time); they fire in order of time, at most one of a key in one round, so that an
//! earlier one can remove a later one that is due in the same advance.
//!
//! Due times live in coarse buckets of [`BUCKET_MS`]; the truth is each key's own short list. Removing a timer only
//! touches the list, and a bucket entry without a counterpart there is skipped when it comes up.

use std::collections::BTreeMap;

use tidemill_core::TimeMs;
use tidemill_core::guest::{Slot, TimerAction, TimerOp};

/// Width of a bucket: few enough buckets for a shallow tree, few enough timers in one to sort quickly.
const BUCKET_MS: TimeMs = 64;

/// A timer that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    /// When it was set for.
    pub(crate) time: TimeMs,
    /// The key's slot.
    pub(crate) slot: Slot,
    /// The name's index.
    pub(crate) timer: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    buckets: BTreeMap<TimeMs, Vec<Due>>,
    /// Timers set, by slot.
    of_slot: Vec<Vec<(u32, TimeMs)>>,
    count: usize,
}

impl Timers {
    /// Timers set.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Whether the slot's key has a timer.
    pub(crate) fn has(&self, slot: Slot) -> bool {
        self.of_slot.get(slot as usize).is_some_and(|list| !list.is_empty())
    }

    /// Applies an operation.
    pub(crate) fn apply(&mut self, op: TimerOp) {
        match op.action {
            TimerAction::Add => self.set(op),
            TimerAction::Replace => {
                self.retain(op.slot, |timer, time| timer != op.timer || time == op.time);
                self.set(op);
            }
            TimerAction::Delete => self.retain(op.slot, |timer, time| (timer, time) != (op.timer, op.time)),
            TimerAction::Clear => self.retain(op.slot, |timer, _| timer != op.timer),
        }
    }

    fn set(&mut self, op: TimerOp) {
        let slot = op.slot as usize;
        if self.of_slot.len() <= slot {
            self.of_slot.resize_with(slot + 1, Vec::new);
        }
        let list = &mut self.of_slot[slot];
        if list.contains(&(op.timer, op.time)) {
            return;
        }
        list.push((op.timer, op.time));
        self.count += 1;
        let due = Due { time: op.time, slot: op.slot, timer: op.timer };
        self.buckets.entry(op.time.div_euclid(BUCKET_MS)).or_default().push(due);
    }

    fn retain(&mut self, slot: Slot, keep: impl Fn(u32, TimeMs) -> bool) {
        if let Some(list) = self.of_slot.get_mut(slot as usize) {
            let before = list.len();
            list.retain(|&(timer, time)| keep(timer, time));
            self.count -= before - list.len();
        }
    }

    /// Takes up to `most` timers due at `time` or before: the earliest ones, in order, one for each key. Empty
    /// when none is due.
    pub(crate) fn round(&mut self, time: TimeMs, most: usize) -> Vec<Due> {
        let mut round: Vec<Due> = Vec::new();
        let mut again: Vec<Due> = Vec::new();
        let mut seen = hashbrown::HashSet::<Slot, foldhash::fast::FixedState>::default();
        while let Some(mut bucket) = self.buckets.first_entry() {
            if *bucket.key() > time.div_euclid(BUCKET_MS) || round.len() >= most {
                break;
            }
            let entries = bucket.get_mut();
            entries.sort_unstable();
            let due = entries.partition_point(|d| d.time <= time);
            let late: Vec<Due> = entries.drain(..due).collect();
            if entries.is_empty() {
                bucket.remove();
            }
            for due in late {
                let Some(list) = self.of_slot.get_mut(due.slot as usize) else { continue };
                let Some(at) = list.iter().position(|&t| t == (due.timer, due.time)) else { continue };
                if round.len() >= most || !seen.insert(due.slot) {
                    // Not this round; stays set until its own comes.
                    again.push(due);
                    continue;
                }
                list.swap_remove(at);
                self.count -= 1;
                round.push(due);
            }
            if self.buckets.first_key_value().is_some_and(|(k, _)| *k == time.div_euclid(BUCKET_MS)) {
                break;
            }
        }
        for due in again {
            self.buckets.entry(due.time.div_euclid(BUCKET_MS)).or_default().push(due);
        }
        round
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(slot: Slot, timer: u32, action: TimerAction, time: TimeMs) -> TimerOp {
        TimerOp { slot, timer, action, time }
    }

    #[test]
    fn duplicates_fire_once_and_other_times_are_other_timers() {
        let mut timers = Timers::default();
        for time in [10, 10, 20] {
            timers.apply(op(0, 0, TimerAction::Add, time));
        }
        assert_eq!(timers.len(), 2);
        assert_eq!(timers.round(9, 100), []);
        assert_eq!(timers.round(100, 100), [Due { time: 10, slot: 0, timer: 0 }], "one of a key in one round");
        assert_eq!(timers.round(100, 100), [Due { time: 20, slot: 0, timer: 0 }]);
        assert_eq!(timers.round(100, 100), []);
    }

    #[test]
    fn replace_delete_and_clear() {
        let mut timers = Timers::default();
        timers.apply(op(0, 0, TimerAction::Add, 10));
        timers.apply(op(0, 1, TimerAction::Add, 10));
        timers.apply(op(0, 0, TimerAction::Replace, 30));
        assert_eq!(timers.round(20, 100), [Due { time: 10, slot: 0, timer: 1 }]);
        timers.apply(op(0, 0, TimerAction::Delete, 31));
        assert_eq!(timers.len(), 1, "a missing timer is no error");
        timers.apply(op(0, 0, TimerAction::Clear, 0));
        assert_eq!(timers.len(), 0);
        assert_eq!(timers.round(TimeMs::MAX, 100), []);
    }

    #[test]
    fn an_earlier_timer_may_remove_a_later_one_of_the_same_advance() {
        let mut timers = Timers::default();
        timers.apply(op(0, 0, TimerAction::Add, -5));
        timers.apply(op(0, 0, TimerAction::Add, -4));
        assert_eq!(timers.round(0, 100).len(), 1);
        timers.apply(op(0, 0, TimerAction::Delete, -4));
        assert_eq!(timers.round(0, 100), []);
    }
}
