//! Makes checkpoints of a running job, on a thread of its own.
//!
//! The [`Coordinator`] says when a boundary is due, takes what operators hand over for it, writes it down, makes it a checkpoint,
//! commits staged output, and deletes what is not needed any more. The job never waits for it, and no failure of storage
//! fails the job: a checkpoint that fails is counted and told, and what it would have had is in the next one.

mod attempt;
mod merge;
mod run;
mod slots;
mod write;

pub use slots::Expected;
pub use write::copy;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tidemill_core::TimeMs;
use tidemill_core::checkpoint::protocol::Savepoint;
use tidemill_core::checkpoint::trigger::Pace;
use tidemill_core::checkpoint::{CheckpointId, Handover, Keeper};
use tidemill_core::connect;

use crate::directory::Start;
use crate::error::Error;
use crate::manifest::Manifest;
use crate::store::Store;

/// A boundary that has not been reached everywhere by then fails its checkpoint, unless the options say otherwise.
pub const BOUNDARY_TIMEOUT: Duration = Duration::from_secs(600);

/// Checkpoints kept, unless the options say otherwise: the last, and one to fall back to where that one is damaged.
pub const RETAIN: usize = 2;

/// What a manifest says of the job, and who hands over.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// Version of the contract and digest of the plan.
    pub plan: String,
    /// Its key groups.
    pub groups: u32,
    /// Every operator that hands over.
    pub operators: Vec<Expected>,
}

/// When checkpoints are made, and what is kept of them.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How often; never by itself when there is none.
    pub pace: Option<Pace>,
    /// After how long a boundary must have been reached everywhere.
    pub timeout: Duration,
    /// Checkpoints kept, one at least; savepoints are not counted.
    pub retain: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { pace: None, timeout: BOUNDARY_TIMEOUT, retain: RETAIN }
    }
}

/// How the coordinator reaches the rest of the process. All are called on its thread.
pub struct Hooks {
    /// Announces a boundary to the engine, for whom; false when the engine takes none now.
    pub begin: Box<dyn Fn(CheckpointId, Purpose) -> bool + Send>,
    /// Makes staged output of an operator visible. Called again with names that it has had when it failed, or at a restart.
    pub commit: Box<dyn Fn(&str, &[String]) -> Result<(), connect::Error> + Send>,
    /// Told what happens.
    pub event: Box<dyn Fn(Event) + Send>,
    /// Milliseconds since the epoch.
    pub now: Box<dyn Fn() -> TimeMs + Send>,
}

/// What a checkpoint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To go on from after a crash.
    Recovery,
    /// A savepoint, or one that somebody asked for: it stands by itself, so its boundary is to be aligned.
    Asked,
}

/// What the operator of a job may want to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A checkpoint is complete.
    Completed(Last),
    /// A checkpoint has failed; so many have in a row.
    Failed {
        /// Its number.
        checkpoint: CheckpointId,
        /// Why.
        reason: String,
        /// Failures in a row.
        row: u32,
    },
    /// So many have failed in a row that the job shall fail ([`Pace::failures_max`]).
    FailJob {
        /// Why the last failed.
        reason: String,
        /// Failures in a row.
        row: u32,
    },
    /// A checkpoint is complete, but output of an operator is not visible yet. It is committed again with the next checkpoint.
    Uncommitted {
        /// The operator.
        operator: String,
        /// Why.
        reason: String,
    },
    /// Something that is not needed for correctness went wrong: clean-up, or a merge.
    Trouble(String),
    /// Another runner has the job. The coordinator has stopped; so must the job, without writing anything.
    Superseded,
}

/// The last complete checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Last {
    /// Its number.
    pub checkpoint: CheckpointId,
    /// Bytes of keyed state written for it.
    pub written: u64,
    /// Bytes of all parts it refers to.
    pub bytes: u64,
    /// From the announcement to the last handover.
    pub gathering: Duration,
    /// From the announcement to the commit.
    pub duration: Duration,
}

/// What has been done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Checkpoints completed by this process.
    pub count: u64,
    /// Checkpoints that have failed.
    pub failed: u64,
    /// The last one completed.
    pub last: Option<Last>,
    /// The one under way.
    pub pending: Option<CheckpointId>,
    /// Merges of layers, and bytes that they wrote.
    pub merges: (u64, u64),
    /// Names of output that is durable but could not be made visible.
    pub uncommitted: usize,
}

