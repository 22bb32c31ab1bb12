//! The thread of the coordinator: waits for what is due, asked for or handed over, and takes the next step of one checkpoint at a
//! time. What the steps do is in [`super::attempt`].

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tidemill_core::checkpoint::protocol::{Cleaner, Runner, Stamp};
use tidemill_core::checkpoint::trigger::{self, Due, Pace, RETRY_MIN, Trigger};

use super::merge::{Done, Merge};
use super::slots::Slots;
use super::write::Prepared;
use super::{Base, Ending, Event, Granted, Hooks, Job, Message, Options, Purpose, Statistics, Wish};
use crate::directory::Start;
use crate::error::Error;
use crate::store::Store;

/// How failures are paced in a job that makes checkpoints only when it is asked.
const UNPACED: Pace = Pace { interval: Duration::from_secs(10), pause: Duration::ZERO, failures_max: None };

/// Longer than this the thread does not sleep: no clock is asked to count to infinity.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

/// A checkpoint under way.
pub(super) struct Attempt {
    pub(super) stamp: Stamp,
    /// Digest of the plan that ran when it was begun.
    pub(super) plan: String,
    pub(super) begun: Duration,
    /// How long it took until everything was there.
    pub(super) gathering: Duration,
    pub(super) wishes: Vec<(Wish, Sender<Granted>)>,
    /// The final checkpoint of the job.
    pub(super) is_final: bool,
}

/// Where the one checkpoint under way stands.
pub(super) enum Phase {
    /// There is none.
    Idle,
    /// Handovers are awaited.
    Gathering(Attempt),
    /// Parts are durable, and the record is being created: no other can be before the storage has said what became of this one.
    Recording(Attempt, Box<Prepared>),
    /// Nothing more is done.
    Over,
}

/// The job has ended.
pub(super) struct Finish {
    pub(super) ending: Ending,
    until: Duration,
    reply: Sender<Result<(), Error>>,
    /// Why the final checkpoint failed last.
    pub(super) reason: Option<Error>,
}

/// Everything the thread owns.
pub(super) struct Run {
    pub(super) store: Store,
    pub(super) job: (String, String, u32),
    pub(super) options: Options,
    pub(super) hooks: Hooks,
    pub(super) slots: Slots,
    /// Where the layers so far lie, when checkpoints may not refer to them: elsewhere, or where an older runner may delete them.
    pub(super) adopt: Option<Store>,
    pub(super) runner: Runner,
    pub(super) cleaner: Cleaner,
    pub(super) trigger: Trigger,
    pub(super) phase: Phase,
    pub(super) finish: Option<Finish>,
    pub(super) merge: Option<Merge>,
    pub(super) merged: Option<Done>,
    /// Attempts whose parts may be of a merge that no checkpoint refers to yet: they are not cleaned up.
    pub(super) guarded: Vec<Stamp>,
    pub(super) sender: Sender<Message>,
    receiver: Receiver<Message>,
    statistics: Arc<Mutex<Statistics>>,
    wishes: Vec<(Wish, Sender<Granted>)>,
    /// The engine took no boundary; it is not asked again before this.
    not_before: Duration,
    clock: Instant,
}

impl Run {
    #[expect(clippy::too_many_arguments, reason = "the coordinator's constructor in two steps, one for each thread")]
    pub(super) fn new(
        store: Store,
        start: &Start,
        base: Option<Base>,
        job: Job,
        options: Options,
        hooks: Hooks,
        (sender, receiver): (Sender<Message>, Receiver<Message>),
        statistics: Arc<Mutex<Statistics>>,
    ) -> Run {
        let saved = |name: &str| base.as_ref().and_then(|base| base.manifest.operator(name).cloned());
        let slots = Slots::new(job.operators, job.groups, saved);
        let ours = |base: &Base| start.base.as_ref() == Some(&base.manifest) && !start.opened.fell_back() && base.store.same_place(&store);
        let adopt = base.filter(|base| !ours(base)).map(|base| base.store);
        Run {
            slots,
            adopt,
            job: (job.name, job.plan, job.groups),
            runner: Runner::new(&start.opened, options.retain),
            cleaner: Cleaner::new(&start.opened),
            trigger: Trigger::new(options.pace.unwrap_or(UNPACED), Duration::ZERO),
            phase: Phase::Idle,
            finish: None,
            merge: None,
            merged: None,
            guarded: Vec::new(),
            wishes: Vec::new(),
            not_before: Duration::ZERO,
            clock: Instant::now(),
            store,
            options,
            hooks,
            sender,
            receiver,
            statistics,
        }
    }

    /// Runs until the job has ended or another runner has it.
    pub(super) fn run(mut self) {
        loop {
            while self.step() {}
            if matches!(self.phase, Phase::Over) {
                break;
            }
            match self.receiver.recv_timeout(self.wait().min(SLEEP_MAX)) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while let Ok(message) = self.receiver.try_recv() {
                self.take(message);
            }
        }
        if let Some(merge) = self.merge.take() {
            merge.stop();
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Statistics)) {
        change(&mut self.statistics.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Keep(checkpoint, handover) => self.slots.put(checkpoint, handover),
            Message::Wish(wish, answer) => self.wishes.push((wish, answer)),
            Message::Merged(done) => self.merged = Some(done),
            Message::Plan(plan) => self.job.1 = plan,
            Message::Finish(ending, patience, reply) => {
                self.finish = Some(Finish { ending, until: self.now() + patience, reply, reason: None });
                match std::mem::replace(&mut self.phase, Phase::Idle) {
                    // The boundary will not be reached any more. The final checkpoint takes what has come of it.
                    Phase::Gathering(attempt) => {
                        self.wishes.extend(attempt.wishes);
                        self.update(|statistics| statistics.pending = None);
                    }
                    phase => self.phase = phase,
                }
            }
            Message::Quit => self.phase = Phase::Over,
        }
    }

