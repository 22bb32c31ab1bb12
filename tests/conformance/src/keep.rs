//! The checkpoint of a restart, in memory.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidemill_core::block::{Block, Value, gather};
use tidemill_core::checkpoint::{CheckpointId, Handover, Keeper, Saved, SavedOperator, column, page_schema};
use tidemill_core::connect::Error;
use tidemill_core::schema::Schema;
use tidemill_dataflow::Control;

use crate::script::CHECKPOINT;

/// Stops the job when every operator has handed over on every worker.
pub(crate) struct Book {
    control: Arc<Control>,
    /// Handovers to come.
    missing: Mutex<usize>,
    handovers: Mutex<Vec<Handover>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Book {
    pub(crate) fn new(control: &Arc<Control>, handovers: usize) -> Book {
        Book { control: Arc::clone(control), missing: Mutex::new(handovers), handovers: Mutex::default() }
    }

    /// The job as it was at the checkpoint, built on what it had begun with.
    pub(crate) fn saved(&self, names: &[String], base: Option<&Memory>) -> Memory {
        let mut memory = base.cloned().unwrap_or_default();
        memory.operators.clear();
        for handover in locked(&self.handovers).iter() {
            memory.take(&names[handover.operator as usize], handover);
        }
        memory
    }
}

impl Keeper for Book {
    fn keep(&self, checkpoint: CheckpointId, handover: Handover) {
        // What has come to its end before the boundary, as a worker beyond a source's parallelism has, hands over for every later one.
        let mut handovers = locked(&self.handovers);
        let again = handovers.iter().any(|given| (given.operator, given.worker) == (handover.operator, handover.worker));
        if again || (checkpoint != CHECKPOINT && !handover.last) {
            return;
        }
        handovers.push(handover);
        let mut missing = locked(&self.missing);
        *missing -= 1;
        if *missing == 0 {
            self.control.stop();
        }
    }
}

/// A key and a namespace.
type Name = (Vec<u8>, Vec<u8>);

/// A job as it was at a checkpoint.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    operators: HashMap<String, SavedOperator>,
    schemas: HashMap<String, Schema>,
    /// Blocks of one row.
    rows: HashMap<String, BTreeMap<Name, Block>>,
}

impl Memory {
    fn take(&mut self, name: &str, handover: &Handover) {
        let first = || SavedOperator { watermark: i64::MAX, ..SavedOperator::default() };
        let operator = self.operators.entry(name.to_owned()).or_insert_with(first);
        operator.watermark = operator.watermark.min(handover.watermark);
        operator.positions.extend(handover.position.clone());
        let Some(keyed) = &handover.keyed else { return };
        operator.state = Some(keyed.state.clone());
        let schema = page_schema(&keyed.state);
        let rows = self.rows.entry(name.to_owned()).or_default();
        for page in &keyed.pages {
            for row in 0..page.rows() {
                let of = (page.column(column::KEY).bytes(row).to_vec(), page.column(column::NAMESPACE).bytes(row).to_vec());
                match page.column(column::GONE).value(row) {
                    Value::Bool(true) => rows.remove(&of),
                    _ => gather(page, &[row as u32], &schema).and_then(|block| rows.insert(of, block)),
                };
            }
        }
        self.schemas.insert(name.to_owned(), schema);
    }
}

impl Saved for Memory {
    fn checkpoint(&self) -> CheckpointId {
        CHECKPOINT
    }

    fn operator(&self, name: &str) -> Option<&SavedOperator> {
        self.operators.get(name)
    }

    fn pages(&self, name: &str, groups: Range<u32>, each: &mut dyn FnMut(Block) -> Result<(), Error>) -> Result<(), Error> {
        for block in self.rows.get(name).into_iter().flat_map(BTreeMap::values) {
            if let Value::I32(group) = block.column(column::GROUP).value(0)
                && groups.contains(&(group as u32))
            {
                each(block.clone())?;
            }
        }
        Ok(())
    }
}
