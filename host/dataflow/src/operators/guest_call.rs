//! What every operator that calls the guest shares: the instance, the wiring of its ports, and what becomes of an outcome.
//!
//! A record that user code refused is a value here (fail, skip or dead-letter, as the operator chose); only a trap, a
//! passed limit or a broken contract is a failure of the job.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use tidemill_core::TimeMs;
use tidemill_core::block::{Block, Builder, Value};
use tidemill_core::checkpoint::poison::{Kind, Suspect, content};
use tidemill_core::connect::{OnError, RECORD_SHOWN_MAX};
use tidemill_core::guest::{self, ChainId, Failure as Refusal, Guest, Moment, OperatorId, Outcome, Slot};
use tidemill_core::plan::{DEAD_LETTER, DEAD_LETTER_SCHEMA, Plan, Port};
use tidemill_core::schema::Schema;

use crate::logic::Context;
use crate::operators::rerun::{Rerun, Trapped};
use crate::operators::watch::{Condemned, Piece, Watch};
use crate::report::{Cause, Failure};
use crate::restore::{Page, Restored};
use crate::switching::Switching;

/// The component's instance of this worker, shared by its operators.
pub(crate) type Instance = Rc<RefCell<Switching>>;

/// A block whose rows an error speaks of.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) block: &'a Block,
    pub(crate) schema: &'a Schema,
    /// The input it came on; 0 where it is made by the host.
    pub(crate) input: u32,
}

impl<'a> Shown<'a> {
    /// Of the only input there is.
    pub(crate) fn only(block: &'a Block, schema: &'a Schema) -> Shown<'a> {
        Shown { block, schema, input: 0 }
    }
}

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
    watch: Option<Rc<Watch>>,
}

impl GuestCall {
    /// `watch` says at which records the job has ended before.
    pub(crate) fn new(
        plan: Arc<Plan>,
        instance: Instance,
        chain: ChainId,
        members: Vec<OperatorId>,
        ports: Vec<(OperatorId, Port)>,
        watch: Option<Rc<Watch>>,
    ) -> GuestCall {
        GuestCall { plan, instance, chain, members, ports, watch }
    }

    /// The first member: the one that has the state.
    pub(crate) fn head(&self) -> OperatorId {
        self.members[0]
    }

    /// The last member: the one whose records leave on the main port.
    pub(crate) fn last(&self) -> OperatorId {
        *self.members.last().unwrap_or(&self.members[0])
    }

    /// The plan.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The output of the engine's operator for a port, when somebody reads it.
    pub(crate) fn output(&self, operator: OperatorId, port: Port) -> Option<usize> {
        self.ports.iter().position(|p| *p == (operator, port))
    }

    /// The pieces in which a block is to be given to an export. In almost every run it is one.
    pub(crate) fn pieces(&self, export: &str, input: u32, block: &Block, cx: &Context) -> Vec<Piece> {
        match &self.watch {
            Some(watch) => watch.cut(export, input, block, cx),
            None => vec![Piece::Rows(0..block.rows() as u32)],
        }
    }

    /// Calls the guest and times it. `shown` is the block whose rows an error speaks of.
    pub(crate) fn call<T>(
        &self,
        cx: &Context,
        shown: Option<Shown<'_>>,
        call: impl FnOnce(&mut dyn Guest, ChainId) -> Result<T, guest::Error>,
    ) -> Result<T, Failure> {
        let start = Instant::now();
        let result = call(&mut *self.instance.borrow_mut(), self.chain);
        cx.counters().guest_ns.fetch_add(start.elapsed().as_nanos() as u64, Relaxed);
        result.map_err(|error| self.failure(error, shown, cx))
    }

    /// Asks the last member for the watermark of a split, behind a block that has left it or without one.
    pub(crate) fn watermark(&self, cx: &Context, split: u32, now: TimeMs, block: Option<&Block>) -> Result<Option<TimeMs>, Failure> {
        let last = self.last();
        let start = Instant::now();
        let result = self.instance.borrow_mut().watermark(last, split, now, block);
        cx.counters().guest_ns.fetch_add(start.elapsed().as_nanos() as u64, Relaxed);
        // The records have left the operator, so that setting one aside would undo nothing: no suspect is told.
        result.map_err(|error| {
            let row = if let guest::Error::Trap { at: Some((_, row)), .. } = &error { Some(*row as usize) } else { None };
            let schema = self.plan.operators[last as usize].outputs.first().map(|output| &output.schema);
            let record = row.zip(block).zip(schema).filter(|((row, block), _)| *row < block.rows());
            let record = record.map(|((row, block), schema)| render(block, schema, row));
            Failure { operator: self.name(last), cause: Cause::Guest(Box::new(error)), record }
        })
    }

    /// The columns of the first member's state.
    pub(crate) fn state_schema(&self) -> Schema {
        self.plan.operators[self.head() as usize].state_schema()
    }

