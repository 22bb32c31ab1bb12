//! A running aggregate per key, computed by the host: one result for every record (semantics.md #32).

use tidemill_core::TimeMs;
use tidemill_core::block::{Block, Builder};
use tidemill_core::checkpoint::Keyed;
use tidemill_core::guest::Slot;
use tidemill_core::key::hash;
use tidemill_core::plan::Aggregate;
use tidemill_core::schema::Schema;

use crate::keyed::{KeyMap, for_each_key};
use crate::ledger::Ledger;
use crate::logic::{Context, Given, Logic};
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

    /// Exports slots for the handover that is open.
    fn export(&mut self, slots: &[Slot]) -> Result<(), Failure> {
        let (keys, accumulators) = (&self.keys, &mut self.accumulators);
        let schema = accumulators.state_schema();
        let key = |slot| keys.key(slot).expect("a running aggregate is never removed");
        self.ledger.export(slots, |slot, pages| pages.row(key(slot), &[], None), |batch| Ok(accumulators.export(batch, &schema)))
    }
}

impl Logic for Rolling {
    fn block(&mut self, _input: usize, block: Block, cx: &mut Context) -> Result<(), Failure> {
        self.slots.clear();
        let (keys, slots) = (&mut self.keys, &mut self.slots);
        for_each_key(&block, &self.key, |_, hash, key| slots.push(keys.index(hash, key, || ())));
        let due = self.ledger.claim(self.slots.iter().copied());
        self.export(&due)?;
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
        self.ledger.open(&self.accumulators.state_schema());
        Ok(Given { keyed: true, ..Given::default() })
    }

    fn hand_over_more(&mut self, _: &mut Context) -> Result<Option<Keyed>, Failure> {
        let batch = self.ledger.next();
        self.export(&batch)?;
        Ok(self.ledger.close())
    }

    fn restore(&mut self, restored: &Restored, _: &[TimeMs], _: &mut Context) -> Result<(), Failure> {
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
