//! Timers of one keyed operator on one worker and one time domain (semantics.md #22, #23).
//!
//! Rules: at most one timer per (key, name, time); they fire in order of time, at most one of a key in one round, so that an
//! earlier one can remove a later one that is due in the same advance.
//!
//! Due times live in coarse buckets of [`BUCKET_MS`]; when time comes to a bucket, its entries move to a queue per key, from
//! which rounds take one each. The truth is each key's own short list: removing a timer only touches
//! that, and an entry without a counterpart there is skipped when it comes up. Every entry is moved
//! twice at most, so a key with very many due timers costs no more than many keys with one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use tidemill_core::guest::{Slot, TimerAction, TimerOp};
use tidemill_core::{TIME_MIN, TimeMs};

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
#[derive(Debug)]
pub(crate) struct Timers {
    buckets: BTreeMap<TimeMs, Vec<Due>>,
    /// What is due at this time or before waits in `queues`, everything else in `buckets`.
    horizon: TimeMs,
    /// Due timers by slot, earliest first.
    queues: Vec<BinaryHeap<Reverse<(TimeMs, u32)>>>,
    /// Slots whose queue is not empty, each once.
    ready: Vec<Slot>,
    /// Timers set, by slot.
    of_slot: Vec<Vec<(u32, TimeMs)>>,
    count: usize,
}

impl Default for Timers {
    fn default() -> Timers {
        Timers { buckets: BTreeMap::new(), horizon: TIME_MIN, queues: Vec::new(), ready: Vec::new(), of_slot: Vec::new(), count: 0 }
    }
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

    /// The timers of the slot's key: name and time.
    pub(crate) fn of(&self, slot: Slot) -> &[(u32, TimeMs)] {
        self.of_slot.get(slot as usize).map_or(&[], Vec::as_slice)
    }

    /// When the earliest is due.
    pub(crate) fn next(&self) -> Option<TimeMs> {
        let live = |due: &&Due| self.of(due.slot).contains(&(due.timer, due.time));
        let queued = self.ready.iter().flat_map(|&slot| &self.queues[slot as usize]).map(|&Reverse((time, _))| time);
        let waiting = self.buckets.values().find_map(|bucket| bucket.iter().filter(live).map(|due| due.time).min());
        queued.chain(waiting).min()
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
        if due.time <= self.horizon {
            self.queue(due);
        } else {
            self.buckets.entry(bucket(due.time)).or_default().push(due);
        }
    }

    fn retain(&mut self, slot: Slot, keep: impl Fn(u32, TimeMs) -> bool) {
        if let Some(list) = self.of_slot.get_mut(slot as usize) {
            let before = list.len();
            list.retain(|&(timer, time)| keep(timer, time));
            self.count -= before - list.len();
        }
    }

    fn queue(&mut self, due: Due) {
        let slot = due.slot as usize;
        if self.queues.len() <= slot {
            self.queues.resize_with(slot + 1, BinaryHeap::new);
        }
        if self.queues[slot].is_empty() {
            self.ready.push(due.slot);
        }
        self.queues[slot].push(Reverse((due.time, due.timer)));
    }

    /// Moves what has become due at `time` to the queues.
    fn stage(&mut self, time: TimeMs) {
        if time <= self.horizon {
            return;
        }
        self.horizon = time;
        while let Some(entry) = self.buckets.first_entry() {
            if *entry.key() > bucket(time) {
                return;
            }
            let (due, later): (Vec<Due>, Vec<Due>) = entry.remove().into_iter().partition(|d| d.time <= time);
            due.into_iter().for_each(|d| self.queue(d));
            if !later.is_empty() {
                self.buckets.insert(bucket(time), later);
                return;
            }
        }
    }

