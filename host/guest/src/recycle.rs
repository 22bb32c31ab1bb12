//! Replaces an instance whose memory has grown by a fresh one with the same state.
//!
//! Linear memory never shrinks, and some language runtimes leave a little of it behind in every call (Python's about 100 KB).
//! [`Recycled`] stands between the engine and an instance, keeps a book of the slots that hold state, and after a call that left
//! the instance larger than it should be moves them over: export from the old one, import into the new one, a bounded
//! block at a time. Callers notice nothing: what the call gave has been copied out of the instance before.
//!
//! Where state may have less memory than it needs, an exchange carries over what was named last, and puts the rest out
//! ([`crate::cold`]); a call that names some of it loads it first.
//!
//! Promises: every slot that may hold state is moved and no other; an instance that is large because its state is large is
//! not exchanged over and over. For the time of an exchange there are two instances.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tidemill_core::TimeMs;
use tidemill_core::block::Block;
use tidemill_core::guest::{Asked, ChainId, Decision, Error, Guest, Moment, OperatorId, Outcome, Slot};
use tidemill_core::schema::Schema;

use crate::cold::Cold;

/// An instance is exchanged when it has taken more than one part in so many of the memory it could have taken when it was fresh.
/// Half leaves as much for the one call that takes it over the mark.
const GROWTH_SHARE: usize = 2;
/// An instance that fresh and with its state leaves less than one part in so many of its limit is exchanged no more: a job whose state
/// fills its memory has to be told so, and would otherwise spend its time moving it.
const ROOM_SHARE: usize = 16;
/// Slots in the first block of an exchange, when nothing is known of their size.
const SLOTS_FIRST: usize = 64;
/// Slots in one block at most: the calls do not count any more.
const SLOTS_MAX: usize = 4096;
/// Bytes that a block is meant to have, a small part of what it may.
const BLOCK_BYTES: usize = 1 << 20;

/// The share of the budget for state that an exchange fills: the rest is for what the calls until the next one load.
const CARRIED_SHARE: usize = 2;
/// An instance that is over the budget although nothing is left to put out is exchanged again when it has grown by this share of it.
const STEP_SHARE: usize = 4;

/// A guest whose memory can be seen.
pub(crate) trait Measured: Guest {
    /// Bytes of linear memory; it never shrinks.
    fn memory_bytes(&self) -> usize;
}

/// See the module.
pub(crate) struct Recycled<G> {
    guest: G,
    make: Box<dyn Fn() -> Result<G, Error>>,
    chains: BTreeMap<ChainId, Vec<OperatorId>>,
    /// The slots of each operator that may hold state in the instance; none for an operator that declares no state.
    live: Vec<Option<Slots>>,
    /// Where state may have less memory than it needs.
    cold: Option<Cold>,
    memory_max: usize,
    /// The size from which on the instance is exchanged.
    mark: usize,
    count: Arc<AtomicU64>,
}

impl<G: Measured> Recycled<G> {
    /// The first instance and all later ones come from `make`. `stateful` tells the operators that declare state, `memory_max` what
    /// an instance may use; every exchange is added to `count`; `cold` has a budget for state.
    pub(crate) fn new(
        make: Box<dyn Fn() -> Result<G, Error>>,
        stateful: impl Iterator<Item = bool>,
        memory_max: usize,
        count: Arc<AtomicU64>,
        cold: Option<Cold>,
    ) -> Result<Recycled<G>, Error> {
        let guest = make()?;
        let fresh = guest.memory_bytes();
        let mark = mark(fresh, memory_max).min(cold.as_ref().map_or(usize::MAX, |cold| fresh.saturating_add(cold.budget)));
        let live = stateful.map(|has| has.then(Slots::default)).collect();
        Ok(Recycled { guest, make, chains: BTreeMap::new(), live, cold, memory_max, mark, count })
    }

