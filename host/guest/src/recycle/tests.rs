//! Exchanges driven by a guest of closures that leaks, against one that does not.
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Mutex;

use proptest::prelude::*;
use tidemill_core::block::{Builder, Value};
use tidemill_core::schema::Schema;
use tidemill_core::spill::{self, Spill, Spills};

use super::*;
use crate::cold::Moved;

/// Operators 0 (no state), 1 and 2 (a sum per slot); chain 0 is of 0, chain 1 of 1 and 0, chain 7 of 2.
const CHAINS: [(ChainId, &[OperatorId]); 3] = [(0, &[0]), (1, &[1, 0]), (7, &[2])];
const STATEFUL: [bool; 3] = [false, true, true];
/// Bytes of a fresh instance.
const FRESH: usize = 100;

/// Adds the row number plus one to a slot; a sum that is a multiple of five is cleared.
struct Leaky {
    sums: BTreeMap<(OperatorId, Slot), i64>,
    chains: BTreeMap<ChainId, Vec<OperatorId>>,
    memory: usize,
    /// Bytes that every call leaves behind.
    leak: usize,
    /// Bytes that a sum takes.
    sum_bytes: usize,
    /// What all instances together were asked to export: operator and number of slots.
    exports: Rc<RefCell<Vec<(OperatorId, usize)>>>,
}

impl Leaky {
    fn schema() -> Schema {
        "sum:i64?".parse().unwrap()
    }
}

impl Measured for Leaky {
    fn memory_bytes(&self) -> usize {
        self.memory + self.sum_bytes * self.sums.len()
    }
}

impl Guest for Leaky {
    fn link(&mut self, chain: ChainId, members: &[OperatorId]) -> Result<(), Error> {
        self.chains.insert(chain, members.to_vec());
        Ok(())
    }

    fn process(&mut self, chain: ChainId, _: u32, _: Moment, _: &Block, _: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        let head = self.chains[&chain][0];
        self.memory += self.leak;
        let mut outcome = Outcome::default();
        for (row, slot) in slots.iter().enumerate() {
            *self.sums.entry((head, *slot)).or_default() += row as i64 + 1;
        }
        for slot in slots {
            if self.sums.get(&(head, *slot)).is_some_and(|sum| sum % 5 == 0) {
                self.sums.remove(&(head, *slot));
                outcome.cleared.push(*slot);
            }
        }
        Ok(outcome)
    }

    fn on_timer(&mut self, chain: ChainId, at: Moment, block: &Block, slots: &[Slot]) -> Result<Outcome, Error> {
        self.process(chain, 0, at, block, &[], slots)
    }

    fn fire(&mut self, _: ChainId, _: Moment, _: &Block, _: &[u32], _: &[Slot]) -> Result<Outcome, Error> {
        self.memory += self.leak;
        Ok(Outcome::default())
    }

    fn merge(&mut self, operator: OperatorId, targets: &[Slot], sources: &[Slot]) -> Result<(), Error> {
        self.memory += self.leak;
        for (target, source) in targets.iter().zip(sources) {
            let moved = self.sums.remove(&(operator, *source)).unwrap_or_default();
            *self.sums.entry((operator, *target)).or_default() += moved;
        }
        Ok(())
    }

    fn export_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<Block, Error> {
        self.exports.borrow_mut().push((operator, slots.len()));
        let mut builder = Builder::new(&Leaky::schema());
        for slot in slots {
            builder.push_time(0);
            match self.sums.get(&(operator, *slot)) {
                Some(sum) => builder.column(0).push_i64(*sum),
                None => builder.column(0).push_absent(),
            }
        }
        Ok(builder.finish().unwrap())
    }

    fn import_state(&mut self, operator: OperatorId, slots: &[Slot], block: &Block) -> Result<(), Error> {
        for (row, slot) in slots.iter().enumerate() {
            if let Value::I64(sum) = block.column(0).value(row) {
                let before = self.sums.insert((operator, *slot), sum);
                assert_eq!(before, None, "state is only loaded into empty slots");
            }
        }
        Ok(())
    }

