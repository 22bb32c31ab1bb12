//! The window join (semantics.md #36), as what is computed in windows: each slot keeps the rows of all sides, and a window that fires joins
//! each with each.

use std::collections::BTreeMap;

use tidemill_core::block::{Block, Builder, Value, concat, gather};
use tidemill_core::guest::{Asked, Decision, Slot, TriggerAction};
use tidemill_core::plan::Side;
use tidemill_core::schema::{Field, Schema, Type};

use super::{Picked, Results, SideInput};
use crate::logic::Context;
use crate::operators::window::compute::{Compute, Fired};
use crate::report::{Cause, Failure};

/// Blocks of a side in one slot at most, before they are put together.
const BLOCKS_MAX: usize = 32;

/// See the module.
pub(crate) struct WindowJoin {
    operator: String,
    sides: Vec<SideInput>,
    names: Vec<String>,
    /// The blocks of each side, by slot.
    slots: Vec<Vec<Vec<Block>>>,
    results: Results,
}

impl WindowJoin {
    pub(crate) fn new(operator: String, specs: &[Side], sides: Vec<SideInput>, output: &Schema) -> WindowJoin {
        let results = Results::new(&sides, 2, output);
        WindowJoin { operator, names: specs.iter().map(|side| side.name.clone()).collect(), sides, slots: Vec::new(), results }
    }

    fn slot(&mut self, slot: Slot) -> &mut Vec<Vec<Block>> {
        let at = slot as usize;
        if self.slots.len() <= at {
            self.slots.resize((at + 1).next_power_of_two(), Vec::new());
        }
        if self.slots[at].is_empty() {
            self.slots[at] = vec![Vec::new(); self.sides.len()];
        }
        &mut self.slots[at]
    }

    fn keep(&mut self, slot: Slot, side: usize, block: Block) {
        let schema = self.sides[side].schema.clone();
        let blocks = &mut self.slot(slot)[side];
        blocks.push(block);
        if blocks.len() > BLOCKS_MAX {
            let whole = concat(blocks, &schema);
            *blocks = whole.into_iter().collect();
        }
    }

    /// Joins the rows of one window.
    fn join(&mut self, (time, bounds): (i64, [i64; 2]), slots: &[Slot], cx: &mut Context) {
        let kept: Vec<Vec<Block>> = (0..self.sides.len())
            .map(|side| slots.iter().filter_map(|&slot| self.slots.get(slot as usize)?.get(side)).flatten().cloned().collect())
            .collect();
        let rows = |blocks: &[Block]| -> Vec<(usize, u32)> {
            blocks.iter().enumerate().flat_map(|(at, block)| (0..block.rows() as u32).map(move |row| (at, row))).collect()
        };
        let rows: Vec<Vec<(usize, u32)>> = kept.iter().map(|blocks| rows(blocks)).collect();
        if self.sides.iter().zip(&rows).any(|(side, rows)| side.required && rows.is_empty()) {
            for ((side, blocks), rows) in self.sides.iter().zip(&kept).zip(&rows) {
                rows.iter().for_each(|&(at, row)| side.tell_unmatched(&blocks[at], row, cx));
            }
            return;
        }
        // A number with a digit for each side, counted through.
        let mut digits = vec![0; rows.len()];
        loop {
            let pick = |side: usize| rows[side].get(digits[side]).map(|&(at, row)| (&kept[side][at], row));
            let picked: Vec<Picked<'_>> = (0..rows.len()).map(pick).collect();
            if picked.iter().any(Option::is_some) {
                self.results.push(time, &bounds, &picked, cx);
            }
            let Some(next) = (0..digits.len()).rev().find(|&side| digits[side] + 1 < rows[side].len()) else { break };
            digits[next] += 1;
            digits[next + 1..].fill(0);
        }
    }
}