    /// Loads what a call over these slots of an operator needs.
    fn warm(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(), Error> {
        let Some(cold) = &mut self.cold else { return Ok(()) };
        let missing = cold.name(operator, slots);
        let mut rest = missing.as_slice();
        while !rest.is_empty() {
            let (count, state) = cold.take(operator, rest)?;
            let (now, later) = rest.split_at(count);
            self.guest.import_state(operator, now, &state)?;
            if let Some(live) = self.live.get_mut(operator as usize).and_then(Option::as_mut) {
                live.add(now);
            }
            rest = later;
        }
        Ok(())
    }

    /// Loads what a call over these slots of a chain's first member needs.
    fn warm_chain(&mut self, chain: ChainId, slots: &[Slot]) -> Result<(), Error> {
        match self.chains.get(&chain).and_then(|members| members.first()).copied() {
            Some(head) if self.cold.is_some() && !slots.is_empty() => self.warm(head, slots),
            _ => Ok(()),
        }
    }

    /// The slots of an operator.
    fn slots(&mut self, operator: OperatorId) -> Option<&mut Slots> {
        self.live.get_mut(operator as usize)?.as_mut()
    }

    /// The slots of a chain: those of its first member.
    fn slots_of_chain(&mut self, chain: ChainId) -> Option<&mut Slots> {
        let head = *self.chains.get(&chain)?.first()?;
        self.slots(head)
    }

    /// Enters a call that computed over slots of a chain.
    fn computed(&mut self, chain: ChainId, slots: &[Slot], outcome: Outcome) -> Result<Outcome, Error> {
        if !slots.is_empty()
            && let Some(live) = self.slots_of_chain(chain)
        {
            live.add(slots);
            live.remove(&outcome.cleared);
        }
        self.called(outcome)
    }

    /// Exchanges the instance if the call just made has left it too large.
    fn called<T>(&mut self, value: T) -> Result<T, Error> {
        if self.guest.memory_bytes() > self.mark {
            self.exchange()?;
        }
        Ok(value)
    }

    #[cold]
    fn exchange(&mut self) -> Result<(), Error> {
        let mut fresh = (self.make)()?;
        for (chain, members) in &self.chains {
            fresh.link(*chain, members)?;
        }
        let empty = fresh.memory_bytes();
        match &mut self.cold {
            Some(cold) => carry_warm(&mut self.guest, &mut fresh, &mut self.live, cold)?,
            None => {
                for (operator, live) in self.live.iter().enumerate() {
                    if let Some(live) = live {
                        carry(&mut self.guest, &mut fresh, operator as OperatorId, live)?;
                    }
                }
            }
        }
        self.guest = fresh;
        let now = self.guest.memory_bytes();
        self.mark = mark(now, self.memory_max);
        if let Some(cold) = &self.cold {
            self.mark = self.mark.min(empty.saturating_add(cold.budget).max(now.saturating_add(cold.budget / STEP_SHARE)));
        }
        self.count.fetch_add(1, Relaxed);
        Ok(())
    }
}

/// From which size on an instance is exchanged that has `fresh` bytes and may have `max`.
fn mark(fresh: usize, max: usize) -> usize {
    let room = max.saturating_sub(fresh);
    if room < max / ROOM_SHARE { usize::MAX } else { fresh + room / GROWTH_SHARE }
}

/// Moves the state of one operator.
fn carry(old: &mut dyn Guest, new: &mut dyn Guest, operator: OperatorId, live: &Slots) -> Result<(), Error> {
    let mut slots = live.iter().peekable();
    let mut chunk = Vec::new();
    let mut count = SLOTS_FIRST;
    while slots.peek().is_some() {
        chunk.clear();
        chunk.extend(slots.by_ref().take(count));
        let block = old.export_state(operator, &chunk)?;
        new.import_state(operator, &chunk, &block)?;
        count = next_count(chunk.len(), block.as_bytes().len());
    }
    Ok(())
}

/// Moves the state of all operators, what was named last first, until the new instance has its share of the budget; the rest is put out.
fn carry_warm<G: Measured>(old: &mut G, new: &mut G, live: &mut [Option<Slots>], cold: &mut Cold) -> Result<(), Error> {
    let full = new.memory_bytes().saturating_add(cold.budget / CARRIED_SHARE);
    let mut all: Vec<(u32, OperatorId, Slot)> = Vec::new();
    for (operator, slots) in live.iter().enumerate() {
        let operator = operator as OperatorId;
        all.extend(slots.iter().flat_map(Slots::iter).map(|slot| (cold.age(operator, slot), operator, slot)));
    }
    all.sort_unstable();
    let mut rest = all.as_slice();
    // One first: nothing is known of their size, and the budget may be smaller than some.
    let mut count = 1;
    while let Some((_, operator, _)) = rest.first().copied() {
        // Of one operator: a call exports the state of one.
        let run = rest.iter().take(count).take_while(|(_, other, _)| *other == operator).count();
        let (chunk, later) = rest.split_at(run);
        let slots: Vec<Slot> = chunk.iter().map(|(_, _, slot)| *slot).collect();
        let state = old.export_state(operator, &slots)?;
        if new.memory_bytes() < full {
            new.import_state(operator, &slots, &state)?;
        } else {
            cold.put(operator, &slots, &state)?;
            if let Some(live) = live.get_mut(operator as usize).and_then(Option::as_mut) {
                live.remove(&slots);
            }
        }
        let room = full.saturating_sub(new.memory_bytes());
        let most = if room > 0 { BLOCK_BYTES.min(room) } else { BLOCK_BYTES };
        count = (slots.len() * most / state.as_bytes().len().max(1)).clamp(1, SLOTS_MAX);
        rest = later;
    }
    Ok(())
}

/// How many slots the next block gets, after one of `count` slots had so many bytes.
fn next_count(count: usize, bytes: usize) -> usize {
    (count * BLOCK_BYTES / bytes.max(1)).clamp(1, SLOTS_MAX)
}

/// A set of slots, dense as their numbers are.
#[derive(Debug, Default)]
pub(crate) struct Slots(Vec<u64>);

impl Slots {
    pub(crate) fn has(&self, slot: Slot) -> bool {
        self.0.get(slot as usize / 64).is_some_and(|word| word >> (slot % 64) & 1 == 1)
    }

