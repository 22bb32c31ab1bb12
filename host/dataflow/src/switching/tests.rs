//! Exchanges against a guest that never is exchanged.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use proptest::prelude::*;
use tidemill_core::block::Value;

use super::*;

/// Chain 0 is of operators 0 (a sum for each slot) and 1, chain 1 of operator 2 (likewise).
const CHAINS: [(ChainId, &[OperatorId]); 2] = [(0, &[0, 1]), (1, &[2])];
const AT: Moment = Moment { watermark: 0, now: 0 };

fn schema() -> Schema {
    "sum:i64?".parse().unwrap()
}

/// Adds `step` to the slots of a call, and clears sums that are multiples of seven.
struct Sums {
    step: i64,
    sums: BTreeMap<(OperatorId, Slot), i64>,
    chains: BTreeMap<ChainId, OperatorId>,
    book: bool,
    alive: Arc<AtomicUsize>,
}

impl Drop for Sums {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Relaxed);
    }
}

struct Made {
    step: i64,
    book: bool,
    alive: Arc<AtomicUsize>,
}

impl Factory for Made {
    fn instantiate(&self) -> Result<Box<dyn Guest>, Error> {
        self.alive.fetch_add(1, Relaxed);
        let alive = Arc::clone(&self.alive);
        Ok(Box::new(Sums { step: self.step, sums: BTreeMap::new(), chains: BTreeMap::new(), book: self.book, alive }))
    }
}

impl Guest for Sums {
    fn link(&mut self, chain: ChainId, members: &[OperatorId]) -> Result<(), Error> {
        self.chains.insert(chain, members[0]);
        Ok(())
    }

    fn process(&mut self, chain: ChainId, _: u32, _: Moment, _: &Block, _: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        let (head, mut outcome) = (self.chains[&chain], Outcome::default());
        for &slot in slots {
            *self.sums.entry((head, slot)).or_default() += self.step;
        }
        for &slot in slots {
            if self.sums.get(&(head, slot)).is_some_and(|sum| sum % 7 == 0) {
                self.sums.remove(&(head, slot));
                outcome.cleared.push(slot);
            }
        }
        Ok(outcome)
    }

    fn on_timer(&mut self, chain: ChainId, at: Moment, block: &Block, slots: &[Slot]) -> Result<Outcome, Error> {
        self.process(chain, 0, at, block, &[], slots)
    }

    fn fire(&mut self, chain: ChainId, at: Moment, block: &Block, _: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        self.process(chain, 0, at, block, &[], slots)
    }

    fn merge(&mut self, operator: OperatorId, targets: &[Slot], sources: &[Slot]) -> Result<(), Error> {
        for (target, source) in targets.iter().zip(sources) {
            let moved = self.sums.remove(&(operator, *source)).unwrap_or_default();
            *self.sums.entry((operator, *target)).or_default() += moved;
        }
        Ok(())
    }

    fn export_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<Block, Error> {
        let mut builder = Builder::new(&schema());
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
                assert_eq!(self.sums.insert((operator, *slot), sum), None, "only empty slots are loaded");
            }
        }
        Ok(())
    }

    fn drop_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(), Error> {
        slots.iter().for_each(|slot| _ = self.sums.remove(&(operator, *slot)));
        Ok(())
    }

    fn slots(&self, operator: OperatorId) -> Option<Vec<Slot>> {
        self.book.then(|| self.sums.keys().filter(|(own, _)| *own == operator).map(|(_, slot)| *slot).collect())
    }
}

fn made(step: i64) -> (Arc<Made>, Arc<AtomicUsize>) {
    let alive = Arc::new(AtomicUsize::new(0));
    (Arc::new(Made { step, book: true, alive: Arc::clone(&alive) }), alive)
}

fn switching(factory: Arc<dyn Factory>) -> Switching {
    let mut guest = Switching::new(factory.instantiate().unwrap(), factory, vec![schema(), Schema::default(), schema()]);
    CHAINS.iter().for_each(|(chain, members)| guest.link(*chain, members).unwrap());
    guest
}

fn block() -> Block {
    let mut builder = Builder::new(&"n:i64".parse().unwrap());
    builder.push_time(0);
    builder.column(0).push_i64(1);
    builder.finish().unwrap()
}

#[derive(Clone, Debug)]
enum Call {
    Process(ChainId, Vec<Slot>),
    Fire(Vec<Slot>),
    Merge(Vec<(Slot, Slot)>),
    Drop(OperatorId, Vec<Slot>),
    Import(Slot, i64),
    Export(OperatorId, Vec<Slot>),
    Prepare,
    Switch(ChainId),
    Carry(ChainId),
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let slots = || prop::collection::vec(0u32..60, 1..9);
    let pair = (0u32..60, 0u32..60).prop_filter("two slots", |(a, b)| a != b);
    let operator = || prop_oneof![Just(0u32), Just(2)];
    let call = prop_oneof![
        5 => (0u32..2, slots()).prop_map(|(chain, slots)| Call::Process(chain, slots)),
        1 => slots().prop_map(Call::Fire),
        2 => prop::collection::vec(pair, 1..5).prop_map(Call::Merge),
        2 => (operator(), slots()).prop_map(|(operator, slots)| Call::Drop(operator, slots)),
        1 => (0u32..60, 1i64..100).prop_map(|(slot, sum)| Call::Import(slot, sum)),
        2 => (operator(), slots()).prop_map(|(operator, slots)| Call::Export(operator, slots)),
        1 => Just(Call::Prepare),
        2 => (0u32..2).prop_map(Call::Switch),
        1 => (0u32..2).prop_map(Call::Carry),
    ];
    prop::collection::vec(call, 1..120)
}