    fn drop_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(), Error> {
        self.memory += self.leak;
        self.sums.retain(|(owner, slot), _| *owner != operator || !slots.contains(slot));
        Ok(())
    }
}

type Exports = Rc<RefCell<Vec<(OperatorId, usize)>>>;

fn recycled(leak: usize, memory_max: usize) -> (Recycled<Leaky>, Arc<AtomicU64>, Exports) {
    let (count, exports) = (Arc::new(AtomicU64::new(0)), Exports::default());
    let shared = exports.clone();
    let make =
        move || Ok(Leaky { sums: BTreeMap::new(), chains: BTreeMap::new(), memory: FRESH, leak, sum_bytes: 0, exports: shared.clone() });
    let mut guest = Recycled::new(Box::new(make), STATEFUL.into_iter(), memory_max, count.clone(), None).unwrap();
    CHAINS.iter().for_each(|(chain, members)| guest.link(*chain, members).unwrap());
    (guest, count, exports)
}

/// Shares in memory.
#[derive(Default)]
struct Shares {
    /// All slots that are out, of all shares.
    out: Arc<Mutex<BTreeMap<(OperatorId, Slot), Vec<u8>>>>,
    /// What answers instead.
    full: Option<String>,
}

impl Spills for Shares {
    fn share(&self) -> Result<Box<dyn Spill>, spill::Error> {
        Ok(Box::new(Shares { out: self.out.clone(), full: self.full.clone() }))
    }
}

impl Spill for Shares {
    fn put(&mut self, operator: OperatorId, slot: Slot, state: &[u8]) -> Result<(), spill::Error> {
        if let Some(full) = &self.full {
            return Err(spill::Error(full.clone()));
        }
        self.out.lock().unwrap().insert((operator, slot), state.to_vec());
        Ok(())
    }

    fn get(&mut self, operator: OperatorId, slot: Slot) -> Result<Vec<u8>, spill::Error> {
        self.out.lock().unwrap().get(&(operator, slot)).cloned().ok_or_else(|| spill::Error("it is not there".to_owned()))
    }

    fn remove(&mut self, operator: OperatorId, slot: Slot) -> Result<(), spill::Error> {
        self.out.lock().unwrap().remove(&(operator, slot));
        Ok(())
    }
}

/// A guest whose sums take ten bytes each and may have `budget` of them.
fn tight(budget: usize, full: Option<&str>) -> (Recycled<Leaky>, Arc<Moved>) {
    let moved = Arc::new(Moved::default());
    let shares = Shares { full: full.map(str::to_owned), ..Shares::default() };
    let schemas = STATEFUL.into_iter().map(|has| if has { Leaky::schema() } else { Schema::default() });
    let cold = Cold::new(Arc::new(shares), budget, schemas, moved.clone());
    let make =
        || Ok(Leaky { sums: BTreeMap::new(), chains: BTreeMap::new(), memory: FRESH, leak: 0, sum_bytes: 10, exports: Exports::default() });
    let mut guest = Recycled::new(Box::new(make), STATEFUL.into_iter(), 1 << 20, Arc::default(), Some(cold)).unwrap();
    CHAINS.iter().for_each(|(chain, members)| guest.link(*chain, members).unwrap());
    (guest, moved)
}

/// All there is of an operator, in whatever place.
fn all(guest: &mut dyn Guest, operator: OperatorId) -> Block {
    guest.export_state(operator, &(0..400).rev().collect::<Vec<_>>()).unwrap()
}

fn one_row() -> Block {
    let mut builder = Builder::new(&"n:i64".parse().unwrap());
    builder.push_time(0);
    builder.column(0).push_i64(1);
    builder.finish().unwrap()
}

const AT: Moment = Moment { watermark: 0, now: 0 };