/// A checkpoint that somebody asked for.
#[derive(Clone, Debug)]
pub enum Wish {
    /// As if it were due.
    Checkpoint,
    /// Kept under a name in the job's directory.
    Savepoint(Savepoint),
    /// Copied to another place, where it stands by itself.
    Copy(Savepoint, Store),
}

/// What came of a wish: the manifest of the checkpoint, or of its copy.
pub type Granted = Result<Manifest, Error>;

/// How the job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything was read and emitted: the final checkpoint says that there is nothing to go on from.
    Finished,
    /// Somebody stopped it: the final checkpoint is one to go on from.
    Stopped,
}

enum Message {
    Keep(CheckpointId, Handover),
    Wish(Wish, Sender<Granted>),
    Merged(merge::Done),
    Plan(String),
    Finish(Ending, Duration, Sender<Result<(), Error>>),
    Quit,
}

/// The checkpoints of a running job. See the module.
pub struct Coordinator {
    store: Store,
    messages: Mutex<Sender<Message>>,
    statistics: Arc<Mutex<Statistics>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What a job goes on from.
#[derive(Clone, Debug)]
pub struct Base {
    /// Where it lies.
    pub store: Store,
    /// What it is.
    pub manifest: Manifest,
}

impl Coordinator {
    /// Starts making checkpoints of a job that `start` has claimed in `store`. `base` is what the engine was restored from: that of
    /// `start`, or a checkpoint elsewhere. Staged output of the base has been committed.
    ///
    /// The engine hands over everything that has changed since `base`; of an operator whose state has other columns than the
    /// base's, everything.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(store: Store, start: &Start, base: Option<Base>, job: Job, options: Options, hooks: Hooks) -> Result<Coordinator, Error> {
        let (sender, receiver) = channel();
        let statistics = Arc::new(Mutex::new(Statistics::default()));
        let own = store.clone();
        let run = run::Run::new(store, start, base, job, options, hooks, (sender.clone(), receiver), Arc::clone(&statistics));
        let thread = std::thread::Builder::new().name("checkpoints".to_owned()).spawn(move || run.run());
        let thread = thread.map_err(|e| Error::Directory(format!("no thread for checkpoints can be started: {e}")))?;
        Ok(Coordinator { store: own, messages: Mutex::new(sender), statistics, thread: Mutex::new(Some(thread)) })
    }

    /// The checkpoint directory of the job.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What has been done so far.
    pub fn statistics(&self) -> Statistics {
        self.statistics.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Checkpoints that are begun from now on are of other code: the digest of its plan.
    pub fn relabel(&self, plan: String) {
        self.send(Message::Plan(plan));
    }

    /// Asks for a checkpoint; what comes of it is sent. The channel closes when the coordinator has stopped.
    pub fn wish(&self, wish: Wish) -> Receiver<Granted> {
        let (sender, receiver) = channel();
        self.send(Message::Wish(wish, sender));
        receiver
    }

    /// Ends the checkpoints of a job that has ended. When every operator has handed over its last, the final checkpoint is made
    /// first, and made again for as long as `patience` where storage refuses it; otherwise nothing more is written.
    ///
    /// # Errors
    /// The final checkpoint could not be made: output that was staged since the last one is not visible.
    pub fn finish(&self, ending: Ending, patience: Duration) -> Result<(), Error> {
        let (sender, receiver) = channel();
        self.send(Message::Finish(ending, patience, sender));
        // A coordinator that has stopped before has said why.
        let answer = receiver.recv().unwrap_or(Ok(()));
        self.join();
        answer
    }

    /// Stops at once, as for a job that has failed: nothing more is written, and whoever waits for a wish hears that there is nobody to
    /// grant it. After [`Coordinator::finish`] it changes nothing.
    pub fn quit(&self) {
        self.send(Message::Quit);
        self.join();
    }

    fn send(&self, message: Message) {
        // Nobody listens once the coordinator has stopped, and nothing is lost by that.
        let _ = self.messages.lock().unwrap_or_else(PoisonError::into_inner).send(message);
    }

    fn join(&self) {
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A panic has been reported by the hook of the process.
            let _ = thread.join();
        }
    }
}

impl Keeper for Coordinator {
    fn keep(&self, checkpoint: CheckpointId, handover: Handover) {
        self.send(Message::Keep(checkpoint, handover));
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        self.quit();
    }
}
