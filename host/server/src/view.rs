//! What the API takes and shows. Times are milliseconds since the epoch, sizes bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use crate::control::{Checkpoints, Made, Operator, Savepoint, Status};
pub use crate::examined::{Capability, Component, Verdict};
pub use crate::job::record::{End, EndState, Past, Taken, Version};
pub use crate::swap::{Comparison, StateChange, StateVerdict};

use crate::error::Code;
use crate::id::{Digest, JobId, Name};
use crate::job::record::Record;
use crate::job::{Job, Live, Phase};
use crate::shadow::Shadow;

/// A refusal (RFC 9457).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:tidemill:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What went wrong, in a clause.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What kind of refusal it is; never changes.
    pub code: Code,
    /// Why, one line each.
    pub detail: String,
    /// The same, as a list.
    pub causes: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
}

/// A stored component.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StoredComponent {
    /// By which it is named.
    pub digest: Digest,
    /// What it is.
    #[serde(flatten)]
    pub component: Component,
    /// Names of jobs that have not ended and run it or could go back to it.
    pub jobs: Vec<Name>,
}

/// A job to run.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Submit {
    /// The digest of an uploaded component, or its first digits.
    pub component: Option<String>,
    /// In the place of `component`, several by the name that each has in the job. Arguments and bindings are called `COMPONENT.NAME` then.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<String, String>,
    /// What joins them: `COMPONENT.SOURCE` by the `COMPONENT.SINK` that feeds it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wires: BTreeMap<String, String>,
    /// What to call it; the plan's name when there is none.
    pub name: Option<Name>,
    /// What to call it when the plan has no name either.
    pub default_name: Option<Name>,
    /// Arguments of the job.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
    /// Where sources read and sinks write; the plan's default otherwise.
    #[serde(default)]
    pub bindings: BTreeMap<String, String>,
    /// Workers for operators that do not state their own.
    pub parallelism: Option<u32>,
    /// Memory of each worker's instance.
    pub memory_bytes: Option<u64>,
    /// Counts what each operator's code costs.
    #[serde(default)]
    pub meter: bool,
    /// Refuses inputs without an end.
    #[serde(default)]
    pub batch: bool,
    /// How long a quiet split may hold event time back; 0 for ever.
    pub idle_timeout_ms: Option<u64>,
    /// How often a checkpoint is taken.
    pub checkpoint_interval_ms: Option<u64>,
    /// A savepoint or checkpoint directory to begin with.
    pub from: Option<String>,
    /// Leaves behind state of it that the job does not have.
    #[serde(default)]
    pub allow_dropped_state: bool,
}

/// How to stop a job.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// The savepoint to make of the end.
    pub savepoint: Option<Savepoint>,
    /// Lets event time come to its end first, so that every window and timer fires.
    #[serde(default)]
    pub drain: bool,
}

/// Another parallelism.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rescale {
    /// Workers for operators that do not state their own.
    pub parallelism: u32,
}

/// Another version of a job. What is not said stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Swap {
    /// The digest of an uploaded component, or its first digits.
    pub component: Option<String>,
    /// Of a job of several: the components that change, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<String, String>,
    /// Other wires. With them `components` names all that there are from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wires: Option<BTreeMap<String, String>>,
    /// Arguments that change.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
    /// Bindings that change.
    #[serde(default)]
    pub bindings: BTreeMap<String, String>,
    /// Leaves behind state that the new version does not have.
    #[serde(default)]
    pub allow_dropped_state: bool,
    /// How long the new version is watched; when it fails in that time the old one comes back. 60,000 unless it is said.
    pub probation_ms: Option<u64>,
    /// Records skipped or dead-lettered in probation, beyond which the old version comes back.
    pub errors_max: Option<u64>,
    /// Runs both versions over so many records of each source first, with today's state and without writing anything, and refuses a version
    /// that writes something else.
    pub shadow: Option<u64>,
    /// Swaps also where the shadow wrote something else.
    #[serde(default)]
    pub allow_difference: bool,
    /// Only compares.
    #[serde(default)]
    pub dry_run: bool,
}

/// A version to go back to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// Its number; the one before when there is none.
    pub version: Option<u32>,
    /// Leaves behind state that it does not have.
    #[serde(default)]
    pub allow_dropped_state: bool,
}

/// What came of a change.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Changed {
    /// How the versions differ.
    pub comparison: Comparison,
    /// How their output differs, where there was a shadow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Shadow>,
    /// The job after it.
    pub job: JobView,
}

