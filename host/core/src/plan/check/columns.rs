//! Columns: key fields, aggregate fields, and the schemas that follow from others.

use super::kinds::is_text;
use super::{Check, did_you_mean};
use crate::plan::{Aggregate, Compute, Format, Kind, Operator, Partition};
use crate::schema::{Field, Schema, Type};

/// The schema of the records that the host itself makes in this operator from input of this schema; `None` for sources,
/// sinks and guest operators, and where the operator does not fit its input.
pub fn host_output(operator: &Operator, input: &Schema) -> Option<Schema> {
    host_columns(operator, input)?.ok()
}

/// As [`host_output`], with the problem where there is one; `Err("")` for one that is reported with the keys.
fn host_columns(operator: &Operator, input: &Schema) -> Option<Result<Schema, String>> {
    let (key, aggregate, window) = match &operator.kind {
        Kind::Union => return Some(Ok(input.clone())),
        Kind::Rolling(spec) => (&spec.key, &spec.aggregate, false),
        Kind::Window(spec) => match &spec.compute {
            Compute::Host(aggregate) => (&spec.key, aggregate, true),
            Compute::Guest => return None,
        },
        _ => return None,
    };
    Some(aggregate_columns(key, aggregate, window, input))
}

fn aggregate_columns(key: &[String], aggregate: &Aggregate, window: bool, input: &Schema) -> Result<Schema, String> {
    let result = aggregate_field(aggregate, input)?;
    let whole = matches!(aggregate, Aggregate::MinBy(_) | Aggregate::MaxBy(_));
    let mut fields = Vec::new();
    if !whole {
        for name in key {
            fields.push(input.fields()[input.index_of(name).ok_or_else(String::new)?].clone());
        }
    }
    if window {
        let bound = |name: &str| Field { name: name.to_owned(), ty: Type::I64, optional: false };
        fields.extend([bound("start"), bound("end")]);
    }
    match whole {
        true => fields.extend(input.fields().iter().cloned()),
        false => fields.push(result),
    }
    let twice = fields.iter().enumerate().find(|(i, field)| fields[..*i].iter().any(|f| f.name == field.name));
    if let Some((_, field)) = twice {
        return Err(format!("would give two columns named {:?}: rename the field in a map in front of it", field.name));
    }
    Schema::new(fields).map_err(|e| e.to_string())
}

/// The column that an aggregate of these records gives.
fn aggregate_field(aggregate: &Aggregate, input: &Schema) -> Result<Field, String> {
    let (what, name, texts) = match aggregate {
        Aggregate::Count => return Ok(Field { name: "count".to_owned(), ty: Type::I64, optional: false }),
        Aggregate::Sum(name) => ("sum", name, false),
        Aggregate::Min(name) => ("min", name, true),
        Aggregate::Max(name) => ("max", name, true),
        Aggregate::MinBy(name) => ("min-by", name, true),
        Aggregate::MaxBy(name) => ("max-by", name, true),
    };
    let Some(index) = input.index_of(name) else {
        return Err(format!("takes the {what} of {}", unknown_field(name, input)));
    };
    let field = input.fields()[index].clone();
    let fits = matches!(field.ty, Type::I32 | Type::I64 | Type::F64) || (texts && field.ty == Type::String);
    if !fits {
        let may = if texts { "i32, i64, f64 and string" } else { "i32, i64 and f64" };
        return Err(format!("takes the {what} of {name:?}, a {}: it works on {may}", field.ty.name()));
    }
    if field.optional {
        return Err(format!("takes the {what} of {name:?}, which may be absent: give it a value or filter in front of it"));
    }
    let ty = if matches!(aggregate, Aggregate::Sum(_)) && field.ty == Type::I32 { Type::I64 } else { field.ty };
    Ok(Field { ty, ..field })
}

pub(super) fn unknown_field(name: &str, schema: &Schema) -> String {
    let hint = did_you_mean(name, schema.fields().iter().map(|f| f.name.as_str()));
    format!("{name:?}, which is no field of its input ({schema}){hint}")
}