    /// Saves the state of one or more slots of the first member, a row each.
    pub(crate) fn export(&self, slots: &[Slot], cx: &Context) -> Result<Block, Failure> {
        self.call(cx, None, |guest, _| guest.export_state(self.head(), slots))
    }

    /// The state of some rows of a checkpoint in the columns that the first member has today, where there is any; it turns columns of an
    /// earlier version into them itself where it says that it can.
    pub(crate) fn saved(&self, restored: &Restored, page: &Page<'_>, rows: &[u32], cx: &Context) -> Result<Option<Block>, Failure> {
        let operator = &self.plan.operators[self.head() as usize];
        let schema = operator.state_schema();
        let Some(older) = restored.migrates(&schema, &operator.migrates()) else { return Ok(page.state(rows, &schema)) };
        let migrate = |saved: Block| self.call(cx, None, |guest, _| guest.migrate_state(self.head(), older, &saved));
        page.state(rows, older).map(migrate).transpose()
    }

    /// Loads empty slots of the first member, row by row.
    pub(crate) fn import(&self, slots: &[Slot], state: &Block, cx: &Context) -> Result<(), Failure> {
        self.call(cx, None, |guest, _| guest.import_state(self.head(), slots, state))
    }

    /// Runs a stateless chain over a block. When it traps and the component could not say at which record, that is looked for.
    pub(crate) fn stateless(&self, cx: &Context, at: Moment, shown: Shown<'_>) -> Result<Outcome, Failure> {
        let Shown { block, schema, input } = shown;
        let factory = self.instance.borrow().factory(self.head());
        self.call(cx, Some(shown), |guest, chain| {
            let result = guest.process(chain, input, at, block, &[], &[]);
            result.map_err(|error| Rerun::new(factory).blame(error, &Trapped { members: &self.members, input, at, block, schema }))
        })
    }

    fn failure(&self, error: guest::Error, shown: Option<Shown<'_>>, cx: &Context) -> Failure {
        let (operator, mut row) = match &error {
            guest::Error::Trap { at: Some((operator, row)), .. } => (*operator, Some(*row)),
            _ => (self.head(), None),
        };
        let ended = match &error {
            guest::Error::Trap { export, .. } => Some((Kind::Trap, *export)),
            guest::Error::Deadline { export, .. } => Some((Kind::Deadline, *export)),
            _ => None,
        };
        if ended.is_some() && shown.is_some_and(|shown| shown.block.rows() == 1) {
            row = Some(0);
        }
        let known = row.zip(shown).filter(|(row, shown)| (*row as usize) < shown.block.rows());
        let record = known.map(|(row, shown)| render(shown.block, shown.schema, row as usize));
        if let Some(((kind, export), shown)) = ended.zip(shown) {
            cx.suspect(Suspect {
                entry: self.name(self.head()),
                call: export.to_owned(),
                input: shown.input,
                content: known.map(|(row, shown)| content(shown.block, row as usize)),
                operator: self.name(operator),
                on_error: self.plan.operators.get(operator as usize).map(|operator| operator.on_error).unwrap_or_default(),
                kind,
                reason: error.to_string(),
                record: record.clone(),
                seen: cx.counters().records_in.load(Relaxed),
            });
        }
        Failure { operator: self.name(operator), cause: Cause::Guest(Box::new(error)), record }
    }

    fn name(&self, operator: OperatorId) -> String {
        self.plan.operators.get(operator as usize).map_or_else(|| format!("#{operator}"), |o| o.name.clone())
    }

    /// Sends what the call emitted, and deals with the records it refused.
    pub(crate) fn settle(&self, outcome: &mut Outcome, shown: Shown<'_>, cx: &mut Context) -> Result<(), Failure> {
        for emission in outcome.emitted.drain(..) {
            match self.output(emission.operator, emission.port) {
                Some(output) => cx.emit(output, emission.block),
                None => {
                    cx.counters().dropped.fetch_add(emission.block.rows() as u64, Relaxed);
                }
            }
        }
        for refusal in outcome.failures.drain(..) {
            let place = format!("row {}", refusal.row);
            self.refused(&refusal, &place, shown, cx)?;
        }
        Ok(())
    }

    /// Deals with a record that is not given to user code any more.
    pub(crate) fn set_aside(&self, row: u32, condemned: &Condemned, shown: Shown<'_>, cx: &mut Context) -> Result<(), Failure> {
        let named = self.members.iter().copied().find(|&member| self.name(member) == condemned.operator);
        let message = format!("user code trapped at it twice: {}", condemned.reason);
        let refusal = Refusal { row, operator: named.unwrap_or(self.head()), message };
        let place = format!("input {}, content {:016x}", shown.input, condemned.content);
        self.refused(&refusal, &place, shown, cx)
    }

    fn refused(&self, refusal: &Refusal, place: &str, shown: Shown<'_>, cx: &mut Context) -> Result<(), Failure> {
        let Shown { block, schema, .. } = shown;
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
                    let time = block.time(refusal.row as usize);
                    cx.emit(output, dead_letter(&operator, place, &refusal.message, &record, time));
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
