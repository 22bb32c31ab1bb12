//! Other code that is offered to the workers of a running job, and what they answer.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tidemill_core::guest::{Error, Factory};

/// How often whoever waits looks whether the job has failed meanwhile.
pub(crate) const LOOK: Duration = Duration::from_millis(10);

/// Why code was not exchanged. Nothing has changed then, unless the job has failed.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// The new code cannot be instantiated.
    #[error("{0}")]
    Guest(Error),
    /// The workers have not looked at it for so long.
    #[error("the job's workers have not taken it up within {} s: one is in a call, or state of the version before is still on its way", .0.as_secs())]
    Busy(Duration),
    /// They have, but no boundary was announced.
    #[error("no checkpoint has begun within {} s", .0.as_secs())]
    Late(Duration),
    /// The job has ended or failed.
    #[error("the job has ended")]
    Ended,
    /// The same while it was switching: some of it may have met the new code.
    #[error("the job has ended while it was switching")]
    Midway,
}

/// How code was exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switched {
    /// The longest that one worker was kept from records: by making an instance, by handing over at the boundary and by switching.
    pub pause: Duration,
    /// From the announcement of the boundary until every operator on every worker had switched. Records flowed.
    pub lasted: Duration,
}

/// The one offer at a time.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    /// Counts offers, and their withdrawals.
    count: AtomicU64,
    state: Mutex<State>,
    answered: Condvar,
}

#[derive(Default)]
struct State {
    factory: Option<Arc<dyn Factory>>,
    answers: Vec<Result<(), Error>>,
    /// A worker has come to its end.
    ended: bool,
    /// How long each worker was kept from records.
    pauses: Vec<Duration>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("answers", &self.answers).field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl Offers {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the last offer or withdrawal: what a worker looks at in every step.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Acquire)
    }

    /// The last offer, with its code unless it was withdrawn.
    pub(crate) fn last(&self) -> (u64, Option<Arc<dyn Factory>>) {
        let state = self.state();
        (self.count(), state.factory.clone())
    }

    /// A worker has its instance of an offer, or why not. What concerns one before the last is not heard.
    pub(crate) fn answer(&self, offer: u64, answer: Result<(), Error>) {
        let mut state = self.state();
        if self.count() == offer {
            state.answers.push(answer);
            self.answered.notify_all();
        }
    }

    /// A worker has come to its end and answers no more.
    pub(crate) fn end(&self) {
        self.state().ended = true;
        self.answered.notify_all();
    }

    /// A worker was kept from records for the exchange.
    pub(crate) fn paused(&self, worker: usize, pause: Duration) {
        let mut state = self.state();
        if state.pauses.len() <= worker {
            state.pauses.resize(worker + 1, Duration::ZERO);
        }
        state.pauses[worker] += pause;
    }

    /// The longest that one worker was.
    pub(crate) fn pause(&self) -> Duration {
        self.state().pauses.iter().max().copied().unwrap_or_default()
    }

    /// Offers code, and waits for the answers of all workers. Without every one of them nothing is offered any more.
    pub(crate) fn make(
        &self,
        factory: Arc<dyn Factory>,
        workers: usize,
        patience: Duration,
        has_failed: impl Fn() -> bool,
    ) -> Result<(), SwitchError> {
        let mut state = self.state();
        let State { ended, .. } = *state;
        *state = State { factory: Some(factory), ended, ..State::default() };
        self.count.fetch_add(1, Release);
        let since = Instant::now();
        let refusal = loop {
            if let Some(error) = state.answers.iter().find_map(|answer| answer.as_ref().err()) {
                break SwitchError::Guest(error.clone());
            }
            if state.ended || has_failed() {
                break SwitchError::Ended;
            }
            if state.answers.len() == workers {
                return Ok(());
            }
            if since.elapsed() >= patience {
                break SwitchError::Busy(patience);
            }
            state = self.answered.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        };
        drop(state);
        self.withdraw();
        Err(refusal)
    }

    /// Nothing is offered any more.
    pub(crate) fn withdraw(&self) {
        let mut state = self.state();
        state.factory = None;
        self.count.fetch_add(1, Release);
    }

    /// Whether a worker has come to its end.
    pub(crate) fn has_ended(&self) -> bool {
        self.state().ended
    }
}