    /// Takes one step if one can be taken now; whether the next may be possible at once.
    fn step(&mut self) -> bool {
        let now = self.now();
        if self.finish.is_some() && matches!(self.phase, Phase::Idle | Phase::Recording(..)) {
            return self.step_to_end(now);
        }
        match &self.phase {
            Phase::Idle if self.is_due(now) => self.begin(now),
            Phase::Gathering(attempt) => {
                let late = now >= attempt.begun + self.options.timeout;
                self.step_gathering(late)
            }
            Phase::Recording(..) if self.trigger.due(now) == Due::Now => self.record(),
            _ => false,
        }
    }

    fn step_gathering(&mut self, late: bool) -> bool {
        let Phase::Gathering(attempt) = std::mem::replace(&mut self.phase, Phase::Idle) else { return false };
        let id = attempt.stamp.checkpoint;
        if self.slots.is_ready(id) {
            self.write(attempt);
        } else if late {
            let missing = self.slots.missing(id);
            self.fail(attempt, Error::Late { after: self.options.timeout, missing });
        } else {
            self.phase = Phase::Gathering(attempt);
            return false;
        }
        true
    }

    /// The job has ended: finishes what must be, makes the final checkpoint, and stops.
    fn step_to_end(&mut self, now: Duration) -> bool {
        let recording = matches!(self.phase, Phase::Recording(..));
        if !recording && !self.slots.is_last() {
            self.end(Ok(()));
            return true;
        }
        let tried = self.finish.as_ref().is_some_and(|finish| finish.reason.is_some());
        if tried && self.finish.as_ref().is_some_and(|finish| now >= finish.until) {
            let reason = self.finish.as_mut().and_then(|finish| finish.reason.take());
            self.end(reason.map_or(Ok(()), Err));
            return true;
        }
        if tried && self.trigger.due(now) != Due::Now {
            return false;
        }
        match recording {
            true => self.record(),
            false => {
                let attempt = self.begin_attempt(now, true);
                self.write(attempt);
                true
            }
        }
    }

    /// Says how the job's checkpoints ended, and stops.
    pub(super) fn end(&mut self, answer: Result<(), Error>) {
        self.phase = Phase::Over;
        if let Some(finish) = self.finish.take() {
            // Whoever asked may be gone.
            let _ = finish.reply.send(answer);
        }
    }

    fn is_due(&self, now: Duration) -> bool {
        let due = self.options.pace.is_some() && self.trigger.due(now) == Due::Now;
        (due || !self.wishes.is_empty()) && now >= self.not_before
    }

    fn begin(&mut self, now: Duration) -> bool {
        let attempt = self.begin_attempt(now, false);
        let purpose = if attempt.wishes.is_empty() { Purpose::Recovery } else { Purpose::Asked };
        if (self.hooks.begin)(attempt.stamp.checkpoint, purpose) {
            self.phase = Phase::Gathering(attempt);
            return true;
        }
        self.update(|statistics| statistics.pending = None);
        self.trigger.completed(now);
        self.not_before = now + RETRY_MIN;
        self.wishes.extend(attempt.wishes);
        false
    }

    fn begin_attempt(&mut self, now: Duration, is_final: bool) -> Attempt {
        let stamp = self.runner.begin();
        self.trigger.begun(now);
        let wishes = std::mem::take(&mut self.wishes);
        self.update(|statistics| statistics.pending = Some(stamp.checkpoint));
        Attempt { stamp, plan: self.job.1.clone(), begun: now, gathering: Duration::ZERO, wishes, is_final }
    }

    /// The checkpoint under way has failed for good; the next has all that it would have had.
    pub(super) fn fail(&mut self, attempt: Attempt, error: Error) {
        self.update(|statistics| statistics.pending = None);
        self.failed(attempt.stamp, error.clone());
        for (_, answer) in attempt.wishes {
            // Whoever asked may be gone.
            let _ = answer.send(Err(error.clone()));
        }
    }

    /// Counts and tells a failure.
    pub(super) fn failed(&mut self, stamp: Stamp, error: Error) {
        self.update(|statistics| statistics.failed += 1);
        let reason = error.to_string();
        if let Some(finish) = &mut self.finish {
            finish.reason = Some(error);
        }
        let (row, fail) = match self.trigger.failed(self.now()) {
            trigger::Failure::GoOn(row) => (row, false),
            trigger::Failure::FailJob(row) => (row, true),
        };
        (self.hooks.event)(Event::Failed { checkpoint: stamp.checkpoint, reason: reason.clone(), row });
        if fail {
            (self.hooks.event)(Event::FailJob { reason, row });
        }
    }

    /// How long nothing will be due.
    fn wait(&self) -> Duration {
        let now = self.now();
        let due = match self.trigger.due(now) {
            Due::Now => Duration::ZERO,
            Due::In(wait) => wait,
            Due::UnderWay => SLEEP_MAX,
        };
        match &self.phase {
            Phase::Gathering(attempt) => (attempt.begun + self.options.timeout).saturating_sub(now),
            Phase::Recording(..) => due,
            Phase::Idle if self.finish.is_some() => due,
            Phase::Idle if !self.wishes.is_empty() => self.not_before.saturating_sub(now),
            Phase::Idle if self.options.pace.is_some() => due.max(self.not_before.saturating_sub(now)),
            Phase::Idle | Phase::Over => SLEEP_MAX,
        }
    }
}
