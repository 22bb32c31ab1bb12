//! A running aggregate per key, computed by the host: one result for every record (semantics.md #32).

use tidemill_core::block::{Block, Builder};
use tidemill_core::key::hash;
use tidemill_core::plan::Aggregate;
use tidemill_core::schema::Schema;

use crate::harness::{Context, Given, Logic};
use crate::keyed::{KeyMap, for_each_key};
use crate::ledger::{Ledger, Pages};
use crate::operators::window::accumulators::Accumulators;
use crate::report::Failure;
use crate::restore::Restored;

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
    ledger: Ledger,
}

impl Rolling {
    pub(crate) fn new(key: Vec<usize>, aggregate: &Aggregate, input: &Schema, output: Schema, ledger: Ledger) -> Rolling {
        Rolling {
            key,
            keys: KeyMap::default(),
            accumulators: Accumulators::new(aggregate, input),
            whole: matches!(aggregate, Aggregate::MinBy(_) | Aggregate::MaxBy(_)),
            builder: Builder::new(&output),
            output,
            slots: Vec::new(),
            ledger,
        }
    }
}

impl Logic for Rolling {
    fn block(&mut self, _input: usize, block: Block, cx: &mut Context) -> Result<(), Failure> {
        self.slots.clear();
        let (keys, slots) = (&mut self.keys, &mut self.slots);
        for_each_key(&block, &self.key, |_, hash, key| slots.push(keys.index(hash, key, || ())));
        let columns = if self.whole { 0 } else { self.key.len() };
        self.builder.push_times(block.times());
        for (column, &from) in self.key.iter().enumerate().take(columns) {
            self.builder.column(column).push_all(block.column(from), block.rows());
        }
        self.accumulators.add_running(&block, &self.slots, &mut self.builder, columns);
        self.ledger.touch_all(&self.slots, &[]);
        debug_assert_eq!(self.output.fields().len(), self.builder.columns_mut().len());
        if let Some(block) = self.builder.finish() {
            cx.emit(0, block);
        }
        Ok(())
    }

    fn hand_over(&mut self, _: &mut Context) -> Result<Given, Failure> {
        let schema = self.accumulators.state_schema();
        let (changed, _) = self.ledger.take();
        let mut pages = Pages::new(&schema);
        let mut rest = changed.as_slice();
        while let Some(batch) = pages.next_batch(&mut rest) {
            for &slot in batch {
                pages.row(self.keys.key(slot).expect("a running aggregate is never removed"), &[], None);
            }
            pages.state(&self.accumulators.export(batch, &schema));
        }
        Ok(Given { keyed: Some(pages.done()), ..Given::default() })
    }

    fn restore(&mut self, restored: &Restored, _: &mut Context) -> Result<(), Failure> {
        let schema = self.accumulators.state_schema();
        let other = restored.differs(&schema);
        restored.pages(|page| {
            let rows: Vec<u32> = (0..page.rows() as u32).collect();
            let Some(state) = page.state(&rows, &schema) else { return Ok(()) };
            for row in 0..page.rows() {
                let slot = self.keys.index(hash(page.key(row)), page.key(row), || ());
                self.accumulators.import(&state, row, slot);
                self.ledger.restored(slot, other);
            }
            Ok(())
        })
    }
}
