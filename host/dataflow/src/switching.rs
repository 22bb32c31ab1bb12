//! Exchanges the code of a running job: two versions side by side on one worker, until the new one has everything.
//!
//! The new version is instantiated between two steps of the worker ([`Switching::prepare`]). At the boundary of a checkpoint every
//! operator hands over and then goes on with the new version ([`Switching::switch`]), so each record meets one version from its source to
//! its sinks: what comes from before the boundary the old one, what comes from behind it the new one.
//!
//! State follows slot by slot: what a call names is moved before the call, and the rest a page at a time while records flow
//! ([`Switching::carry`]). So a switch takes no longer where there is more state. An export asks whichever version has the slot; what a
//! handover at the boundary itself still has to export is claimed before it changes (`ledger`), and so is exported by the old one.
//!
//! Promises: a slot is in one of the two, never in both and never in none; both are of one plan, so what they export has the same columns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidemill_core::TimeMs;
use tidemill_core::block::{Block, Builder, gather_append};
use tidemill_core::guest::{Asked, ChainId, Decision, Error, Factory, Guest, Moment, OperatorId, Outcome, Slot};
use tidemill_core::schema::Schema;

/// Slots in the first block that moves, when nothing is known of their size.
const SLOTS_FIRST: usize = 64;
/// Slots in one block at most: the calls do not count any more.
const SLOTS_MAX: usize = 1024;
/// Bytes that a block is meant to have: about as long as a worker may be kept from records, and a small part of what a block may have.
const BLOCK_BYTES: usize = 1 << 20;

/// The guest of one worker, which may be exchanged. See the module.
pub(crate) struct Switching {
    guest: Box<dyn Guest>,
    /// Made it.
    factory: Arc<dyn Factory>,
    /// The columns of each operator's state; none where it has no state.
    schemas: Vec<Schema>,
    chains: BTreeMap<ChainId, Vec<OperatorId>>,
    /// Operators that call no code any more.
    ended: BTreeSet<OperatorId>,
    change: Option<Change>,
}

/// An exchange under way.
struct Change {
    next: Box<dyn Guest>,
    factory: Arc<dyn Factory>,
    /// What the old version has still of each operator that has switched.
    left: BTreeMap<OperatorId, Left>,
}

/// Slots that are still in the old version.
struct Left {
    has: Vec<bool>,
    slots: Vec<Slot>,
    /// How many of them the next block gets.
    count: usize,
}

impl Left {
    fn new(slots: Vec<Slot>) -> Left {
        let mut has = vec![false; slots.iter().max().map_or(0, |&most| most as usize + 1)];
        slots.iter().for_each(|&slot| has[slot as usize] = true);
        Left { has, slots, count: SLOTS_FIRST }
    }

    fn has(&self, slot: Slot) -> bool {
        self.has.get(slot as usize).copied().unwrap_or(false)
    }

    /// Takes it off the list, where it is on it.
    fn take(&mut self, slot: Slot) -> bool {
        self.has.get_mut(slot as usize).is_some_and(std::mem::take)
    }

    /// The next ones, taken off the list.
    fn next(&mut self) -> Vec<Slot> {
        let mut page = Vec::new();
        while page.len() < self.count
            && let Some(slot) = self.slots.pop()
        {
            if self.take(slot) {
                page.push(slot);
            }
        }
        page
    }
}

impl Switching {
    /// `schemas` are the columns of each operator's state, none where it has no state.
    pub(crate) fn new(guest: Box<dyn Guest>, factory: Arc<dyn Factory>, schemas: Vec<Schema>) -> Switching {
        Switching { guest, factory, schemas, chains: BTreeMap::new(), ended: BTreeSet::new(), change: None }
    }

    /// Makes instances of the version that an operator runs.
    pub(crate) fn factory(&self, operator: OperatorId) -> Arc<dyn Factory> {
        let next = self.change.as_ref().filter(|change| change.left.contains_key(&operator));
        Arc::clone(next.map_or(&self.factory, |change| &change.factory))
    }

    /// Whether an exchange is under way.
    pub(crate) fn is_changing(&self) -> bool {
        self.change.is_some()
    }

