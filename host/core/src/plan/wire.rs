//! Several plans as one: sinks of some components are wired to sources of others, and what is wired disappears.
//!
//! [`wire`] is given plans that [`super::check`] has passed, each under the name of its component, and gives one plan that it passes
//! again, whose operators are called `COMPONENT.OPERATOR`. The readers of a wired source read what the sink read. Nothing is
//! encoded on a wire, so what a sink or source says of formats and event time holds only where it has a binding.

mod refuse;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use super::check::{self, Error};
use super::{CONTRACTS, Chaining, Input, Kind, Operator, Partition, Plan};
use crate::guest::OperatorId;

/// A component of a job.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Its name in the job.
    pub name: &'a str,
    /// Its plan.
    pub plan: &'a Plan,
}

/// `COMPONENT.OPERATOR` twice: the records of a sink go to a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    /// The source that is fed.
    pub source: String,
    /// The sink that feeds it.
    pub sink: String,
}

/// Where an operator of the whole stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The index of its component.
    pub component: usize,
    /// Its id in the plan of that.
    pub operator: OperatorId,
}

/// One plan made of several.
#[derive(Clone, Debug)]
pub struct Wired {
    /// The whole.
    pub plan: Plan,
    /// The place of each of its operators.
    pub places: Vec<Place>,
    /// The bindings that there would be without wires, each with the wire in its stead.
    pub replaced: Vec<(String, Wire)>,
}

/// A wire whose ends have been found.
struct Resolved<'a> {
    wire: &'a Wire,
    source: Place,
    sink: Place,
}

/// Makes one plan of several.
///
/// # Errors
/// All that is wrong with the wires; where they are right, all that is wrong with the whole.
pub fn wire(name: Option<&str>, parts: &[Part<'_>], wires: &[Wire]) -> Result<Wired, Error> {
    let resolved = refuse::resolve(parts, wires)?;
    let mut whole = merge(name, parts, &resolved)?;
    check::check(&whole.plan)?;
    refuse::times(parts, &whole, &resolved)?;
    separate(&mut whole);
    whole.replaced = resolved.iter().flat_map(|wire| replaced(parts, wire)).collect();
    Ok(whole)
}

/// All operators that are not wired, under their new names.
fn merge(name: Option<&str>, parts: &[Part<'_>], wires: &[Resolved<'_>]) -> Result<Wired, Error> {
    // Chaining, which keeps components apart here, is of the newest contract; older plans mean in it what they meant.
    let contract = CONTRACTS[CONTRACTS.len() - 1].version().to_owned();
    let mut whole = Wired {
        plan: Plan { contract, name: name.map(str::to_owned), fuse: true, operators: Vec::new() },
        places: Vec::new(),
        replaced: Vec::new(),
    };
    let fed: HashMap<Name<'_>, Name<'_>> = wires.iter().map(|wire| (named(parts, wire.source), named(parts, wire.sink))).collect();
    let sinks: HashMap<Name<'_>, &Input> =
        wires.iter().filter_map(|wire| Some((named(parts, wire.sink), operator(parts, wire.sink).inputs.first()?))).collect();
    for (component, part) in parts.iter().enumerate() {
        for (id, operator) in part.plan.operators.iter().enumerate() {
            let own = (part.name, operator.name.as_str());
            if fed.contains_key(&own) || sinks.contains_key(&own) {
                continue;
            }
            let mut operator = Operator { name: joined(own), ..operator.clone() };
            for index in 0..operator.inputs.len() {
                operator.inputs[index] = reading(part.name, &operator, index, &fed, &sinks)?;
            }
            match &mut operator.kind {
                Kind::Source(spec) => spec.binding = joined((part.name, &spec.binding)),
                Kind::Sink(spec) => spec.binding = joined((part.name, &spec.binding)),
                _ => {}
            }
            if !part.plan.fuse && operator.is_guest() {
                operator.chaining = Chaining::Never;
            }
            whole.plan.operators.push(operator);
            whole.places.push(Place { component, operator: id as OperatorId });
        }
    }
    Ok(whole)
}

/// The bindings of both ends of a wire.
fn replaced(parts: &[Part<'_>], wire: &Resolved<'_>) -> Vec<(String, Wire)> {
    let binding = |place: Place| match &operator(parts, place).kind {
        Kind::Source(spec) => Some(joined((parts[place.component].name, &spec.binding))),
        Kind::Sink(spec) => Some(joined((parts[place.component].name, &spec.binding))),
        _ => None,
    };
    [wire.source, wire.sink].into_iter().filter_map(binding).map(|binding| (binding, wire.wire.clone())).collect()
}

/// A component and one of its operators.
type Name<'a> = (&'a str, &'a str);

fn joined((component, operator): Name<'_>) -> String {
    format!("{component}.{operator}")
}

fn operator<'a>(parts: &[Part<'a>], place: Place) -> &'a Operator {
    &parts[place.component].plan.operators[place.operator as usize]
}

fn named<'a>(parts: &[Part<'a>], place: Place) -> Name<'a> {
    (parts[place.component].name, operator(parts, place).name.as_str())
}

/// What an input reads in the whole: through a wired source, what its sink read.
fn reading(
    component: &str,
    operator: &Operator,
    index: usize,
    fed: &HashMap<Name<'_>, Name<'_>>,
    sinks: &HashMap<Name<'_>, &Input>,
) -> Result<Input, Error> {
    let own = &operator.inputs[index];
    let mut input = Input { from: joined((component, &own.from)), ..own.clone() };
    let mut from = (component, own.from.as_str());
    // A component may hand its source straight to its sink, also all around.
    for _ in 0..=fed.len() {
        let Some(sink) = fed.get(&from) else { return Ok(input) };
        let given = sinks[sink];
        from = (sink.0, &given.from);
        let spread = input.partition == Partition::Forward && operator.key(index).is_none();
        let partition = if spread { given.partition.clone() } else { input.partition };
        input = Input { from: joined(from), port: given.port.clone(), partition };
    }
    Err(Error(vec![format!("what {:?} reads goes round over wires for ever: a job may have no loops", operator.name)]))
}

/// No guest call goes over a border between components.
fn separate(whole: &mut Wired) {
    let component: HashMap<String, usize> =
        whole.plan.operators.iter().zip(&whole.places).map(|(operator, place)| (operator.name.clone(), place.component)).collect();
    for (operator, place) in whole.plan.operators.iter_mut().zip(&whole.places) {
        let foreign = operator.inputs.iter().any(|input| component.get(&input.from) != Some(&place.component));
        if foreign && operator.is_stateless() && operator.chaining == Chaining::Fuse {
            operator.chaining = Chaining::Start;
        }
    }
}