/// What the call answers, where it answers anything.
fn run(guest: &mut dyn Guest, call: &Call) -> (Outcome, Option<Block>) {
    let (block, mut exported) = (block(), None);
    let outcome = match call {
        Call::Process(chain, slots) => guest.process(*chain, 0, AT, &block, &[], slots).unwrap(),
        Call::Fire(slots) => guest.fire(1, AT, &block, &[0, 1], slots).unwrap(),
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
            let mut builder = Builder::new(&schema());
            builder.push_time(0);
            builder.column(0).push_i64(*sum);
            guest.drop_state(0, &[*slot]).unwrap();
            guest.import_state(0, &[*slot], &builder.finish().unwrap()).unwrap();
            Outcome::default()
        }
        Call::Export(operator, slots) => {
            exported = Some(guest.export_state(*operator, slots).unwrap());
            Outcome::default()
        }
        Call::Prepare | Call::Switch(_) | Call::Carry(_) => Outcome::default(),
    };
    (outcome, exported)
}

proptest! {
    /// Whenever each chain switches, and whatever has been moved by then, calls answer as those of one instance, and in the end the old
    /// version is gone.
    #[test]
    fn nobody_notices_an_exchange(calls in calls()) {
        let ((factory, alive), (calm, _)) = (made(1), made(1));
        let (mut guest, mut calm) = (switching(factory.clone()), switching(calm));
        for call in &calls {
            match call {
                Call::Prepare if !guest.is_changing() => guest.prepare(factory.clone()).unwrap(),
                Call::Switch(chain) => guest.switch(CHAINS[*chain as usize].1),
                Call::Carry(chain) => _ = guest.carry(CHAINS[*chain as usize].1).unwrap(),
                _ => prop_assert_eq!(run(&mut guest, call), run(&mut calm, call)),
            }
            guest.settle();
        }
        for (_, members) in CHAINS {
            guest.switch(members);
            while guest.carry(members).unwrap() {}
        }
        guest.settle();
        prop_assert_eq!((guest.is_changing(), alive.load(Relaxed)), (false, 1));
        for operator in [0, 2] {
            let all: Vec<Slot> = (0..60).collect();
            prop_assert_eq!(guest.export_state(operator, &all).unwrap(), calm.export_state(operator, &all).unwrap());
        }
    }
}

#[test]
fn each_operator_runs_its_version_and_what_has_ended_is_not_waited_for() {
    let ((old, _), (new, alive)) = (made(1), made(100));
    let mut guest = switching(old);
    let call = |guest: &mut Switching, chain: ChainId| run(guest, &Call::Process(chain, vec![3]));
    let sum = |guest: &mut Switching, operator| guest.export_state(operator, &[3]).unwrap().column(0).i64s().get(0);
    (0..2).for_each(|chain| _ = call(&mut guest, chain));
    guest.prepare(new.clone()).unwrap();
    guest.switch(&[0, 1]);
    (0..2).for_each(|chain| _ = call(&mut guest, chain));
    assert_eq!((sum(&mut guest, 0), sum(&mut guest, 2)), (101, 2), "the one has switched, the other has not");
    guest.abandon();
    assert!(guest.is_changing(), "there is no way back from a switch");
    guest.end(&[2]);
    while guest.carry(&[0, 1]).unwrap() {}
    guest.settle();
    assert!(!guest.is_changing());
    // Also one that had ended before.
    guest.prepare(new.clone()).unwrap();
    guest.abandon();
    assert_eq!((guest.is_changing(), alive.load(Relaxed)), (false, 1), "nothing had switched");
    guest.prepare(new).unwrap();
    guest.switch(&[0, 1]);
    while guest.carry(&[0, 1]).unwrap() {}
    guest.settle();
    assert!(!guest.is_changing());
}

#[test]
fn a_guest_without_a_book_is_not_exchanged() {
    let mut guest = switching(Arc::new(Made { step: 1, book: false, alive: Arc::default() }));
    let refused = guest.prepare(made(1).0).unwrap_err();
    assert!(refused.to_string().contains("cannot say where its state is"), "{refused}");
    assert!(!guest.is_changing());
}

/// What moves in one call is bounded in slots and in bytes, and everything moves.
#[test]
fn state_moves_by_pages() {
    let ((factory, _), count) = (made(1), SLOTS_FIRST as u32 + 2 * SLOTS_MAX as u32 + 1);
    let mut guest = switching(factory.clone());
    run(&mut guest, &Call::Process(0, (0..count).collect()));
    guest.prepare(factory).unwrap();
    guest.switch(&[0, 1]);
    let pages = (0..9).take_while(|_| guest.carry(&[0, 1]).unwrap()).count();
    assert_eq!(pages, 4);
    let mut left = Left::new((0..100).collect());
    left.count = 1;
    assert_eq!((left.next().len(), left.next().len()), (1, 1), "of slots that are large there is one in a block");
}