#[derive(Clone, Debug)]
enum Call {
    Process(ChainId, Vec<Slot>),
    Timer(Vec<Slot>),
    Fire,
    Merge(Vec<(Slot, Slot)>),
    Drop(OperatorId, Vec<Slot>),
    Import(Slot, i64),
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let slot = || 0u32..200;
    let slots = || proptest::collection::vec(slot(), 1..9);
    let pairs = proptest::collection::vec((slot(), slot()).prop_filter("two slots", |(a, b)| a != b), 1..5);
    let call = prop_oneof![
        4 => (prop_oneof![Just(1), Just(7)], slots()).prop_map(|(chain, slots)| Call::Process(chain, slots)),
        1 => Just(Call::Process(0, Vec::new())),
        1 => slots().prop_map(Call::Timer),
        1 => Just(Call::Fire),
        2 => pairs.prop_map(Call::Merge),
        2 => (1u32..3, slots()).prop_map(|(operator, slots)| Call::Drop(operator, slots)),
        1 => (slot(), any::<i64>()).prop_map(|(slot, sum)| Call::Import(200 + slot, sum)),
    ];
    proptest::collection::vec(call, 1..80)
}

fn run(guest: &mut dyn Guest, call: &Call) -> Outcome {
    let block = one_row();
    match call {
        Call::Process(chain, slots) => guest.process(*chain, 0, AT, &block, &[], slots).unwrap(),
        Call::Timer(slots) => guest.on_timer(1, AT, &block, slots).unwrap(),
        Call::Fire => guest.fire(7, AT, &block, &[0, 1], &[0]).unwrap(),
        Call::Merge(pairs) => {
            let (targets, sources): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
            guest.merge(2, &targets, &sources).unwrap();
            Outcome::default()
        }
        Call::Drop(operator, slots) => {
            guest.drop_state(*operator, slots).unwrap();
            Outcome::default()
        }
        Call::Import(slot, sum) => {
            let mut builder = Builder::new(&Leaky::schema());
            builder.push_time(0);
            builder.column(0).push_i64(*sum);
            // Only an empty slot is ever loaded.
            guest.drop_state(1, &[*slot]).unwrap();
            guest.import_state(1, &[*slot], &builder.finish().unwrap()).unwrap();
            Outcome::default()
        }
    }
}

proptest! {
    /// Whatever is called, an instance that is exchanged after nearly every call answers as one that never is, and holds the same state.
    #[test]
    fn nobody_notices_an_exchange(calls in calls()) {
        let ((mut leaky, count, _), (mut calm, none, _)) = (recycled(60, 220), recycled(0, 220));
        for call in &calls {
            prop_assert_eq!(run(&mut leaky, call), run(&mut calm, call));
        }
        prop_assert_eq!(none.load(Relaxed), 0);
        prop_assert!(count.load(Relaxed) as usize >= calls.len() / 2);
        prop_assert_eq!(&leaky.guest.sums, &calm.guest.sums);
        // The book names no slot that is empty, and none of the operator without state.
        let held: Vec<(OperatorId, Slot)> = leaky.guest.sums.keys().copied().collect();
        let booked: Vec<(OperatorId, Slot)> = (0..3).flat_map(|id| leaky.live[id].iter().flat_map(Slots::iter).map(move |slot| (id as OperatorId, slot)).collect::<Vec<_>>()).collect();
        prop_assert!(held.iter().all(|slot| booked.contains(slot)));
    }
}

proptest! {
    /// Where state may have room for five sums, nearly all of it is out; no call and no export shows it.
    #[test]
    fn nobody_notices_that_state_is_out(calls in calls()) {
        let ((mut small, moved), (mut calm, ..)) = (tight(50, None), recycled(0, 1 << 20));
        for call in &calls {
            prop_assert_eq!(run(&mut small, call), run(&mut calm, call));
            prop_assert!(small.guest.sums.len() <= 5 + 10, "{} sums are in memory: five, and what one call needs", small.guest.sums.len());
        }
        let in_memory = small.guest.sums.len();
        for operator in [1, 2] {
            prop_assert_eq!(all(&mut small, operator), all(&mut calm, operator));
        }
        prop_assert_eq!(small.guest.sums.len(), in_memory, "an export loads nothing");
        prop_assert!(moved.out.load(Relaxed) > 0 || calm.guest.sums.len() <= 15);
    }
}

