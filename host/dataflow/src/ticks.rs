//! Ticks, boundaries and credits: the common pace of a job's sources.
//!
//! All sources of a process share one tick counter, which goes on every few milliseconds. timely's queues are unbounded,
//! so a source may only read while the oldest tick that has not yet passed all sinks is close to the
//! current one, and while what it has emitted since then fits its share of the byte budget. A
//! slow sink therefore stops its sources within one tick of reading.
//!
//! A **boundary** is the end of a tick at which a checkpoint is taken. Invariant: when it is announced no source has
//! emitted anything behind it. The counter and the announcement share one lock, so a source that is at a later tick has seen it,
//! and whoever receives something of a later tick has too.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tidemill_core::checkpoint::CheckpointId;

use crate::harness::Tick;

/// The end of a tick at which a checkpoint is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Boundary {
    pub(crate) id: CheckpointId,
    /// The last tick before it.
    pub(crate) tick: Tick,
    /// Behind it other code runs.
    pub(crate) switches: bool,
}

/// What an operator has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// The checkpoint it hands over for, where it is at a boundary.
    pub(crate) checkpoint: Option<CheckpointId>,
    /// The tick behind the last boundary it has come to.
    pub(crate) behind: Tick,
    /// Whether other code runs from here on.
    pub(crate) switches: bool,
}

/// How far an exchange of code has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    /// There is none, or all have come to its boundary.
    #[default]
    Over,
    /// The next boundary is its own.
    Armed,
    /// It has been announced.
    Announced,
}

/// The common clock of the sources of a process.
#[derive(Debug)]
pub(crate) struct Ticks {
    start: Instant,
    tick_ms: u64,
    /// The tick behind the boundary announced last; 0 before the first. What operators look at for every parcel.
    behind: AtomicU64,
    /// That boundary is to be aligned, whatever the job does else.
    aligned: AtomicBool,
    state: Mutex<State>,
    /// An exchange has come further.
    further: Condvar,
}

#[derive(Debug)]
struct State {
    current: Tick,
    boundary: Option<Boundary>,
    /// Operators, on all workers, that have not come to the boundary yet.
    missing: usize,
    /// Operators, on all workers, that have not come to their end.
    running: usize,
    /// Of the exchange of code.
    stage: Stage,
}

