//! The components of a job, loaded: one, or several that are wired. The rest of the program knows one plan and one factory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tidemill_core::guest::{Factory, OperatorId};
use tidemill_core::plan::{self, Place, Plan};
use tidemill_core::several::Factories;
use tidemill_guest::{Component, Fuel, StateMemory};

use crate::fault::{Fault, Outcome};
use crate::settings::Several;

/// A component that has given its plan.
pub(crate) struct Loaded {
    /// Its name in the job; empty where it is alone.
    pub(crate) name: String,
    /// Its file, for messages.
    pub(crate) path: String,
    pub(crate) component: Component,
    pub(crate) plan: Arc<Plan>,
    /// The plan as the component wrote it; every instance must write the same.
    pub(crate) document: String,
    pub(crate) args: Vec<(String, String)>,
}

/// Bindings that there would be without wires, each with the wire in its stead.
pub(crate) type Replaced = Vec<(String, plan::Wire)>;

/// All components of a job.
pub(crate) struct Components {
    pub(crate) all: Vec<Loaded>,
    /// Which operator of the whole is whose, where there are several.
    places: Option<Vec<Place>>,
}

/// The components that a job runs at the moment, and what those before them have cost in the same process.
pub(crate) struct Present(Mutex<(Components, Cost)>);

/// What components cost.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cost {
    /// How many instances have been replaced because their memory had grown.
    pub(crate) recycled: u64,
    /// How many pieces of state have been moved out of memory, and back.
    pub(crate) moved: (u64, u64),
    /// What the operators have cost; none where it was not asked for.
    pub(crate) fuel: Option<BTreeMap<OperatorId, Fuel>>,
}

impl Cost {
    fn of(components: &Components) -> Cost {
        Cost { recycled: components.recycled(), moved: components.moved(), fuel: components.fuel() }
    }

    /// Both together; operators are those of the other, whose plan is the same.
    fn and(&self, mut other: Cost) -> Cost {
        other.recycled += self.recycled;
        other.moved = (other.moved.0 + self.moved.0, other.moved.1 + self.moved.1);
        for (operator, fuel) in other.fuel.iter_mut().flatten() {
            fuel.used += self.fuel.as_ref().and_then(|before| before.get(operator)).map_or(0, |before| before.used);
        }
        other
    }
}

impl Present {
    pub(crate) fn new(components: Components) -> Present {
        Present(Mutex::new((components, Cost::default())))
    }

    /// What all have cost so far.
    pub(crate) fn cost(&self) -> Cost {
        let present = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        present.1.and(Cost::of(&present.0))
    }

    /// The job runs others.
    pub(crate) fn replace(&self, components: Components) {
        let mut present = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cost = present.1.and(Cost::of(&present.0));
        *present = (components, cost);
    }
}

impl Components {
    /// A job of one component.
    pub(crate) fn one(loaded: Loaded) -> Components {
        Components { all: vec![loaded], places: None }
    }

    /// The components wired, the plan of the whole, and the bindings that wires have replaced.
    ///
    /// # Errors
    /// All that is wrong with the wires, or with the whole.
    pub(crate) fn wired(all: Vec<Loaded>, name: Option<&str>, several: &Several) -> Outcome<(Components, Plan, Replaced)> {
        let parts: Vec<plan::Part<'_>> = all.iter().map(|loaded| plan::Part { name: &loaded.name, plan: &loaded.plan }).collect();
        let wired = plan::wire(name, &parts, &several.wires).map_err(|e| {
            let fault = Fault::refused("the components do not make a job");
            e.0.iter().fold(fault, |fault, line| fault.cause(line.clone()))
        })?;
        Ok((Components { all, places: Some(wired.places) }, wired.plan, wired.replaced))
    }

    /// What tells these components from others: the digest of the only one, or of the lines `NAME DIGEST` of several.
    pub(crate) fn digest(&self) -> String {
        match (&self.places, self.all.as_slice()) {
            (None, [one]) => one.component.describe().sha256.clone(),
            (_, all) => digest_of(all.iter().map(|loaded| (loaded.name.as_str(), loaded.component.describe().sha256.as_str()))),
        }
    }

