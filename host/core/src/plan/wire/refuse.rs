//! What wires may not be, said in the words of the job file.

use std::collections::{HashMap, HashSet};

use super::{Part, Place, Resolved, Wire, Wired, joined, named, operator};
use crate::guest::OperatorId;
use crate::plan::check::{Error, bad_name, did_you_mean};
use crate::plan::{Kind, Operator, PORT_DEAD_LETTER, Partition, late_schema};
use crate::schema::Schema;

/// Finds both ends of every wire.
pub(super) fn resolve<'a>(parts: &[Part<'_>], wires: &'a [Wire]) -> Result<Vec<Resolved<'a>>, Error> {
    let mut problems: Vec<String> = parts.iter().filter_map(|part| bad_component(part.name)).collect();
    let mut resolved: Vec<Resolved<'a>> = Vec::new();
    for wire in wires {
        let of = format!("the wire {:?} = {:?}", wire.source, wire.sink);
        match (end(parts, &wire.source, Side::Source), end(parts, &wire.sink, Side::Sink)) {
            (Ok(source), Ok(sink)) => {
                let twice = resolved.iter().find(|other| other.source == source);
                let wrong = match twice {
                    Some(other) => Some(format!(
                        "feeds a source that {:?} feeds already: join the two with a union in one of the components",
                        other.wire.sink
                    )),
                    None => unfit(parts, source, sink),
                };
                problems.extend(wrong.map(|wrong| format!("{of} {wrong}")));
                resolved.push(Resolved { wire, source, sink });
            }
            (source, sink) => problems.extend([source.err(), sink.err()].into_iter().flatten().map(|wrong| format!("{of}: {wrong}"))),
        }
    }
    if problems.is_empty() {
        let joined: HashSet<usize> = resolved.iter().flat_map(|wire| [wire.source.component, wire.sink.component]).collect();
        let alone = parts.iter().enumerate().filter(|(at, _)| !joined.contains(at));
        problems.extend(alone.map(|(_, part)| format!("component {:?} has no wire to another: it is a job of its own", part.name)));
    }
    if problems.is_empty() { Ok(resolved) } else { Err(Error(problems)) }
}

fn bad_component(name: &str) -> Option<String> {
    let problem = bad_name(name).or_else(|| name.contains('.').then(|| "may hold no \".\"".to_owned()))?;
    Some(format!("component {name:?} has a name that {problem}"))
}

/// Which end of a wire.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Source,
    Sink,
}

impl Side {
    fn word(self) -> &'static str {
        if self == Side::Source { "source" } else { "sink" }
    }

    fn is(self, operator: &Operator) -> bool {
        match &operator.kind {
            Kind::Source(_) => self == Side::Source,
            Kind::Sink(_) => self == Side::Sink,
            _ => false,
        }
    }
}

