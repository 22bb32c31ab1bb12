//! What every operator that calls the guest shares: the instance, the wiring of its ports, and what becomes of an outcome.
//!
//! A record that user code refused is a value here (fail, skip or dead-letter, as the operator chose); only a trap, a
//! passed limit or a broken contract is a failure of the job.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use tidemill_core::block::{Block, Builder, Value};
use tidemill_core::connect::{OnError, RECORD_SHOWN_MAX};
use tidemill_core::guest::{self, ChainId, Factory, Failure as Refusal, Guest, Moment, OperatorId, Outcome, Slot};
use tidemill_core::plan::{DEAD_LETTER, DEAD_LETTER_SCHEMA, Plan, Port};
use tidemill_core::schema::Schema;

use crate::harness::Context;
use crate::operators::rerun::{Rerun, Trapped};
use crate::report::{Cause, Failure};

/// The component's instance of this worker, shared by its operators.
pub(crate) type Instance = Rc<RefCell<Box<dyn Guest>>>;

/// A fused chain as one operator of the engine.
pub(crate) struct GuestCall {
    plan: Arc<Plan>,
    instance: Instance,
    /// The chain's id in the guest.
    pub(crate) chain: ChainId,
    /// Its members.
    members: Vec<OperatorId>,
    /// Ports that somebody reads: output `i` of the engine's operator is `ports[i]`.
    ports: Vec<(OperatorId, Port)>,
    rerun: Rerun,
}

impl GuestCall {
    /// `factory` makes the instance in which the record of a trap is looked for.
    pub(crate) fn new(
        plan: Arc<Plan>,
        (instance, factory): (Instance, Arc<dyn Factory>),
        chain: ChainId,
        members: Vec<OperatorId>,
        ports: Vec<(OperatorId, Port)>,
    ) -> GuestCall {
        GuestCall { plan, instance, chain, members, ports, rerun: Rerun::new(factory) }
    }

    /// The first member: the one that has the state.
    pub(crate) fn head(&self) -> OperatorId {
        self.members[0]
    }

    /// The plan.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The output of the engine's operator for a port, when somebody reads it.
    pub(crate) fn output(&self, operator: OperatorId, port: Port) -> Option<usize> {
        self.ports.iter().position(|p| *p == (operator, port))
    }

    /// Calls the guest and times it. `shown` is the block whose rows an error speaks of, with its schema.
    pub(crate) fn call<T>(
        &self,
        cx: &Context,
        shown: Option<(&Block, &Schema)>,
        call: impl FnOnce(&mut dyn Guest, ChainId) -> Result<T, guest::Error>,
    ) -> Result<T, Failure> {
        let start = Instant::now();
        let result = call(self.instance.borrow_mut().as_mut(), self.chain);
        cx.counters().guest_ns.fetch_add(start.elapsed().as_nanos() as u64, Relaxed);
        result.map_err(|error| self.failure(error, shown))
    }

    /// The columns of the first member's state.
    pub(crate) fn state_schema(&self) -> Schema {
        self.plan.operators[self.head() as usize].state_schema()
    }

    /// Saves the state of one or more slots of the first member, a row each.
    pub(crate) fn export(&self, slots: &[Slot], cx: &Context) -> Result<Block, Failure> {
        self.call(cx, None, |guest, _| guest.export_state(self.head(), slots))
    }

    /// Loads empty slots of the first member, row by row.
    pub(crate) fn import(&self, slots: &[Slot], state: &Block, cx: &Context) -> Result<(), Failure> {
        self.call(cx, None, |guest, _| guest.import_state(self.head(), slots, state))
    }

    /// Runs a stateless chain over a block. When it traps and the component could not say at which record, that is looked for.
    pub(crate) fn stateless(&self, cx: &Context, input: u32, at: Moment, (block, schema): (&Block, &Schema)) -> Result<Outcome, Failure> {
        self.call(cx, Some((block, schema)), |guest, chain| {
            let result = guest.process(chain, input, at, block, &[], &[]);
            result.map_err(|error| self.rerun.blame(error, &Trapped { members: &self.members, input, at, block, schema }))
        })
    }

