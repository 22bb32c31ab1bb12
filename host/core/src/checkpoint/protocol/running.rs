//! A runner that has the job: numbers its attempts, says where each record goes, and learns whether it still has the job.
//!
//! The order of an attempt, which the caller keeps: parts and staged output durable; the record created; staged output committed,
//! durably; then clean-up. A commit that fails is no failure of the checkpoint: what has not been committed is listed again by the
//! next record.
//!
//! A savepoint is a copy of a record that no clean-up deletes. It is created after the record, and before it is told to anybody the
//! runner looks whether it still has the job ([`Runner::is_superseded`]): if so, every successor will find the copy when it
//! cleans up; if not, one may have deleted parts of it meanwhile. All this comes before the clean-up after the record.

use super::name::{Line, Part, Stamp};
use super::opening::Opened;
use super::record::{Checkpoint, Created, Found};
use crate::checkpoint::{CheckpointId, Generation};

/// What an attempt to create a record came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The checkpoint exists at this line. Commit its staged output.
    Completed(Line),
    /// Somebody else has the job. Commit nothing, delete nothing, stop.
    Superseded,
    /// It stood there and was gone before it could be read: create it again.
    Again,
}

/// The writer of a generation's checkpoints.
#[derive(Clone, Debug)]
pub struct Runner {
    generation: Generation,
    /// The line of the next record.
    next: Line,
    last: CheckpointId,
    retain: usize,
    /// Our lineage, as far as it is kept, from old to new.
    kept: Vec<Line>,
}

impl Runner {
    /// A runner that has just opened the job and keeps this many checkpoints, one at least.
    pub fn new(opened: &Opened, retain: usize) -> Runner {
        let mut kept = Vec::new();
        if let Some((line, base)) = &opened.base {
            kept.clone_from(&base.kept);
            kept.push(*line);
        }
        let (generation, next) = (opened.generation(), opened.line.next());
        Runner { generation, next, last: opened.claim.last, retain: retain.max(1), kept }
    }

    /// The line that the next record will have.
    pub fn next(&self) -> Line {
        self.next
    }

    /// Whether somebody else has the job, told by what stands at [`Runner::next`]. To be asked for a savepoint; a runner that makes
    /// no checkpoints for long may ask too, to stop early.
    pub fn is_superseded(&self, found: &Found) -> bool {
        *found != Found::Missing
    }

    /// Begins an attempt: its stamp is new, also when the one before has failed.
    pub fn begin(&mut self) -> Stamp {
        self.last = CheckpointId(self.last.0 + 1);
        Stamp { generation: self.generation, checkpoint: self.last }
    }

    /// The record of an attempt all of whose parts are durable, to be created at [`Runner::next`].
    pub fn record(&self, stamp: Stamp, parts: Vec<Part>) -> Checkpoint {
        let before = self.kept.len().saturating_sub(self.retain - 1);
        Checkpoint { stamp, kept: self.kept[before..].to_vec(), parts }
    }

    /// Learns what creating a record at [`Runner::next`] came to. After an error of the store there is nothing to learn: the record is
    /// created again, the same one, before anything else is.
    pub fn created(&mut self, record: &Checkpoint, created: &Created) -> Outcome {
        match created {
            Created::New | Created::Same => {
                let line = self.next;
                self.kept.clone_from(&record.kept);
                self.kept.push(line);
                self.next = line.next();
                Outcome::Completed(line)
            }
            Created::Other(Found::Missing) => Outcome::Again,
            Created::Other(_) => Outcome::Superseded,
        }
    }
}