    /// Makes an instance of the version to come.
    ///
    /// # Errors
    /// When it cannot be made, and when the present one cannot say what it holds.
    pub(crate) fn prepare(&mut self, factory: Arc<dyn Factory>) -> Result<(), Error> {
        let mut stateful = self.schemas.iter().zip(0..).filter(|(schema, _)| !schema.fields().is_empty()).map(|(_, operator)| operator);
        if stateful.any(|operator| self.guest.slots(operator).is_none()) {
            return Err(Error::Refused { export: "slots", message: "the present version cannot say where its state is".to_owned() });
        }
        let mut next = factory.instantiate()?;
        for (chain, members) in &self.chains {
            next.link(*chain, members)?;
        }
        self.change = Some(Change { next, factory, left: BTreeMap::new() });
        Ok(())
    }

    /// The version to come is not wanted any more; nothing has switched to it.
    pub(crate) fn abandon(&mut self) {
        let has_switched = |operator: &OperatorId| !self.ended.contains(operator);
        self.change.take_if(|change| !change.left.keys().any(has_switched));
    }

    /// These operators go on with the version to come.
    pub(crate) fn switch(&mut self, operators: &[OperatorId]) {
        let Some(change) = &mut self.change else { return };
        for &operator in operators {
            let slots = || Left::new(self.guest.slots(operator).unwrap_or_default());
            change.left.entry(operator).or_insert_with(slots);
        }
    }