#[test]
fn what_was_named_last_stays() {
    let (mut guest, moved) = tight(200, None);
    // No sum is a multiple of five, which would be cleared.
    for slot in 0..20 {
        run(&mut guest, &Call::Process(1, vec![slot]));
    }
    assert_eq!(moved.out.load(Relaxed), 0, "twenty have room");
    run(&mut guest, &Call::Process(1, vec![3]));
    run(&mut guest, &Call::Process(1, vec![20]));
    let warm: Vec<Slot> = guest.guest.sums.keys().map(|(_, slot)| *slot).collect();
    assert!(warm.len() < 20 && warm.contains(&3) && warm.contains(&20), "{warm:?}");
    assert!(!warm.contains(&0), "{warm:?}");
    assert_eq!(moved.back.load(Relaxed), 0);
    run(&mut guest, &Call::Process(1, vec![0]));
    assert_eq!(moved.back.load(Relaxed), 1);
}

#[test]
fn a_store_that_is_full_is_an_error_of_its_own() {
    let (mut guest, _) = tight(20, Some("no space left on device"));
    let slots: Vec<Slot> = (0..200).collect();
    let error = guest.process(1, 0, AT, &one_row(), &[], &slots).unwrap_err();
    assert_eq!(error, Error::Storage { message: "no space left on device".to_owned() });
}

#[test]
fn an_exchange_comes_when_half_of_the_room_is_taken_and_not_before() {
    let (mut guest, count, _) = recycled(10, 200);
    let call = |guest: &mut Recycled<Leaky>| drop(run(guest, &Call::Process(1, vec![4])));
    (0..5).for_each(|_| call(&mut guest));
    assert_eq!((count.load(Relaxed), guest.guest.memory), (0, FRESH + 50), "just half of the hundred bytes that were free");
    call(&mut guest);
    assert_eq!((count.load(Relaxed), guest.guest.memory), (1, FRESH));
}

#[test]
fn an_instance_that_its_state_fills_is_not_exchanged_over_and_over() {
    assert_eq!(mark(100, 1600), 850);
    assert_eq!(mark(1500, 1600), 1550);
    assert_eq!(mark(1501, 1600), usize::MAX);
    assert_eq!(mark(1700, 1600), usize::MAX);
    let (mut guest, count, _) = recycled(1, FRESH + FRESH / ROOM_SHARE - 1);
    (0..100).for_each(|_| drop(run(&mut guest, &Call::Fire)));
    assert_eq!(count.load(Relaxed), 0);
}

#[test]
fn blocks_are_bounded_whatever_the_size_of_a_slot() {
    assert_eq!(next_count(64, 64 * 16), SLOTS_MAX);
    assert_eq!(next_count(64, 64 << 20), 1);
    assert_eq!(next_count(64, 2 << 20), 32);
    assert_eq!(next_count(1, 0), SLOTS_MAX);
    let (mut guest, count, exports) = recycled(200, 300);
    run(&mut guest, &Call::Process(1, (0..10_000).map(|slot| 3 * slot).collect()));
    assert_eq!(count.load(Relaxed), 1);
    let exports = exports.borrow();
    assert_eq!(exports[0], (1, SLOTS_FIRST));
    assert_eq!(exports.iter().map(|(_, slots)| slots).sum::<usize>(), 8_000, "two thousand sums are multiples of five and were cleared");
    assert!(exports.iter().all(|(operator, slots)| *operator == 1 && *slots <= SLOTS_MAX));
}

#[test]
fn an_exchange_that_fails_is_an_error_of_the_call() {
    let made = RefCell::new(0);
    let make = move || {
        *made.borrow_mut() += 1;
        match *made.borrow() {
            1 => Ok(Leaky {
                sums: BTreeMap::new(),
                chains: BTreeMap::new(),
                memory: FRESH,
                leak: 100,
                sum_bytes: 0,
                exports: Exports::default(),
            }),
            _ => Err(Error::Contract { export: "plan", message: "another plan".to_owned() }),
        }
    };
    let mut guest = Recycled::new(Box::new(make), STATEFUL.into_iter(), 200, Arc::default(), None).unwrap();
    guest.link(0, &[0]).unwrap();
    let error = guest.process(0, 0, AT, &one_row(), &[], &[]).unwrap_err();
    assert_eq!(error, Error::Contract { export: "plan", message: "another plan".to_owned() });
}