/// What a job is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Its runner loads it.
    Starting,
    /// It runs.
    Running,
    /// It ends in order.
    Stopping,
    /// It ends in order, and goes on as another version.
    Changing,
    /// It failed and is about to be started again.
    Restarting,
    /// Its input has ended.
    Finished,
    /// Somebody stopped it.
    Stopped,
    /// It failed and was given up.
    Failed,
    /// Somebody ended it at once.
    Cancelled,
}

impl State {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Running => "running",
            State::Stopping => "stopping",
            State::Changing => "changing",
            State::Restarting => "restarting",
            State::Finished => "finished",
            State::Stopped => "stopped",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
        }
    }

    /// Whether nothing comes after it.
    pub fn is_over(self) -> bool {
        matches!(self, State::Finished | State::Stopped | State::Failed | State::Cancelled)
    }

    fn of(record: &Record, live: &Live) -> State {
        match (&record.end, live.phase) {
            (Some(end), _) => match end.state {
                EndState::Finished => State::Finished,
                EndState::Stopped => State::Stopped,
                EndState::Failed => State::Failed,
                EndState::Cancelled => State::Cancelled,
            },
            (None, _) if record.next.is_some() => State::Changing,
            (None, Phase::Starting) => State::Starting,
            (None, Phase::Running) => State::Running,
            (None, Phase::Stopping) => State::Stopping,
            (None, Phase::Restarting(_)) => State::Restarting,
        }
    }
}

/// A job.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JobView {
    /// Never used again.
    pub id: JobId,
    /// What people call it.
    pub name: Name,
    /// What it is doing.
    pub state: State,
    /// When it was submitted.
    pub created_ms: u64,
    /// What it runs, and how.
    pub version: Version,
    /// Versions before, the oldest first.
    pub history: Vec<Past>,
    /// Until when the present version may be taken back.
    pub probation_until_ms: Option<u64>,
    /// Starts after failures.
    pub restarts: u32,
    /// When it is started again, while it waits for that.
    pub restart_at_ms: Option<u64>,
    /// The last failure that was answered by a start.
    pub last_failure: Option<String>,
    /// The process that runs it.
    pub pid: Option<u32>,
    /// Memory that it may use: instances and runner.
    pub memory_bytes_max: u64,
    /// Records read a second, over the last interval.
    pub records_in_per_s: f64,
    /// Records written a second.
    pub records_out_per_s: f64,
    /// How it goes; its last figures when it is over.
    pub status: Option<Status>,
    /// How it ended.
    pub end: Option<End>,
}

impl JobView {
    pub(crate) fn of(job: &Job) -> JobView {
        let (record, live) = (job.record(), job.live());
        JobView {
            state: State::of(&record, &live),
            probation_until_ms: record.probation.as_ref().map(|probation| probation.until_ms),
            restart_at_ms: match live.phase {
                Phase::Restarting(at) if record.end.is_none() => Some(at),
                _ => None,
            },
            last_failure: live.last_failure,
            pid: live.pid,
            memory_bytes_max: record.version.need().bytes(),
            records_in_per_s: live.rates.0,
            records_out_per_s: live.rates.1,
            status: live.status.or_else(|| record.end.as_ref().and_then(|end| end.status.clone())),
            id: record.id,
            name: record.name,
            created_ms: record.created_ms,
            version: record.version,
            history: record.history,
            restarts: record.restarts,
            end: record.end,
        }
    }

    /// Without what a list has no room for.
    pub(crate) fn short(mut self) -> JobView {
        self.history.clear();
        if let Some(status) = &mut self.status {
            status.operators.clear();
        }
        if let Some(end) = &mut self.end {
            end.status = None;
        }
        self
    }
}

/// The server.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ServerView {
    /// Its release.
    pub version: String,
    /// When it began.
    pub started_ms: u64,
    /// Workers of all jobs at most.
    pub slots: u64,
    /// Of them taken.
    pub slots_used: u64,
    /// Memory of all jobs at most.
    pub memory_bytes: u64,
    /// Of it taken.
    pub memory_bytes_used: u64,
    /// The most memory that a job may ask for, for each instance.
    pub instance_bytes_max: u64,
    /// Folders below which `file:` bindings may lie.
    pub allow_files: Vec<String>,
    /// Where `socket:` bindings may connect.
    pub allow_sockets: Vec<String>,
    /// Jobs that are not over.
    pub jobs: usize,
    /// Stored components.
    pub components: usize,
}
