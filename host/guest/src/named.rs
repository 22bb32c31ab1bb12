//! The slots that a call named, to hold the slots that come back against.
//!
//! A byte per slot up to the largest ever named, holding the number of the call that named it last, modulo 255: naming a slot
//! is one store that depends on nothing, and nothing has to be cleared but once in 255 calls. Slots are dense, so ten million take
//! 10 MB, far less than the state behind them.

use tidemill_core::guest::Slot;

/// See the module.
#[derive(Default)]
pub(crate) struct Named {
    calls: Vec<u8>,
    call: u8,
}

impl Named {
    /// From here on exactly `slots` are named.
    pub(crate) fn name(&mut self, slots: &[Slot]) {
        if self.call == u8::MAX {
            self.calls.fill(0);
            self.call = 0;
        }
        self.call += 1;
        let len = slots.iter().max().map_or(0, |&slot| slot as usize + 1);
        if len > self.calls.len() {
            self.calls.resize(len, 0);
        }
        slots.iter().for_each(|&slot| self.calls[slot as usize] = self.call);
    }

    /// Whether the slot is named.
    pub(crate) fn has(&self, slot: Slot) -> bool {
        self.calls.get(slot as usize) == Some(&self.call)
    }

    /// Whether the slot is named; it no longer is afterwards.
    pub(crate) fn take(&mut self, slot: Slot) -> bool {
        let had = self.has(slot);
        if had {
            self.calls[slot as usize] = 0;
        }
        had
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::{any, prop};
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(
            calls in prop::collection::vec((prop::collection::vec(0u32..100, 0..20), 1usize..600), 1..8),
            asked in prop::collection::vec(any::<u32>(), 0..9),
        ) {
            let mut named = Named::default();
            for (slots, repeats) in calls {
                (0..repeats).for_each(|_| named.name(&slots));
                let set: BTreeSet<u32> = slots.iter().copied().collect();
                for slot in (0..150).chain(asked.iter().copied()) {
                    prop_assert_eq!(named.has(slot), set.contains(&slot));
                    prop_assert_eq!(named.take(slot), set.contains(&slot));
                    prop_assert!(!named.has(slot));
                }
            }
        }
    }
}
