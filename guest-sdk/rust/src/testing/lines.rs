//! Lines of text as records and back, so that a test can run an example's own input.

use super::row::{Row, Value};
use crate::plan::{FormatName, Output, Source};
use crate::schema::{Column, Schema, Type};

/// The event time of a line and the rows it gives, by port.
pub(super) fn parse(line: &str, source: &Source, outputs: &[Output]) -> (Option<i64>, Vec<(String, Row)>) {
    match source.binding.format {
        FormatName::Text => (None, vec![(outputs[0].name.clone(), Row { time: 0, values: vec![Value::String(line.to_owned())] })]),
        FormatName::Csv => {
            let cells: Vec<&str> = line.split(',').collect();
            let schema = &outputs[0].schema;
            let values: Vec<Value> = schema.columns.iter().zip(&cells).map(|(column, cell)| from_text(cell, column)).collect();
            let time = source.time.as_ref().and_then(|time| schema.columns.iter().position(|column| column.name == *time));
            let time = time.and_then(|at| cells[at].parse().ok());
            (time, vec![(outputs[0].name.clone(), Row { time: 0, values })])
        }
        FormatName::Json => {
            let object: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?} is not JSON: {error}"));
            let time = source.time.as_ref().and_then(|time| object[time].as_i64());
            let tag = source.tag.as_ref().and_then(|tag| object[tag].as_str());
            let chosen = outputs.iter().filter(|output| output.variant.as_deref() == tag);
            let row = |schema: &Schema| Row {
                time: 0,
                values: schema.columns.iter().map(|column| from_json(&object[&column.name], column)).collect(),
            };
            (time, chosen.map(|output| (output.name.clone(), row(&output.schema))).collect())
        }
    }
}

fn from_json(json: &serde_json::Value, column: &Column) -> Value {
    let value = match column.ty {
        Type::Bool => json.as_bool().map(Value::Bool),
        Type::I32 => json.as_i64().and_then(|n| n.try_into().ok()).map(Value::I32),
        Type::I64 => json.as_i64().map(Value::I64),
        Type::F64 => json.as_f64().map(Value::F64),
        Type::String => json.as_str().map(|text| Value::String(text.to_owned())),
        Type::Bytes => json.as_str().map(|text| Value::Bytes(text.as_bytes().to_owned())),
    };
    value.unwrap_or_else(|| absent(column, &json.to_string()))
}

fn from_text(cell: &str, column: &Column) -> Value {
    let value = match column.ty {
        Type::Bool => cell.parse().ok().map(Value::Bool),
        Type::I32 => cell.parse().ok().map(Value::I32),
        Type::I64 => cell.parse().ok().map(Value::I64),
        Type::F64 => cell.parse().ok().map(Value::F64),
        Type::String => Some(Value::String(cell.to_owned())),
        Type::Bytes => Some(Value::Bytes(cell.as_bytes().to_owned())),
    };
    value.unwrap_or_else(|| absent(column, cell))
}

fn absent(column: &Column, text: &str) -> Value {
    assert!(column.optional, "field {:?} cannot be {text}: it is {}", column.name, column.ty.name());
    Value::Absent
}

/// A row as a line without its end.
pub(super) fn write(row: &Row, schema: &Schema, format: FormatName) -> String {
    let shown = schema.columns.iter().zip(&row.values).filter(|(column, _)| !column.name.starts_with('$'));
    match format {
        FormatName::Json => {
            let fields: Vec<String> =
                shown.map(|(column, value)| format!("{}:{}", serde_json::json!(column.name), to_json(value))).collect();
            format!("{{{}}}", fields.join(","))
        }
        FormatName::Csv | FormatName::Text => shown.map(|(_, value)| to_text(value)).collect::<Vec<_>>().join(","),
    }
}

fn to_json(value: &Value) -> String {
    match value {
        Value::String(text) => serde_json::json!(text).to_string(),
        Value::F64(number) => serde_json::json!(number).to_string(),
        Value::Absent => "null".to_owned(),
        other => to_text(other),
    }
}

fn to_text(value: &Value) -> String {
    match value {
        Value::Absent => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::I32(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::F64(value) => serde_json::json!(value).to_string(),
        Value::String(value) if value.contains([',', '"', '\n']) => format!("\"{}\"", value.replace('"', "\"\"")),
        Value::String(value) => value.clone(),
        Value::Bytes(value) => String::from_utf8_lossy(value).into_owned(),
    }
}
