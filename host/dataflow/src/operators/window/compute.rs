//! Who computes a window: the guest by calls over slots, or the host itself.

use tidemill_core::block::{Block, Builder};
use tidemill_core::guest::{Asked, Decision, Slot, TriggerAction};
use tidemill_core::plan::Aggregate;
use tidemill_core::schema::Schema;

use super::accumulators::{Accumulators, Folded};
use crate::logic::Context;
use crate::operators::guest_call::{GuestCall, Shown};
use crate::operators::watch::{Piece, part};
use crate::report::Failure;

/// Windows to fire, one per row.
pub(crate) struct Fired<'a> {
    /// Key fields, start, end, firing; the time is the window's last millisecond.
    pub(crate) block: &'a Block,
    /// Its schema.
    pub(crate) schema: &'a Schema,
    /// Row `i` is the merge of `slots[offsets[i]..offsets[i + 1]]`.
    pub(crate) offsets: &'a [u32],
    /// See `offsets`.
    pub(crate) slots: &'a [Slot],
}

/// Keeps one accumulator per slot.
pub(crate) trait Compute {
    /// Adds row `rows[i]` of an input to slot `slots[i]`.
    fn add(&mut self, input: usize, block: &Block, rows: &[u32], slots: &[Slot], cx: &mut Context) -> Result<(), Failure>;
    /// Emits the results of windows; their accumulators stay.
    fn fire(&mut self, fired: &Fired<'_>, cx: &mut Context) -> Result<(), Failure>;
    /// Merges `sources[i]` into `targets[i]`, in order; the sources are empty afterwards.
    fn merge(&mut self, targets: &[Slot], sources: &[Slot], cx: &mut Context) -> Result<(), Failure>;
    /// Asks the component's trigger; its records are of `input`.
    fn ask(&mut self, asked: &Asked<'_>, input: usize, cx: &mut Context) -> Result<Vec<Decision>, Failure>;
    /// Empties slots of what they have gathered, but not of what a trigger keeps.
    fn purge(&mut self, slots: &[Slot], cx: &mut Context) -> Result<(), Failure>;
    /// Empties slots.
    fn drop_slots(&mut self, slots: &[Slot], cx: &mut Context) -> Result<(), Failure>;
    /// The columns in which accumulators are saved.
    fn state_schema(&self) -> Schema;
    /// Saves the accumulators of one or more slots, a row each.
    fn export(&mut self, slots: &[Slot], cx: &mut Context) -> Result<Block, Failure>;
    /// Loads empty slots, row by row.
    fn import(&mut self, slots: &[Slot], state: &Block, cx: &mut Context) -> Result<(), Failure>;
}

/// The guest computes.
pub(crate) struct GuestCompute {
    pub(crate) call: GuestCall,
    /// Schemas of the records, by input.
    pub(crate) inputs: Vec<Schema>,
}

impl GuestCompute {
    fn fire_rows(&self, fired: &Fired<'_>, cx: &mut Context) -> Result<(), Failure> {
        let at = cx.moment();
        let shown = Shown::only(fired.block, fired.schema);
        let call = |guest: &mut dyn tidemill_core::guest::Guest, chain| guest.fire(chain, at, fired.block, fired.offsets, fired.slots);
        let mut outcome = self.call.call(cx, Some(shown), call)?;
        self.call.settle(&mut outcome, shown, cx)
    }
}

impl Compute for GuestCompute {
    fn add(&mut self, input: usize, block: &Block, rows: &[u32], slots: &[Slot], cx: &mut Context) -> Result<(), Failure> {
        let at = cx.moment();
        let every_row_once = rows.len() == block.rows() && rows.iter().enumerate().all(|(i, &row)| i == row as usize);
        let rows = if every_row_once { &[] } else { rows };
        let shown = Shown { block, schema: &self.inputs[input], input: input as u32 };
        let call = |guest: &mut dyn tidemill_core::guest::Guest, chain| guest.process(chain, input as u32, at, block, rows, slots);
        let mut outcome = self.call.call(cx, Some(shown), call)?;
        self.call.settle(&mut outcome, shown, cx)
    }

    fn fire(&mut self, fired: &Fired<'_>, cx: &mut Context) -> Result<(), Failure> {
        for piece in self.call.pieces("fire", 0, fired.block, cx) {
            match piece {
                Piece::Rows(rows) if rows.len() == fired.block.rows() => self.fire_rows(fired, cx)?,
                Piece::Rows(rows) => {
                    let bounds = &fired.offsets[rows.start as usize..=rows.end as usize];
                    let (first, end) = (bounds[0], bounds[bounds.len() - 1]);
                    let offsets: Vec<u32> = bounds.iter().map(|offset| offset - first).collect();
                    let (block, slots) = (part(fired.block, &rows, fired.schema), &fired.slots[first as usize..end as usize]);
                    self.fire_rows(&Fired { block: &block, schema: fired.schema, offsets: &offsets, slots }, cx)?;
                }
                Piece::Aside(row, condemned) => self.call.set_aside(row, &condemned, Shown::only(fired.block, fired.schema), cx)?,
            }
        }
        Ok(())
    }

    fn merge(&mut self, targets: &[Slot], sources: &[Slot], cx: &mut Context) -> Result<(), Failure> {
        self.call.call(cx, None, |guest, _| guest.merge(self.call.head(), targets, sources))
    }

    fn ask(&mut self, asked: &Asked<'_>, input: usize, cx: &mut Context) -> Result<Vec<Decision>, Failure> {
        let at = cx.moment();
        let shown = asked.records.map(|block| Shown { block, schema: &self.inputs[input], input: input as u32 });
        self.call.call(cx, shown, |guest, _| guest.trigger(self.call.head(), at, asked))
    }

    fn purge(&mut self, slots: &[Slot], cx: &mut Context) -> Result<(), Failure> {
        self.call.call(cx, None, |guest, _| guest.purge(self.call.head(), slots))
    }

    fn drop_slots(&mut self, slots: &[Slot], cx: &mut Context) -> Result<(), Failure> {
        self.call.call(cx, None, |guest, _| guest.drop_state(self.call.head(), slots))
    }

    fn state_schema(&self) -> Schema {
        self.call.state_schema()
    }

    fn export(&mut self, slots: &[Slot], cx: &mut Context) -> Result<Block, Failure> {
        self.call.export(slots, cx)
    }

    fn import(&mut self, slots: &[Slot], state: &Block, cx: &mut Context) -> Result<(), Failure> {
        self.call.import(slots, state, cx)
    }
}

/// The host computes.
pub(crate) struct HostCompute {
    accumulators: Accumulators,
    builder: Builder,
    /// Key fields in front of `start` and `end`; 0 for `min_by` and `max_by`, whose record holds the key.
    key_columns: usize,
}

impl HostCompute {
    pub(crate) fn new(aggregate: &Aggregate, input: &Schema, output: &Schema, key_columns: usize) -> HostCompute {
        let whole = matches!(aggregate, Aggregate::MinBy(_) | Aggregate::MaxBy(_));
        HostCompute {
            accumulators: Accumulators::new(aggregate, input),
            builder: Builder::new(output),
            key_columns: if whole { 0 } else { key_columns },
        }
    }
}

impl Compute for HostCompute {
    fn add(&mut self, _input: usize, block: &Block, rows: &[u32], slots: &[Slot], _cx: &mut Context) -> Result<(), Failure> {
        self.accumulators.add_all(block, rows, slots);
        Ok(())
    }

    fn fire(&mut self, fired: &Fired<'_>, cx: &mut Context) -> Result<(), Failure> {
        let keys = self.key_columns;
        // The fire block is the key, start, end, firing; the result the key, start, end, value.
        let bounds = fired.schema.fields().len() - 3;
        let rows: Vec<u32> = (0..fired.block.rows() as u32).collect();
        self.builder.push_times(fired.block.times());
        for column in 0..keys {
            self.builder.column(column).push_cells(fired.block.column(column), &rows);
        }
        self.builder.column(keys).push_cells(fired.block.column(bounds), &rows);
        self.builder.column(keys + 1).push_cells(fired.block.column(bounds + 1), &rows);
        for span in fired.offsets.windows(2) {
            let slots = &fired.slots[span[0] as usize..span[1] as usize];
            self.accumulators.push(&mut self.builder, keys + 2, Folded::Many(slots));
        }
        if let Some(block) = self.builder.finish() {
            cx.emit(0, block);
        }
        Ok(())
    }

    fn merge(&mut self, targets: &[Slot], sources: &[Slot], _cx: &mut Context) -> Result<(), Failure> {
        targets.iter().zip(sources).for_each(|(&target, &source)| self.accumulators.merge(target, source));
        Ok(())
    }

    fn ask(&mut self, asked: &Asked<'_>, _input: usize, _cx: &mut Context) -> Result<Vec<Decision>, Failure> {
        // plan::check refuses a trigger of the component where the host computes.
        let nothing = Decision { action: TriggerAction::Continue, event_time: None, processing_time: None };
        Ok(vec![nothing; asked.slots.len()])
    }

    fn purge(&mut self, slots: &[Slot], cx: &mut Context) -> Result<(), Failure> {
        self.drop_slots(slots, cx)
    }

    fn drop_slots(&mut self, slots: &[Slot], _cx: &mut Context) -> Result<(), Failure> {
        slots.iter().for_each(|&slot| self.accumulators.clear(slot));
        Ok(())
    }

    fn state_schema(&self) -> Schema {
        self.accumulators.state_schema()
    }

    fn export(&mut self, slots: &[Slot], _cx: &mut Context) -> Result<Block, Failure> {
        Ok(self.accumulators.export(slots, &self.accumulators.state_schema()))
    }

    fn import(&mut self, slots: &[Slot], state: &Block, _cx: &mut Context) -> Result<(), Failure> {
        slots.iter().enumerate().for_each(|(row, &slot)| self.accumulators.import(state, row, slot));
        Ok(())
    }
}
