//! What both kinds of window share: keys, slots, changes, and the way out.

use tidemill_core::TimeMs;
use tidemill_core::block::{Block, Builder};
use tidemill_core::checkpoint::Keyed;
use tidemill_core::guest::Slot;
use tidemill_core::schema::{Field, Schema, Type};
use tidemill_core::window::Window;

use super::compute::{Compute, Fired};
use crate::keyed::{key_schema, push_key};
use crate::ledger::{Ledger, Pages};
use crate::logic::Context;
use crate::report::Failure;

/// Windows fired in one call at most: a block like any other.
const ROWS_PER_FIRE: usize = 4096;

/// See the module.
pub(crate) struct Work {
    /// The key columns of each input.
    keys: Vec<Vec<usize>>,
    key_schema: Schema,
    fire_schema: Schema,
    pub(super) compute: Box<dyn Compute>,
    pub(super) ledger: Ledger,
    /// Whose each slot is, in the words of the kind of window; kept only where checkpoints are taken.
    owners: Vec<Owner>,
    next_slot: Slot,
    free: Vec<Slot>,
    /// Rows and slots assigned but not yet handed to the compute.
    rows: Vec<u32>,
    slots: Vec<Slot>,
    /// Merges to do behind them.
    targets: Vec<Slot>,
    sources: Vec<Slot>,
    /// Windows to fire.
    fired: Vec<FiredRow>,
    fired_slots: Vec<Slot>,
    fired_keys: Vec<u8>,
}

/// Whose a slot is: the namespace as a number, and the index of the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Owner {
    /// The beginning of a pane, or the number of a session.
    pub(super) namespace: i64,
    /// The key, by its index in the pane, or among all sessions.
    pub(super) key: u32,
}

/// Who knows the name under which a slot stands in a checkpoint.
pub(super) trait Names {
    /// Writes a slot's row.
    fn row(&self, slot: Slot, owner: Owner, pages: &mut Pages);
}

/// One window to fire; its key and slots end at these offsets.
struct FiredRow {
    time: TimeMs,
    window: Window,
    firing: i32,
    key_end: usize,
    slots_end: usize,
}

impl Work {
    /// For inputs with these key columns, the first of which has records of the schema `input`.
    pub(crate) fn new(input: &Schema, keys: Vec<Vec<usize>>, compute: Box<dyn Compute>, ledger: Ledger) -> Work {
        let key_schema = key_schema(input, &keys[0]);
        let mut fields = key_schema.fields().to_vec();
        for (name, ty) in [("$start", Type::I64), ("$end", Type::I64), ("$firing", Type::I32)] {
            fields.push(Field { name: name.to_owned(), ty, optional: false });
        }
        Work {
            keys,
            key_schema,
            fire_schema: Schema::new(fields).expect("a plan's key fields have unique names without $"),
            compute,
            ledger,
            owners: Vec::new(),
            next_slot: 0,
            free: Vec::new(),
            rows: Vec::new(),
            slots: Vec::new(),
            targets: Vec::new(),
            sources: Vec::new(),
            fired: Vec::new(),
            fired_slots: Vec::new(),
            fired_keys: Vec::new(),
        }
    }

    /// The key columns of an input.
    pub(super) fn key(&self, input: usize) -> Vec<usize> {
        self.keys[input].clone()
    }

    /// An empty slot.
    pub(super) fn slot(&mut self) -> Slot {
        self.free.pop().unwrap_or_else(|| {
            self.next_slot += 1;
            self.next_slot - 1
        })
    }

    /// Files a row under a slot.
    pub(super) fn assign(&mut self, row: usize, slot: Slot) {
        self.rows.push(row as u32);
        self.slots.push(slot);
        self.ledger.touch(slot);
    }

    /// A slot has been given to a key's pane or session that had none.
    pub(super) fn born(&mut self, slot: Slot, owner: Owner, key: &[u8]) {
        if !self.ledger.is_on() {
            return;
        }
        let at = slot as usize;
        if self.owners.len() <= at {
            self.owners.resize((at + 1).next_power_of_two(), Owner::default());
        }
        self.owners[at] = owner;
        self.ledger.born(slot, key, &owner.namespace.to_le_bytes());
    }

    /// Whose a slot is. Only where checkpoints are taken.
    pub(super) fn owner(&self, slot: Slot) -> Owner {
        self.owners[slot as usize]
    }

    /// Joins two accumulators once the rows assigned so far have been added.
    pub(super) fn merge(&mut self, target: Slot, source: Slot) {
        // Noted now and not when it is done: the target may be the source of a later merge, and is gone then.
        self.ledger.touch(target);
        self.targets.push(target);
        self.sources.push(source);
    }

    /// Exports those of the slots that the open handover still needs, before they change.
    pub(super) fn save(&mut self, slots: impl IntoIterator<Item = Slot>, names: &impl Names, cx: &mut Context) -> Result<(), Failure> {
        let claimed = self.ledger.claim(slots);
        self.export(&claimed, names, cx)
    }

