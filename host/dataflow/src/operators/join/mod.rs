//! Joins that the host runs (semantics.md #35-#37): `window` over windows of any kind, `interval`, `keyed` and `temporal`.
//!
//! What they have in common is here: how a result is put together of a row of each side, and where records go that found nobody or came
//! too late. Rows are kept as blocks of their own schema and copied column by column; no value is decoded.

mod interval;
mod keyed;
mod store;
mod temporal;
mod window;

pub(crate) use interval::IntervalJoin;
pub(crate) use keyed::KeyedJoin;
pub(crate) use temporal::TemporalJoin;
pub(crate) use window::{WindowJoin, state_schema};

use std::sync::atomic::Ordering::Relaxed;

use tidemill_core::TimeMs;
use tidemill_core::block::{Block, Builder, gather};
use tidemill_core::plan::Side;
use tidemill_core::schema::Schema;

use crate::logic::Context;

/// Results in one block at most.
const ROWS_PER_BLOCK: usize = 4096;

/// One side, as the engine needs it.
pub(crate) struct SideInput {
    pub(crate) schema: Schema,
    /// Its key columns.
    pub(crate) key: Vec<usize>,
    pub(crate) required: bool,
    /// The output for records that found nobody, when somebody reads it.
    pub(crate) unmatched: Option<usize>,
    /// The output for late records, likewise.
    pub(crate) late: Option<usize>,
}

impl SideInput {
    pub(crate) fn new(side: &Side, schema: Schema, unmatched: Option<usize>, late: Option<usize>) -> SideInput {
        let key = side.key.iter().filter_map(|field| schema.index_of(field)).collect();
        SideInput { schema, key, required: side.required, unmatched, late }
    }

    /// Hands on rows of this side that came too late.
    fn tell_late(&self, block: &Block, rows: &[u32], cx: &mut Context) {
        cx.counters().late.fetch_add(rows.len() as u64, Relaxed);
        if let Some(output) = self.late
            && let Some(block) = gather(block, rows, &self.schema)
        {
            cx.emit(output, block);
        }
    }

    /// Hands on a row of this side that found nobody.
    fn tell_unmatched(&self, block: &Block, row: u32, cx: &mut Context) {
        if let Some(output) = self.unmatched
            && let Some(block) = gather(block, &[row], &self.schema)
        {
            cx.emit(output, block);
        }
    }
}

/// A row of a side; `None` where the side is absent.
type Picked<'a> = Option<(&'a Block, u32)>;

/// Puts results together.
pub(super) struct Results {
    /// The first column of each side.
    offsets: Vec<usize>,
    columns: Vec<usize>,
    builder: Builder,
}

impl Results {
    /// For sides with these schemas, behind `bounds` columns of the result.
    fn new(sides: &[SideInput], bounds: usize, output: &Schema) -> Results {
        let columns: Vec<usize> = sides.iter().map(|side| side.schema.fields().len()).collect();
        let mut offsets = Vec::with_capacity(columns.len());
        let mut next = bounds;
        for count in &columns {
            offsets.push(next);
            next += count;
        }
        Results { offsets, columns, builder: Builder::new(output) }
    }

    /// Adds a result of these rows.
    fn push(&mut self, time: TimeMs, bounds: &[i64], sides: &[Picked<'_>], cx: &mut Context) {
        self.builder.push_time(time);
        for (column, bound) in bounds.iter().enumerate() {
            self.builder.column(column).push_i64(*bound);
        }
        for ((picked, &offset), &columns) in sides.iter().zip(&self.offsets).zip(&self.columns) {
            for index in 0..columns {
                match picked {
                    Some((block, row)) => self.builder.column(offset + index).push_cell(block.column(index), *row as usize),
                    None => self.builder.column(offset + index).push_absent(),
                }
            }
        }
        if self.builder.rows() >= ROWS_PER_BLOCK {
            self.flush(cx);
        }
    }

    /// Emits what there is.
    fn flush(&mut self, cx: &mut Context) {
        if let Some(block) = self.builder.finish() {
            cx.emit(0, block);
        }
    }
}
