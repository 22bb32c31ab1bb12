//! Keyed windows (semantics.md #7-#15): the host assigns, keeps and fires them; a [`compute::Compute`], guest or host,
//! keeps the accumulators.
//!
//! `aligned` holds tumbling and sliding windows as shared panes, `session` the merging ones. Both keep one promise: what a
//! watermark releases has been emitted when `advance` returns, in order of window end.

mod aligned;
pub(crate) mod compute;
pub(crate) mod host_compute;
mod session;

use std::sync::atomic::Ordering::Relaxed;

use tidemill_core::block::{Block, Builder, gather};
use tidemill_core::guest::Slot;
use tidemill_core::plan::{Assigner, Domain, WindowSpec};
use tidemill_core::schema::{Field, Schema, Type};
use tidemill_core::window::Window;
use tidemill_core::{TIME_MAX, TimeMs};

use crate::harness::{Context, Logic};
use crate::keyed::{key_schema, push_key};
use crate::report::Failure;
use crate::run::Log;
use aligned::Aligned;
use compute::{Compute, Fired};
use session::Sessions;

/// Windows fired in one call at most: a block like any other.
const ROWS_PER_FIRE: usize = 4096;
/// Late records shown in the log when nobody reads the `late` port.
const LATE_SHOWN: u64 = 10;

/// The windows of one operator on one worker.
enum Kept {
    Aligned(Aligned),
    Session(Sessions),
}

/// See the module.
pub(crate) struct WindowOperator {
    name: String,
    domain: Domain,
    kept: Kept,
    work: Work,
    input: Schema,
    late_output: Option<usize>,
    late_rows: Vec<u32>,
    late_seen: u64,
    log: Log,
}

/// What both kinds of window share: keys, slots, and the way out.
pub(crate) struct Work {
    pub(crate) key: Vec<usize>,
    key_schema: Schema,
    fire_schema: Schema,
    compute: Box<dyn Compute>,
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

/// One window to fire; its key and slots end at these offsets.
struct FiredRow {
    window: Window,
    firing: i32,
    key_end: usize,
    slots_end: usize,
}

impl WindowOperator {
    pub(crate) fn new(
        name: String,
        spec: &WindowSpec,
        input: Schema,
        key: Vec<usize>,
        compute: Box<dyn Compute>,
        late_output: Option<usize>,
        log: Log,
    ) -> WindowOperator {
        let key_schema = key_schema(&input, &key);
        let lateness_ms = if spec.domain == Domain::Event { spec.lateness_ms } else { 0 };
        let kept = match spec.assigner {
            Assigner::Tumbling { size_ms, offset_ms } => Kept::Aligned(Aligned::new(size_ms, size_ms, offset_ms, lateness_ms)),
            Assigner::Sliding { size_ms, slide_ms, offset_ms } => Kept::Aligned(Aligned::new(size_ms, slide_ms, offset_ms, lateness_ms)),
            Assigner::Session { gap_ms } => Kept::Session(Sessions::new(gap_ms, lateness_ms)),
            Assigner::Global => unreachable!("plan::check refuses a global window"),
        };
        WindowOperator {
            name,
            domain: spec.domain,
            kept,
            work: Work::new(key, key_schema, compute),
            input,
            late_output,
            late_rows: Vec::new(),
            late_seen: 0,
            log,
        }
    }

    fn late(&mut self, block: &Block, cx: &mut Context) {
        let late = self.late_rows.len() as u64;
        cx.counters().late.fetch_add(late, Relaxed);
        match self.late_output {
            Some(output) => {
                if let Some(block) = gather(block, &self.late_rows, &self.input) {
                    cx.emit(output, block);
                }
            }
            None => {
                for &row in &self.late_rows {
                    self.late_seen += 1;
                    if self.late_seen <= LATE_SHOWN {
                        let record = crate::operators::guest_call::render(block, &self.input, row as usize);
                        let (time, watermark) = (block.time(row as usize), cx.at.watermark);
                        (self.log)(&self.name, &format!("late record at {time}, watermark {watermark}: {record}"));
                    }
                }
            }
        }
        self.late_rows.clear();
    }

    fn advance(&mut self, to: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        match &mut self.kept {
            Kept::Aligned(aligned) => aligned.advance(to, &mut self.work, cx),
            Kept::Session(sessions) => sessions.advance(to, &mut self.work, cx),
        }
    }

