//! Slots whose state is not in the instance, because nobody has named them for a while and all state is more than it may have.
//!
//! They lie in a [`Spill`], a row each, and are read back before a call that names them. What is exported of them is read from there:
//! a checkpoint loads nothing. The instance's table of slots stays as long as its greatest slot, some bytes for each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tidemill_core::block::{Block, Builder, concat, gather, gather_append};
use tidemill_core::guest::{Error, OperatorId, Slot};
use tidemill_core::schema::Schema;
use tidemill_core::spill::{self, Spill, Spills};

use crate::recycle::Slots;

/// Bytes of state loaded in one call, but for the last row.
const LOAD_BYTES: usize = 1 << 20;
/// Rows loaded in one call.
const LOAD_ROWS: usize = 4096;

/// How much has been moved out and back.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    pub(crate) out: AtomicU64,
    pub(crate) back: AtomicU64,
}

/// State of one operator.
struct Table {
    schema: Schema,
    cold: Slots,
    /// When each slot was named last.
    named: Vec<u32>,
}

/// See the module.
pub(crate) struct Cold {
    spills: Arc<dyn Spills>,
    /// Opened when it is first needed: most instances never do.
    spill: Option<Box<dyn Spill>>,
    /// Bytes that state may have in the instance.
    pub(crate) budget: usize,
    tables: Vec<Option<Table>>,
    /// Counts calls.
    clock: u32,
    moved: Arc<Moved>,
}

fn failed(error: spill::Error) -> Error {
    Error::Storage { message: error.to_string() }
}

impl Cold {
    /// `schemas` are the columns of each operator's state, none where it has no state.
    pub(crate) fn new(spills: Arc<dyn Spills>, budget: usize, schemas: impl Iterator<Item = Schema>, moved: Arc<Moved>) -> Cold {
        let table = |schema: Schema| (!schema.fields().is_empty()).then(|| Table { schema, cold: Slots::default(), named: Vec::new() });
        Cold { spills, spill: None, budget, tables: schemas.map(table).collect(), clock: 0, moved }
    }

    fn table(&mut self, operator: OperatorId) -> Option<&mut Table> {
        self.tables.get_mut(operator as usize)?.as_mut()
    }

    fn spill(&mut self) -> Result<&mut dyn Spill, Error> {
        if self.spill.is_none() {
            self.spill = Some(self.spills.share().map_err(failed)?);
        }
        Ok(self.spill.as_deref_mut().expect("it has just been opened"))
    }

    /// A call names these slots; answers those that have to be loaded before it, each once.
    pub(crate) fn name(&mut self, operator: OperatorId, slots: &[Slot]) -> Vec<Slot> {
        self.clock = self.clock.wrapping_add(1);
        let (clock, Some(&most)) = (self.clock, slots.iter().max()) else { return Vec::new() };
        let Some(table) = self.table(operator) else { return Vec::new() };
        if table.named.len() <= most as usize {
            table.named.resize((most as usize + 1).next_power_of_two(), 0);
        }
        slots.iter().for_each(|&slot| table.named[slot as usize] = clock);
        let mut missing: Vec<Slot> = slots.iter().copied().filter(|&slot| table.cold.has(slot)).collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// How many calls ago a slot was named last.
    pub(crate) fn age(&self, operator: OperatorId, slot: Slot) -> u32 {
        let table = self.tables.get(operator as usize).and_then(Option::as_ref);
        let named = table.and_then(|table| table.named.get(slot as usize)).copied().unwrap_or_default();
        self.clock.wrapping_sub(named)
    }

    /// The slots of an operator that are out.
    pub(crate) fn slots(&self, operator: OperatorId) -> impl Iterator<Item = Slot> {
        self.tables.get(operator as usize).into_iter().flatten().flat_map(|table| table.cold.iter())
    }

    fn row(&mut self, operator: OperatorId, slot: Slot) -> Result<Block, Error> {
        let bytes = self.spill()?.get(operator, slot).map_err(failed)?;
        let schema = &self.table(operator).expect("only an operator with state has cold slots").schema;
        let damaged = |e| Error::Storage { message: format!("the state of slot {slot} of operator {operator} cannot be read: {e}") };
        Block::from_bytes(bytes, schema).map_err(damaged)
    }

    /// Takes the first of some cold slots back, as many as one call should load; answers how many, and their state.
    pub(crate) fn take(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(usize, Block), Error> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        for &slot in slots.iter().take(LOAD_ROWS) {
            let row = self.row(operator, slot)?;
            bytes += row.as_bytes().len();
            rows.push(row);
            if bytes >= LOAD_BYTES {
                break;
            }
        }
        self.moved.back.fetch_add(rows.len() as u64, Relaxed);
        let table = self.table(operator).expect("only an operator with state has cold slots");
        table.cold.remove(&slots[..rows.len()]);
        let block = concat(&rows, &table.schema).expect("one or more slots are taken");
        // What lies there stays until it is written over or the slot is dropped: a removal costs as much as a write.
        Ok((rows.len(), block))
    }

    /// Puts slots out that the instance has exported as the rows of a block.
    pub(crate) fn put(&mut self, operator: OperatorId, slots: &[Slot], state: &Block) -> Result<(), Error> {
        let schema = self.table(operator).expect("only an operator with state exports").schema.clone();
        for (row, &slot) in slots.iter().enumerate() {
            let row = gather(state, &[row as u32], &schema).expect("one row makes a block");
            self.spill()?.put(operator, slot, row.as_bytes()).map_err(failed)?;
        }
        self.moved.out.fetch_add(slots.len() as u64, Relaxed);
        self.table(operator).expect("it was there").cold.add(slots);
        Ok(())
    }

    /// Forgets slots that are dropped or cleared; answers those that are in the instance.
    pub(crate) fn forget(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<Vec<Slot>, Error> {
        let Some(table) = self.table(operator) else { return Ok(slots.to_vec()) };
        let (cold, warm): (Vec<Slot>, Vec<Slot>) = slots.iter().copied().partition(|&slot| table.cold.has(slot));
        table.cold.remove(&cold);
        for slot in cold {
            self.spill()?.remove(operator, slot).map_err(failed)?;
        }
        Ok(warm)
    }

    /// The state of slots of which some are cold. `export` asks the instance for the others.
    pub(crate) fn export(
        &mut self,
        operator: OperatorId,
        slots: &[Slot],
        export: impl FnOnce(&[Slot]) -> Result<Block, Error>,
    ) -> Result<Block, Error> {
        let Some(table) = self.table(operator).filter(|table| slots.iter().any(|&slot| table.cold.has(slot))) else { return export(slots) };
        let schema = table.schema.clone();
        let cold: Vec<bool> = slots.iter().map(|&slot| table.cold.has(slot)).collect();
        let warm: Vec<Slot> = slots.iter().zip(&cold).filter(|(_, cold)| !**cold).map(|(slot, _)| *slot).collect();
        let exported = if warm.is_empty() { None } else { Some(export(&warm)?) };
        let mut builder = Builder::new(&schema);
        let mut next = 0..;
        for (&slot, cold) in slots.iter().zip(cold) {
            match (&exported, cold) {
                (Some(exported), false) => gather_append(&mut builder, exported, &[next.next().unwrap_or_default()]),
                _ => gather_append(&mut builder, &self.row(operator, slot)?, &[0]),
            }
        }
        Ok(builder.finish().expect("one or more slots are exported"))
    }
}
