//! The steps of one checkpoint: parts, record, commit, clean-up, and what they come to.

use tidemill_core::checkpoint::CheckpointId;
use tidemill_core::checkpoint::protocol::{self, Created, Found, Line, Object, Outcome, Plan, Savepoint, name};

use super::run::{Attempt, Phase, Run};
use super::write::{self, Prepared};
use super::{Ending, Event, Granted, Last, Wish};
use crate::directory;
use crate::error::Error;
use crate::manifest::Manifest;
use crate::part::Origin;
use crate::record;

impl Run {
    /// Everything for the checkpoint is there: writes its parts, then its record.
    pub(super) fn write(&mut self, mut attempt: Attempt) {
        self.apply_merge();
        attempt.gathering = self.now().saturating_sub(attempt.begun);
        match self.prepare(&attempt) {
            Ok(prepared) => {
                self.phase = Phase::Recording(attempt, Box::new(prepared));
                self.record();
            }
            Err(error) => self.fail(attempt, error),
        }
    }

    fn prepare(&mut self, attempt: &Attempt) -> Result<Prepared, Error> {
        let stamp = attempt.stamp;
        // The final one takes whatever numbers the last handovers bear.
        self.slots.absorb(if attempt.is_final { CheckpointId(u64::MAX) } else { stamp.checkpoint })?;
        let ((job, _, groups), plan) = (self.job.clone(), attempt.plan.clone());
        let (layers, written) = write::parts(&self.store, Origin { stamp, groups }, &mut self.slots, self.adopt.as_ref())?;
        let operators = self.slots.operators.iter().zip(&layers).map(|(operator, layers)| operator.saved(layers.clone())).collect();
        let finished = attempt.is_final && self.finish.as_ref().is_some_and(|finish| finish.ending == Ending::Finished);
        let manifest = Manifest {
            job,
            stamp,
            line: self.runner.next(),
            kept: self.runner.record(stamp, Vec::new()).kept,
            created_ms: (self.hooks.now)(),
            plan,
            groups,
            finished,
            savepoint: None,
            operators,
        };
        Ok(Prepared::new(manifest, layers, written))
    }

    /// Creates the record, or finds out what became of an earlier try.
    pub(super) fn record(&mut self) -> bool {
        let Phase::Recording(attempt, prepared) = &self.phase else { return false };
        let stamp = attempt.stamp;
        let created = directory::create(&self.store, prepared.manifest.line, &prepared.bytes);
        let outcome = created.map(|created: Created| self.runner.created(&prepared.facts, &created));
        match outcome {
            Ok(Outcome::Completed(line)) => self.complete(line),
            Ok(Outcome::Superseded) => self.lose(),
            Ok(Outcome::Again) => self.failed(stamp, Error::Missing { file: Object::Record(self.runner.next()).path() }),
            Err(error) => self.failed(stamp, error),
        }
        true
    }

    fn complete(&mut self, line: Line) {
        let Phase::Recording(attempt, prepared) = std::mem::replace(&mut self.phase, Phase::Idle) else { return };
        let Prepared { manifest, facts, layers, written, .. } = *prepared;
        self.slots.completed(layers);
        self.adopt = None;
        if let Some(finish) = &mut self.finish {
            finish.reason = None;
        }
        if self.merge.is_none() && self.merged.is_none() {
            self.guarded.clear();
        }
        self.commit();
        let now = self.now();
        self.trigger.completed(now);
        let last = Last {
            checkpoint: attempt.stamp.checkpoint,
            written,
            bytes: manifest.bytes(),
            gathering: attempt.gathering,
            duration: now.saturating_sub(attempt.begun),
        };
        self.update(|statistics| {
            statistics.count += 1;
            (statistics.last, statistics.pending) = (Some(last), None);
        });
        (self.hooks.event)(Event::Completed(last));
        self.cleaner.completed(line, &facts);
        let granted: Vec<_> = attempt.wishes.into_iter().map(|(wish, answer)| (answer, self.grant(wish, &manifest))).collect();
        if granted.iter().any(|(_, granted)| *granted == Err(Error::Superseded)) {
            self.lose();
        } else {
            if let Err(error) = self.clean() {
                (self.hooks.event)(Event::Trouble(format!("clean-up: {error}")));
            }
            if attempt.is_final { self.end(Ok(())) } else { self.start_merge() }
        }
        for (answer, granted) in granted {
            // Whoever asked may be gone.
            let _ = answer.send(granted);
        }
    }

