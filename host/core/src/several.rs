//! One guest made of several: each call goes to the component whose operator it concerns.
//!
//! The engine knows one plan with one numbering of operators and chains; each component knows its own. [`Several`] stands between
//! and translates numbers both ways, in failures too. A component gets its instance when a chain of it is linked, so that the one
//! instance in which the record of a trap is looked for does not start all others.

use std::collections::HashMap;
use std::sync::Arc;

use crate::TimeMs;
use crate::block::Block;
use crate::guest::{Asked, ChainId, Decision, Error, Factory, Guest, Moment, OperatorId, Outcome, Slot};
use crate::plan::Place;
use crate::schema::Schema;

/// Makes instances of all components of a job.
pub struct Factories {
    parts: Arc<Vec<(String, Arc<dyn Factory>)>>,
    numbers: Arc<Numbers>,
}

/// The two numberings.
struct Numbers {
    /// By the number in the whole.
    places: Vec<Place>,
    /// By component and the number there.
    whole: HashMap<(usize, OperatorId), OperatorId>,
}

impl Factories {
    /// `parts` are the components by name, and the places of [`crate::plan::Wired`] say which operator is whose.
    pub fn new(parts: Vec<(String, Arc<dyn Factory>)>, places: Vec<Place>) -> Factories {
        let whole = places.iter().enumerate().map(|(id, place)| ((place.component, place.operator), id as OperatorId)).collect();
        Factories { parts: Arc::new(parts), numbers: Arc::new(Numbers { places, whole }) }
    }
}

impl Factory for Factories {
    fn instantiate(&self) -> Result<Box<dyn Guest>, Error> {
        let instances = self.parts.iter().map(|_| Part::default()).collect();
        Ok(Box::new(Several { parts: Arc::clone(&self.parts), numbers: Arc::clone(&self.numbers), instances, chains: HashMap::new() }))
    }
}

/// One component on one worker.
#[derive(Default)]
struct Part {
    guest: Option<Box<dyn Guest>>,
    chains: ChainId,
}

/// See the module.
struct Several {
    parts: Arc<Vec<(String, Arc<dyn Factory>)>>,
    numbers: Arc<Numbers>,
    instances: Vec<Part>,
    /// The component of a chain and its number there.
    chains: HashMap<ChainId, (usize, ChainId)>,
}

impl Several {
    fn guest(&mut self, component: usize) -> Result<&mut Box<dyn Guest>, Error> {
        let slot = &mut self.instances[component].guest;
        if slot.is_none() {
            let (name, factory) = &self.parts[component];
            *slot = Some(factory.instantiate().map_err(|error| of_component(name, error))?);
        }
        Ok(slot.as_mut().expect("it has just been put there"))
    }

    fn place(&self, export: &'static str, operator: OperatorId) -> Result<Place, Error> {
        let place = self.numbers.places.get(operator as usize).copied();
        place.ok_or_else(|| Error::Contract { export, message: format!("there is no operator {operator}") })
    }

    /// Calls the component of an operator.
    fn at<T>(
        &mut self,
        export: &'static str,
        operator: OperatorId,
        call: impl FnOnce(&mut dyn Guest, OperatorId) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let place = self.place(export, operator)?;
        let result = call(self.guest(place.component)?.as_mut(), place.operator);
        result.map_err(|error| self.numbers.failed(place.component, error))
    }

    /// Calls the component of a chain.
    fn compute(
        &mut self,
        export: &'static str,
        chain: ChainId,
        call: impl FnOnce(&mut dyn Guest, ChainId) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Error> {
        let unknown = || Error::Contract { export, message: format!("chain {chain} is not linked") };
        let &(component, chain) = self.chains.get(&chain).ok_or_else(unknown)?;
        let result = call(self.guest(component)?.as_mut(), chain);
        let mut outcome = result.map_err(|error| self.numbers.failed(component, error))?;
        for emission in &mut outcome.emitted {
            emission.operator = self.numbers.whole(component, emission.operator);
        }
        for failure in &mut outcome.failures {
            failure.operator = self.numbers.whole(component, failure.operator);
        }
        Ok(outcome)
    }
}

impl Numbers {
    fn whole(&self, component: usize, operator: OperatorId) -> OperatorId {
        // A guest may only speak of members of its chain, and those are all in the whole.
        self.whole.get(&(component, operator)).copied().unwrap_or(OperatorId::MAX)
    }

