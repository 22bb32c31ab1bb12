//! Aggregates the host computes without a guest (semantics.md #32): count, sum, min, max, min_by, max_by.
//!
//! Sums of integers wrap around as Flink's do. An absent value does not count for sum, min and max; of equal values
//! `min_by` and `max_by` keep the record that came first. Numbers compare in IEEE total order.

use std::cmp::Ordering;

use tidemill_core::block::{Block, Builder, Value, gather};
use tidemill_core::guest::Slot;
use tidemill_core::plan::Aggregate;
use tidemill_core::schema::{Field, Schema, Type};

/// The accumulators of all slots.
pub(crate) enum Accumulators {
    Count(Vec<i64>),
    SumInt { column: usize, sums: Vec<i64> },
    SumFloat { column: usize, sums: Vec<f64> },
    Extreme { column: usize, greatest: bool, ty: Type, cells: Vec<Option<Cell>> },
    By { column: usize, greatest: bool, schema: Schema, records: Vec<Option<Block>> },
}

/// A value that outlives its block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    I32(i32),
    I64(i64),
    F64(f64),
    Bool(bool),
    Heap(Box<[u8]>),
}

/// The slots whose merge is one result.
#[derive(Clone, Copy)]
pub(crate) enum Folded<'a> {
    One(Slot),
    Many(&'a [Slot]),
}

impl Folded<'_> {
    fn as_slice(&self) -> &[Slot] {
        match self {
            Folded::One(slot) => std::slice::from_ref(slot),
            Folded::Many(slots) => slots,
        }
    }
}

impl Accumulators {
    /// For records of this schema, whose fields the plan's check has found to fit.
    pub(crate) fn new(aggregate: &Aggregate, schema: &Schema) -> Accumulators {
        let column = |field: &str| schema.index_of(field).expect("plan::check has found the aggregate's field");
        match aggregate {
            Aggregate::Count => Accumulators::Count(Vec::new()),
            Aggregate::Sum(field) if schema.fields()[column(field)].ty == Type::F64 => {
                Accumulators::SumFloat { column: column(field), sums: Vec::new() }
            }
            Aggregate::Sum(field) => Accumulators::SumInt { column: column(field), sums: Vec::new() },
            Aggregate::Min(field) => Accumulators::extreme(column(field), false, schema),
            Aggregate::Max(field) => Accumulators::extreme(column(field), true, schema),
            Aggregate::MinBy(field) => Accumulators::by(column(field), false, schema),
            Aggregate::MaxBy(field) => Accumulators::by(column(field), true, schema),
        }
    }

    fn extreme(column: usize, greatest: bool, schema: &Schema) -> Accumulators {
        Accumulators::Extreme { column, greatest, ty: schema.fields()[column].ty, cells: Vec::new() }
    }

    fn by(column: usize, greatest: bool, schema: &Schema) -> Accumulators {
        Accumulators::By { column, greatest, schema: schema.clone(), records: Vec::new() }
    }

    /// Adds row `rows[i]` to slot `slots[i]`.
    pub(crate) fn add_all(&mut self, block: &Block, rows: &[u32], slots: &[Slot]) {
        match self {
            Accumulators::Count(counts) => slots.iter().for_each(|&slot| *at(counts, slot) += 1),
            _ => rows.iter().zip(slots).for_each(|(&row, &slot)| self.add(block, row as usize, slot)),
        }
    }

    /// Adds every row of the block to its slot in turn, and pushes what the slot holds then to a builder, from `column` on.
    pub(crate) fn add_running(&mut self, block: &Block, slots: &[Slot], builder: &mut Builder, column: usize) {
        if let Accumulators::Count(counts) = self {
            let Some(&greatest) = slots.iter().max() else { return };
            at(counts, greatest);
            return builder.column(column).push_i64s(slots.iter().map(|&slot| {
                let count = &mut counts[slot as usize];
                *count += 1;
                *count
            }));
        }
        for (row, &slot) in slots.iter().enumerate() {
            self.add(block, row, slot);
            self.push(builder, column, Folded::One(slot));
        }
    }

