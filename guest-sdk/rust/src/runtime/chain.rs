//! Chains: operators put together once, so that a record goes through all of them without leaving typed code.

use std::any::Any;
use std::rc::Rc;

use super::{AnyPort, Call, Moment, Outcome, Port, Slots};
use crate::block::Block;
use crate::record::{Record, Row};
use crate::trigger::{Decision, Event};

/// What the part of a chain behind an operator looks like to it: it takes a record and its event time.
pub(crate) enum Push<T: Record> {
    /// Nothing but an output, told from an operator so that a record is written into its columns where it is made.
    Port(Rc<Port<T>>),
    /// An operator.
    Stage(Box<dyn FnMut(T, i64)>),
}

impl<T: Record> Push<T> {
    /// A push into an operator.
    pub(crate) fn stage(stage: impl FnMut(T, i64) + 'static) -> Push<T> {
        Push::Stage(Box::new(stage))
    }

    /// Hands a record on.
    #[inline]
    pub(crate) fn push(&mut self, record: T, time: i64) {
        match self {
            Push::Port(port) => port.push(&record, time),
            Push::Stage(stage) => stage(record, time),
        }
    }

    /// Hands a record on that has not been made.
    #[inline]
    pub(crate) fn push_row(&mut self, row: impl Row<T>, time: i64) {
        match self {
            Push::Port(port) => port.push_row(&row, time),
            Push::Stage(stage) => stage(row.into_record(), time),
        }
    }
}

/// A [`Push`] of a type that only the two operators beside it know.
pub(crate) type Erased = Box<dyn Any>;

pub(crate) fn erase<T: Record>(push: Push<T>) -> Erased {
    Box::new(push)
}

/// The push that was erased; the streams of a job fit together, so the type is right.
pub(crate) fn restore<T: Record>(erased: Erased) -> Push<T> {
    *erased.downcast::<Push<T>>().unwrap_or_else(|_| panic!("operators were linked whose records differ"))
}

/// Windows about which a trigger is asked.
pub(crate) struct Asked<'b, 'a> {
    pub(crate) event: Event,
    pub(crate) windows: &'b Block<'a>,
    pub(crate) slots: &'b [u32],
    pub(crate) records: Option<&'b Block<'a>>,
    pub(crate) rows: &'b [u32],
}

/// A guest operator as the job's builder leaves it.
pub(crate) trait Operator {
    /// Its outputs, the main one first.
    fn ports(&self) -> Vec<Rc<dyn AnyPort>>;

    /// A push into its main output.
    fn tail(&self) -> Erased;

    /// A push into the operator, which passes on to `down`; `None` for operators with state.
    fn stage(&self, down: Erased) -> Option<Erased>;

    /// The operator as the first of a chain, passing on to `down`; `None` when it is the only member.
    fn head(&self, down: Option<Erased>) -> Box<dyn Head>;

    /// Its state, if it can have any.
    fn slots(&self) -> Option<&Slots> {
        None
    }

    /// Merges one slot's state into another's.
    fn merge(&self, _target: u32, _source: u32) {}

    /// Answers for windows whose trigger is the job's.
    fn trigger(&self, _at: Moment, _asked: &Asked<'_, '_>) -> Vec<Decision> {
        panic!("the host asked the trigger of an operator that has none")
    }

    /// Shows a block of a split to its generator of watermarks, or asks that by the clock.
    fn watermark(&self, _split: u32, _now: i64, _block: Option<&Block<'_>>) -> Option<i64> {
        panic!("the host asked for watermarks that the job leaves to it")
    }

    /// Begins every split anew.
    fn forget_splits(&self) {}

    /// Empties slots of what their windows have gathered.
    fn purge(&self, _slots: &[u32]) {
        panic!("the host emptied a window of an operator that has none")
    }
}

/// The first operator of a chain, which takes blocks.
pub(crate) trait Head {
    /// Processes records; entry `i` of `slots` belongs to row `rows[i]`, or row `i`.
    fn process(&mut self, input: u32, at: Moment, block: &Block<'_>, rows: &[u32], slots: &[u32], exits: &Exits) -> Outcome;

    /// Applies the one record of a block to keys.
    fn apply(&mut self, _at: Moment, _record: &Block<'_>, _keys: &Block<'_>, _slots: &[u32], _exits: &Exits) -> Outcome {
        panic!("the host applied a record to an operator that has no broadcast input")
    }

    /// Fires timers.
    fn on_timer(&mut self, _at: Moment, _block: &Block<'_>, _slots: &[u32], _exits: &Exits) -> Outcome {
        panic!("the host fired a timer of an operator that has none")
    }

    /// Fires windows.
    fn fire(&mut self, _at: Moment, _block: &Block<'_>, _offsets: &[u32], _slots: &[u32], _exits: &Exits) -> Outcome {
        panic!("the host fired a window of an operator that has none")
    }
}

/// Where the records of a chain leave it.
pub(crate) struct Exits {
    pub(crate) call: Rc<Call>,
    ports: Rc<[Rc<dyn AnyPort>]>,
    /// Whether a refused record is taken back: not where it fails the job anyway.
    undo: bool,
}

impl Exits {
    pub(crate) fn new(call: Rc<Call>, ports: Vec<Rc<dyn AnyPort>>, undo: bool) -> Exits {
        Exits { call, ports: ports.into(), undo }
    }

    /// Begins a call.
    pub(crate) fn enter(&self) {
        self.call.chain(&self.ports, self.undo);
    }

    /// Ends the work on a row.
    #[inline]
    pub(crate) fn end(&self) {
        if self.call.attention() {
            self.attend();
        }
    }

    #[cold]
    fn attend(&self) {
        self.call.attended();
        self.ports.iter().for_each(|port| port.flush_if_full());
    }

    /// Hands on what is left at the end of a call.
    pub(crate) fn flush(&self) {
        self.ports.iter().for_each(|port| port.flush());
    }
}
