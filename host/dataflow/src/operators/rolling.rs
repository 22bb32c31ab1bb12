//! A running aggregate per key, computed by the host: one result for every record (semantics.md #32).

use tidemill_core::block::{Block, Builder};
use tidemill_core::plan::Aggregate;
use tidemill_core::schema::Schema;

use crate::harness::{Context, Logic};
use crate::keyed::{KeyMap, for_each_key};
use crate::operators::window::host_compute::{Accumulators, Folded};
use crate::report::Failure;

/// See the module.
pub(crate) struct Rolling {
    key: Vec<usize>,
    keys: KeyMap<()>,
    accumulators: Accumulators,
    /// Whether a result is a whole record (`min_by`, `max_by`) rather than the key and a number.
    whole: bool,
    output: Schema,
    builder: Builder,
    slots: Vec<u32>,
}

impl Rolling {
    pub(crate) fn new(key: Vec<usize>, aggregate: &Aggregate, input: &Schema, output: Schema) -> Rolling {
        Rolling {
            key,
            keys: KeyMap::default(),
            accumulators: Accumulators::new(aggregate, input),
            whole: matches!(aggregate, Aggregate::MinBy(_) | Aggregate::MaxBy(_)),
            builder: Builder::new(&output),
            output,
            slots: Vec::new(),
        }
    }
}

impl Logic for Rolling {
    fn block(&mut self, _input: usize, block: Block, cx: &mut Context) -> Result<(), Failure> {
        self.slots.clear();
        let (keys, slots) = (&mut self.keys, &mut self.slots);
        for_each_key(&block, &self.key, |_, hash, key| slots.push(keys.index(hash, key, || ())));
        let columns = if self.whole { 0 } else { self.key.len() };
        block.times().iter().for_each(|time| self.builder.push_time(time));
        for (column, &from) in self.key.iter().enumerate().take(columns) {
            self.builder.column(column).push_all(block.column(from), block.rows());
        }
        for (row, &slot) in self.slots.iter().enumerate() {
            self.accumulators.add(&block, row, slot);
            self.accumulators.push(&mut self.builder, columns, Folded::One(slot));
        }
        debug_assert_eq!(self.output.fields().len(), self.builder.columns_mut().len());
        if let Some(block) = self.builder.finish() {
            cx.emit(0, block);
        }
        Ok(())
    }
}