    /// Adds one row.
    pub(crate) fn add(&mut self, block: &Block, row: usize, slot: Slot) {
        match self {
            Accumulators::Count(counts) => *at(counts, slot) += 1,
            Accumulators::SumInt { column, sums } => {
                let sum = at(sums, slot);
                *sum = sum.wrapping_add(match block.column(*column).value(row) {
                    Value::I64(v) => v,
                    Value::I32(v) => i64::from(v),
                    _ => 0,
                });
            }
            Accumulators::SumFloat { column, sums } => {
                if let Value::F64(v) = block.column(*column).value(row) {
                    *at(sums, slot) += v;
                }
            }
            Accumulators::Extreme { column, greatest, cells, .. } => {
                if let Some(cell) = Cell::of(block.column(*column).value(row)) {
                    let best = at(cells, slot);
                    if best.as_ref().is_none_or(|b| cell.beats(b, *greatest)) {
                        *best = Some(cell);
                    }
                }
            }
            Accumulators::By { column, greatest, schema, records } => {
                let best = at(records, slot);
                let beats = |b: &Block| wins(block.column(*column).value(row), b.column(*column).value(0), *greatest);
                if best.as_ref().is_none_or(beats) {
                    *best = gather(block, &[row as u32], schema);
                }
            }
        }
    }

    /// Merges `source` into `target`; the source is empty afterwards.
    pub(crate) fn merge(&mut self, target: Slot, source: Slot) {
        match self {
            Accumulators::Count(sums) | Accumulators::SumInt { sums, .. } => {
                let value = std::mem::take(at(sums, source));
                let sum = at(sums, target);
                *sum = sum.wrapping_add(value);
            }
            Accumulators::SumFloat { sums, .. } => {
                let value = std::mem::take(at(sums, source));
                *at(sums, target) += value;
            }
            Accumulators::Extreme { greatest, cells, .. } => {
                let other = at(cells, source).take();
                let best = at(cells, target);
                if other.as_ref().is_some_and(|o| best.as_ref().is_none_or(|b| o.beats(b, *greatest))) {
                    *best = other;
                }
            }
            Accumulators::By { column, greatest, records, .. } => {
                let other = at(records, source).take();
                let best = at(records, target);
                let beats = |o: &Block, b: &Block| wins(o.column(*column).value(0), b.column(*column).value(0), *greatest);
                if other.as_ref().is_some_and(|o| best.as_ref().is_none_or(|b| beats(o, b))) {
                    *best = other;
                }
            }
        }
    }

    /// Empties a slot.
    pub(crate) fn clear(&mut self, slot: Slot) {
        match self {
            Accumulators::Count(sums) | Accumulators::SumInt { sums, .. } => *at(sums, slot) = 0,
            Accumulators::SumFloat { sums, .. } => *at(sums, slot) = 0.0,
            Accumulators::Extreme { cells, .. } => *at(cells, slot) = None,
            Accumulators::By { records, .. } => *at(records, slot) = None,
        }
    }

    /// The columns in which accumulators are saved.
    pub(crate) fn state_schema(&self) -> Schema {
        let field = |name: String, ty| Field { name, ty, optional: true };
        let fields = match self {
            Accumulators::Count(_) => vec![field("acc.count".to_owned(), Type::I64)],
            Accumulators::SumInt { .. } => vec![field("acc.sum".to_owned(), Type::I64)],
            Accumulators::SumFloat { .. } => vec![field("acc.sum".to_owned(), Type::F64)],
            Accumulators::Extreme { ty, .. } => vec![field("acc.value".to_owned(), *ty)],
            Accumulators::By { schema, .. } => schema.fields().iter().map(|f| field(format!("acc.{}", f.name), f.ty)).collect(),
        };
        Schema::new(fields).expect("names of a record's fields are unique")
    }

    /// The accumulators of one or more slots, a row each, in the columns of [`Accumulators::state_schema`].
    pub(crate) fn export(&mut self, slots: &[Slot], schema: &Schema) -> Block {
        let mut builder = Builder::new(schema);
        for &slot in slots {
            builder.push_time(0);
            match self {
                Accumulators::By { records, .. } if records.get(slot as usize).is_none_or(Option::is_none) => {
                    builder.columns_mut().iter_mut().for_each(|column| column.push_absent());
                }
                _ => self.push(&mut builder, 0, Folded::One(slot)),
            }
        }
        builder.finish().expect("one or more slots are exported")
    }

