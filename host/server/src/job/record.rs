//! What is known of a job, as it is written to disk before anything is done about it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admission::Need;
use crate::control::{Made, Savepoint, Status};
use crate::id::{Digest, JobId, Name};
use crate::limits::VERSIONS_MAX;

/// A job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: JobId,
    pub(crate) name: Name,
    pub(crate) created_ms: u64,
    /// What shall become of it.
    pub(crate) wanted: Wanted,
    /// What runs.
    pub(crate) version: Version,
    /// What is to run once the runner of `version` has stopped.
    pub(crate) next: Option<Next>,
    /// The version to go back to when the present one fails before this time.
    pub(crate) probation: Option<Probation>,
    /// Versions before, the oldest first.
    pub(crate) history: Vec<Past>,
    /// The savepoint that the first start begins with.
    pub(crate) from: Option<String>,
    /// Starts after failures.
    pub(crate) restarts: u32,
    /// Whether a runner has ever been started: what its folder says of an end is of this job then.
    pub(crate) begun: bool,
    /// How it ended, if it has.
    pub(crate) end: Option<End>,
}

/// What shall become of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Wanted {
    Run,
    Stop { drain: bool, savepoint: Option<Savepoint> },
    Cancel,
}

/// What a job runs and how: all that a swap or another parallelism may change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// Counts from 1.
    pub number: u32,
    /// The component. Of several: the SHA-256 over the lines `NAME SHA256` in the order of names.
    pub component: Digest,
    /// The components by name, where there are several.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<String, Digest>,
    /// Of several: `COMPONENT.SOURCE` by the `COMPONENT.SINK` that feeds it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wires: BTreeMap<String, String>,
    /// Arguments of the job.
    pub args: BTreeMap<String, String>,
    /// Where sources read and sinks write; the plan's default otherwise.
    pub bindings: BTreeMap<String, String>,
    /// Workers for operators that do not state their own; none for the plan's.
    pub parallelism: Option<u32>,
    /// Threads that run it.
    pub workers: u32,
    /// Memory of each instance.
    pub instance_bytes: u64,
    /// What each operator's code costs is counted.
    #[serde(default)]
    pub meter: bool,
    /// Refuses inputs without an end.
    pub batch: bool,
    /// How long a quiet split may hold event time back, in milliseconds; 0 for ever.
    pub idle_timeout_ms: Option<u64>,
    /// How often a checkpoint is taken, in milliseconds.
    pub checkpoint_interval_ms: u64,
    /// State of the version before that this one no longer has is left behind.
    pub allow_dropped_state: bool,
    /// While it is on probation no checkpoint is taken for this long: its state would not fit the version before.
    pub hold_ms: u64,
    /// Since when.
    pub since_ms: u64,
    /// Why, e.g. `submitted`, `rescaled from 2 to 4`.
    pub why: String,
    /// How it took the place of the version before; none of one that no other ran before, and of one that was started after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Taken>,
}

/// How a version takes the place of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Taken {
    /// While the job ran, at the boundary of a checkpoint.
    InPlace {
        /// The longest that one worker was kept from records, in microseconds.
        pause_us: u64,
        /// How long it took until all workers had switched, in microseconds; records flowed.
        lasted_us: u64,
    },
    /// The job was stopped and started again from a checkpoint.
    Restart {
        /// What kept it from going on.
        why: String,
    },
}

/// A version that waits for its turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Next {
    pub(crate) version: Version,
    /// How long it is watched then.
    pub(crate) probation_ms: u64,
    /// Records skipped or dead-lettered at most meanwhile.
    pub(crate) errors_max: Option<u64>,
}

/// The time in which a new version is watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Probation {
    pub(crate) until_ms: u64,
    pub(crate) before: Box<Version>,
    /// Records skipped or dead-lettered at most.
    pub(crate) errors_max: Option<u64>,
    /// How many the process had lost before the version took over in it.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) lost_before: u64,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// A version that is no longer run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Past {
    /// What it was.
    pub version: Version,
    /// Until when.
    pub until_ms: u64,
    /// Why it went.
    pub outcome: String,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct End {
    /// How.
    pub state: EndState,
    /// When, in milliseconds since the epoch.
    pub at_ms: u64,
    /// What went wrong, if anything did.
    pub message: Option<String>,
    /// Why.
    pub causes: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// The savepoint of its stop.
    pub savepoint: Option<Made>,
    /// Its last figures.
    pub status: Option<Status>,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EndState {
    /// Its input ended.
    Finished,
    /// Somebody stopped it in order.
    Stopped,
    /// It failed, and was given up.
    Failed,
    /// Somebody ended it at once.
    Cancelled,
}

impl Version {
    pub(crate) fn need(&self) -> Need {
        let components = self.components.len().max(1) as u64;
        Need { workers: u64::from(self.workers), components, instance_bytes: self.instance_bytes }
    }
}

impl Record {
    /// Puts another version in the place of the present one.
    pub(crate) fn advance(&mut self, next: Version, now_ms: u64, outcome: &str) {
        let before = std::mem::replace(&mut self.version, next);
        self.history.push(Past { version: before, until_ms: now_ms, outcome: outcome.to_owned() });
        let surplus = self.history.len().saturating_sub(VERSIONS_MAX);
        self.history.drain(..surplus);
    }

    /// The number of a version that is made now.
    pub(crate) fn next_number(&self) -> u32 {
        let last = self.history.last().map_or(0, |past| past.version.number);
        1 + self.version.number.max(last)
    }

    /// The most that the job takes while it goes from a version to the next; they never run at once.
    pub(crate) fn need(&self) -> Need {
        let next = self.next.as_ref().map(|next| &next.version);
        let other = next.or(self.probation.as_ref().map(|probation| &*probation.before)).unwrap_or(&self.version).need();
        self.version.need().or(other)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn version(number: u32, workers: u32) -> Version {
        Version {
            number,
            component: "a".repeat(64).parse().unwrap(),
            components: BTreeMap::new(),
            wires: BTreeMap::new(),
            args: BTreeMap::new(),
            bindings: BTreeMap::new(),
            parallelism: Some(workers),
            workers,
            instance_bytes: 1 << 20,
            meter: false,
            batch: false,
            idle_timeout_ms: None,
            checkpoint_interval_ms: 10_000,
            allow_dropped_state: false,
            hold_ms: 0,
            since_ms: 0,
            why: "submitted".to_owned(),
            taken: None,
        }
    }

    pub(crate) fn record() -> Record {
        Record {
            id: JobId::new(0, 0),
            name: "counts".parse().unwrap(),
            created_ms: 0,
            wanted: Wanted::Run,
            version: version(1, 1),
            next: None,
            probation: None,
            history: Vec::new(),
            from: None,
            restarts: 0,
            begun: true,
            end: None,
        }
    }

    #[test]
    fn the_oldest_versions_are_forgotten_and_numbers_go_on() {
        let mut record = record();
        for _ in 0..VERSIONS_MAX + 5 {
            let next = version(record.next_number(), 1);
            record.advance(next, 1, "replaced");
        }
        assert_eq!((record.history.len(), record.version.number), (VERSIONS_MAX, VERSIONS_MAX as u32 + 6));
        assert_eq!(record.history[0].version.number, 6);
    }

    #[test]
    fn a_job_on_its_way_to_more_workers_takes_them_already() {
        let next = Next { version: version(2, 4), probation_ms: 0, errors_max: None };
        let record = Record { next: Some(next), ..record() };
        assert_eq!(record.need().workers, 4);
    }
}