    pub(crate) fn add(&mut self, slots: &[Slot]) {
        let Some(&most) = slots.iter().max() else { return };
        let words = most as usize / 64 + 1;
        if self.0.len() < words {
            self.0.resize(words, 0);
        }
        for &slot in slots {
            self.0[slot as usize / 64] |= 1 << (slot % 64);
        }
    }

    pub(crate) fn remove(&mut self, slots: &[Slot]) {
        for &slot in slots {
            if let Some(word) = self.0.get_mut(slot as usize / 64) {
                *word &= !(1 << (slot % 64));
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Slot> {
        let bits = |(i, &word): (usize, &u64)| (0..64u32).filter(move |bit| word >> bit & 1 == 1).map(move |bit| 64 * i as u32 + bit);
        self.0.iter().enumerate().flat_map(bits)
    }
}

impl<G: Measured> Guest for Recycled<G> {
    fn link(&mut self, chain: ChainId, members: &[OperatorId]) -> Result<(), Error> {
        self.guest.link(chain, members)?;
        self.chains.insert(chain, members.to_vec());
        Ok(())
    }

    fn process(&mut self, chain: ChainId, input: u32, at: Moment, block: &Block, rows: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        self.warm_chain(chain, slots)?;
        let outcome = self.guest.process(chain, input, at, block, rows, slots)?;
        self.computed(chain, slots, outcome)
    }

    fn on_timer(&mut self, chain: ChainId, at: Moment, block: &Block, slots: &[Slot]) -> Result<Outcome, Error> {
        self.warm_chain(chain, slots)?;
        let outcome = self.guest.on_timer(chain, at, block, slots)?;
        self.computed(chain, slots, outcome)
    }

    fn fire(&mut self, chain: ChainId, at: Moment, block: &Block, offsets: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        self.warm_chain(chain, slots)?;
        let outcome = self.guest.fire(chain, at, block, offsets, slots)?;
        self.called(outcome)
    }

    fn merge(&mut self, operator: OperatorId, targets: &[Slot], sources: &[Slot]) -> Result<(), Error> {
        self.warm(operator, targets)?;
        self.warm(operator, sources)?;
        self.guest.merge(operator, targets, sources)?;
        if let Some(live) = self.slots(operator) {
            // In order: a slot may be the source of one pair and the target of a later one.
            for (target, source) in targets.iter().zip(sources) {
                live.add(&[*target]);
                live.remove(&[*source]);
            }
        }
        self.called(())
    }

    fn export_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<Block, Error> {
        let guest = &mut self.guest;
        let block = match &mut self.cold {
            Some(cold) => cold.export(operator, slots, |slots| guest.export_state(operator, slots))?,
            None => guest.export_state(operator, slots)?,
        };
        self.called(block)
    }

    fn import_state(&mut self, operator: OperatorId, slots: &[Slot], block: &Block) -> Result<(), Error> {
        self.guest.import_state(operator, slots, block)?;
        if let Some(cold) = &mut self.cold {
            // Nothing of them is out: only empty slots are loaded.
            cold.name(operator, slots);
        }
        if let Some(live) = self.slots(operator) {
            live.add(slots);
        }
        self.called(())
    }

    fn migrate_state(&mut self, operator: OperatorId, from: &Schema, block: &Block) -> Result<Block, Error> {
        let migrated = self.guest.migrate_state(operator, from, block)?;
        self.called(migrated)
    }

    fn drop_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(), Error> {
        let warm = match &mut self.cold {
            Some(cold) => cold.forget(operator, slots)?,
            None => slots.to_vec(),
        };
        if warm.is_empty() {
            return Ok(());
        }
        self.guest.drop_state(operator, &warm)?;
        if let Some(live) = self.slots(operator) {
            live.remove(&warm);
        }
        self.called(())
    }

    fn slots(&self, operator: OperatorId) -> Option<Vec<Slot>> {
        let live = self.live.get(operator as usize)?.iter().flat_map(Slots::iter);
        Some(live.chain(self.cold.iter().flat_map(|cold| cold.slots(operator))).collect())
    }

    /// A trigger may keep something in a slot that has no record yet.
    fn trigger(&mut self, operator: OperatorId, at: Moment, asked: &Asked<'_>) -> Result<Vec<Decision>, Error> {
        self.warm(operator, asked.slots)?;
        let decisions = self.guest.trigger(operator, at, asked)?;
        if let Some(live) = self.slots(operator) {
            live.add(asked.slots);
        }
        self.called(decisions)
    }

    fn purge(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(), Error> {
        self.warm(operator, slots)?;
        self.guest.purge(operator, slots)?;
        self.called(())
    }

    fn apply(&mut self, chain: ChainId, input: u32, at: Moment, block: &Block, keys: &Block, slots: &[Slot]) -> Result<Outcome, Error> {
        self.warm_chain(chain, slots)?;
        let outcome = self.guest.apply(chain, input, at, block, keys, slots)?;
        self.computed(chain, slots, outcome)
    }

    fn watermark(&mut self, operator: OperatorId, split: u32, now: TimeMs, block: Option<&Block>) -> Result<Option<TimeMs>, Error> {
        // What a generator remembers is not state: an instance that has been exchanged begins anew, and what it says then counts from
        // where the split is higher than before.
        let watermark = self.guest.watermark(operator, split, now, block)?;
        self.called(watermark)
    }
}

#[cfg(test)]
mod tests;