impl Ticks {
    /// For a job of `operators` operators, each counted once for every worker.
    pub(crate) fn new(tick_ms: u64, operators: usize) -> Ticks {
        let state = State { current: 0, boundary: None, missing: 0, running: operators, stage: Stage::Over };
        Ticks {
            start: Instant::now(),
            tick_ms: tick_ms.max(1),
            behind: AtomicU64::new(0),
            aligned: AtomicBool::new(false),
            state: Mutex::new(state),
            further: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn advance(&self, state: &mut State) -> Tick {
        let by_clock = self.start.elapsed().as_millis() as u64 / self.tick_ms;
        state.current = state.current.max(by_clock);
        state.current
    }

    /// The tick it is now.
    pub(crate) fn now(&self) -> Tick {
        self.advance(&mut self.state())
    }

    /// Announces a boundary at the end of the current tick. False while an earlier one is on its way, and when everything has ended.
    /// With `aligned` it is an aligned one, whatever the job does else, as is the one behind which other code runs.
    pub(crate) fn announce(&self, id: CheckpointId, aligned: bool) -> bool {
        let mut state = self.state();
        if state.missing > 0 || state.running == 0 {
            return false;
        }
        let tick = self.advance(&mut state);
        let switches = state.stage == Stage::Armed;
        state.boundary = Some(Boundary { id, tick, switches });
        state.missing = state.running;
        // The tick that is over is over for everybody, also for a source that asks within the same millisecond.
        state.current = tick + 1;
        if switches {
            state.stage = Stage::Announced;
            self.further.notify_all();
        }
        self.aligned.store(aligned || switches, Ordering::Relaxed);
        self.behind.store(tick + 1, Ordering::Release);
        true
    }

    /// The tick behind the boundary announced last; 0 before the first.
    pub(crate) fn behind(&self) -> Tick {
        self.behind.load(Ordering::Acquire)
    }

    /// Whether the boundary announced last is to be aligned; asked by who has seen it.
    pub(crate) fn is_aligned(&self) -> bool {
        self.aligned.load(Ordering::Relaxed)
    }

    /// Behind the next boundary other code is to run.
    pub(crate) fn arm(&self) {
        self.state().stage = Stage::Armed;
    }

    /// It is not, if that boundary has not been announced; whether that is so.
    pub(crate) fn disarm(&self) -> bool {
        let mut state = self.state();
        let armed = state.stage == Stage::Armed;
        if armed {
            state.stage = Stage::Over;
        }
        armed
    }

    /// Waits while an exchange stands there, but no longer than that; whether it still does.
    pub(crate) fn wait_while(&self, stage: Stage, most: Duration) -> bool {
        let waited = self.further.wait_timeout_while(self.state(), most, |state| state.stage == stage);
        waited.unwrap_or_else(PoisonError::into_inner).0.stage == stage
    }

    /// An operator that has passed the boundaries before tick `passed` hands over: what it has come to. With `last` it has ended as well.
    pub(crate) fn pass(&self, passed: Tick, last: bool) -> Passed {
        let mut state = self.state();
        let due = state.boundary.filter(|b| b.tick >= passed);
        if due.is_some() {
            state.missing -= 1;
            if state.missing == 0 && state.stage == Stage::Announced {
                state.stage = Stage::Over;
                self.further.notify_all();
            }
        }
        if last {
            state.running -= 1;
        }
        match due {
            Some(Boundary { id, tick, switches }) => Passed { checkpoint: Some(id), behind: tick + 1, switches },
            None => Passed { checkpoint: None, behind: passed, switches: false },
        }
    }
}

/// What one source of one worker has under way.
#[derive(Debug)]
pub(crate) struct Credits {
    ticks_max: u64,
    bytes_max: usize,
    sent: VecDeque<(Tick, usize)>,
    bytes: usize,
}

impl Credits {
    pub(crate) fn new(ticks_max: u64, bytes_max: usize) -> Credits {
        Credits { ticks_max: ticks_max.max(1), bytes_max: bytes_max.max(1), sent: VecDeque::new(), bytes: 0 }
    }

    /// Whether the source may read on at tick `now` when every tick before `done` has passed all sinks.
    pub(crate) fn may_read(&mut self, now: Tick, done: Tick) -> bool {
        while let Some(&(tick, bytes)) = self.sent.front() {
            if tick >= done {
                break;
            }
            self.sent.pop_front();
            self.bytes -= bytes;
        }
        let ahead = self.sent.front().map_or(0, |(oldest, _)| now - oldest);
        ahead < self.ticks_max && self.bytes < self.bytes_max
    }

    /// The source emitted `bytes` at tick `now`.
    pub(crate) fn spend(&mut self, now: Tick, bytes: usize) {
        self.bytes += bytes;
        match self.sent.back_mut() {
            Some((tick, sum)) if *tick == now => *sum += bytes,
            _ => self.sent.push_back((now, bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_is_announced_when_everybody_has_passed_the_one_before() {
        let ticks = Ticks::new(1_000_000, 2);
        assert_eq!(ticks.behind(), 0);
        assert!(ticks.announce(CheckpointId(7), false));
        assert_eq!((ticks.behind(), ticks.now()), (1, 1), "whoever asks from now on is behind it");
        assert!(!ticks.announce(CheckpointId(8), false), "two have not come to it");
        let pass = |passed, last| {
            let passed = ticks.pass(passed, last);
            (passed.checkpoint, passed.behind)
        };
        assert_eq!(pass(0, false), (Some(CheckpointId(7)), 1));
        assert!(!ticks.announce(CheckpointId(8), false), "one has not");
        assert_eq!(pass(0, true), (Some(CheckpointId(7)), 1));
        assert!(ticks.announce(CheckpointId(8), false), "the one that has ended is not waited for");
        assert_eq!(pass(1, false), (Some(CheckpointId(8)), 2));
        assert_eq!(pass(2, true), (None, 2));
        assert!(!ticks.announce(CheckpointId(9), false), "everything has ended");
    }

    #[test]
    fn code_is_exchanged_at_one_boundary_and_for_all() {
        let ticks = Ticks::new(1_000_000, 2);
        ticks.arm();
        assert!(ticks.announce(CheckpointId(1), false) && ticks.is_aligned());
        assert!(!ticks.disarm(), "it has been announced");
        assert!(ticks.pass(0, false).switches && ticks.wait_while(Stage::Announced, Duration::ZERO));
        assert!(ticks.pass(0, false).switches && !ticks.wait_while(Stage::Announced, Duration::ZERO));
        assert!(ticks.announce(CheckpointId(2), false) && !ticks.is_aligned());
        assert!(!ticks.pass(1, false).switches, "the next one is like any other");
        ticks.arm();
        assert!(ticks.disarm() && !ticks.disarm());
    }

    #[test]
    fn credit_comes_back_as_ticks_pass_the_sinks() {
        let mut credits = Credits::new(3, 100);
        assert!(credits.may_read(0, 0));
        credits.spend(0, 60);
        assert!(credits.may_read(1, 0));
        credits.spend(1, 60);
        assert!(!credits.may_read(1, 0), "120 bytes of 100 under way");
        assert!(credits.may_read(2, 1), "tick 0 has passed");
        assert!(!credits.may_read(4, 1), "three ticks ahead of tick 1");
        assert!(credits.may_read(4, 2));
    }
}
