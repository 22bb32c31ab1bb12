//! Cells as plain values, for tests that compare blocks with a model: numbers are compared by their bits.

use tidemill_core::block::{Block, Builder, ColumnBuilder, Value};
use tidemill_core::schema::{Schema, Type};

/// One cell; an f64 is its bits, so that -0.0 and every NaN are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Absent,
    Bool(bool),
    I32(i32),
    I64(i64),
    F64(u64),
    String(String),
    Bytes(Vec<u8>),
}

/// A row: its event time and its cells.
pub(crate) type Row = (i64, Vec<Cell>);

impl Cell {
    pub(crate) fn push(&self, column: &mut ColumnBuilder) {
        match self {
            Cell::Absent => column.push_absent(),
            Cell::Bool(v) => column.push_bool(*v),
            Cell::I32(v) => column.push_i32(*v),
            Cell::I64(v) => column.push_i64(*v),
            Cell::F64(bits) => column.push_f64(f64::from_bits(*bits)),
            Cell::String(v) => column.push_str(v),
            Cell::Bytes(v) => column.push_bytes(v),
        }
    }

    pub(crate) fn of(value: Value<'_>) -> Cell {
        match value {
            Value::Absent => Cell::Absent,
            Value::Bool(v) => Cell::Bool(v),
            Value::I32(v) => Cell::I32(v),
            Value::I64(v) => Cell::I64(v),
            Value::F64(v) => Cell::F64(v.to_bits()),
            Value::String(v) => Cell::String(v.to_owned()),
            Value::Bytes(v) => Cell::Bytes(v.to_vec()),
        }
    }
}

pub(crate) fn push_row(builder: &mut Builder, (time, cells): &Row) {
    builder.push_time(*time);
    for (index, cell) in cells.iter().enumerate() {
        cell.push(builder.column(index));
    }
}

pub(crate) fn build(schema: &Schema, rows: &[Row]) -> Option<Block> {
    let mut builder = Builder::new(schema);
    rows.iter().for_each(|row| push_row(&mut builder, row));
    builder.finish()
}

/// Reads every cell, through every reader that a column offers.
pub(crate) fn read(block: &Block) -> Vec<Row> {
    let times: Vec<i64> = block.times().iter().collect();
    assert_eq!(times.len(), block.rows());
    let row = |row: usize| {
        let cell = |index: usize| {
            let column = block.column(index);
            if column.ty().width().is_none() {
                assert!(column.bytes(row).len() <= column.heap().len());
            }
            if column.ty() == Type::I64 {
                column.i64s().get(row);
            }
            Cell::of(column.value(row))
        };
        (block.time(row), (0..block.columns()).map(cell).collect())
    };
    (0..block.rows()).map(row).collect()
}