    /// Makes instances of the whole; the memory that state may have is divided among those that have any.
    pub(crate) fn factory(&self, state: Option<StateMemory>) -> Arc<dyn Factory> {
        let state = state.map(|state| StateMemory { bytes: state.bytes / self.with_state(), ..state });
        let made = |loaded: &Loaded| {
            let (document, plan) = (loaded.document.clone(), Arc::clone(&loaded.plan));
            match state.clone() {
                None => loaded.component.factory(&loaded.args, document, plan),
                Some(state) => loaded.component.factory_within(&loaded.args, document, plan, state),
            }
        };
        match (&self.places, self.all.as_slice()) {
            (None, [one]) => made(one),
            (places, all) => {
                let parts = all.iter().map(|loaded| (loaded.name.clone(), made(loaded))).collect();
                Arc::new(Factories::new(parts, places.clone().unwrap_or_default()))
            }
        }
    }

    /// How many of them declare state, and at least one.
    pub(crate) fn with_state(&self) -> usize {
        let stateful = |loaded: &&Loaded| loaded.plan.operators.iter().any(|operator| !operator.state_schema().fields().is_empty());
        self.all.iter().filter(stateful).count().max(1)
    }

    /// What the operators of the whole have cost; none where it was not asked for.
    pub(crate) fn fuel(&self) -> Option<BTreeMap<OperatorId, Fuel>> {
        let each: Vec<BTreeMap<OperatorId, Fuel>> = self.all.iter().map(|loaded| loaded.component.fuel()).collect::<Option<_>>()?;
        let Some(places) = &self.places else { return each.into_iter().next() };
        let whole = |component: usize, operator: OperatorId| {
            places.iter().position(|place| (place.component, place.operator) == (component, operator)).map(|id| id as OperatorId)
        };
        let of_one = |(component, fuel): (usize, BTreeMap<OperatorId, Fuel>)| {
            let all = fuel.into_iter().filter_map(move |(operator, fuel)| {
                let with = fuel.with.iter().filter_map(|&other| whole(component, other)).collect();
                Some((whole(component, operator)?, Fuel { with, ..fuel }))
            });
            all.collect::<Vec<_>>()
        };
        Some(each.into_iter().enumerate().flat_map(of_one).collect())
    }

    /// How many instances have been replaced because their memory had grown.
    pub(crate) fn recycled(&self) -> u64 {
        self.all.iter().map(|loaded| loaded.component.recycled()).sum()
    }

    /// How many pieces of state have been moved out of memory, and back.
    pub(crate) fn moved(&self) -> (u64, u64) {
        let each = self.all.iter().map(|loaded| loaded.component.moved());
        each.fold((0, 0), |(out, back), (more_out, more_back)| (out + more_out, back + more_back))
    }
}

/// Refuses a URL for a binding that a wire has replaced.
///
/// # Errors
/// The first of them.
pub(crate) fn check_unbound<'a>(replaced: &Replaced, mut bindings: impl Iterator<Item = &'a String>) -> Outcome<()> {
    let wire = |given: &'a String| replaced.iter().find(|(binding, _)| binding == given).map(|(_, wire)| (given, wire));
    let Some((given, wire)) = bindings.find_map(wire) else { return Ok(()) };
    let fault = Fault::refused(format!("binding {given:?} is given, but a wire stands in its stead"));
    Err(fault.cause(format!("{:?} = {:?}", wire.source, wire.sink)).hint("remove one of the two"))
}

fn digest_of<'a>(parts: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let lines: String = parts.map(|(name, sha256)| format!("{name} {sha256}\n")).collect();
    Sha256::digest(lines).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_code_before_has_cost_is_not_forgotten() {
        let cost = |recycled, used| {
            let fuel = BTreeMap::from([(3, Fuel { used, with: vec![4] })]);
            Cost { recycled, moved: (recycled, 2), fuel: Some(fuel) }
        };
        let both = cost(1, 10).and(cost(5, 7));
        assert_eq!((both.recycled, both.moved, both.fuel.unwrap()[&3].used), (6, (6, 4), 17));
    }

    #[test]
    fn the_digest_of_several_changes_with_each_name_and_component() {
        let all = [[("a", "1"), ("b", "2")], [("a", "2"), ("b", "1")], [("a", "1"), ("c", "2")]];
        let digests = all.map(|parts| digest_of(parts.into_iter()));
        assert!(digests[0] != digests[1] && digests[0] != digests[2], "{digests:?}");
        assert_eq!(digests[0], "2951835de33689a441bfa61bc7af99b1f0305ca8ec0ab4dd508f14f57b27ca23", "sha256sum of the lines");
    }
}
