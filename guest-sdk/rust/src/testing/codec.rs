//! Blocks of any schema as text and back, for the test that holds the languages against the host: `tests/conformance/tests/blocks.rs`.
//! A line is a row: its time, then its cells, an f64 as its bits and texts and bytes in hexadecimal behind a quote.

use std::fmt::Write;

use super::row::{Row, Value, decode, encode};
use crate::schema::{Schema, Type};

/// The rows of a block as text, and the block that they make again.
///
/// # Panics
/// When it is no block of the schema.
#[must_use]
pub fn echo(block: &[u8], schema: &str) -> (String, Vec<u8>) {
    let schema: Schema = schema.parse().expect("a schema");
    let rows = decode(block, &schema);
    let mut text = String::new();
    for row in &rows {
        text.push_str(&row.time.to_string());
        row.values.iter().for_each(|value| tell(&mut text, value));
        text.push('\n');
    }
    (text, encode(&rows, &schema))
}

/// The block of rows that are given as text.
///
/// # Panics
/// When the text is none of the schema.
#[must_use]
pub fn make(text: &str, schema: &str) -> Vec<u8> {
    let schema: Schema = schema.parse().expect("a schema");
    let row = |line: &str| {
        let mut cells = line.split(' ');
        let time = cells.next().and_then(|time| time.parse().ok()).expect("a time");
        Row { time, values: cells.zip(&schema.columns).map(|(cell, column)| heard(cell, column.ty)).collect() }
    };
    encode(&text.lines().map(row).collect::<Vec<_>>(), &schema)
}

fn tell(text: &mut String, value: &Value) {
    let told = match value {
        Value::Absent => write!(text, " -"),
        Value::Bool(value) => write!(text, " {}", if *value { 't' } else { 'f' }),
        Value::I32(value) => write!(text, " {value}"),
        Value::I64(value) => write!(text, " {value}"),
        Value::F64(value) => write!(text, " {:016x}", value.to_bits()),
        Value::String(value) => write!(text, " \"{}", hex(value.as_bytes())),
        Value::Bytes(value) => write!(text, " \"{}", hex(value)),
    };
    told.expect("a text takes everything");
}

fn heard(cell: &str, ty: Type) -> Value {
    let bytes =
        || cell.as_bytes()[1..].chunks(2).map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).expect("a byte")).collect();
    match ty {
        _ if cell == "-" => Value::Absent,
        Type::Bool => Value::Bool(cell == "t"),
        Type::I32 => Value::I32(cell.parse().expect("an i32")),
        Type::I64 => Value::I64(cell.parse().expect("an i64")),
        Type::F64 => Value::F64(f64::from_bits(u64::from_str_radix(cell, 16).expect("the bits of an f64"))),
        Type::String => Value::String(String::from_utf8(bytes()).expect("UTF-8")),
        Type::Bytes => Value::Bytes(bytes()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
