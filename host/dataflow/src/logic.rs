//! What an operator does, and what it sees: the border between the frame in [`crate::harness`] and the operators.

use std::sync::Arc;

use tidemill_core::block::Block;
use tidemill_core::checkpoint::Keyed;
use tidemill_core::checkpoint::poison::Suspect;
use tidemill_core::explain::Held;
use tidemill_core::guest::Moment;
use tidemill_core::{TIME_MIN, TimeMs};

use crate::control::{Control, OperatorCounters};
use crate::parcel::{Item, Mark, Payload, Signal};
use crate::report::Failure;
use crate::restore::Restored;
use crate::run::Clock;

/// What an operator does. Every method emits through the context; an error fails the job.
pub(crate) trait Logic {
    /// Records on an input.
    fn block(&mut self, input: usize, block: Block, cx: &mut Context) -> Result<(), Failure>;

    /// Event time has risen to `watermark`: emit everything it releases.
    fn watermark(&mut self, watermark: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        let _ = (watermark, cx);
        Ok(())
    }

    /// Processing time has risen to `now`.
    fn clock(&mut self, now: TimeMs, cx: &mut Context) -> Result<(), Failure> {
        let _ = (now, cx);
        Ok(())
    }

    /// Hands over what it has at a boundary. State by key may follow while records flow again, see [`Logic::hand_over_more`].
    fn hand_over(&mut self, cx: &mut Context) -> Result<Given, Failure> {
        let _ = cx;
        Ok(Given::default())
    }

    /// Goes on handing over state by key, as it was at the boundary: about a page of it. The whole once there is nothing left.
    fn hand_over_more(&mut self, cx: &mut Context) -> Result<Option<Keyed>, Failure> {
        let _ = cx;
        Ok(None)
    }

    /// Watermarks of key groups that are further on than the operator since a restore; empty when none is.
    fn ahead(&self) -> &[TimeMs] {
        &[]
    }

    /// Takes back what it handed over, before anything else. `watermarks` are those at which each key group was handed over, where that
    /// may differ from one to another; else there are none.
    fn restore(&mut self, restored: &Restored, watermarks: &[TimeMs], cx: &mut Context) -> Result<(), Failure> {
        let _ = (restored, watermarks, cx);
        Ok(())
    }

    /// What it keeps until a time or a record comes: asked by `explain`, once in a while.
    fn held(&self) -> Held {
        Held::default()
    }

    /// The activation ends: nothing more to read at the moment.
    fn rest(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// No input will ever come again (also after a stop, when event time did not reach its end).
    fn end(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// What an operator hands over at a boundary, beside its watermark.
#[derive(Default)]
pub(crate) struct Given {
    /// Whether state by key follows.
    pub(crate) keyed: bool,
    /// Where a reader stands.
    pub(crate) position: Option<String>,
    /// Output that becomes visible with the checkpoint.
    pub(crate) staged: Vec<String>,
}

/// What a logic sees and where it emits.
pub(crate) struct Context {
    /// Event time before the record at hand, and processing time.
    pub(crate) at: Moment,
    /// Units of progress an item carries: the number of workers.
    weight: u32,
    /// This worker, as the sender of marks.
    worker: u32,
    /// The watermark the operator itself has made, when it assigns event time.
    pub(crate) made: TimeMs,
    pub(crate) outputs: Vec<Vec<Item>>,
    pub(crate) control: Arc<Control>,
    clock: Clock,
    operator: usize,
}

impl Context {
    pub(crate) fn new(outputs: usize, (worker, peers): (usize, usize), control: Arc<Control>, clock: Clock, operator: usize) -> Context {
        let at = Moment { watermark: TIME_MIN, now: TIME_MIN };
        let (worker, weight) = (worker as u32, peers as u32);
        Context { at, weight, worker, made: TIME_MIN, outputs: vec![Vec::new(); outputs], control, clock, operator }
    }

    /// What the guest is told of time. Where nothing needs processing time no clock travels with the records, and it is asked here.
    pub(crate) fn moment(&self) -> Moment {
        Moment { now: if self.at.now == TIME_MIN { (self.clock)() } else { self.at.now }, ..self.at }
    }

    /// Sends records on an output of the operator.
    pub(crate) fn emit(&mut self, output: usize, block: Block) {
        self.outputs[output].push(Item { weight: self.weight, payload: Payload::Block(block) });
    }

    /// What has been emitted since the last time.
    pub(crate) fn take(&mut self) -> Vec<Vec<Item>> {
        self.outputs.iter_mut().map(std::mem::take).collect()
    }

    /// The operator's counters.
    pub(crate) fn counters(&self) -> &OperatorCounters {
        &self.control.operators[self.operator]
    }

    /// A call of user code is about to fail the job.
    pub(crate) fn suspect(&self, suspect: Suspect) {
        self.control.suspect(suspect);
    }

    /// Sends a watermark of the operator's own making on every output, when it has risen.
    pub(crate) fn mark_watermark(&mut self, watermark: TimeMs) {
        if watermark > self.made {
            self.made = watermark;
            self.mark(Mark { sender: self.worker, signal: Signal::Watermark(watermark) });
        }
    }

    /// Sends a mark on every output.
    pub(crate) fn mark(&mut self, mark: Mark) {
        for output in &mut self.outputs {
            output.push(Item { weight: self.weight, payload: Payload::Mark(mark) });
        }
    }
}
