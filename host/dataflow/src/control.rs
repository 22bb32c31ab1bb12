//! What the outside may ask of a running job, and what it may see of it: a stop switch and counters.
//!
//! Counters are atomics that operators add to once a block, never once a record.

use std::collections::VecDeque;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tidemill_core::checkpoint::CheckpointId;
use tidemill_core::checkpoint::poison::Suspect;
use tidemill_core::guest::Factory;
use tidemill_core::{TIME_MIN, TimeMs};

use crate::board::Board;
use crate::offer::{LOOK, Offers, SwitchError, Switched};
use crate::report::{Cause, Failure};
use crate::ticks::{Stage, Ticks};

/// Pauses remembered at most: hours of checkpoints, in less memory than one block.
const PAUSES_KEPT: usize = 1 << 16;

/// Handle on a running job, shared between its workers and whoever watches it.
#[derive(Debug)]
pub struct Control {
    stop: AtomicBool,
    drain: AtomicBool,
    failure: Mutex<Option<Failure>>,
    failed: AtomicBool,
    /// The call of user code in which the job failed.
    suspect: Mutex<Option<Suspect>>,
    /// A worker has ended in a panic.
    lost: AtomicBool,
    /// Once the job runs.
    ticks: OnceLock<Arc<Ticks>>,
    /// How long handing over kept a worker from records, a step each, in microseconds.
    pauses: Mutex<VecDeque<u32>>,
    /// Every tick before this one has passed all sinks.
    settled: AtomicU64,
    pub(crate) operators: Vec<OperatorCounters>,
    /// What operators say when they are asked.
    pub(crate) board: Board,
    /// Other code, where the job is to go on with some.
    pub(crate) offers: Offers,
    workers: usize,
}

/// Counters of one operator, summed over workers.
#[derive(Debug, Default)]
pub(crate) struct OperatorCounters {
    pub(crate) records_in: AtomicU64,
    pub(crate) records_out: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) late: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) dead_lettered: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) busy_ns: AtomicU64,
    pub(crate) guest_ns: AtomicU64,
    pub(crate) held_ns: AtomicU64,
    pub(crate) watermarks: Vec<AtomicI64>,
}

/// What an operator has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperatorStats {
    /// Records received, or read by a source.
    pub records_in: u64,
    /// Records emitted, or written by a sink.
    pub records_out: u64,
    /// Bytes read by a source.
    pub bytes_in: u64,
    /// Records too late for their window.
    pub late: u64,
    /// Records skipped by the error policy.
    pub skipped: u64,
    /// Records handed to the dead-letter port.
    pub dead_lettered: u64,
    /// Records emitted on a port that nobody reads.
    pub dropped: u64,
    /// Time spent in the operator, all workers, in nanoseconds.
    pub busy_ns: u64,
    /// The part of it spent in the guest.
    pub guest_ns: u64,
    /// Time in which a source waited for the sinks, all workers, in nanoseconds.
    pub held_ns: u64,
    /// The least watermark over its workers.
    pub watermark: TimeMs,
}

/// All operators, by id.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// One per operator of the plan.
    pub operators: Vec<OperatorStats>,
}

impl Control {
    /// For a plan of `operators` operators run by `workers` workers.
    pub fn new(operators: usize, workers: usize) -> Control {
        let counters = || OperatorCounters {
            watermarks: std::iter::repeat_with(|| AtomicI64::new(TIME_MIN)).take(workers).collect(),
            ..OperatorCounters::default()
        };
        Control {
            stop: AtomicBool::new(false),
            drain: AtomicBool::new(false),
            failure: Mutex::new(None),
            failed: AtomicBool::new(false),
            suspect: Mutex::new(None),
            lost: AtomicBool::new(false),
            ticks: OnceLock::new(),
            pauses: Mutex::default(),
            settled: AtomicU64::new(0),
            operators: std::iter::repeat_with(counters).take(operators).collect(),
            board: Board::new(workers),
            offers: Offers::default(),
            workers,
        }
    }

    /// Sources stop; what is in flight is finished; windows that are open stay open and are not emitted.
    pub fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    /// Like [`Control::stop`], but event time goes to its end first, so that every window and timer fires.
    pub fn drain(&self) {
        self.drain.store(true, Relaxed);
        self.stop.store(true, Relaxed);
    }

    pub(crate) fn set_ticks(&self, ticks: &Arc<Ticks>) {
        // A control is of one run; a second one would keep the first one's ticks and announce nothing.
        let _ = self.ticks.set(Arc::clone(ticks));
    }

    /// Announces a boundary: every operator hands over for this checkpoint, each once on every worker. False when the job does not run
    /// yet or no longer, and while some have not come to the boundary before.
    pub fn announce(&self, checkpoint: CheckpointId) -> bool {
        self.announce_as(checkpoint, false)
    }

    /// Like [`Control::announce`], but aligned whatever the job does else: nothing is in it twice, and nothing is under way in it.
    pub fn announce_aligned(&self, checkpoint: CheckpointId) -> bool {
        self.announce_as(checkpoint, true)
    }

