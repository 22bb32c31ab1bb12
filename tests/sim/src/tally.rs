//! What runs have come across: a run that never meets a situation says nothing about it.

/// A situation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A runner finished the job.
    Finished,
    /// A runner found that another one has the job.
    Superseded,
    /// A start was refused, rightly.
    Refused,
    /// A start gave up since others kept taking the job.
    Contended,
    /// A start fell back to an older checkpoint.
    FellBack,
    /// A start took the job though its first claim came too late or was overtaken.
    ClaimedAgain,
    /// A record was created that stood there already.
    CreatedTwice,
    /// A checkpoint's record came once more after it had been deleted.
    CreatedAfterDeletion,
    /// A claim came on a line that clean-up had freed.
    ClaimedFreedLine,
    /// A change landed long after its caller had given up on it.
    LandedLate,
    /// A start made output visible that its predecessor had not.
    Recommitted,
    /// A start removed staged output.
    Unstaged,
    /// Visible output was taken back.
    TookBack,
    /// An attempt was given up.
    GivenUp,
    /// A record listed output that had been listed before.
    Carried,
    /// A record was deleted.
    DeletedRecord,
    /// A part was deleted.
    DeletedPart,
    /// Clean-up left parts because something could not be read.
    KeptBack,
    /// A savepoint was made.
    Savepoint,
    /// The copy for a savepoint was made and its runner superseded, so that nobody was told.
    Orphan,
    /// The power failed.
    PowerFailed,
    /// A runner was killed.
    Killed,
    /// Something was damaged.
    Damaged,
    /// It was mended.
    Mended,
}

impl Mark {
    /// All of them.
    pub const ALL: [Mark; 24] = [
        Mark::Finished,
        Mark::Superseded,
        Mark::Refused,
        Mark::Contended,
        Mark::FellBack,
        Mark::ClaimedAgain,
        Mark::CreatedTwice,
        Mark::CreatedAfterDeletion,
        Mark::ClaimedFreedLine,
        Mark::LandedLate,
        Mark::Recommitted,
        Mark::Unstaged,
        Mark::TookBack,
        Mark::GivenUp,
        Mark::Carried,
        Mark::DeletedRecord,
        Mark::DeletedPart,
        Mark::KeptBack,
        Mark::Savepoint,
        Mark::Orphan,
        Mark::PowerFailed,
        Mark::Killed,
        Mark::Damaged,
        Mark::Mended,
    ];
}

/// How often each was met.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally([u64; Mark::ALL.len()]);

impl Tally {
    /// Counts one.
    pub fn mark(&mut self, mark: Mark) {
        self.0[mark as usize] += 1;
    }

    /// How often it was met.
    pub fn count(&self, mark: Mark) -> u64 {
        self.0[mark as usize]
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Tally) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum += count);
    }
}
