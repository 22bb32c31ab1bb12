//! What a line of the log says, and what a store answers about one.

use std::fmt;

use super::name::{Line, Part, Stamp};
use crate::checkpoint::{CheckpointId, Generation};

/// Tells two runners apart that claim the same line with otherwise equal words: random bits, drawn once per process. Without it each
/// of them would take the other's claim for its own whose reply was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct RunnerId(pub u64);

/// A line of the log. A store keeps what it needs of a checkpoint besides (operators, positions, staged output) in the same object.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// A runner takes the job over.
    Claim(Claim),
    /// A checkpoint exists.
    Checkpoint(Checkpoint),
}

/// By this a runner takes the job over; the line is its generation.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Claim {
    /// Who claims.
    pub runner: RunnerId,
    /// The checkpoint that the runner starts from; none for a job that has none yet.
    pub base: Option<Line>,
    /// Lines after the base that cannot be used. They are out for ever, also where a later reader finds them whole, for their
    /// output has been taken back.
    pub skipped: Vec<Line>,
    /// The greatest number of a checkpoint known so far; those of this generation are greater.
    pub last: CheckpointId,
}

impl Claim {
    /// The generation of a claim at this line.
    pub fn generation(line: Line) -> Generation {
        Generation(line.0)
    }
}

/// By this a checkpoint exists.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Checkpoint {
    /// The attempt.
    pub stamp: Stamp,
    /// The checkpoints before it that are still kept, from old to new.
    pub kept: Vec<Line>,
    /// Every part it refers to, its own and those of earlier checkpoints.
    pub parts: Vec<Part>,
}

/// What reading a line came to. That the store could not be reached is no answer: ask again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The record.
    Record(Record),
    /// There is no such object.
    Missing,
    /// There is one, but its checksum, length or form is wrong; the text names file and place.
    Damaged(String),
}

/// What creating a line came to. An error of the store is no answer, for the record may stand there all the same, now or later: create
/// it again, with the same bytes, until the store says which it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It was free and is ours.
    New,
    /// These very bytes stand there: an earlier try of ours had taken effect.
    Same,
    /// Something else stands there.
    Other(Found),
}

impl Created {
    /// Whether the line is ours.
    pub fn is_ours(&self) -> bool {
        matches!(self, Created::New | Created::Same)
    }
}

/// Why a line of the log is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// The object is not there.
    Missing,
    /// It, or a part of it, is damaged; the text names file and place.
    Damaged(String),
}

/// A line that a start passed over, to be said to the operator of the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The line.
    pub line: Line,
    /// Why.
    pub why: Unusable,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Unusable::Missing => write!(f, "line {} of the log is missing", self.line),
            Unusable::Damaged(place) => write!(f, "line {} of the log cannot be used: {place}", self.line),
        }
    }
}
