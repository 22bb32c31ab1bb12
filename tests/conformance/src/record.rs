//! Records as JSON objects, and blocks of them.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Number, Value as Json};
use tidemill_core::TimeMs;
use tidemill_core::block::{Block, Builder, ColumnBuilder, Value};
use tidemill_core::schema::{Schema, Type};

/// A record by the names of its fields; what is absent is null, or not there.
pub type Record = Map<String, Json>;

/// A record in a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its event time.
    pub time: TimeMs,
    /// Its fields.
    pub record: Record,
}

/// The rows of a block.
#[must_use]
pub fn rows(block: &Block, schema: &Schema) -> Vec<Row> {
    let row = |row: usize| {
        let cell = |(index, field): (usize, &tidemill_core::schema::Field)| (field.name.clone(), json(block.column(index).value(row)));
        Row { time: block.time(row), record: schema.fields().iter().enumerate().map(cell).collect() }
    };
    (0..block.rows()).map(row).collect()
}

fn json(value: Value<'_>) -> Json {
    match value {
        Value::Absent => Json::Null,
        Value::Bool(v) => v.into(),
        Value::I32(v) => v.into(),
        Value::I64(v) => v.into(),
        // What JSON has no number for is told by its name.
        Value::F64(v) => Number::from_f64(v).map_or_else(|| v.to_string().into(), Json::Number),
        Value::String(v) => v.into(),
        Value::Bytes(v) => v.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
    }
}

/// A block of rows; `None` for none. Fields that the schema does not have are left out.
///
/// # Errors
/// A field that is missing or of another type.
pub fn block(rows: &[Row], schema: &Schema) -> Result<Option<Block>> {
    let mut builder = Builder::new(schema);
    for row in rows {
        builder.push_time(row.time);
        for (index, field) in schema.fields().iter().enumerate() {
            let value = row.record.get(&field.name).unwrap_or(&Json::Null);
            push(builder.column(index), field.ty, value, field.optional)
                .with_context(|| format!("field {:?} of {}", field.name, Json::Object(row.record.clone())))?;
        }
    }
    Ok(builder.finish())
}

fn push(column: &mut ColumnBuilder, ty: Type, value: &Json, optional: bool) -> Result<()> {
    match (ty, value) {
        (_, Json::Null) if optional => column.push_absent(),
        (Type::Bool, Json::Bool(v)) => column.push_bool(*v),
        (Type::I32, v) if v.is_i64() => column.push_i32(i32::try_from(v.as_i64().unwrap_or_default())?),
        (Type::I64, v) if v.is_i64() => column.push_i64(v.as_i64().unwrap_or_default()),
        (Type::F64, v) if v.is_number() => column.push_f64(v.as_f64().unwrap_or_default()),
        (Type::String, Json::String(v)) => column.push_str(v),
        (Type::Bytes, Json::String(v)) => column.push_bytes(v.as_bytes()),
        (ty, value) => bail!("is {}, not {value}", ty.name()),
    }
    Ok(())
}
