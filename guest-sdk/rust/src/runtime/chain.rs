//! Chains: operators put together once, so that a record goes through all of them without leaving typed code.

use std::any::Any;
use std::rc::Rc;

use super::{AnyPort, Call, Moment, Outcome, Slots};
use crate::block::Block;

/// Takes a record and its event time: what the part of a chain behind an operator looks like to it.
pub(crate) type Push<T> = Box<dyn FnMut(T, i64)>;

/// A [`Push`] of a type that only the two operators beside it know.
pub(crate) type Erased = Box<dyn Any>;

pub(crate) fn erase<T: 'static>(push: Push<T>) -> Erased {
    Box::new(push)
}

/// The push that was erased; the streams of a job fit together, so the type is right.
pub(crate) fn restore<T: 'static>(erased: Erased) -> Push<T> {
    *erased.downcast::<Push<T>>().unwrap_or_else(|_| panic!("operators were linked whose records differ"))
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
}

/// The first operator of a chain, which takes blocks.
pub(crate) trait Head {
    /// Processes records; entry `i` of `slots` belongs to row `rows[i]`, or row `i`.
    fn process(&mut self, input: u32, at: Moment, block: &Block<'_>, rows: &[u32], slots: &[u32], exits: &Exits) -> Outcome;

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
    ports: Vec<Rc<dyn AnyPort>>,
    /// Whether a refused record is taken back: not where it fails the job anyway.
    undo: bool,
}

impl Exits {
    pub(crate) fn new(call: Rc<Call>, ports: Vec<Rc<dyn AnyPort>>, undo: bool) -> Exits {
        Exits { call, ports, undo }
    }

    pub(crate) fn undoes(&self) -> bool {
        self.undo
    }

    /// Begins a record.
    #[inline]
    pub(crate) fn begin(&self, row: usize) {
        self.call.row(row);
        if self.undo {
            self.ports.iter().for_each(|port| port.mark());
        }
    }

    /// Ends a record; false when it was refused.
    #[inline]
    pub(crate) fn end(&self) -> bool {
        !self.call.attention() || self.attend()
    }

    #[cold]
    fn attend(&self) -> bool {
        let failed = self.call.attended();
        if failed && self.undo {
            self.ports.iter().for_each(|port| port.undo());
        }
        self.ports.iter().for_each(|port| port.flush_if_full());
        !failed
    }

    /// Hands on what is left at the end of a call.
    pub(crate) fn flush(&self) {
        self.ports.iter().for_each(|port| port.flush());
    }
}
