//! The keyed process function: state slots and timers for the guest (semantics.md #22-#26).
//!
//! The host maps keys to slots and keeps the timers; the guest computes over whole blocks. A slot whose state is empty
//! and whose key has no timer is dropped and its number reused. Beside keyed inputs there may be broadcast ones: see [`Shared`].

use std::collections::HashMap;

use tidemill_core::TimeMs;
use tidemill_core::block::{Block, Builder};
use tidemill_core::checkpoint::Keyed;
use tidemill_core::explain::Held;
use tidemill_core::guest::{ChainId, Error, Guest, Outcome, Slot, TimerAction, TimerOp};
use tidemill_core::key::hash;
use tidemill_core::plan::{Domain, Kind, Timer};
use tidemill_core::schema::{Field, Schema, Type};

use crate::keyed::{KeyMap, for_each_key, key_schema, push_key};
use crate::ledger::{Ledger, Pages};
use crate::logic::{Context, Given, Logic};
pub(crate) use crate::operators::broadcast::Shared;
use crate::operators::guest_call::{GuestCall, Shown};
use crate::operators::watch::{Piece, part};
use crate::report::{Cause, Failure};
use crate::restore::{Page, Restored};
use crate::timers::{Due, Timers};

/// Timers fired in one call at most: a block like any other.
const TIMERS_PER_CALL: usize = 4096;
/// Rounds of timers in one advance of time at most. A function that sets a timer which is due at once, from that very
/// timer, would otherwise never let go.
const ROUNDS_MAX: usize = 1 << 20;
/// Timers one operator may have on one worker: about 2 GiB of them.
const TIMERS_MAX: usize = 32 << 20;

/// One input of the operator.
pub(crate) struct KeyedInput {
    /// The records' schema.
    pub(crate) schema: Schema,
    /// Its key columns.
    pub(crate) key: Vec<usize>,
}

/// See the module.
pub(crate) struct Process {
    pub(super) call: GuestCall,
    pub(super) inputs: Vec<KeyedInput>,
    pub(super) keys: KeyMap<()>,
    pub(super) ledger: Ledger,
    declared: Vec<Timer>,
    event: Timers,
    processing: Timers,
    pub(super) key_schema: Schema,
    timer_schema: Schema,
    pub(super) slots: Vec<Slot>,
    pub(super) shared: Option<Shared>,
}

impl Process {
    pub(crate) fn new(call: GuestCall, inputs: Vec<KeyedInput>, ledger: Ledger, mut shared: Option<Shared>) -> Process {
        let mut keys = KeyMap::default();
        if let Some(shared) = &mut shared {
            shared.slot = keys.index(hash(Shared::KEY), Shared::KEY, || ());
        }
        let declared = match &call.plan().operators[call.head() as usize].kind {
            Kind::Process(spec) => spec.timers.clone(),
            _ => Vec::new(),
        };
        let key_schema = key_schema(&inputs[0].schema, &inputs[0].key);
        let mut fields = key_schema.fields().to_vec();
        fields.push(Field { name: "$timer".to_owned(), ty: Type::I32, optional: false });
        let timer_schema = Schema::new(fields).expect("a plan's key fields have unique names");
        Process {
            call,
            inputs,
            keys,
            ledger,
            declared,
            event: Timers::default(),
            processing: Timers::default(),
            key_schema,
            timer_schema,
            slots: Vec::new(),
            shared,
        }
    }

    fn shared_slot(&self) -> Option<Slot> {
        self.shared.as_ref().map(|shared| shared.slot)
    }

    /// Calls the guest over `self.slots` and, behind them, the slot that all keys share.
    pub(super) fn over_slots(
        &self,
        shown: Shown<'_>,
        cx: &mut Context,
        call: impl FnOnce(&mut dyn Guest, ChainId, &[Slot]) -> Result<Outcome, Error>,
    ) -> Result<Outcome, Failure> {
        let with_shared;
        let slots = match self.shared_slot() {
            None => self.slots.as_slice(),
            Some(shared) => {
                with_shared = [&self.slots[..], &[shared]].concat();
                with_shared.as_slice()
            }
        };
        let mut outcome = self.call.call(cx, Some(shown), |guest, chain| call(guest, chain, slots))?;
        self.call.settle(&mut outcome, shown, cx)?;
        Ok(outcome)
    }

    /// Applies timer operations, notes what has changed and lets go of slots that became empty.
    pub(super) fn settle(&mut self, outcome: &mut Outcome, cx: &Context) -> Result<(), Failure> {
        // A timer that was set or fired is part of what changed.
        let unchanged = if outcome.timers.is_empty() { outcome.unchanged.as_slice() } else { &[] };
        self.ledger.touch_all(&self.slots, unchanged);
        for op in outcome.timers.drain(..) {
            self.timer(op)?;
        }
        if self.event.len() + self.processing.len() > TIMERS_MAX {
            return Err(self.limit(format!("more than {TIMERS_MAX} timers are set")));
        }
        let mut empty = std::mem::take(&mut outcome.cleared);
        let shared = self.shared_slot();
        empty.retain(|&slot| !self.event.has(slot) && !self.processing.has(slot) && Some(slot) != shared);
        empty.sort_unstable();
        empty.dedup();
        if !empty.is_empty() {
            self.call.call(cx, None, |guest, _| guest.drop_state(self.call.head(), &empty))?;
            for &slot in &empty {
                if let Some(key) = self.keys.key(slot) {
                    self.ledger.died(slot, key, &[]);
                }
                self.keys.remove(slot);
            }
        }
        Ok(())
    }