impl Compute for WindowJoin {
    fn add(&mut self, input: usize, block: &Block, rows: &[u32], slots: &[Slot], _: &mut Context) -> Result<(), Failure> {
        let mut by_slot: BTreeMap<Slot, Vec<u32>> = BTreeMap::new();
        rows.iter().zip(slots).for_each(|(&row, &slot)| by_slot.entry(slot).or_default().push(row));
        for (slot, rows) in by_slot {
            if let Some(block) = gather(block, &rows, &self.sides[input].schema) {
                self.keep(slot, input, block);
            }
        }
        Ok(())
    }

    fn fire(&mut self, fired: &Fired<'_>, cx: &mut Context) -> Result<(), Failure> {
        let start = fired.schema.fields().len() - 3;
        for row in 0..fired.block.rows() {
            let bound = |column: usize| fired.block.column(column).i64s().get(row);
            let slots = &fired.slots[fired.offsets[row] as usize..fired.offsets[row + 1] as usize];
            self.join((fired.block.time(row), [bound(start), bound(start + 1)]), slots, cx);
        }
        self.results.flush(cx);
        Ok(())
    }

    fn merge(&mut self, targets: &[Slot], sources: &[Slot], _: &mut Context) -> Result<(), Failure> {
        for (&target, &source) in targets.iter().zip(sources) {
            let gone = std::mem::take(self.slot(source));
            for (side, blocks) in gone.into_iter().enumerate() {
                blocks.into_iter().for_each(|block| self.keep(target, side, block));
            }
        }
        Ok(())
    }

    fn ask(&mut self, asked: &Asked<'_>, _: usize, _: &mut Context) -> Result<Vec<Decision>, Failure> {
        // A join of the host has no trigger of the component.
        let nothing = Decision { action: TriggerAction::Continue, event_time: None, processing_time: None };
        Ok(vec![nothing; asked.slots.len()])
    }

    fn purge(&mut self, slots: &[Slot], cx: &mut Context) -> Result<(), Failure> {
        self.drop_slots(slots, cx)
    }

    fn drop_slots(&mut self, slots: &[Slot], _: &mut Context) -> Result<(), Failure> {
        slots.iter().for_each(|&slot| self.slot(slot).clear());
        Ok(())
    }

    fn state_schema(&self) -> Schema {
        state_schema(self.names.iter().map(String::as_str))
    }

    fn export(&mut self, slots: &[Slot], _: &mut Context) -> Result<Block, Failure> {
        let mut builder = Builder::new(&self.state_schema());
        for &slot in slots {
            builder.push_time(0);
            let schemas: Vec<Schema> = self.sides.iter().map(|side| side.schema.clone()).collect();
            for (side, blocks) in self.slot(slot).iter().enumerate() {
                match concat(blocks, &schemas[side]) {
                    Some(block) => builder.column(side).push_bytes(block.as_bytes()),
                    None => builder.column(side).push_absent(),
                }
            }
        }
        Ok(builder.finish().expect("one or more slots are exported"))
    }

    fn import(&mut self, slots: &[Slot], state: &Block, _: &mut Context) -> Result<(), Failure> {
        for (row, &slot) in slots.iter().enumerate() {
            for side in 0..self.sides.len() {
                let Value::Bytes(bytes) = state.column(side).value(row) else { continue };
                let block = Block::from_bytes(bytes.to_vec(), &self.sides[side].schema).map_err(|error| Failure {
                    operator: self.operator.clone(),
                    cause: Cause::Limit(format!("cannot restore the rows of side {:?}: {error}", self.names[side])),
                    record: None,
                })?;
                self.keep(slot, side, block);
            }
        }
        Ok(())
    }
}

/// The columns in which the rows of a slot are saved: a block for each side.
pub(crate) fn state_schema<'n>(names: impl Iterator<Item = &'n str>) -> Schema {
    let field = |name: &str| Field { name: format!("{name}.rows"), ty: Type::Bytes, optional: true };
    Schema::new(names.map(field).collect()).expect("plan::check has found the names of sides unique")
}
