//! Rows outside of blocks, as the kit's host keeps them.

use std::cmp::Ordering;

use crate::block::{Block, Builder, Parts, Writer, lay_out};
use crate::record::{Cell as Column, Cursor, Record};
use crate::schema::{self, Schema, Type};

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Absent,
    Bool(bool),
    I32(i32),
    I64(i64),
    F64(f64),
    String(String),
    Bytes(Vec<u8>),
}

/// A record and its event time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) time: i64,
    pub(super) values: Vec<Value>,
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Value) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::I32(a), Value::I32(b)) => a.cmp(b),
            (Value::I64(a), Value::I64(b)) => a.cmp(b),
            (Value::F64(a), Value::F64(b)) => a.total_cmp(b),
            (Value::String(a), Value::String(b)) => a.cmp(b),
            (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
            (a, b) => (*a != Value::Absent).cmp(&(*b != Value::Absent)),
        }
    }
}

/// The rows of a block.
pub(super) fn decode(bytes: &[u8], schema: &Schema) -> Vec<Row> {
    let block = Block::parse(bytes).expect("a block of the SDK's own making");
    let mut columns = Cursor::new(&block);
    let cells: Vec<Vec<Value>> = schema.columns.iter().map(|column| decode_column(&mut columns, column, block.rows())).collect();
    let time = |row: usize| i64::from_le_bytes(block.times()[row]);
    (0..block.rows()).map(|row| Row { time: time(row), values: cells.iter().map(|column| column[row].clone()).collect() }).collect()
}

fn decode_column(columns: &mut Cursor<'_, '_>, column: &schema::Column, rows: usize) -> Vec<Value> {
    fn cells<T: Column>(columns: &mut Cursor<'_, '_>, rows: usize, value: impl Fn(T) -> Value) -> Vec<Value> {
        let reader = columns.open::<T>().expect("the schema of the plan");
        (0..rows).map(|row| value(T::read(&reader, row))).collect()
    }
    fn either<T: crate::record::Plain>(columns: &mut Cursor<'_, '_>, optional: bool, rows: usize, value: fn(T) -> Value) -> Vec<Value> {
        match optional {
            true => cells::<Option<T>>(columns, rows, |cell| cell.map_or(Value::Absent, value)),
            false => cells::<T>(columns, rows, value),
        }
    }
    let optional = column.optional;
    match column.ty {
        Type::Bool => either(columns, optional, rows, Value::Bool),
        Type::I32 => either(columns, optional, rows, Value::I32),
        Type::I64 => either(columns, optional, rows, Value::I64),
        Type::F64 => either(columns, optional, rows, Value::F64),
        Type::String => either(columns, optional, rows, Value::String),
        Type::Bytes => either(columns, optional, rows, Value::Bytes),
    }
}

/// A block of rows.
pub(super) fn encode(rows: &[Row], schema: &Schema) -> Vec<u8> {
    let times: Vec<u8> = rows.iter().flat_map(|row| row.time.to_le_bytes()).collect();
    let parts = Parts { schema_id: schema.id(), rows: rows.len(), columns: schema.columns.len(), times: &times };
    let mut out = Vec::new();
    lay_out(&mut out, parts, &mut |each| {
        for (index, column) in schema.columns.iter().enumerate() {
            encode_column(rows.iter().map(|row| &row.values[index]), column, each);
        }
    });
    out
}

fn encode_column<'r>(
    cells: impl Iterator<Item = &'r Value>,
    column: &schema::Column,
    each: &mut dyn FnMut(&mut dyn Writer, Option<&[u8]>),
) {
    fn write<'r, T: Column>(
        cells: impl Iterator<Item = &'r Value>,
        each: &mut dyn FnMut(&mut dyn Writer, Option<&[u8]>),
        value: impl Fn(&Value) -> Option<T>,
    ) {
        let mut writer = T::Writer::default();
        cells.for_each(|cell| match value(cell) {
            Some(cell) => cell.write(&mut writer),
            None => writer.push_absent(),
        });
        each(&mut writer, None);
    }
    macro_rules! column {
        ($variant:ident, $ty:ty) => {{
            let value = |cell: &Value| match cell {
                Value::$variant(value) => Some(value.clone()),
                Value::Absent => None,
                other => panic!("column {:?} cannot hold {other:?}", column.name),
            };
            match column.optional {
                true => write::<Option<$ty>>(cells, each, |cell| Some(value(cell))),
                false => write::<$ty>(cells, each, value),
            }
        }};
    }
    match column.ty {
        Type::Bool => column!(Bool, bool),
        Type::I32 => column!(I32, i32),
        Type::I64 => column!(I64, i64),
        Type::F64 => column!(F64, f64),
        Type::String => column!(String, String),
        Type::Bytes => column!(Bytes, Vec<u8>),
    }
}

/// The row of a record.
pub(super) fn row_of<T: Record>(record: &T, time: i64) -> Row {
    let mut builder = Builder::<T>::default();
    builder.push(record, time);
    decode(builder.finish(), &Schema::of::<T>()).remove(0)
}

/// The records of rows that begin with their columns.
pub(super) fn records<T: Record>(rows: &[Row], schema: &Schema) -> Vec<(T, i64)> {
    let bytes = encode(rows, schema);
    let block = Block::parse(&bytes).expect("a block of the kit's own making");
    let readers = T::open(&mut Cursor::new(&block)).unwrap_or_else(|error| {
        panic!("the records have the columns {schema}, which `{}` does not read: {error}", std::any::type_name::<T>())
    });
    rows.iter().enumerate().map(|(i, row)| (T::read(&readers, i), row.time)).collect()
}