    fn export(&mut self, slots: &[Slot], names: &impl Names, cx: &mut Context) -> Result<(), Failure> {
        let (owners, compute) = (&self.owners, &mut self.compute);
        let row = |slot: Slot, pages: &mut Pages| names.row(slot, owners[slot as usize], pages);
        self.ledger.export(slots, row, |batch| compute.export(batch, cx))
    }

    /// Opens a handover and exports everything that has changed at once: for windows whose bounds and triggers change in many ways, and
    /// which nobody has by the million. What is left of it for later is to say what is gone.
    pub(super) fn hand_over_whole(&mut self, names: &impl Names, cx: &mut Context) -> Result<(), Failure> {
        self.ledger.open(&self.compute.state_schema());
        loop {
            let batch = self.ledger.next();
            if batch.is_empty() {
                return Ok(());
            }
            self.export(&batch, names, cx)?;
        }
    }

    /// Goes on with the open handover by a page; the whole at its end.
    pub(super) fn hand_over_more(&mut self, names: &impl Names, cx: &mut Context) -> Result<Option<Keyed>, Failure> {
        let batch = self.ledger.next();
        self.export(&batch, names, cx)?;
        Ok(self.ledger.close())
    }

    /// Adds what has been assigned, then merges.
    pub(super) fn flush(&mut self, input: usize, block: &Block, names: &impl Names, cx: &mut Context) -> Result<(), Failure> {
        if self.ledger.is_open() {
            let slots = self.slots.clone();
            self.save(slots, names, cx)?;
        }
        if !self.rows.is_empty() {
            self.compute.add(input, block, &self.rows, &self.slots, cx)?;
            self.rows.clear();
            self.slots.clear();
        }
        if !self.targets.is_empty() {
            self.compute.merge(&self.targets, &self.sources, cx)?;
            self.free.append(&mut self.sources);
            self.targets.clear();
        }
        Ok(())
    }

    /// Puts a window on the list of those to fire. Its results carry its last millisecond.
    pub(super) fn fire(&mut self, window: Window, firing: i32, key: &[u8], slots: impl IntoIterator<Item = Slot>) {
        self.fire_at(window.max_time(), window, firing, key, slots);
    }

    /// Puts a window on the list of those to fire; its results carry this time.
    pub(super) fn fire_at(&mut self, time: TimeMs, window: Window, firing: i32, key: &[u8], slots: impl IntoIterator<Item = Slot>) {
        self.fired_keys.extend_from_slice(key);
        self.fired_slots.extend(slots);
        let (key_end, slots_end) = (self.fired_keys.len(), self.fired_slots.len());
        self.fired.push(FiredRow { time, window, firing, key_end, slots_end });
    }

    /// Windows as rows: time, window, firing and key of each. There is at least one.
    pub(super) fn describe<'k>(&self, windows: impl Iterator<Item = (TimeMs, Window, i32, &'k [u8])>) -> Block {
        let mut builder = Builder::new(&self.fire_schema);
        windows.for_each(|(time, window, firing, key)| self.push_window(&mut builder, time, window, firing, key));
        builder.finish().expect("at least one window is described")
    }

    fn push_window(&self, builder: &mut Builder, time: TimeMs, window: Window, firing: i32, key: &[u8]) {
        let first = self.key_schema.fields().len();
        builder.push_time(time);
        push_key(builder, &self.key_schema, key);
        builder.column(first).push_i64(window.start);
        builder.column(first + 1).push_i64(window.end);
        builder.column(first + 2).push_i32(firing);
    }

    /// Fires the list, a bounded number of windows in one call.
    pub(super) fn fire_all(&mut self, cx: &mut Context) -> Result<(), Failure> {
        let (mut key_start, mut slots_start) = (0, 0);
        let fired = std::mem::take(&mut self.fired);
        for chunk in fired.chunks(ROWS_PER_FIRE) {
            let mut builder = Builder::new(&self.fire_schema);
            let slots_first = slots_start;
            let mut offsets = vec![0];
            for row in chunk {
                self.push_window(&mut builder, row.time, row.window, row.firing, &self.fired_keys[key_start..row.key_end]);
                offsets.push((row.slots_end - slots_first) as u32);
                (key_start, slots_start) = (row.key_end, row.slots_end);
            }
            let block = builder.finish().expect("a chunk is never empty");
            let slots = &self.fired_slots[slots_first..slots_start];
            self.compute.fire(&Fired { block: &block, schema: &self.fire_schema, offsets: &offsets, slots }, cx)?;
        }
        self.fired_keys.clear();
        self.fired_slots.clear();
        self.fired = fired;
        self.fired.clear();
        Ok(())
    }

    /// Empties slots for reuse.
    pub(super) fn release(&mut self, slots: Vec<Slot>, cx: &mut Context) -> Result<(), Failure> {
        if slots.is_empty() {
            return Ok(());
        }
        self.compute.drop_slots(&slots, cx)?;
        self.free.extend(slots);
        Ok(())
    }
}
