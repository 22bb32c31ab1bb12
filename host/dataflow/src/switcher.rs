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
        if offers.count() == self.seen {
            return;
        }
        // Whatever was offered before is withdrawn, also where this worker has not been here since.
        instance.abandon();
        let (offer, factory) = offers.last();
        let Some(factory) = factory else {
            self.seen = offer;
            return;
        };
        // The state of the version before may still be on its way; the offer waits.
        if !instance.is_changing() {
            self.seen = offer;
            let start = Instant::now();
            let answer = instance.prepare(factory);
            offers.paused(self.worker, start.elapsed());
            offers.answer(offer, answer);
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::time::Duration;

    use tidemill_core::guest::{Error, Factory, Guest};

    use super::*;
    use crate::build::NoGuest;
    use crate::offer::SwitchError;
    use crate::switching::Switching;

    /// Makes guests, or does not; counts how often it was asked.
    struct Making(AtomicUsize, bool);

    impl Factory for Making {
        fn instantiate(&self) -> Result<Box<dyn Guest>, Error> {
            self.0.fetch_add(1, Relaxed);
            if self.1 { Ok(Box::new(NoGuest)) } else { Err(Error::Contract { export: "plan", message: "another plan".to_owned() }) }
        }
    }

    fn making(well: bool) -> Arc<Making> {
        Arc::new(Making(AtomicUsize::new(0), well))
    }

    fn taker() -> Taker {
        let guest = Switching::new(Box::new(NoGuest), making(true), Vec::new());
        Taker::new(Rc::new(RefCell::new(guest)), 0)
    }

    /// Offers in a thread of its own; one worker answers here, another never does.
    fn offered(offers: &Offers, factory: Arc<Making>, taker: &mut Taker, workers: usize) -> Result<(), SwitchError> {
        std::thread::scope(|scope| {
            let own = Arc::clone(&factory);
            let made = scope.spawn(move || offers.make(own, workers, Duration::from_secs(60), || false));
            while factory.0.load(Relaxed) == 0 {
                taker.look(offers);
            }
            if workers > 1 {
                offers.answer(0, Err(Error::Contract { export: "plan", message: "of an offer before".to_owned() }));
                offers.answer(offers.count(), Err(Error::Contract { export: "plan", message: "not here".to_owned() }));
            }
            made.join().unwrap()
        })
    }

    #[test]
    fn an_offer_that_one_worker_refuses_is_no_obstacle_to_the_next() {
        let (offers, mut taker) = (Offers::default(), taker());
        let refused = offered(&offers, making(true), &mut taker, 2).unwrap_err();
        assert!(refused.to_string().contains("not here"), "{refused}");
        // This worker has its instance of what was withdrawn, and has not looked since.
        offered(&offers, making(true), &mut taker, 1).unwrap();
        assert!(offered(&offers, making(false), &mut taker, 1).unwrap_err().to_string().contains("another plan"));
    }
}