    fn timer(&mut self, op: TimerOp) -> Result<(), Failure> {
        if Some(op.slot) == self.shared_slot() {
            return Err(self.limit("a timer was set for a broadcast record: a timer is of a key".to_owned()));
        }
        match self.declared.get(op.timer as usize).map(|timer| timer.domain) {
            Some(Domain::Event) => self.event.apply(op),
            Some(Domain::Processing) => self.processing.apply(op),
            None => return Err(self.limit(format!("timer {} is not declared in the plan", op.timer))),
        }
        Ok(())
    }

    /// Exports slots for the handover that is open. Timers of the list `fired`, which have been taken from their keys already, belong to
    /// them still.
    pub(super) fn export(&mut self, slots: &[Slot], fired: &[Due], cx: &Context) -> Result<(), Failure> {
        let (keys, declared, event, processing) = (&self.keys, &self.declared, &self.event, &self.processing);
        let fired: HashMap<Slot, (u32, TimeMs)> = fired.iter().map(|due| (due.slot, (due.timer, due.time))).collect();
        let mut timers = Vec::new();
        let row = |slot, pages: &mut Pages| {
            timers.clear();
            for &(timer, time) in event.of(slot).iter().chain(processing.of(slot)).chain(fired.get(&slot)) {
                encode_timer(declared[timer as usize].name.as_bytes(), time, &mut timers);
            }
            let host = (!timers.is_empty()).then_some(timers.as_slice());
            pages.row(keys.key(slot).expect("a changed slot has a key"), &[], host);
        };
        let call = &self.call;
        self.ledger.export(slots, row, |batch| call.export(batch, cx))
    }

    /// Sets the timers of a key again. One whose name is no longer declared is let go: the plan was compared before.
    fn restore_timers(&mut self, restored: &Restored, page: &Page<'_>, row: usize, slot: Slot) -> Result<(), Failure> {
        let mut rest = page.host(row).unwrap_or_default();
        while let Some((&length, tail)) = rest.split_first() {
            let cut = tail.split_at_checked(usize::from(length)).and_then(|(name, tail)| Some((name, tail.split_first_chunk::<8>()?)));
            let Some((name, (time, tail))) = cut else { return Err(restored.failure("the timers of a key are cut short")) };
            rest = tail;
            if let Some(timer) = self.declared.iter().position(|timer| timer.name.as_bytes() == name) {
                let op = TimerOp { slot, timer: timer as u32, action: TimerAction::Add, time: TimeMs::from_le_bytes(*time) };
                self.timer(op)?;
            }
        }
        Ok(())
    }

    fn limit(&self, message: String) -> Failure {
        let operator = self.call.plan().operators[self.call.head() as usize].name.clone();
        Failure { operator, cause: Cause::Limit(message), record: None }
    }

    /// Calls the function with records of a data input.
    fn records(&mut self, input: usize, block: &Block, cx: &mut Context) -> Result<(), Failure> {
        if !self.is_unkeyed() {
            self.name_slots(input, block);
        }
        self.claim(cx)?;
        let at = cx.moment();
        let shown = Shown { block, schema: &self.inputs[input].schema, input: input as u32 };
        let mut outcome = self.over_slots(shown, cx, |guest, chain, slots| guest.process(chain, input as u32, at, block, &[], slots))?;
        self.settle(&mut outcome, cx)
    }

    /// Exports what `self.slots` were at an open handover before they change.
    pub(super) fn claim(&mut self, cx: &Context) -> Result<(), Failure> {
        let claimed = self.ledger.claim(self.slots.iter().copied());
        self.export(&claimed, &[], cx)
    }

    fn name_slots(&mut self, input: usize, block: &Block) {
        let (keys, slots, ledger) = (&mut self.keys, &mut self.slots, &mut self.ledger);
        for_each_key(block, &self.inputs[input].key, |_, hash, key| {
            let mut new = false;
            let slot = keys.index(hash, key, || new = true);
            if new {
                ledger.born(slot, key, &[]);
            }
            slots.push(slot);
        });
    }

    /// Fires everything due at `time`, round by round.
    fn fire(&mut self, domain: Domain, time: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        for _ in 0..ROUNDS_MAX {
            let timers = match domain {
                Domain::Event => &mut self.event,
                Domain::Processing => &mut self.processing,
            };
            let due = timers.round(time, TIMERS_PER_CALL);
            if due.is_empty() {
                return Ok(());
            }
            self.call_timers(&due, domain, time, cx)?;
        }
        Err(self.limit(format!("timers were still due after {ROUNDS_MAX} rounds at one time: a timer function sets its own timer again")))
    }

