//! What happened in a run: a hash always, text when asked for.

use std::fmt;
use std::hash::{Hash, Hasher};

use tidemill_core::checkpoint::protocol::{Line, Stamp};

use crate::oracle::Violation;
use crate::rng::mix;
use crate::store::FileName;

/// What became of a change that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It happened and the answer came.
    Fine,
    /// It did not happen, and the caller does not know.
    Fails,
    /// It happened, and the caller does not know.
    ReplyLost,
    /// It will happen after so many ticks, and the caller does not know.
    Late(u32),
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A runner starts.
    Starts,
    /// A runner is paused until then.
    Pauses(u32),
    /// A runner is killed.
    Killed,
    /// A runner ends by itself.
    Ends(End),
    /// The power fails.
    PowerFails,
    /// Writes that were not synced reach the disk.
    Flush,
    /// Part or record is damaged (or lost).
    Damaged(Option<Stamp>, Option<Line>),
    /// The damage is gone.
    Mended,
    /// A reading of this line.
    Reads(Option<Line>),
    /// A listing.
    Lists,
    /// The store cannot be reached.
    Unreachable,
    /// Creating a claim.
    Claim(Line, Fate),
    /// Creating a checkpoint.
    Checkpoint(Line, Stamp, Fate),
    /// Writing a part.
    Part(Stamp, usize, Fate),
    /// Creating a savepoint.
    Savepoint(Fate),
    /// Deleting a record.
    DeleteRecord(Line, Fate),
    /// Deleting a part.
    DeletePart(Stamp, Fate),
    /// Staging a file.
    Stage(FileName, usize, usize, Fate),
    /// Committing a file.
    Commit(FileName, Fate),
    /// Removing a staged file.
    Unstage(FileName, Fate),
    /// Taking back a visible file.
    TakeBack(FileName, Fate),
    /// A late change happens now.
    Lands,
    /// A runner has the job, with this base.
    Opened(Line, Option<Line>),
    /// It goes on at this record.
    Resumes(usize),
    /// An attempt begins.
    Begins(Stamp, usize),
    /// An attempt is given up.
    GivesUp(Stamp),
    /// A checkpoint is complete.
    Completed(Line),
    /// Its output is visible.
    Committed(usize),
    /// The faults end.
    Calm,
    /// The run has failed.
    Violated(Violation),
}

/// How a runner ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// Every record is in a committed checkpoint.
    Finished,
    /// Another runner has the job.
    Superseded,
    /// No checkpoint could be used.
    Refused,
    /// It could not read its state, or was killed.
    Failed,
}

/// The hash of what has happened, and perhaps its text.
#[derive(Debug, Default)]
pub struct Trace {
    hash: Mixer,
    text: Option<String>,
}

impl Trace {
    /// An empty trace; with text or only the hash.
    pub fn new(text: bool) -> Trace {
        Trace { hash: Mixer::default(), text: text.then(String::new) }
    }

    /// Adds what happened at a time, to a runner or to all.
    pub fn add(&mut self, now: u32, runner: Option<u32>, event: Event) {
        (now, runner, event).hash(&mut self.hash);
        if let Some(text) = &mut self.text {
            use fmt::Write;
            let who = runner.map_or_else(|| "-".to_owned(), |runner| format!("runner {runner}"));
            writeln!(text, "{now:>5} {who:<10} {event}").expect("writing to a string cannot fail");
        }
    }

    /// The hash.
    pub fn hash(&self) -> u64 {
        self.hash.finish()
    }

    /// The text, empty if it was not asked for.
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Checkpoint(line, stamp, fate) => write!(f, "create line {line}: checkpoint {stamp}, {fate:?}"),
            Event::Claim(line, fate) => write!(f, "create line {line}: claim, {fate:?}"),
            Event::Part(stamp, key, fate) => write!(f, "write part {stamp} of key {key}, {fate:?}"),
            Event::DeleteRecord(line, fate) => write!(f, "delete line {line}, {fate:?}"),
            Event::DeletePart(stamp, fate) => write!(f, "delete part {stamp}, {fate:?}"),
            Event::Stage(name, from, to, fate) => write!(f, "stage {name} with records {from}..{to}, {fate:?}"),
            Event::Commit(name, fate) => write!(f, "commit {name}, {fate:?}"),
            Event::Unstage(name, fate) => write!(f, "remove staged {name}, {fate:?}"),
            Event::TakeBack(name, fate) => write!(f, "take back {name}, {fate:?}"),
            Event::Begins(stamp, offset) => write!(f, "begin {stamp} after {offset} records"),
            Event::GivesUp(stamp) => write!(f, "give up {stamp}"),
            other => write!(f, "{other:?}"),
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.stamp, self.number)
    }
}

/// A hasher that is quick on small numbers and the same everywhere.
#[derive(Debug, Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        mix(self.0)
    }
}