    fn failed(&self, component: usize, error: Error) -> Error {
        match error {
            Error::Trap { export, message, backtrace, at } => {
                let at = at.and_then(|(operator, row)| Some((*self.whole.get(&(component, operator))?, row)));
                Error::Trap { export, message, backtrace, at }
            }
            other => other,
        }
    }
}

/// A failure before there was an operator to name.
fn of_component(name: &str, error: Error) -> Error {
    let of = |message: String| format!("component {name:?}: {message}");
    match error {
        Error::Trap { export, message, backtrace, .. } => Error::Trap { export, message: of(message), backtrace, at: None },
        Error::Limit { export, message } => Error::Limit { export, message: of(message) },
        Error::Contract { export, message } => Error::Contract { export, message: of(message) },
        Error::Storage { message } => Error::Storage { message: of(message) },
        Error::Refused { export, message } => Error::Refused { export, message: of(message) },
        Error::Deadline { .. } => error,
    }
}

impl Guest for Several {
    fn link(&mut self, chain: ChainId, members: &[OperatorId]) -> Result<(), Error> {
        let places = members.iter().map(|member| self.place("link", *member)).collect::<Result<Vec<Place>, Error>>()?;
        let component = match places.as_slice() {
            [first, rest @ ..] if rest.iter().all(|place| place.component == first.component) => first.component,
            _ => return Err(Error::Contract { export: "link", message: format!("chain {chain} is not of one component") }),
        };
        let own = self.instances[component].chains;
        let members: Vec<OperatorId> = places.iter().map(|place| place.operator).collect();
        let result = self.guest(component)?.link(own, &members);
        result.map_err(|error| self.numbers.failed(component, error))?;
        self.instances[component].chains += 1;
        self.chains.insert(chain, (component, own));
        Ok(())
    }

    fn process(&mut self, chain: ChainId, input: u32, at: Moment, block: &Block, rows: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        self.compute("process", chain, |guest, chain| guest.process(chain, input, at, block, rows, slots))
    }

    fn on_timer(&mut self, chain: ChainId, at: Moment, block: &Block, slots: &[Slot]) -> Result<Outcome, Error> {
        self.compute("on-timer", chain, |guest, chain| guest.on_timer(chain, at, block, slots))
    }

    fn fire(&mut self, chain: ChainId, at: Moment, block: &Block, offsets: &[u32], slots: &[Slot]) -> Result<Outcome, Error> {
        self.compute("fire", chain, |guest, chain| guest.fire(chain, at, block, offsets, slots))
    }

    fn merge(&mut self, operator: OperatorId, targets: &[Slot], sources: &[Slot]) -> Result<(), Error> {
        self.at("merge", operator, |guest, operator| guest.merge(operator, targets, sources))
    }

    fn export_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<Block, Error> {
        self.at("export-state", operator, |guest, operator| guest.export_state(operator, slots))
    }

    fn import_state(&mut self, operator: OperatorId, slots: &[Slot], block: &Block) -> Result<(), Error> {
        self.at("import-state", operator, |guest, operator| guest.import_state(operator, slots, block))
    }

    fn drop_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(), Error> {
        self.at("drop-state", operator, |guest, operator| guest.drop_state(operator, slots))
    }

    fn slots(&self, operator: OperatorId) -> Option<Vec<Slot>> {
        let place = self.numbers.places.get(operator as usize)?;
        self.instances[place.component].guest.as_ref().map_or(Some(Vec::new()), |guest| guest.slots(place.operator))
    }

    fn trigger(&mut self, operator: OperatorId, at: Moment, asked: &Asked<'_>) -> Result<Vec<Decision>, Error> {
        self.at("trigger", operator, |guest, operator| guest.trigger(operator, at, asked))
    }

    fn purge(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(), Error> {
        self.at("purge", operator, |guest, operator| guest.purge(operator, slots))
    }

    fn apply(&mut self, chain: ChainId, input: u32, at: Moment, block: &Block, keys: &Block, slots: &[Slot]) -> Result<Outcome, Error> {
        self.compute("apply", chain, |guest, chain| guest.apply(chain, input, at, block, keys, slots))
    }

    fn watermark(&mut self, operator: OperatorId, split: u32, now: TimeMs, block: Option<&Block>) -> Result<Option<TimeMs>, Error> {
        self.at("watermark", operator, |guest, operator| guest.watermark(operator, split, now, block))
    }

    fn migrate_state(&mut self, operator: OperatorId, from: &Schema, block: &Block) -> Result<Block, Error> {
        self.at("migrate-state", operator, |guest, operator| guest.migrate_state(operator, from, block))
    }
}

#[cfg(test)]
mod tests;
