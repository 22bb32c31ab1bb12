//! The keyed process function: state slots and timers for the guest (semantics.md #22-#26).
//!
//! The host maps keys to slots and keeps the timers; the guest computes over whole blocks. A slot whose state is empty
//! and whose key has no timer is dropped and its number reused.

use tidemill_core::TimeMs;
use tidemill_core::block::{Block, Builder};
use tidemill_core::guest::{Outcome, Slot, TimerOp};
use tidemill_core::plan::{Domain, Kind};
use tidemill_core::schema::{Field, Schema, Type};

use crate::harness::{Context, Logic};
use crate::keyed::{KeyMap, for_each_key, key_schema, push_key};
use crate::operators::guest_call::GuestCall;
use crate::report::{Cause, Failure};
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
    call: GuestCall,
    inputs: Vec<KeyedInput>,
    keys: KeyMap<()>,
    domains: Vec<Domain>,
    event: Timers,
    processing: Timers,
    key_schema: Schema,
    timer_schema: Schema,
    slots: Vec<Slot>,
}

impl Process {
    pub(crate) fn new(call: GuestCall, inputs: Vec<KeyedInput>) -> Process {
        let domains = match &call.plan().operators[call.head() as usize].kind {
            Kind::Process(spec) => spec.timers.iter().map(|t| t.domain).collect(),
            _ => Vec::new(),
        };
        let key_schema = key_schema(&inputs[0].schema, &inputs[0].key);
        let mut fields = key_schema.fields().to_vec();
        fields.push(Field { name: "$timer".to_owned(), ty: Type::I32, optional: false });
        let timer_schema = Schema::new(fields).expect("a plan's key fields have unique names");
        Process {
            call,
            inputs,
            keys: KeyMap::default(),
            domains,
            event: Timers::default(),
            processing: Timers::default(),
            key_schema,
            timer_schema,
            slots: Vec::new(),
        }
    }

    /// Applies timer operations and lets go of slots that became empty.
    fn settle(&mut self, outcome: &mut Outcome, cx: &Context) -> Result<(), Failure> {
        for op in outcome.timers.drain(..) {
            self.timer(op)?;
        }
        if self.event.len() + self.processing.len() > TIMERS_MAX {
            return Err(self.limit(format!("more than {TIMERS_MAX} timers are set")));
        }
        let mut empty = std::mem::take(&mut outcome.cleared);
        empty.retain(|&slot| !self.event.has(slot) && !self.processing.has(slot));
        empty.sort_unstable();
        empty.dedup();
        if !empty.is_empty() {
            self.call.call(cx, None, |guest, _| guest.drop_state(self.call.head(), &empty))?;
            for &slot in &empty {
                self.keys.remove(slot);
            }
        }
        Ok(())
    }

    fn timer(&mut self, op: TimerOp) -> Result<(), Failure> {
        match self.domains.get(op.timer as usize) {
            Some(Domain::Event) => self.event.apply(op),
            Some(Domain::Processing) => self.processing.apply(op),
            None => return Err(self.limit(format!("timer {} is not declared in the plan", op.timer))),
        }
        Ok(())
    }

    fn limit(&self, message: String) -> Failure {
        let operator = self.call.plan().operators[self.call.head() as usize].name.clone();
        Failure { operator, cause: Cause::Limit(message), record: None }
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
        let block = builder.finish().expect("at least one timer is due");
        let mut at = cx.at;
        match domain {
            Domain::Event => at.watermark = time,
            Domain::Processing => at.now = time,
        }
        let shown = (&block, &self.timer_schema);
        let mut outcome = self.call.call(cx, Some(shown), |guest, chain| guest.on_timer(chain, at, &block, &self.slots))?;
        self.call.settle(&mut outcome, shown, cx)?;
        // A slot whose only timer has just fired is empty when its state is: the guest says so by `cleared`.
        self.settle(&mut outcome, cx)
    }
}

impl Logic for Process {
    fn block(&mut self, input: usize, block: Block, cx: &mut Context) -> Result<(), Failure> {
        self.slots.clear();
        let (keys, slots) = (&mut self.keys, &mut self.slots);
        for_each_key(&block, &self.inputs[input].key, |_, hash, key| slots.push(keys.index(hash, key, || ())));
        let at = cx.at;
        let shown = (&block, &self.inputs[input].schema);
        let call = |guest: &mut dyn tidemill_core::guest::Guest, chain| guest.process(chain, input as u32, at, &block, &[], &self.slots);
        let mut outcome = self.call.call(cx, Some(shown), call)?;
        self.call.settle(&mut outcome, shown, cx)?;
        self.settle(&mut outcome, cx)?;
        // A timer set for a time that has passed fires at once.
        self.fire(Domain::Event, at.watermark, cx)?;
        self.fire(Domain::Processing, at.now, cx)
    }

    fn watermark(&mut self, watermark: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        self.fire(Domain::Event, watermark, cx)
    }

    fn clock(&mut self, now: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        self.fire(Domain::Processing, now, cx)
    }
}
