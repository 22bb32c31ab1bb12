//! The checkpoint directory and the output directory, and everything that can be done to them.

use std::rc::Rc;

use tidemill_core::checkpoint::protocol::{Created, Found, Line, Object, Part, Record, Savepoint, Stamp, Verdict};

use crate::model::{File, KeySum, Parts};
use crate::rng::Rng;
use crate::shelf::{Kept, Shelf};

/// The name of a file of output, staged or visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName {
    /// The attempt that cut it.
    pub stamp: Stamp,
    /// Its number in the attempt.
    pub number: u8,
}

/// What a checkpoint holds besides the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The records that are in it.
    pub offset: usize,
    /// Where the sums are.
    pub parts: Parts,
    /// Output that may not be visible yet.
    pub staged: Vec<FileName>,
}

/// An object of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What the protocol reads.
    pub record: Record,
    /// What the job reads, of a checkpoint.
    pub body: Option<Body>,
}

/// Something that changes a directory.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Creates a line of the log if it is free.
    Create(Line, Rc<Entry>),
    /// Writes a part.
    Part(Part, KeySum),
    /// Creates a savepoint, a copy of a record.
    Savepoint(Savepoint, Rc<Entry>),
    /// Deletes an object.
    Delete(Object),
    /// Writes a file of output that nobody sees yet.
    Stage(FileName, File),
    /// Makes it visible.
    Commit(FileName),
    /// Deletes it before it has become visible.
    Unstage(FileName),
    /// Deletes it afterwards.
    TakeBack(FileName),
}

/// The directories.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// The log.
    pub log: Shelf<Line, Rc<Entry>>,
    /// The parts.
    pub parts: Shelf<Part, KeySum>,
    /// The savepoints.
    pub savepoints: Shelf<Savepoint, Rc<Entry>>,
    /// Output that nobody sees.
    pub staged: Shelf<FileName, File>,
    /// Output.
    pub visible: Shelf<FileName, File>,
    /// Files whose becoming visible is not durable.
    loose: Vec<FileName>,
}

impl Store {
    /// Reads a line.
    pub fn read(&self, line: Line) -> Found {
        found(self.log.get(&line))
    }

    /// Reads a savepoint as the record it is a copy of.
    pub fn read_savepoint(&self, name: &Savepoint) -> Found {
        found(self.savepoints.get(name))
    }

    /// Creates a line.
    pub fn create(&mut self, line: Line, entry: &Rc<Entry>, synced: bool, now: u32) -> Created {
        match self.log.get(&line) {
            None => {
                self.log.put(line, Rc::clone(entry), synced, now);
                Created::New
            }
            Some(there) if !there.damaged && *there.value == **entry => Created::Same,
            Some(_) => Created::Other(self.read(line)),
        }
    }

    /// Whether a part is there and whole.
    pub fn has_whole(&self, part: &Part) -> bool {
        self.parts.get(part).is_some_and(|kept| !kept.damaged)
    }

    /// Looks at every part.
    pub fn judge(&self, parts: &[Part]) -> Verdict {
        match parts.iter().find(|part| !self.has_whole(part)) {
            Some(part) => Verdict::Damaged(part.stamp.to_string()),
            None => Verdict::Whole,
        }
    }

    /// Makes a file visible; false when it was not staged.
    pub fn commit(&mut self, name: FileName, durably: bool) -> bool {
        let Some(file) = self.staged.take(&name) else { return false };
        self.visible.give(name, file);
        if !durably {
            self.loose.push(name);
        }
        true
    }

    /// Everything becomes durable.
    pub fn flush(&mut self) {
        self.log.flush();
        self.parts.flush();
        self.savepoints.flush();
        self.staged.flush();
        self.visible.flush();
        self.loose.clear();
    }

    /// The power fails.
    pub fn lose_power(&mut self, rng: &mut Rng) {
        for name in std::mem::take(&mut self.loose) {
            if rng.permille(500)
                && let Some(file) = self.visible.take(&name)
            {
                self.staged.give(name, file);
            }
        }
        self.log.lose_power(rng);
        self.parts.lose_power(rng);
        self.savepoints.lose_power(rng);
        self.staged.lose_power(rng);
        self.visible.lose_power(rng);
    }
}

fn found(kept: Option<&Kept<Rc<Entry>>>) -> Found {
    match kept {
        None => Found::Missing,
        Some(kept) if kept.damaged => Found::Damaged(String::new()),
        Some(kept) => Found::Record(kept.value.record.clone()),
    }
}