    fn announce_as(&self, checkpoint: CheckpointId, aligned: bool) -> bool {
        self.ticks.get().is_some_and(|ticks| ticks.announce(checkpoint, aligned))
    }

    /// Exchanges the code of the running job at the boundary of a checkpoint, which `begin` asks for: what comes from before it meets the
    /// present code, what comes from behind it the new one, and sources go on reading. State follows while records flow. The plans have to
    /// be the same. To be called by one at a time, and not by the thread that announces boundaries.
    ///
    /// `patience` is for the workers to make their instances, and once more for the boundary to be announced.
    ///
    /// # Errors
    /// Where there are any, the job goes on as before, or has ended.
    pub fn switch(&self, factory: Arc<dyn Factory>, begin: impl FnOnce(), patience: Duration) -> Result<Switched, SwitchError> {
        self.offers.make(factory, self.workers, patience, || self.has_failed())?;
        let is_over = || self.has_failed() || self.offers.has_ended();
        let Some(ticks) = self.ticks.get() else { return Err(SwitchError::Ended) };
        let armed = Instant::now();
        ticks.arm();
        begin();
        while ticks.wait_while(Stage::Armed, LOOK) {
            let over = is_over();
            if (over || armed.elapsed() >= patience) && ticks.disarm() {
                self.offers.withdraw();
                return Err(if over { SwitchError::Ended } else { SwitchError::Late(patience) });
            }
        }
        let announced = Instant::now();
        // There is no way back from here: some operators may have switched.
        while ticks.wait_while(Stage::Announced, LOOK) {
            if is_over() {
                return Err(SwitchError::Midway);
            }
        }
        Ok(Switched { pause: self.offers.pause(), lasted: announced.elapsed() })
    }

    /// The tick it is now: the slice of processing that whatever sources emit from now on belongs to, or to a later one. `None` before the
    /// job runs.
    pub fn tick(&self) -> Option<u64> {
        self.ticks.get().map(|ticks| ticks.now())
    }

    /// Whether all that sources had emitted by the end of this tick has been worked off, up to the sinks.
    pub fn has_settled(&self, tick: u64) -> bool {
        self.settled.load(Acquire) > tick
    }

    /// Every tick before `tick` has passed all sinks, as a worker sees it.
    pub(crate) fn note_settled(&self, tick: u64) {
        self.settled.fetch_max(tick, Release);
    }

    /// Ends the job at once as failed, for a reason that lies outside of it: nothing more is handed over or finished.
    pub fn abort(&self, reason: String) {
        self.fail(Failure { operator: "job".to_owned(), cause: Cause::Aborted(reason), record: None });
    }

    /// The job fails: the first failure is kept, sources stop, operators discard.
    pub(crate) fn fail(&self, failure: Failure) {
        let mut slot = self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        slot.get_or_insert(failure);
        self.failed.store(true, Relaxed);
    }

    /// A call of user code is about to fail the job.
    pub(crate) fn suspect(&self, suspect: Suspect) {
        self.suspect.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(suspect);
    }

    /// The call in which user code trapped or was stopped, where that is how the job failed.
    pub fn take_suspect(&self) -> Option<Suspect> {
        self.suspect.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }

    pub(crate) fn take_failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }

    /// Whether the job has failed.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Relaxed)
    }

    pub(crate) fn lose_worker(&self) {
        self.lost.store(true, Relaxed);
    }

    pub(crate) fn has_lost_worker(&self) -> bool {
        self.lost.load(Relaxed)
    }

    /// Whether it was asked to end.
    pub fn is_stopping(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// Whether event time goes to its end: there is nothing to go on from then.
    pub fn is_draining(&self) -> bool {
        self.drain.load(Relaxed)
    }

    pub(crate) fn paused(&self, pause: Duration) {
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        if pauses.len() == PAUSES_KEPT {
            pauses.pop_front();
        }
        pauses.push_back(u32::try_from(pause.as_micros()).unwrap_or(u32::MAX));
    }

    /// How long checkpoints have kept workers from records, in microseconds: one value for each step of an operator's handover, between
    /// which records flow. The latest 65,536.
    pub fn pauses_us(&self) -> Vec<u32> {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// The counters as they are now.
    pub fn snapshot(&self) -> Snapshot {
        let stats = |c: &OperatorCounters| OperatorStats {
            records_in: c.records_in.load(Relaxed),
            records_out: c.records_out.load(Relaxed),
            bytes_in: c.bytes_in.load(Relaxed),
            late: c.late.load(Relaxed),
            skipped: c.skipped.load(Relaxed),
            dead_lettered: c.dead_lettered.load(Relaxed),
            dropped: c.dropped.load(Relaxed),
            busy_ns: c.busy_ns.load(Relaxed),
            guest_ns: c.guest_ns.load(Relaxed),
            held_ns: c.held_ns.load(Relaxed),
            watermark: c.watermarks.iter().map(|w| w.load(Relaxed)).min().unwrap_or(TIME_MIN),
        };
        Snapshot { operators: self.operators.iter().map(stats).collect() }
    }
}