    fn call_timers(&mut self, due: &[Due], domain: Domain, time: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        let mut builder = Builder::new(&self.timer_schema);
        self.slots.clear();
        let timer_column = self.key_schema.fields().len();
        for due in due {
            let key = self.keys.key(due.slot).expect("a key with a timer keeps its slot");
            builder.push_time(due.time);
            push_key(&mut builder, &self.key_schema, key);
            builder.column(timer_column).push_i32(due.timer as i32);
            self.slots.push(due.slot);
        }
        let claimed = self.ledger.claim(self.slots.iter().copied());
        if !claimed.is_empty() {
            self.export(&claimed, due, cx)?;
        }
        let block = builder.finish().expect("at least one timer is due");
        let all = std::mem::take(&mut self.slots);
        for piece in self.call.pieces("on-timer", 0, &block, cx) {
            match piece {
                Piece::Rows(rows) => {
                    self.slots.clear();
                    self.slots.extend_from_slice(&all[rows.start as usize..rows.end as usize]);
                    self.run_timers(&part(&block, &rows, &self.timer_schema), domain, time, cx)?;
                }
                Piece::Aside(row, condemned) => {
                    self.call.set_aside(row, &condemned, Shown::only(&block, &self.timer_schema), cx)?;
                    // The timer is gone all the same.
                    self.ledger.touch(all[row as usize]);
                }
            }
        }
        Ok(())
    }

    /// Calls the function of the timers of `self.slots`.
    fn run_timers(&mut self, block: &Block, domain: Domain, time: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        let mut at = cx.moment();
        match domain {
            Domain::Event => at.watermark = time,
            Domain::Processing => at.now = time,
        }
        let shown = Shown::only(block, &self.timer_schema);
        let mut outcome = self.over_slots(shown, cx, |guest, chain, slots| guest.on_timer(chain, at, block, slots))?;
        // The timers that fired are gone, whatever the state of their keys.
        outcome.unchanged.clear();
        // A slot whose only timer has just fired is empty when its state is: the guest says so by `cleared`.
        self.settle(&mut outcome, cx)
    }
}

impl Logic for Process {
    fn block(&mut self, input: usize, block: Block, cx: &mut Context) -> Result<(), Failure> {
        self.slots.clear();
        if self.is_broadcast(input) {
            self.broadcast(input, &block, cx)?;
        } else {
            self.records(input, &block, cx)?;
        }
        // A timer set for a time that has passed fires at once.
        let (watermark, now) = (cx.at.watermark, cx.at.now);
        self.fire(Domain::Event, watermark, cx)?;
        self.fire(Domain::Processing, now, cx)
    }

    fn watermark(&mut self, watermark: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        self.fire(Domain::Event, watermark, cx)
    }

    fn clock(&mut self, now: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        self.fire(Domain::Processing, now, cx)
    }

    fn hand_over(&mut self, _: &mut Context) -> Result<Given, Failure> {
        self.ledger.open(&self.call.state_schema());
        Ok(Given { keyed: true, ..Given::default() })
    }

    fn hand_over_more(&mut self, cx: &mut Context) -> Result<Option<Keyed>, Failure> {
        let batch = self.ledger.next();
        self.export(&batch, &[], cx)?;
        Ok(self.ledger.close())
    }

    fn held(&self) -> Held {
        let timers = (self.event.len() + self.processing.len()) as u64;
        Held { timers, timer: self.event.next(), timer_by_clock: self.processing.next(), ..Held::default() }
    }

    fn restore(&mut self, restored: &Restored, _: &[TimeMs], cx: &mut Context) -> Result<(), Failure> {
        let schema = self.call.state_schema();
        let other = restored.differs(&schema);
        restored.pages(|page| {
            let mut slots = Vec::new();
            // What all keys share is read apart.
            let rows: Vec<u32> =
                (0..page.rows() as u32).filter(|&row| self.shared.is_none() || !page.key(row as usize).is_empty()).collect();
            for row in rows.iter().map(|&row| row as usize) {
                let slot = self.keys.index(hash(page.key(row)), page.key(row), || ());
                self.ledger.restored(slot, other);
                self.restore_timers(restored, page, row, slot)?;
                slots.push(slot);
            }
            match self.call.saved(restored, page, &rows, cx)? {
                Some(state) => self.call.import(&slots, &state, cx),
                None => Ok(()),
            }
        })?;
        self.restore_shared(restored, &schema, cx)
    }
}

/// A timer in a checkpoint: length and letters of the name, then the time.
fn encode_timer(name: &[u8], time: TimeMs, out: &mut Vec<u8>) {
    out.push(name.len() as u8);
    out.extend_from_slice(name);
    out.extend_from_slice(&time.to_le_bytes());
}
