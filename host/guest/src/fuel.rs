//! What the code of a component costs, in wasmtime's fuel: about one for each instruction, the same on every machine.
//!
//! Code that counts is compiled otherwise and is slower, so it is only made on request. Counted is the work on records, timers and windows,
//! summed over all instances; the cost of building a plan and of handing state over or taking it back is nobody's, since it depends on
//! when checkpoints come and memory grows. A fused chain is one call: its fuel is its head's, and the others of it are named.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tidemill_core::guest::OperatorId;

/// More than any call can use before its deadline.
const FUEL_OF_A_CALL: u64 = u64::MAX;

/// The fuel that the calls of one operator, or of the chain that begins with it, have used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fuel {
    /// So far, all instances.
    pub used: u64,
    /// The operators behind it that are fused with it, and whose work is in the figure.
    pub with: Vec<OperatorId>,
}

/// Adds up what all instances of a component use.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<BTreeMap<OperatorId, Fuel>>);

impl Meter {
    /// Fills a store before a call.
    pub(crate) fn fill<T>(store: &mut wasmtime::Store<T>) {
        store.set_fuel(FUEL_OF_A_CALL).expect("the engine of a metered component counts fuel");
    }

    /// What was used since the store was filled.
    pub(crate) fn used<T>(store: &wasmtime::Store<T>) -> u64 {
        FUEL_OF_A_CALL - store.get_fuel().expect("the engine of a metered component counts fuel")
    }

    pub(crate) fn add(&self, operator: OperatorId, used: u64) {
        let mut operators = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        operators.entry(operator).or_default().used += used;
    }

    /// A chain has been linked.
    pub(crate) fn link(&self, members: &[OperatorId]) {
        let Some((head, with)) = members.split_first() else { return };
        let mut operators = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fuel = operators.entry(*head).or_default();
        // The longest: the parts of a chain are linked as well where a record is looked for that traps.
        if fuel.with.len() < with.len() {
            fuel.with = with.to_vec();
        }
    }

    pub(crate) fn read(&self) -> BTreeMap<OperatorId, Fuel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuel_adds_up_by_the_head_of_a_chain() {
        let meter = Meter::default();
        meter.link(&[1, 2, 3]);
        meter.link(&[1]);
        meter.add(1, 5);
        meter.add(4, 7);
        meter.add(1, 6);
        let (one, four) = (Fuel { used: 11, with: vec![2, 3] }, Fuel { used: 7, with: vec![] });
        assert_eq!(meter.read(), BTreeMap::from([(1, one), (4, four)]));
    }
}
