//! Broadcast state (semantics.md #28): what a process function keeps once for all keys, fed by inputs of which every worker gets every record.
//!
//! Each worker has a copy in a slot of its own, the last one of every call. Only records of broadcast inputs change it, so the copies are the
//! same wherever a boundary has been reached by all; that is why such an operator is aligned in every mode. One worker hands its
//! copy over, under the empty key, which no record has; all of them read it back.

use std::ops::Range;

use tidemill_core::block::{Block, Builder, gather};
use tidemill_core::guest::{Guest, Slot};
use tidemill_core::key::{group, hash};
use tidemill_core::plan::Kind;
use tidemill_core::schema::Schema;

use crate::keyed::push_key;
use crate::logic::Context;
use crate::operators::guest_call::Shown;
use crate::operators::process::Process;
use crate::report::Failure;
use crate::restore::Restored;

/// Keys to which a record is applied in one call at most: a block like any other.
const KEYS_PER_CALL: usize = 4096;

/// See the module.
pub(crate) struct Shared {
    pub(super) slot: Slot,
    /// Records are applied to every key.
    apply: bool,
    /// The key groups of this worker; none beyond the operator's parallelism.
    groups: Range<u32>,
}

impl Shared {
    /// Under which it is saved.
    pub(super) const KEY: &[u8] = &[];

    pub(crate) fn new(apply: bool, groups: Range<u32>) -> Shared {
        Shared { slot: 0, apply, groups }
    }

    /// Whether this worker's copy is the one that is saved, and this worker the one that tells of refused records.
    pub(crate) fn is_saved(&self) -> bool {
        self.groups.contains(&group(hash(Shared::KEY)))
    }
}

impl Process {
    pub(super) fn is_broadcast(&self, input: usize) -> bool {
        matches!(&self.call.plan().operators[self.call.head() as usize].kind, Kind::Process(spec) if spec.is_broadcast(input))
    }

    pub(super) fn is_unkeyed(&self) -> bool {
        matches!(&self.call.plan().operators[self.call.head() as usize].kind, Kind::Process(spec) if spec.is_unkeyed())
    }

    /// Calls the function with records of a broadcast input, and then for each key, if it wants that.
    pub(super) fn broadcast(&mut self, input: usize, block: &Block, cx: &mut Context) -> Result<(), Failure> {
        let Some(Shared { slot, apply, .. }) = self.shared else { return Ok(()) };
        let saved = self.shared.as_ref().is_some_and(Shared::is_saved);
        let claimed = self.ledger.claim([slot]);
        self.export(&claimed, &[], cx)?;
        let at = cx.moment();
        let shown = Shown { block, schema: &self.inputs[input].schema, input: input as u32 };
        let head = self.call.head();
        let mut refused = Vec::new();
        let call = |guest: &mut dyn Guest, chain, slots: &[Slot]| {
            let mut outcome = guest.process(chain, input as u32, at, block, &[], slots)?;
            refused.extend(outcome.failures.iter().filter(|failure| failure.operator == head).map(|failure| failure.row));
            // Every worker has refused it.
            outcome.failures.retain(|failure| saved || failure.operator != head);
            Ok(outcome)
        };
        let mut outcome = self.over_slots(shown, cx, call)?;
        self.settle(&mut outcome, cx)?;
        if saved {
            self.ledger.touch(slot);
        }
        if apply {
            // What the function refused is not applied.
            for row in (0..block.rows() as u32).filter(|row| !refused.contains(row)) {
                let one = gather(block, &[row], &self.inputs[input].schema).expect("it has a row");
                self.apply(input, &one, cx)?;
            }
        }
        Ok(())
    }

    /// Applies one record to every key.
    fn apply(&mut self, input: usize, record: &Block, cx: &mut Context) -> Result<(), Failure> {
        let shared = self.shared.as_ref().map(|shared| shared.slot);
        let all: Vec<Slot> = self.keys.indexes().filter(|slot| Some(*slot) != shared).collect();
        let at = cx.moment();
        for slots in all.chunks(KEYS_PER_CALL) {
            let mut keys = Builder::new(&self.key_schema);
            for &slot in slots {
                keys.push_time(record.time(0));
                push_key(&mut keys, &self.key_schema, self.keys.key(slot).expect("one call forgets no slot of another"));
            }
            let keys = keys.finish().expect("a chunk has slots");
            self.slots.clear();
            self.slots.extend_from_slice(slots);
            self.claim(cx)?;
            let call = |guest: &mut dyn Guest, chain, slots: &[Slot]| guest.apply(chain, input as u32, at, record, &keys, slots);
            let shown = Shown { block: record, schema: &self.inputs[input].schema, input: input as u32 };
            let mut outcome = self.over_slots(shown, cx, call)?;
            self.settle(&mut outcome, cx)?;
        }
        Ok(())
    }

    /// Takes this worker's copy back.
    pub(super) fn restore_shared(&mut self, restored: &Restored, schema: &Schema, cx: &mut Context) -> Result<(), Failure> {
        let Some(shared) = self.shared.as_ref().filter(|shared| !shared.groups.is_empty()) else { return Ok(()) };
        let (slot, saved, group) = (shared.slot, shared.is_saved(), group(hash(Shared::KEY)));
        restored.pages_of(group..group + 1, |page| {
            for row in (0..page.rows()).filter(|&row| page.key(row).is_empty()) {
                if saved {
                    self.ledger.restored(slot, restored.differs(schema));
                }
                if let Some(state) = self.call.saved(restored, page, &[row as u32], cx)? {
                    self.call.import(&[slot], &state, cx)?;
                }
            }
            Ok(())
        })
    }
}