    /// Processing-time windows are over when the clock has left them: at `now`, time up to `now - 1` is complete.
    fn complete(now: TimeMs) -> TimeMs {
        if now == TIME_MAX { TIME_MAX } else { now.saturating_sub(1) }
    }
}

impl Logic for WindowOperator {
    fn block(&mut self, _input: usize, block: Block, cx: &mut Context) -> Result<(), Failure> {
        let (now, watermark) = match self.domain {
            Domain::Event => (None, cx.at.watermark),
            Domain::Processing => (Some(cx.at.now), Self::complete(cx.at.now)),
        };
        match &mut self.kept {
            Kept::Aligned(aligned) => aligned.add(&block, now, watermark, &mut self.work, &mut self.late_rows, cx)?,
            Kept::Session(sessions) => sessions.add(&block, now, watermark, &mut self.work, &mut self.late_rows, cx)?,
        }
        if !self.late_rows.is_empty() {
            self.late(&block, cx);
        }
        Ok(())
    }

    fn watermark(&mut self, watermark: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        if self.domain == Domain::Event { self.advance(watermark, cx) } else { Ok(()) }
    }

    fn clock(&mut self, now: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        if self.domain == Domain::Processing { self.advance(Self::complete(now), cx) } else { Ok(()) }
    }
}

impl Work {
    fn new(key: Vec<usize>, key_schema: Schema, compute: Box<dyn Compute>) -> Work {
        let mut fields = key_schema.fields().to_vec();
        for (name, ty) in [("$start", Type::I64), ("$end", Type::I64), ("$firing", Type::I32)] {
            fields.push(Field { name: name.to_owned(), ty, optional: false });
        }
        Work {
            key,
            key_schema,
            fire_schema: Schema::new(fields).expect("a plan's key fields have unique names without $"),
            compute,
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

    /// An empty slot.
    fn slot(&mut self) -> Slot {
        self.free.pop().unwrap_or_else(|| {
            self.next_slot += 1;
            self.next_slot - 1
        })
    }

    /// Files a row under a slot.
    fn assign(&mut self, row: usize, slot: Slot) {
        self.rows.push(row as u32);
        self.slots.push(slot);
    }

    /// Joins two accumulators once the rows assigned so far have been added.
    fn merge(&mut self, target: Slot, source: Slot) {
        self.targets.push(target);
        self.sources.push(source);
    }

    /// Adds what has been assigned, then merges.
    fn flush(&mut self, block: &Block, cx: &mut Context) -> Result<(), Failure> {
        if !self.rows.is_empty() {
            self.compute.add(block, &self.rows, &self.slots, cx)?;
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

    /// Puts a window on the list of those to fire.
    fn fire(&mut self, window: Window, firing: i32, key: &[u8], slots: impl IntoIterator<Item = Slot>) {
        self.fired_keys.extend_from_slice(key);
        self.fired_slots.extend(slots);
        let (key_end, slots_end) = (self.fired_keys.len(), self.fired_slots.len());
        self.fired.push(FiredRow { window, firing, key_end, slots_end });
    }

    /// Fires the list, a bounded number of windows in one call.
    fn fire_all(&mut self, cx: &mut Context) -> Result<(), Failure> {
        let (mut key_start, mut slots_start) = (0, 0);
        let fired = std::mem::take(&mut self.fired);
        for chunk in fired.chunks(ROWS_PER_FIRE) {
            let mut builder = Builder::new(&self.fire_schema);
            let (first, slots_first) = (self.key_schema.fields().len(), slots_start);
            let mut offsets = vec![0];
            for row in chunk {
                builder.push_time(row.window.max_time());
                push_key(&mut builder, &self.key_schema, &self.fired_keys[key_start..row.key_end]);
                builder.column(first).push_i64(row.window.start);
                builder.column(first + 1).push_i64(row.window.end);
                builder.column(first + 2).push_i32(row.firing);
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
    fn release(&mut self, slots: Vec<Slot>, cx: &mut Context) -> Result<(), Failure> {
        if slots.is_empty() {
            return Ok(());
        }
        self.compute.drop_slots(&slots, cx)?;
        self.free.extend(slots);
        Ok(())
    }
}