/// The operator that one end of a wire names.
fn end(parts: &[Part<'_>], text: &str, side: Side) -> Result<Place, String> {
    let word = side.word();
    let Some((component, name)) = text.split_once('.') else {
        return Err(format!("{text:?} names no operator: write COMPONENT.{}", word.to_uppercase()));
    };
    let names = || parts.iter().map(|part| part.name);
    let Some(at) = names().position(|known| known == component) else {
        let known = names().collect::<Vec<_>>().join(", ");
        return Err(format!("there is no component {component:?}; there are {known}{}", did_you_mean(component, names())));
    };
    let operators = &parts[at].plan.operators;
    let wanted = || operators.iter().filter(|operator| side.is(operator)).map(|operator| operator.name.as_str());
    let known = match wanted().collect::<Vec<_>>() {
        none if none.is_empty() => format!("has no {word}"),
        known => format!("has the {word}s {}", known.join(", ")),
    };
    match operators.iter().position(|operator| operator.name == name) {
        Some(id) if side.is(&operators[id]) => Ok(Place { component: at, operator: id as OperatorId }),
        Some(id) => {
            let kind = operators[id].kind_name();
            Err(format!("{text:?} is a {kind}, and a wire is written SOURCE = SINK; component {component:?} {known}"))
        }
        None => Err(format!("component {component:?} has no operator {name:?}; it {known}{}", did_you_mean(name, wanted()))),
    }
}

/// Why records of the sink cannot be those of the source.
fn unfit(parts: &[Part<'_>], source: Place, sink: Place) -> Option<String> {
    let (from, to) = (operator(parts, sink), operator(parts, source));
    let read = |place: Place, port: &str| {
        let name = &operator(parts, place).name;
        parts[place.component].plan.operators.iter().flat_map(|o| &o.inputs).any(|input| input.from == *name && input.port == port)
    };
    if source.component == sink.component {
        return Some("connects a component with itself: connect the operators in its code".to_owned());
    }
    if matches!(&to.kind, Kind::Source(spec) if spec.tag.is_some()) {
        return Some("feeds a source with a tag, which is for bindings: nothing is decoded on a wire".to_owned());
    }
    if let Some(place) = [source, sink].into_iter().find(|place| read(*place, PORT_DEAD_LETTER)) {
        let name = joined(named(parts, place));
        return Some(format!("leaves nothing for those who read the dead letters of {name:?}: nothing is encoded or decoded on a wire"));
    }
    if from.inputs.first().is_some_and(|input| input.partition == Partition::Broadcast) {
        return Some("leads from a sink that is given every record on every worker: on a wire it would be there as often".to_owned());
    }
    let given = late_schema(parts[sink.component].plan, from, 0).unwrap_or_default();
    let taken = to.outputs.first().map(|output| output.schema.clone()).unwrap_or_default();
    let difference = difference(&given, &taken)?;
    Some(format!("joins different columns: the sink gives ({given}), the source takes ({taken}); {difference}"))
}

/// The first column in which two schemas differ.
fn difference(given: &Schema, taken: &Schema) -> Option<String> {
    let most = given.fields().len().max(taken.fields().len());
    let (at, given, taken) =
        (0..most).map(|at| (at, given.fields().get(at), taken.fields().get(at))).find(|(_, given, taken)| given != taken)?;
    let shown = |field: Option<&crate::schema::Field>| match field {
        Some(field) => format!("{}:{}{}", field.name, field.ty.name(), if field.optional { "?" } else { "" }),
        None => "none".to_owned(),
    };
    Some(format!("column {} is {} there and {} here", at + 1, shown(given), shown(taken)))
}

/// A source that asks for event time is fed with records that have it.
pub(super) fn times(parts: &[Part<'_>], whole: &Wired, wires: &[Resolved<'_>]) -> Result<(), Error> {
    let index: HashMap<&str, usize> = whole.plan.operators.iter().enumerate().map(|(id, o)| (o.name.as_str(), id)).collect();
    let by_place: HashMap<(usize, OperatorId), usize> =
        whole.places.iter().enumerate().map(|(id, place)| ((place.component, place.operator), id)).collect();
    let mut problems = Vec::new();
    for wire in wires {
        let Kind::Source(spec) = &operator(parts, wire.source).kind else { continue };
        let Some(time) = &spec.time else { continue };
        let own = &operator(parts, wire.source).name;
        // Whoever reads the source reads what the sink reads, so any of them will do.
        let readers = parts[wire.source.component].plan.operators.iter().enumerate().filter_map(|(id, reader)| {
            let at = reader.inputs.iter().position(|input| input.from == *own)?;
            Some(&whole.plan.operators[*by_place.get(&(wire.source.component, id as OperatorId))?].inputs[at])
        });
        let begin = readers.filter_map(|input| index.get(input.from.as_str()).copied()).collect();
        if let Some(without) = without_time(&whole.plan.operators, &index, begin) {
            problems.push(format!(
                "the wire {:?} = {:?}: the source takes event time from field {time:?} where it has a binding; on a wire records keep \
                 the one they have, and source {without:?} gives none: set \"time\" and \"watermarks\" there or put a timestamps \
                 operator behind it",
                wire.wire.source, wire.wire.sink
            ));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Error(problems)) }
}

/// A source from which records reach `todo` without an event time.
fn without_time<'a>(operators: &'a [Operator], index: &HashMap<&str, usize>, mut todo: Vec<usize>) -> Option<&'a str> {
    let mut seen = HashSet::new();
    while let Some(id) = todo.pop() {
        match &operators[id].kind {
            _ if !seen.insert(id) => {}
            Kind::Source(spec) if spec.time.is_none() => return Some(&operators[id].name),
            Kind::Source(_) | Kind::Timestamps(_) => {}
            _ => todo.extend(operators[id].inputs.iter().filter_map(|input| index.get(input.from.as_str()))),
        }
    }
    None
}
