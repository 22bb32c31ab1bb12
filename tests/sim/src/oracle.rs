//! What must hold at every moment of a run. The oracle sees every change as it takes effect, never what a runner believes.
//!
//! It keeps the log as it truly grew, also what has been deleted since, and from it the **truth**: the checkpoint that the next start has
//! to take. Runners, the damage done and the changes that land late are all judged against that.

use std::rc::Rc;

use tidemill_core::checkpoint::CheckpointId;
use tidemill_core::checkpoint::protocol::{Checkpoint, Claim, Line, Object, Opened, Part, Record};

use crate::model::{File, State, expected_state, prefix};
use crate::store::{Entry, FileName, Store};

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Violation {
    /// A checkpoint was made at a line that had held something else.
    LineReused,
    /// A checkpoint was made by a runner that had been superseded.
    StaleCheckpoint,
    /// A record refers to a part that is not there or not whole.
    HalfMade,
    /// The number of a checkpoint is not greater than those before.
    NumberReused,
    /// A claim builds on something else than the newest checkpoint that can be used.
    WrongBase,
    /// A runner believes to have the job by a claim that is not in the log's order.
    StaleClaim,
    /// A checkpoint that was never damaged was passed over.
    PassedOver,
    /// A job was refused though one of its kept checkpoints was never damaged.
    WronglyRefused,
    /// The restored state is not that after the checkpoint's records.
    WrongState,
    /// Output became visible that no checkpoint lists.
    CommittedEarly,
    /// A row became visible twice.
    Doubled,
    /// Visible output is not what its records make.
    WrongRows,
    /// Output that must be visible is not, or not only.
    Lost,
    /// Visible output was taken back without need.
    TakenBack,
    /// A record was deleted that a start may ask for.
    RecordNeeded,
    /// A part was deleted that a kept checkpoint or a savepoint refers to.
    PartNeeded,
    /// Staged output lies around that nobody will ever remove.
    StagingLeaked,
    /// A part or a record does.
    ObjectLeaked,
    /// The job does not come to its end.
    Stuck,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Oracle {
    /// Every line as it was first made.
    history: Vec<Rc<Entry>>,
    /// The newest claim.
    claim: Option<Line>,
    /// What the next start has to build on, as far as nothing is damaged.
    base: Option<Line>,
    /// Checkpoints that no clean-up may touch.
    protected: Vec<Line>,
    /// Lines that claims have left behind.
    dead: Vec<Line>,
    /// The damaged part or record, and whether it is damaged still.
    damage: Option<(Object, bool)>,
    last: Option<CheckpointId>,
    /// A mark for each record whose row is visible.
    marks: u64,
    savepoints: Vec<Rc<Entry>>,
    violation: Option<Violation>,
}

impl Oracle {
    /// The first thing that went wrong.
    pub fn violation(&self) -> Option<Violation> {
        self.violation
    }

    /// Something is wrong unless the condition holds.
    pub fn check(&mut self, holds: bool, violation: Violation) {
        if !holds && self.violation.is_none() {
            self.violation = Some(violation);
        }
    }

    /// The line that the truth is built on.
    pub fn base(&self) -> Option<Line> {
        self.base
    }

    /// Whether a generation is the newest.
    pub fn has_the_job(&self, claim: Line) -> bool {
        self.claim == Some(claim)
    }

    /// The newest claim.
    pub fn claim(&self) -> Option<Line> {
        self.claim
    }

    /// Something is damaged from now on; later it may be mended.
    pub fn damaged(&mut self, object: Object) {
        self.damage = Some((object, true));
    }

    /// The object that is damaged.
    pub fn damage(&self) -> Option<&(Object, bool)> {
        self.damage.as_ref()
    }

    /// It is whole again.
    pub fn mended(&mut self) {
        self.damage.iter_mut().for_each(|(_, still)| *still = false);
    }

    /// Whether the line has been made before.
    pub fn knows(&self, line: Line) -> bool {
        self.entry(line).is_some()
    }

    fn entry(&self, line: Line) -> Option<&Rc<Entry>> {
        self.history.get((line.0 - 1) as usize)
    }

    fn checkpoint(&self, line: Line) -> Option<&Checkpoint> {
        match &self.entry(line)?.record {
            Record::Checkpoint(checkpoint) => Some(checkpoint),
            Record::Claim(_) => None,
        }
    }

    /// The records that a line's checkpoint holds; none without a line.
    fn offset(&self, line: Option<Line>) -> usize {
        let entry = line.and_then(|line| self.entry(line));
        entry.and_then(|entry| entry.body.as_ref()).map_or(0, |body| body.offset)
    }

    /// Whether a line cannot be used because of the damage, now or before.
    fn tainted(&self, line: Line) -> bool {
        match &self.damage {
            Some((Object::Record(damaged), _)) => *damaged == line,
            Some((Object::Part(part), _)) => self.checkpoint(line).is_some_and(|checkpoint| checkpoint.parts.contains(part)),
            _ => false,
        }
    }

    /// A line has been made.
    pub fn created(&mut self, line: Line, entry: &Rc<Entry>, store: &Store) {
        if let Some(first) = self.entry(line) {
            // A claim that came too late; its runner must see that.
            let late_claim = matches!(entry.record, Record::Claim(_));
            let same = first == entry;
            return self.check(late_claim || same, Violation::LineReused);
        }
        self.check(line.0 == self.history.len() as u64 + 1, Violation::StaleClaim);
        self.history.push(Rc::clone(entry));
        match &entry.record {
            Record::Claim(claim) => self.claimed(line, claim),
            Record::Checkpoint(checkpoint) => {
                let stale = self.claim.is_none_or(|claim| Claim::generation(claim) != checkpoint.stamp.generation);
                self.check(!stale, Violation::StaleCheckpoint);
                let whole = |part: &Part| store.has_whole(part) || self.tainted(line);
                let all = checkpoint.parts.iter().all(whole);
                self.check(all, Violation::HalfMade);
                let unknown = matches!(self.damage, Some((Object::Record(_), _)));
                self.check(unknown || Some(checkpoint.stamp.checkpoint) > self.last, Violation::NumberReused);
                self.last = Some(checkpoint.stamp.checkpoint);
                self.protected.retain(|protected| checkpoint.kept.contains(protected));
                self.protected.push(line);
                self.base = Some(line);
            }
        }
    }

    fn claimed(&mut self, line: Line, claim: &Claim) {
        self.claim = Some(line);
        match &self.damage {
            None => self.check(claim.base == self.base && claim.skipped.is_empty(), Violation::WrongBase),
            Some(_) => {
                let better = self.protected.iter().any(|line| Some(*line) > claim.base && !self.tainted(*line));
                let dead = claim.base.is_some_and(|base| self.dead.contains(&base));
                self.check(!better && !dead, Violation::WrongBase);
                let whole = claim.skipped.iter().any(|line| self.protected.contains(line) && !self.tainted(*line));
                self.check(!whole, Violation::PassedOver);
            }
        }
        self.dead.extend(&claim.skipped);
        if claim.base != self.base {
            let known = claim.base.is_some_and(|base| self.protected.contains(&base));
            self.protected.retain(|line| known && Some(*line) <= claim.base);
            self.base = claim.base;
        }
    }

    /// A runner believes to have the job.
    pub fn opened(&mut self, opened: &Opened, store: &Store) {
        let ours = self.entry(opened.line).is_some_and(|entry| match &entry.record {
            Record::Claim(claim) => claim.runner == opened.claim.runner && claim.base == opened.claim.base,
            Record::Checkpoint(_) => false,
        });
        self.check(ours, Violation::StaleClaim);
        // A base beyond the kept ones, all of which are damaged, may go while we look at it.
        let Some((line, base)) = opened.base.as_ref().filter(|(line, _)| self.protected.contains(line)) else { return };
        let whole = base.parts.iter().all(|part| store.has_whole(part)) || self.tainted(*line);
        self.check(whole || !self.has_the_job(opened.line), Violation::HalfMade);
    }

    /// A runner says that no checkpoint can be used.
    pub fn refused(&mut self) {
        let usable = self.protected.iter().any(|line| !self.tainted(*line)) || self.damage.is_none();
        self.check(!usable, Violation::WronglyRefused);
    }

    /// A runner goes on from a state.
    pub fn resumes(&mut self, claim: Line, state: &State) {
        self.check(*state == expected_state(state.offset), Violation::WrongState);
        if self.has_the_job(claim) {
            self.visible_exactly(self.offset(self.base));
        }
    }

    /// A runner believes everything up to here to be committed.
    pub fn committed(&mut self, claim: Line, offset: usize) {
        if self.has_the_job(claim) && self.offset(self.base) == offset {
            self.visible_exactly(offset);
        }
    }

    /// These rows are visible and no others.
    pub fn visible_exactly(&mut self, records: usize) {
        self.check(self.marks == prefix(records), Violation::Lost);
    }

    /// A file has become visible.
    pub fn became_visible(&mut self, name: FileName, file: &File) {
        let lists = |entry: &Rc<Entry>| entry.body.as_ref().is_some_and(|body| body.staged.contains(&name));
        let listed = self.history.iter().rev().any(lists);
        self.check(listed, Violation::CommittedEarly);
        self.check(self.marks & file.marks() == 0, Violation::Doubled);
        self.check(file.is_right(), Violation::WrongRows);
        self.marks |= file.marks();
    }

    /// A visible file has been deleted.
    pub fn taken_back(&mut self, file: &File) {
        self.check(self.damage.is_some() && file.from >= self.offset(self.base), Violation::TakenBack);
        self.marks &= !file.marks();
    }

    /// The power has failed: what is visible now is what readers will find.
    pub fn power_failed(&mut self, store: &Store) {
        let torn = store.visible.iter().any(|(_, kept)| kept.damaged);
        self.check(!torn, Violation::WrongRows);
        self.marks = store.visible.iter().fold(0, |marks, (_, kept)| marks | kept.value.marks());
    }

    /// Something is about to be deleted.
    pub fn deleting(&mut self, object: &Object) {
        match object {
            Object::Record(line) => self.check(!self.protected.contains(line), Violation::RecordNeeded),
            Object::Part(part) => {
                let needs = |checkpoint: &Checkpoint| checkpoint.parts.contains(part);
                let kept = self.protected.iter().any(|line| self.checkpoint(*line).is_some_and(needs));
                let saved = self.savepoints.iter().any(|entry| matches!(&entry.record, Record::Checkpoint(saved) if needs(saved)));
                self.check(!kept && !saved, Violation::PartNeeded);
            }
            Object::Savepoint(_) => {}
        }
    }

    /// A user has been told that a savepoint exists.
    pub fn acknowledged(&mut self, entry: Rc<Entry>, store: &Store) {
        if let Record::Checkpoint(saved) = &entry.record {
            let whole = saved.parts.iter().all(|part| store.has_whole(part)) || self.damage.is_some();
            self.check(whole, Violation::HalfMade);
        }
        self.savepoints.push(entry);
    }
}