    fn failure(&self, error: guest::Error, shown: Option<(&Block, &Schema)>) -> Failure {
        let (operator, row) = match &error {
            guest::Error::Trap { at: Some((operator, row)), .. } => (*operator, Some(*row)),
            _ => (self.head(), None),
        };
        let record = row.zip(shown).map(|(row, (block, schema))| render(block, schema, row as usize));
        Failure { operator: self.name(operator), cause: Cause::Guest(Box::new(error)), record }
    }

    fn name(&self, operator: OperatorId) -> String {
        self.plan.operators.get(operator as usize).map_or_else(|| format!("#{operator}"), |o| o.name.clone())
    }

    /// Sends what the call emitted, and deals with the records it refused.
    pub(crate) fn settle(&self, outcome: &mut Outcome, shown: (&Block, &Schema), cx: &mut Context) -> Result<(), Failure> {
        for emission in outcome.emitted.drain(..) {
            match self.output(emission.operator, emission.port) {
                Some(output) => cx.emit(output, emission.block),
                None => {
                    cx.counters().dropped.fetch_add(emission.block.rows() as u64, Relaxed);
                }
            }
        }
        for refusal in outcome.failures.drain(..) {
            self.refused(&refusal, shown, cx)?;
        }
        Ok(())
    }

    fn refused(&self, refusal: &Refusal, (block, schema): (&Block, &Schema), cx: &mut Context) -> Result<(), Failure> {
        let record = render(block, schema, refusal.row as usize);
        let operator = self.name(refusal.operator);
        match self.plan.operators[refusal.operator as usize].on_error {
            OnError::Fail => {
                let cause = Cause::Refused(refusal.message.clone());
                return Err(Failure { operator, cause, record: Some(record) });
            }
            OnError::Skip => {
                cx.counters().skipped.fetch_add(1, Relaxed);
            }
            OnError::DeadLetter => {
                cx.counters().dead_lettered.fetch_add(1, Relaxed);
                if let Some(output) = self.output(refusal.operator, DEAD_LETTER) {
                    let letter = dead_letter(
                        &operator,
                        &format!("row {}", refusal.row),
                        &refusal.message,
                        &record,
                        block.time(refusal.row as usize),
                    );
                    cx.emit(output, letter);
                }
            }
        }
        Ok(())
    }
}

/// One record for the dead-letter port.
pub(crate) fn dead_letter(operator: &str, place: &str, reason: &str, record: &str, time: tidemill_core::TimeMs) -> Block {
    let schema: Schema = DEAD_LETTER_SCHEMA.parse().expect("a constant schema parses");
    let mut builder = Builder::new(&schema);
    builder.push_time(time);
    for (column, text) in [operator, place, reason, record].into_iter().enumerate() {
        builder.column(column).push_str(text);
    }
    builder.finish().expect("one row was pushed")
}

/// A record as `field=value` pairs for people, cut at [`RECORD_SHOWN_MAX`] bytes.
pub(crate) fn render(block: &Block, schema: &Schema, row: usize) -> String {
    if row >= block.rows() {
        return String::new();
    }
    let mut text = String::new();
    for (index, field) in schema.fields().iter().enumerate().take(block.columns()) {
        let value = match block.column(index).value(row) {
            Value::Absent => "absent".to_owned(),
            Value::Bool(v) => v.to_string(),
            Value::I32(v) => v.to_string(),
            Value::I64(v) => v.to_string(),
            Value::F64(v) => v.to_string(),
            Value::String(v) => format!("{v:?}"),
            Value::Bytes(v) => format!("{} bytes", v.len()),
        };
        let space = if index == 0 { "" } else { " " };
        text.push_str(&format!("{space}{}={value}", field.name));
        if text.len() > RECORD_SHOWN_MAX {
            let cut = (0..=RECORD_SHOWN_MAX).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
            text.truncate(cut);
            text.push('…');
            break;
        }
    }
    text
}
