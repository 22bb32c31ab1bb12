//! What an exchange of code asks of a worker and of each of its operators. What becomes of the two versions is in [`crate::switching`].

use std::rc::Rc;
use std::time::Instant;

use tidemill_core::guest::OperatorId;

use crate::offer::Offers;
use crate::operators::guest_call::Instance;
use crate::report::{Cause, Failure};

/// Takes up offers between two steps of a worker.
pub(crate) struct Taker {
    instance: Instance,
    worker: usize,
    /// The last offer or withdrawal that was taken up.
    seen: u64,
}

impl Taker {
    pub(crate) fn new(instance: Instance, worker: usize) -> Taker {
        Taker { instance, worker, seen: 0 }
    }

    /// To be called in every step; nearly always it is two comparisons.
    pub(crate) fn look(&mut self, offers: &Offers) {
        let mut instance = self.instance.borrow_mut();
        if instance.is_changing() {
            instance.settle();
        }
        let count = offers.count();
        if count == self.seen {
            return;
        }
        let Some(factory) = offers.factory() else {
            self.seen = count;
            return instance.abandon();
        };
        // The state of the version before may still be on its way; the offer waits.
        if !instance.is_changing() {
            self.seen = count;
            let start = Instant::now();
            let answer = instance.prepare(factory);
            offers.paused(self.worker, start.elapsed());
            offers.answer(answer);
        }
    }
}

/// An operator's part in an exchange.
pub(crate) struct Switcher {
    instance: Instance,
    name: String,
    /// Those whose code it runs.
    operators: Vec<OperatorId>,
    /// Some of its state is still in the old version.
    pub(crate) moving: bool,
}

impl Switcher {
    pub(crate) fn new(instance: &Instance, name: &str, operators: Vec<OperatorId>) -> Switcher {
        Switcher { instance: Rc::clone(instance), name: name.to_owned(), operators, moving: false }
    }

    /// Goes on with the new version.
    pub(crate) fn switch(&mut self) {
        self.instance.borrow_mut().switch(&self.operators);
        self.moving = true;
    }

    /// Moves a page of state.
    pub(crate) fn carry(&mut self) -> Result<(), Failure> {
        let more = self.instance.borrow_mut().carry(&self.operators);
        self.moving = more.map_err(|error| Failure { operator: self.name.clone(), cause: Cause::Guest(Box::new(error)), record: None })?;
        Ok(())
    }

    /// Its operators call no code any more: no exchange waits for them.
    pub(crate) fn end(&mut self) {
        self.instance.borrow_mut().end(&self.operators);
        self.moving = false;
    }
}