    /// Moves a page of the state of operators that have switched; false when there is nothing left of these.
    ///
    /// # Errors
    /// Whatever either version answers.
    pub(crate) fn carry(&mut self, operators: &[OperatorId]) -> Result<bool, Error> {
        let Some(change) = &mut self.change else { return Ok(false) };
        for operator in operators {
            let page = change.left.get_mut(operator).map(|left| left.next()).unwrap_or_default();
            if !page.is_empty() {
                move_over(&mut *self.guest, change, *operator, &page)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// No exchange waits for these operators: they have come to their end.
    pub(crate) fn end(&mut self, operators: &[OperatorId]) {
        self.ended.extend(operators);
        if let Some(change) = &mut self.change {
            operators.iter().for_each(|operator| _ = change.left.insert(*operator, Left::new(Vec::new())));
        }
    }

    /// Ends the exchange where every operator has switched and everything has been moved.
    pub(crate) fn settle(&mut self) {
        let all = |change: &Change| {
            let done = |member: &OperatorId| change.left.contains_key(member) || self.ended.contains(member);
            self.chains.values().flatten().all(done) && change.left.values().all(|left| left.slots.is_empty())
        };
        if self.change.as_ref().is_some_and(all)
            && let Some(change) = self.change.take()
        {
            (self.guest, self.factory) = (change.next, change.factory);
        }
    }

    /// The version that has an operator, after what a call names has been moved there.
    fn of(&mut self, operator: OperatorId, named: &[&[Slot]]) -> Result<&mut dyn Guest, Error> {
        let Some(change) = self.change.as_mut().filter(|change| change.left.contains_key(&operator)) else { return Ok(&mut *self.guest) };
        if let Some(left) = change.left.get_mut(&operator).filter(|left| !left.slots.is_empty()) {
            let missing: Vec<Slot> = named.iter().copied().flatten().copied().filter(|slot| left.take(*slot)).collect();
            let mut rest = missing.as_slice();
            while !rest.is_empty() {
                let count = change.left.get(&operator).map_or(SLOTS_FIRST, |left| left.count).min(rest.len());
                let (page, later) = rest.split_at(count);
                move_over(&mut *self.guest, change, operator, page)?;
                rest = later;
            }
        }
        Ok(&mut *change.next)
    }

    /// The same by the chain.
    fn of_chain(&mut self, chain: ChainId, slots: &[Slot]) -> Result<&mut dyn Guest, Error> {
        if self.change.is_none() {
            return Ok(&mut *self.guest);
        }
        match self.chains.get(&chain).and_then(|members| members.first()).copied() {
            Some(head) => self.of(head, &[slots]),
            None => Ok(&mut *self.guest),
        }
    }
}

fn move_over(old: &mut dyn Guest, change: &mut Change, operator: OperatorId, slots: &[Slot]) -> Result<(), Error> {
    let block = old.export_state(operator, slots)?;
    change.next.import_state(operator, slots, &block)?;
    if let Some(left) = change.left.get_mut(&operator) {
        left.count = (slots.len() * BLOCK_BYTES / block.as_bytes().len().max(1)).clamp(1, SLOTS_MAX);
    }
    // Its memory is free for what is still there, and an old version that is recycled meanwhile carries no more than that.
    old.drop_state(operator, slots)
}

impl Guest for Switching {
    fn link(&mut self, chain: ChainId, members: &[OperatorId]) -> Result<(), Error> {
        self.guest.link(chain, members)?;
        self.chains.insert(chain, members.to_vec());
        Ok(())
    }

    fn process(&mut self, chain: ChainId, input: u32, at: Moment, block: &Block, rows: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        self.of_chain(chain, slots)?.process(chain, input, at, block, rows, slots)
    }

    fn on_timer(&mut self, chain: ChainId, at: Moment, block: &Block, slots: &[Slot]) -> Result<Outcome, Error> {
        self.of_chain(chain, slots)?.on_timer(chain, at, block, slots)
    }

    fn fire(&mut self, chain: ChainId, at: Moment, block: &Block, offsets: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        self.of_chain(chain, slots)?.fire(chain, at, block, offsets, slots)
    }

    fn merge(&mut self, operator: OperatorId, targets: &[Slot], sources: &[Slot]) -> Result<(), Error> {
        self.of(operator, &[targets, sources])?.merge(operator, targets, sources)
    }

    /// Nothing is moved for it: a checkpoint names much that no record does.
    fn export_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<Block, Error> {
        let Some(change) = &mut self.change else { return self.guest.export_state(operator, slots) };
        let Some(left) = change.left.get(&operator) else { return self.guest.export_state(operator, slots) };
        let (old, new): (Vec<Slot>, Vec<Slot>) = slots.iter().partition(|&&slot| left.has(slot));
        if old.is_empty() {
            return change.next.export_state(operator, slots);
        }
        if new.is_empty() {
            return self.guest.export_state(operator, slots);
        }
        let (old, new) = (self.guest.export_state(operator, &old)?, change.next.export_state(operator, &new)?);
        let mut builder = Builder::new(&self.schemas[operator as usize]);
        let (mut of_old, mut of_new) = (0.., 0..);
        for slot in slots {
            let (block, rows) = if left.has(*slot) { (&old, &mut of_old) } else { (&new, &mut of_new) };
            gather_append(&mut builder, block, &[rows.next().unwrap_or_default()]);
        }
        Ok(builder.finish().expect("one or more slots are exported"))
    }

    fn import_state(&mut self, operator: OperatorId, slots: &[Slot], block: &Block) -> Result<(), Error> {
        // They are empty in both.
        if let Some(left) = self.change.as_mut().and_then(|change| change.left.get_mut(&operator)) {
            slots.iter().for_each(|&slot| _ = left.take(slot));
        }
        self.of(operator, &[])?.import_state(operator, slots, block)
    }

    fn drop_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(), Error> {
        let Some(left) = self.change.as_mut().and_then(|change| change.left.get_mut(&operator)) else {
            return self.guest.drop_state(operator, slots);
        };
        // What is left of a dropped slot ends with the old version.
        let moved: Vec<Slot> = slots.iter().copied().filter(|&slot| !left.take(slot)).collect();
        if moved.is_empty() { Ok(()) } else { self.of(operator, &[])?.drop_state(operator, &moved) }
    }

    fn trigger(&mut self, operator: OperatorId, at: Moment, asked: &Asked<'_>) -> Result<Vec<Decision>, Error> {
        self.of(operator, &[asked.slots])?.trigger(operator, at, asked)
    }

    fn purge(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(), Error> {
        self.of(operator, &[slots])?.purge(operator, slots)
    }

    fn apply(&mut self, chain: ChainId, input: u32, at: Moment, block: &Block, keys: &Block, slots: &[Slot]) -> Result<Outcome, Error> {
        self.of_chain(chain, slots)?.apply(chain, input, at, block, keys, slots)
    }

    fn watermark(&mut self, operator: OperatorId, split: u32, now: TimeMs, block: Option<&Block>) -> Result<Option<TimeMs>, Error> {
        self.of(operator, &[])?.watermark(operator, split, now, block)
    }

    fn migrate_state(&mut self, operator: OperatorId, from: &Schema, block: &Block) -> Result<Block, Error> {
        self.of(operator, &[])?.migrate_state(operator, from, block)
    }
}

#[cfg(test)]
mod tests;
