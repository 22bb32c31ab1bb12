//! Clean-up: what may be deleted once a checkpoint is complete and its output committed.
//!
//! # What goes
//!
//! - Records of checkpoints before the oldest kept one, from old to new.
//! - Then parts whose stamp is not after the last completed checkpoint and to which no kept checkpoint and no savepoint refers.
//!
//! # What stays, and why
//!
//! - Claims, for ever: each stands at the line where a superseded runner may wake up.
//! - Damaged records of which nobody can tell whether they are claims.
//! - Parts with later stamps: of an attempt under way, or of a later generation than ours.
//! - Every part while a kept checkpoint or a savepoint cannot be read, for it may refer to any ([`Cleaner::unreadable`]).
//!
//! A runner that has been superseded without knowing it may go on cleaning up. What it deletes was condemned when its last checkpoint was
//! complete; its successor begins with that checkpoint or, when that one is damaged, refers to none of the old parts
//! ([`super::Opened::fell_back`]).

use std::collections::{BTreeMap, BTreeSet};

use super::name::{Line, Object, Part, Savepoint, Stamp};
use super::opening::Opened;
use super::record::{Checkpoint, Found, Record};

/// What clean-up asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Read these, tell with [`Cleaner::learn`] what they are, and ask again.
    Read(Vec<Object>),
    /// Delete these, in this order; one that is gone already is as good as deleted.
    Delete(Vec<Object>),
}

/// The parts that an object refers to; none when it cannot be read.
type Refers = Option<Vec<Part>>;

/// A completed checkpoint as far as clean-up is concerned.
#[derive(Clone, Debug)]
struct Bound {
    stamp: Stamp,
    /// The checkpoints that stay, from old to new, the completed one last.
    kept: Vec<Line>,
}

/// Knows what a generation's checkpoints and the savepoints refer to.
#[derive(Clone, Debug)]
pub struct Cleaner {
    /// The last completed checkpoint.
    completed: Option<Bound>,
    /// The one that was the last when the clean-up under way began. Without one, nothing is deleted.
    bound: Option<Bound>,
    checkpoints: BTreeMap<Line, Refers>,
    savepoints: BTreeMap<Savepoint, Refers>,
    /// Lines that are not deleted whatever happens.
    lasting: BTreeSet<Line>,
}

impl Cleaner {
    /// Knows what a start knows.
    pub fn new(opened: &Opened) -> Cleaner {
        let base = opened.base.iter().map(|(line, base)| (*line, Some(base.parts.clone())));
        Cleaner {
            completed: None,
            bound: None,
            checkpoints: base.collect(),
            savepoints: BTreeMap::new(),
            lasting: BTreeSet::from([opened.line]),
        }
    }

    /// A checkpoint of ours is complete, and its output committed.
    pub fn completed(&mut self, line: Line, record: &Checkpoint) {
        let kept = record.kept.iter().copied().chain([line]).collect();
        self.completed = Some(Bound { stamp: record.stamp, kept });
        self.checkpoints.insert(line, Some(record.parts.clone()));
    }

    /// Begins a clean-up. What is listed for it is listed after this, so that no savepoint is missing in the listing whose parts the
    /// checkpoints completed by now no longer refer to.
    pub fn begin(&mut self) {
        self.bound.clone_from(&self.completed);
        if let Some(floor) = self.bound.as_ref().map(|bound| bound.kept[0]) {
            self.checkpoints.retain(|line, _| *line >= floor);
        }
    }

    /// Learns what reading an object came to; a savepoint is read as the record it is a copy of. Whoever makes a savepoint tells it, so
    /// that nothing is remembered of an older one of the same name.
    pub fn learn(&mut self, object: &Object, found: &Found) {
        let refers = match found {
            Found::Record(Record::Checkpoint(record)) => Some(record.parts.clone()),
            Found::Missing => Some(Vec::new()),
            Found::Record(Record::Claim(_)) | Found::Damaged(_) => None,
        };
        match object {
            Object::Record(line) => {
                if !matches!(found, Found::Record(Record::Checkpoint(_))) {
                    self.lasting.insert(*line);
                }
                self.checkpoints.insert(*line, refers);
            }
            Object::Savepoint(name) => {
                self.savepoints.insert(name.clone(), refers);
            }
            Object::Part(_) => {}
        }
    }

    /// What to do, given what is in the directory. Every savepoint must be listed; of the rest, what is not listed is not deleted, so
    /// names remembered from before do as well as a new listing.
    pub fn plan(&self, listed: &[Object]) -> Plan {
        let Some(Bound { stamp, kept }) = &self.bound else { return Plan::Delete(Vec::new()) };
        let floor = kept[0];
        let unknown = self.unknown(listed, floor);
        if !unknown.is_empty() {
            return Plan::Read(unknown);
        }
        let records = listed.iter().filter(|object| match object {
            Object::Record(line) => *line < floor && !self.lasting.contains(line),
            _ => false,
        });
        let mut delete: Vec<Object> = records.cloned().collect();
        delete.sort_unstable();
        if let Some(referred) = self.referred(listed) {
            let parts = listed.iter().filter(|object| match object {
                Object::Part(part) => part.stamp <= *stamp && !referred.contains(part),
                _ => false,
            });
            delete.extend(parts.cloned());
        }
        Plan::Delete(delete)
    }

    /// What has been read and could not be, among what would tell which parts are needed: as long as it is there, no part is deleted.
    pub fn unreadable(&self, listed: &[Object]) -> Vec<Object> {
        let unreadable = self.telling(listed).filter(|(_, refers)| matches!(refers, Some(None)));
        unreadable.map(|(object, _)| object).collect()
    }

    /// Kept checkpoints and savepoints, each with what is known of it.
    fn telling<'a>(&'a self, listed: &'a [Object]) -> impl Iterator<Item = (Object, Option<&'a Refers>)> {
        let kept = self.bound.iter().flat_map(|bound| &bound.kept);
        let kept = kept.map(|line| (Object::Record(*line), self.checkpoints.get(line)));
        let savepoints = listed.iter().filter_map(|object| match object {
            Object::Savepoint(name) => Some((object.clone(), self.savepoints.get(name))),
            _ => None,
        });
        kept.chain(savepoints)
    }

    fn unknown(&self, listed: &[Object], floor: Line) -> Vec<Object> {
        let old = listed.iter().filter(|object| match object {
            Object::Record(line) => *line < floor && !self.checkpoints.contains_key(line) && !self.lasting.contains(line),
            _ => false,
        });
        let telling = self.telling(listed).filter(|(_, refers)| refers.is_none()).map(|(object, _)| object);
        old.cloned().chain(telling).collect()
    }

    /// Every part that is needed; none when that cannot be told.
    fn referred<'a>(&'a self, listed: &'a [Object]) -> Option<BTreeSet<&'a Part>> {
        let refers: Option<Vec<&Vec<Part>>> = self.telling(listed).map(|(_, refers)| refers.and_then(Option::as_ref)).collect();
        Some(refers?.into_iter().flatten().collect())
    }
}