impl<'a> Check<'a> {
    pub(super) fn columns(&mut self, operator: &'a Operator) {
        let inputs: Vec<Option<Schema>> = operator.inputs.iter().map(|i| self.schema(i)).collect();
        self.keys(operator, &inputs);
        self.partitions(operator, &inputs);
        self.union(operator, &inputs);
        self.join_columns(operator, &inputs);
        let Some(Some(input)) = inputs.first() else { return };
        if let Kind::Window(spec) = &operator.kind {
            self.window_fields(operator, spec, input);
        }
        if let Some(columns) = host_columns(operator, input) {
            self.host_result(operator, columns);
        }
        if let Kind::Sink(spec) = &operator.kind
            && spec.format == Format::Text
            && !is_text(input)
        {
            self.at(
                operator,
                format!("writes format text, which takes one string field, not ({input}): use json or csv, or map to a text"),
            );
        }
    }

    fn keys(&mut self, operator: &'a Operator, inputs: &[Option<Schema>]) {
        let mut first: Option<(usize, String)> = None;
        for (index, schema) in inputs.iter().enumerate() {
            let (Some(key), Some(schema)) = (operator.key(index), schema) else { continue };
            let mut types = Vec::new();
            for (i, name) in key.iter().enumerate() {
                match schema.index_of(name).map(|at| &schema.fields()[at]) {
                    None => self.at(operator, format!("is keyed by {}", unknown_field(name, schema))),
                    Some(_) if key[..i].contains(name) => self.at(operator, format!("is keyed by {name:?} twice")),
                    Some(field) => types.push(format!("{}{}", field.ty.name(), if field.optional { "?" } else { "" })),
                }
            }
            if types.len() < key.len() {
                continue;
            }
            let types = format!("({})", types.join(","));
            match &first {
                None => first = Some((index, types)),
                Some((_, expected)) if *expected == types => {}
                Some((other, expected)) => {
                    let problem =
                        format!("is keyed by {expected} on input {other} and by {types} on input {index}: keys must agree in type");
                    self.at(operator, problem);
                }
            }
        }
    }

    fn partitions(&mut self, operator: &'a Operator, inputs: &[Option<Schema>]) {
        for (index, (input, schema)) in operator.inputs.iter().zip(inputs).enumerate() {
            let keyed = operator.key(index).is_some();
            match (&input.partition, keyed) {
                (Partition::Forward | Partition::Key, true) => {}
                (_, true) => {
                    self.at(
                        operator,
                        format!("is always partitioned by its key: remove the \"partition\" of its input from {:?}", input.from),
                    );
                }
                (Partition::Key, false) => {
                    self.at(operator, format!("has no key, so its input from {:?} cannot be partitioned by it", input.from));
                }
                (Partition::Custom(field), false) => {
                    let Some(schema) = schema else { continue };
                    match schema.index_of(field).map(|at| &schema.fields()[at]) {
                        None => self.at(operator, format!("is partitioned by {}", unknown_field(field, schema))),
                        Some(f) if !matches!(f.ty, Type::I32 | Type::I64) || f.optional => {
                            self.at(
                                operator,
                                format!("is partitioned by {field:?}, which must be an i32 or i64 that is never absent ({schema})"),
                            );
                        }
                        Some(_) => {}
                    }
                }
                _ => {}
            }
        }
    }

    fn union(&mut self, operator: &'a Operator, inputs: &[Option<Schema>]) {
        if !matches!(operator.kind, Kind::Union) {
            return;
        }
        let known: Vec<_> = inputs.iter().zip(&operator.inputs).filter_map(|(schema, input)| Some((schema.as_ref()?, input))).collect();
        for (schema, input) in known.iter().skip(1).filter(|(schema, _)| *schema != known[0].0) {
            let (first, of) = known[0];
            let problem =
                format!("joins different records: ({first}) from {:?}, ({schema}) from {:?}; map one to the other", of.from, input.from);
            self.at(operator, problem);
        }
    }

    /// What the host gives must be what the plan says.
    fn host_result(&mut self, operator: &'a Operator, columns: Result<Schema, String>) {
        match columns {
            Ok(schema) => {
                if let Some(output) = operator.outputs.first().filter(|o| o.schema != schema) {
                    self.at(operator, format!("gives ({schema}), but its output says ({})", output.schema));
                }
            }
            Err(problem) if problem.is_empty() => {}
            Err(problem) => self.at(operator, problem),
        }
    }
}