    /// Takes up to `most` timers due at `time` or before, each the earliest of its key, at most one of a key. Empty when none
    /// is due.
    pub(crate) fn round(&mut self, time: TimeMs, most: usize) -> Vec<Due> {
        self.stage(time);
        let mut round = Vec::new();
        let mut waiting = std::mem::take(&mut self.ready);
        waiting.retain(|&slot| {
            if round.len() >= most {
                return true;
            }
            let (queue, list) = (&mut self.queues[slot as usize], &mut self.of_slot[slot as usize]);
            while let Some(Reverse((time, timer))) = queue.pop() {
                if let Some(at) = list.iter().position(|&t| t == (timer, time)) {
                    list.swap_remove(at);
                    self.count -= 1;
                    round.push(Due { time, slot, timer });
                    break;
                }
            }
            !queue.is_empty()
        });
        self.ready = waiting;
        round.sort_unstable();
        round
    }
}

fn bucket(time: TimeMs) -> TimeMs {
    time.div_euclid(BUCKET_MS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

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
    fn the_next_one_is_the_earliest_that_has_not_been_taken_back() {
        let mut timers = Timers::default();
        assert_eq!(timers.next(), None);
        for (slot, time) in [(0, 5_000), (1, 90), (2, 70)] {
            timers.apply(op(slot, 0, TimerAction::Add, time));
        }
        assert_eq!(timers.next(), Some(70));
        timers.apply(op(2, 0, TimerAction::Delete, 70));
        assert_eq!(timers.next(), Some(90), "of one bucket with the deleted one");
        timers.apply(op(1, 0, TimerAction::Clear, 0));
        assert_eq!(timers.next(), Some(5_000));
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

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Apply(TimerOp),
        Advance(TimeMs),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let action =
            prop::sample::select(vec![TimerAction::Add, TimerAction::Add, TimerAction::Replace, TimerAction::Delete, TimerAction::Clear]);
        let near = prop_oneof![6 => -300i64..300, 1 => Just(TimeMs::MIN), 1 => Just(TimeMs::MAX)];
        let apply = (0u32..4, 0u32..3, action, near).prop_map(|(slot, timer, action, time)| Step::Apply(op(slot, timer, action, time)));
        let advance = prop_oneof![8 => (-300i64..300).prop_map(Step::Advance), 1 => Just(Step::Advance(TimeMs::MAX))];
        prop::collection::vec(prop_oneof![4 => apply, 1 => advance], 1..120)
    }

    /// The same by sets: all timers of a slot, and in each round the earliest of each slot that is due.
    #[derive(Default)]
    struct Model(BTreeMap<Slot, BTreeSet<(TimeMs, u32)>>);

    impl Model {
        fn apply(&mut self, op: TimerOp) {
            let set = self.0.entry(op.slot).or_default();
            match op.action {
                TimerAction::Add => {}
                TimerAction::Delete => {
                    set.remove(&(op.time, op.timer));
                    return;
                }
                TimerAction::Replace | TimerAction::Clear => set.retain(|(_, timer)| *timer != op.timer),
            }
            if op.action != TimerAction::Clear {
                set.insert((op.time, op.timer));
            }
        }

        fn round(&mut self, to: TimeMs) -> Vec<Due> {
            let mut due: Vec<Due> = Vec::new();
            for (&slot, set) in &mut self.0 {
                if let Some(&(time, timer)) = set.first().filter(|(time, _)| *time <= to) {
                    set.pop_first();
                    due.push(Due { time, slot, timer });
                }
            }
            due.sort_unstable();
            due
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Whatever is set, removed and set again, also in the past and between the rounds of one advance.
        #[test]
        fn timers_fire_as_sets_of_them_would(steps in steps()) {
            let (mut timers, mut model, mut now) = (Timers::default(), Model::default(), TimeMs::MIN);
            for step in steps {
                match step {
                    Step::Apply(op) => {
                        timers.apply(op);
                        model.apply(op);
                    }
                    Step::Advance(to) => now = now.max(to),
                }
                prop_assert_eq!(timers.round(now, 100), model.round(now), "at {}", now);
                let left: usize = model.0.values().map(BTreeSet::len).sum();
                prop_assert_eq!(timers.len(), left);
                for (&slot, set) in &model.0 {
                    prop_assert_eq!(timers.of(slot).iter().map(|&(timer, time)| (time, timer)).collect::<BTreeSet<_>>(), set.clone());
                }
            }
        }
    }
}