    /// Loads an empty slot from a row of an exported block.
    pub(crate) fn import(&mut self, state: &Block, row: usize, slot: Slot) {
        let value = state.column(0).value(row);
        match self {
            Accumulators::Count(sums) | Accumulators::SumInt { sums, .. } => {
                if let Value::I64(v) = value {
                    *at(sums, slot) = v;
                }
            }
            Accumulators::SumFloat { sums, .. } => {
                if let Value::F64(v) = value {
                    *at(sums, slot) = v;
                }
            }
            Accumulators::Extreme { cells, .. } => *at(cells, slot) = Cell::of(value),
            Accumulators::By { column, schema, records, .. } => {
                // A record is there exactly when the field it was chosen by is, which is never optional.
                if state.column(*column).present(row) {
                    let mut builder = Builder::new(schema);
                    builder.push_time(0);
                    (0..schema.fields().len()).for_each(|index| builder.column(index).push_cell(state.column(index), row));
                    *at(records, slot) = builder.finish();
                }
            }
        }
    }

    /// Pushes the merge of some slots to a builder, from `column` on.
    pub(crate) fn push(&mut self, builder: &mut Builder, column: usize, folded: Folded<'_>) {
        let slots = folded.as_slice();
        match self {
            Accumulators::Count(sums) | Accumulators::SumInt { sums, .. } => {
                let sum = slots.iter().fold(0i64, |sum, &slot| sum.wrapping_add(*at(sums, slot)));
                builder.column(column).push_i64(sum);
            }
            Accumulators::SumFloat { sums, .. } => {
                let sum = slots.iter().map(|&slot| *at(sums, slot)).sum();
                builder.column(column).push_f64(sum);
            }
            Accumulators::Extreme { greatest, cells, .. } => {
                let present = slots.iter().filter_map(|&slot| cells.get(slot as usize)?.as_ref());
                let best = present.reduce(|best, cell| if cell.beats(best, *greatest) { cell } else { best });
                Cell::push(best, builder, column);
            }
            Accumulators::By { column: by, greatest, records, .. } => {
                let present = slots.iter().filter_map(|&slot| records.get(slot as usize)?.as_ref());
                let beats = |o: &Block, b: &Block| wins(o.column(*by).value(0), b.column(*by).value(0), *greatest);
                if let Some(best) = present.reduce(|best, record| if beats(record, best) { record } else { best }) {
                    for index in 0..best.columns() {
                        builder.column(column + index).push_cell(best.column(index), 0);
                    }
                }
            }
        }
    }
}

impl Cell {
    fn of(value: Value<'_>) -> Option<Cell> {
        Some(match value {
            Value::Absent => return None,
            Value::Bool(v) => Cell::Bool(v),
            Value::I32(v) => Cell::I32(v),
            Value::I64(v) => Cell::I64(v),
            Value::F64(v) => Cell::F64(v),
            Value::String(v) => Cell::Heap(v.as_bytes().into()),
            Value::Bytes(v) => Cell::Heap(v.into()),
        })
    }

    fn beats(&self, other: &Cell, greatest: bool) -> bool {
        let order = match (self, other) {
            (Cell::I32(a), Cell::I32(b)) => a.cmp(b),
            (Cell::I64(a), Cell::I64(b)) => a.cmp(b),
            (Cell::F64(a), Cell::F64(b)) => a.total_cmp(b),
            (Cell::Bool(a), Cell::Bool(b)) => a.cmp(b),
            (Cell::Heap(a), Cell::Heap(b)) => a.cmp(b),
            _ => Ordering::Equal,
        };
        order == if greatest { Ordering::Greater } else { Ordering::Less }
    }

    fn push(cell: Option<&Cell>, builder: &mut Builder, column: usize) {
        let column = builder.column(column);
        match cell {
            None => column.push_absent(),
            Some(Cell::I32(v)) => column.push_i32(*v),
            Some(Cell::I64(v)) => column.push_i64(*v),
            Some(Cell::F64(v)) => column.push_f64(*v),
            Some(Cell::Bool(v)) => column.push_bool(*v),
            Some(Cell::Heap(v)) => column.push_heap(v),
        }
    }
}

/// Whether `a` displaces `b`: present values beat absent ones, and equal ones do not.
fn wins(a: Value<'_>, b: Value<'_>, greatest: bool) -> bool {
    match (Cell::of(a), Cell::of(b)) {
        (Some(a), Some(b)) => a.beats(&b, greatest),
        (a, b) => a.is_some() && b.is_none(),
    }
}

fn at<T: Default + Clone>(values: &mut Vec<T>, slot: Slot) -> &mut T {
    let slot = slot as usize;
    if values.len() <= slot {
        values.resize((slot + 1).next_power_of_two(), T::default());
    }
    &mut values[slot]
}
