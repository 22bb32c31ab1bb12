//! What joins and co-groups may not be.

use std::collections::HashSet;

use super::{Check, bad_name};
use crate::plan::{Contract, Domain, IntervalJoinSpec, Kind, Operator, PORT_UNMATCHED, Side};
use crate::schema::{Field, Schema, Type};

/// Sides that a record of the result may be put together of at most.
const SIDES_MAX: usize = 10;

impl<'a> Check<'a> {
    pub(super) fn join(&mut self, operator: &'a Operator, sides: &'a [Side]) {
        self.since(operator, Contract::V2, "joined inputs");
        if sides.len() != operator.inputs.len() {
            let (inputs, given) = (operator.inputs.len(), sides.len());
            self.at(operator, format!("has {inputs} inputs but {given} sides: give one side for each input"));
        }
        let two = matches!(operator.kind, Kind::IntervalJoin(_) | Kind::TemporalJoin(_));
        if two && sides.len() != 2 {
            self.at(operator, format!("has {} sides: it joins two", sides.len()));
        } else if sides.len() < 2 || sides.len() > SIDES_MAX {
            self.at(operator, format!("has {} sides: it joins from 2 to {SIDES_MAX}", sides.len()));
        }
        let mut seen = HashSet::new();
        for side in sides {
            let problem = bad_name(&side.name).or_else(|| side.name.contains('.').then(|| "may not hold \".\"".to_owned()));
            if let Some(problem) = problem {
                self.at(operator, format!("has side {:?}, a name that {problem}", side.name));
            }
            if !seen.insert(&side.name) {
                self.at(operator, format!("has two sides named {:?}: rename one", side.name));
            }
        }
        match &operator.kind {
            Kind::IntervalJoin(spec) => self.interval(operator, spec),
            Kind::WindowJoin(spec) => {
                let windows = spec.windows();
                self.window_of(operator, &windows);
            }
            Kind::CoGroup(spec) => {
                let windows = spec.windows();
                self.window_of(operator, &windows);
                if spec.state.is_empty() {
                    self.at(operator, "declares no state: what a window gathers would not survive a checkpoint; declare what it gathers");
                }
                self.state(operator, &spec.state);
            }
            Kind::TemporalJoin(_) if sides.first().is_some_and(|side| !side.required) => {
                self.at(operator, "does not require its first side, whose records it is of: only the versions may be missing");
            }
            _ => {}
        }
    }

    fn interval(&mut self, operator: &Operator, spec: &IntervalJoinSpec) {
        let (lower, upper) = spec.bounds();
        if spec.upper_ms < spec.lower_ms {
            let (lower, upper) = (spec.lower_ms, spec.upper_ms);
            self.at(
                operator,
                format!("has the upper bound {upper} ms under the lower bound {lower} ms: nothing would ever be joined, swap them"),
            );
        } else if upper < lower {
            self.at(operator, "has an interval that its exclusive bounds leave empty: nothing would ever be joined");
        }
    }

    /// The schema of a join's results and of its further ports.
    pub(super) fn join_columns(&mut self, operator: &'a Operator, inputs: &[Option<Schema>]) {
        let Some(sides) = operator.sides() else { return };
        if matches!(operator.kind, Kind::CoGroup(_)) || sides.len() != inputs.len() {
            return;
        }
        let known: Option<Vec<&Schema>> = inputs.iter().map(Option::as_ref).collect();
        let Some(known) = known else { return };
        let result = result(sides, &known, matches!(operator.kind, Kind::WindowJoin(_)));
        if let (Ok(result), Some(output)) = (result, operator.outputs.first())
            && output.schema != result
        {
            self.at(operator, format!("gives ({result}), but its output says ({})", output.schema));
        }
        for output in operator.outputs.iter().skip(1) {
            let name = output.name.strip_prefix(PORT_UNMATCHED);
            match sides.iter().position(|side| Some(side.name.as_str()) == name) {
                None => {
                    let may: Vec<String> = sides.iter().map(|side| format!("{PORT_UNMATCHED}{}", side.name)).collect();
                    self.at(operator, format!("lists output {:?}: beside its results it has {}", output.name, may.join(", ")));
                }
                Some(side) if output.schema != *known[side] => {
                    let (given, wanted) = (&output.schema, known[side]);
                    self.at(operator, format!("gives ({wanted}) on {:?}, but the output says ({given})", output.name));
                }
                Some(_) => {}
            }
        }
    }
}

/// The columns of a join's results: those of each side by its name, optional where the side or the field is, behind the window's bounds.
pub(super) fn result(sides: &[Side], inputs: &[&Schema], windows: bool) -> Result<Schema, String> {
    let bound = |name: &str| Field { name: name.to_owned(), ty: Type::I64, optional: false };
    let mut fields = if windows { vec![bound("start"), bound("end")] } else { Vec::new() };
    for (side, input) in sides.iter().zip(inputs) {
        let field = |f: &Field| Field { name: format!("{}.{}", side.name, f.name), ty: f.ty, optional: f.optional || !side.required };
        fields.extend(input.fields().iter().map(field));
    }
    Schema::new(fields).map_err(|error| error.to_string())
}

/// Whether a join needs event time, and why.
pub(super) fn needs_event_time(operator: &Operator) -> Option<&'static str> {
    match &operator.kind {
        Kind::IntervalJoin(_) => Some("joins by event time"),
        Kind::TemporalJoin(_) => Some("joins by event time"),
        Kind::WindowJoin(spec) if spec.domain == Domain::Event && spec.windows().needs_event_time() => Some("counts in event time"),
        Kind::CoGroup(spec) if spec.windows().needs_event_time() => Some("counts in event time"),
        _ => None,
    }
}