    /// Another runner has the job.
    fn lose(&mut self) {
        (self.hooks.event)(Event::Superseded);
        self.end(Err(Error::Superseded));
    }

    fn grant(&mut self, wish: Wish, manifest: &Manifest) -> Granted {
        match wish {
            Wish::Checkpoint => Ok(manifest.clone()),
            Wish::Savepoint(name) => self.savepoint(manifest, &name),
            Wish::Copy(name, to) => write::copy(&self.store, manifest, &to, &name),
        }
    }

    /// Copies the record, and looks whether the job is ours still: if so, whoever takes it finds the copy before he deletes anything.
    fn savepoint(&mut self, manifest: &Manifest, name: &Savepoint) -> Granted {
        let copy = write::savepoint(&self.store, manifest, name)?;
        let (found, _) = record::find(&self.store, &Object::Record(self.runner.next()))?;
        if self.runner.is_superseded(&found) {
            return Err(Error::Superseded);
        }
        self.cleaner.learn(&Object::Savepoint(name.clone()), &Found::Record(protocol::Record::Checkpoint(copy.facts())));
        Ok(copy)
    }

    /// Makes staged output visible; what cannot be stays staged for the next checkpoint.
    fn commit(&mut self) {
        let mut uncommitted = 0;
        for operator in self.slots.operators.iter_mut().filter(|operator| !operator.staged.is_empty()) {
            match (self.hooks.commit)(&operator.expected.name, &operator.staged) {
                Ok(()) => operator.staged.clear(),
                Err(error) => {
                    uncommitted += operator.staged.len();
                    let operator = operator.expected.name.clone();
                    (self.hooks.event)(Event::Uncommitted { operator, reason: error.to_string() });
                }
            }
        }
        self.update(|statistics| statistics.uncommitted = uncommitted);
    }

    fn clean(&mut self) -> Result<(), Error> {
        self.cleaner.begin();
        let mut listed = Vec::new();
        for folder in [name::LOG, name::PARTS, name::SAVEPOINTS] {
            listed.extend(self.store.list(folder)?.iter().filter_map(|entry| Object::parse(&entry.name)));
        }
        listed.retain(|object| !matches!(object, Object::Part(part) if self.guarded.contains(&part.stamp)));
        loop {
            match self.cleaner.plan(&listed) {
                Plan::Read(objects) => {
                    for object in objects {
                        let (found, _) = record::find(&self.store, &object)?;
                        self.cleaner.learn(&object, &found);
                    }
                }
                Plan::Delete(objects) => return objects.iter().try_for_each(|object| self.store.delete(&object.path())),
            }
        }
    }

    fn apply_merge(&mut self) {
        let Some(done) = self.merged.take() else { return };
        if let Some(merge) = self.merge.take() {
            merge.stop();
        }
        if let Err(error) = &done.result {
            (self.hooks.event)(Event::Trouble(format!("merging layers: {error}")));
        }
        let index = done.operator;
        if let Some(bytes) = done.apply(&mut self.slots.operators[index]) {
            self.update(|statistics| statistics.merges = (statistics.merges.0 + 1, statistics.merges.1 + bytes));
        }
    }

    fn start_merge(&mut self) {
        if self.merge.is_some() || self.merged.is_some() {
            return;
        }
        if let Some(due) = super::merge::due(&self.slots.operators) {
            let stamp = self.runner.begin();
            self.merge = super::merge::Merge::start(&self.store, (stamp, self.job.2), &self.slots.operators, due, self.sender.clone());
            self.guarded.push(stamp);
        }
    }
}
