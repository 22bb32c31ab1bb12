//! A runner at work: it takes records, makes checkpoints, commits output and cleans up, all at once and in any order that the steps of
//! the protocol leave open.

use std::rc::Rc;

use tidemill_core::checkpoint::protocol::{self, Checkpoint, Created, Line, Opened, Outcome, Part, Record, Savepoint, Stamp};

use crate::clean_up::CleanUp;
use crate::model::{File, KEYS, KeySum, Parts, RECORDS, State, key};
use crate::mutant::Mutant;
use crate::store::{Body, Effect, Entry, FileName};
use crate::tally::Mark;
use crate::trace::{End, Event};
use crate::world::{Reply, World};

/// Output that has been cut at a boundary and is not known to be visible.
#[derive(Clone, Debug)]
struct Pending {
    name: FileName,
    file: File,
    staged: bool,
    /// A record lists it, so it may be committed.
    listed: bool,
}

/// A checkpoint under way.
#[derive(Debug)]
struct Attempt {
    stamp: Stamp,
    offset: usize,
    /// Where the cut before it was.
    cut_before: usize,
    /// Keys that it writes anew.
    dirty: [bool; KEYS],
    parts: Parts,
    /// What is left to write.
    writes: Vec<(Part, KeySum)>,
    savepoint: Option<Savepoint>,
    /// Once there is a record to create, the attempt is not given up.
    entry: Option<Rc<Entry>>,
}

/// What a runner does.
#[derive(Clone, Copy)]
enum Work {
    Take,
    Begin,
    Attempt,
    Savepoint,
    Commit,
    Clean,
}

/// See the module.
#[derive(Debug)]
pub struct Job {
    claim: Line,
    runner: protocol::Runner,
    state: State,
    /// Digests of the rows since the start, and the record of the first.
    rows: Vec<u64>,
    first: usize,
    /// The record at which output was cut last.
    cut: usize,
    dirty: [bool; KEYS],
    /// Where the sums of the last completed checkpoint are; none before the first when nothing of the base may be referred to.
    parts: Option<Parts>,
    pending: Vec<Pending>,
    attempt: Option<Attempt>,
    /// The savepoint to be made of the completed checkpoint, and whether the copy is there.
    savepoint: Option<(Savepoint, Rc<Entry>, bool)>,
    /// The checkpoint whose output is being committed.
    completed: Option<(Line, Checkpoint, usize)>,
    /// The records of the last checkpoint whose output is committed.
    committed: Option<usize>,
    clean_up: CleanUp,
    /// The number of an attempt that a mutant uses again.
    reused: Option<Stamp>,
    /// Lines that a mutant has passed.
    passed: u64,
}

impl Job {
    /// A job that goes on from a state whose sums are in these parts.
    pub fn new(opened: &Opened, state: State, parts: Option<Parts>, world: &mut World) -> Job {
        let anew = opened.fell_back() && !world.mutates(Mutant::OldPartsAfterFallBack);
        Job {
            claim: opened.line,
            runner: protocol::Runner::new(opened, world.retain),
            state,
            rows: Vec::new(),
            first: state.offset,
            cut: state.offset,
            dirty: [false; KEYS],
            parts: parts.filter(|_| !anew),
            pending: Vec::new(),
            attempt: None,
            savepoint: None,
            completed: None,
            committed: None,
            clean_up: CleanUp::new(opened),
            reused: None,
            passed: 0,
        }
    }

    /// Does one thing.
    pub fn step(&mut self, id: u32, world: &mut World) -> Option<End> {
        if self.committed == Some(RECORDS) && self.attempt.is_none() && self.completed.is_none() && !self.clean_up.is_busy() {
            world.tally.mark(Mark::Finished);
            return Some(End::Finished);
        }
        match self.choose(world)? {
            Work::Take => self.take(),
            Work::Begin => self.begin(id, world),
            Work::Attempt => return self.advance(id, world),
            Work::Savepoint => return self.save(id, world),
            Work::Commit => self.commit(id, world),
            Work::Clean => self.clean_up.step(id, world),
        }
        None
    }

    fn choose(&self, world: &mut World) -> Option<Work> {
        let at_end = self.state.offset == RECORDS;
        // Usually a checkpoint waits for the commit of the one before; sometimes the sink is slow.
        let may_begin = self.attempt.is_none() && self.savepoint.is_none() && (self.completed.is_none() || world.rng.permille(100));
        let weights = [
            (Work::Take, if at_end { 0 } else { 3 }),
            (Work::Begin, usize::from(may_begin && self.committed != Some(RECORDS))),
            (Work::Attempt, if self.attempt.is_some() { 4 } else { 0 }),
            (Work::Savepoint, if self.savepoint.is_some() { 3 } else { 0 }),
            (Work::Commit, if self.completed.is_some() { 3 } else { 0 }),
            (Work::Clean, if self.clean_up.is_busy() { 2 } else { 0 }),
        ];
        let sum = weights.iter().map(|(_, weight)| weight).sum::<usize>();
        let mut luck = if sum == 0 { return None } else { world.rng.below(sum) };
        let chosen = weights.iter().find(|(_, weight)| {
            let hit = luck < *weight;
            luck = luck.wrapping_sub(*weight);
            hit
        });
        chosen.map(|(work, _)| *work)
    }

    fn take(&mut self) {
        self.dirty[key(self.state.offset)] = true;
        self.rows.push(self.state.take());
    }

    /// A boundary: output is cut, the state is noted.
    fn begin(&mut self, id: u32, world: &mut World) {
        let stamp = self.reused.take().unwrap_or_else(|| self.runner.begin());
        let offset = self.state.offset;
        world.note(id, Event::Begins(stamp, offset));
        let cut_before = std::mem::replace(&mut self.cut, offset);
        let middle = cut_before + (offset - cut_before) / 2;
        for (number, (from, to)) in (0..).zip([(cut_before, middle), (middle, offset)]) {
            if from < to {
                let rows = &self.rows[from - self.first..to - self.first];
                let digest = rows.iter().fold(0, |sum: u64, row| sum.wrapping_add(*row));
                let file = File { from, to, digest };
                self.pending.push(Pending { name: FileName { stamp, number }, file, staged: false, listed: false });
            }
        }
        let dirty = std::mem::take(&mut self.dirty);
        let sums = self.state.sums;
        let contents: [KeySum; KEYS] = std::array::from_fn(|key| KeySum { key, sum: sums[key] });
        let old = self.parts;
        let parts = contents.map(|content| match old {
            Some(old) if !dirty[content.key] => old[content.key],
            _ => Part { stamp, hash: content.hash() },
        });
        let new = contents.into_iter().filter(|content| parts[content.key].stamp == stamp);
        let mut writes: Vec<_> = new.map(|content| (parts[content.key], content)).collect();
        if !writes.is_empty() && world.mutates(Mutant::RecordBeforeParts) {
            writes.pop();
        }
        let savepoint = world.rng.permille(100).then(|| format!("s{id}-{}", stamp.checkpoint).parse().expect("small letters and digits"));
        let attempt = Attempt { stamp, offset, cut_before, dirty, parts, writes, savepoint, entry: None };
        self.attempt = Some(attempt);
    }

    /// One step of the attempt: a part, a file, the savepoint, the record.
    fn advance(&mut self, id: u32, world: &mut World) -> Option<End> {
        let attempt = self.attempt.as_mut()?;
        if let Some((part, content)) = attempt.writes.last().copied() {
            match world.change(id, Effect::Part(part, content)) {
                Some(_) => drop(attempt.writes.pop()),
                None => self.perhaps_give_up(id, world),
            }
            return None;
        }
        if let Some(next) = self.pending.iter_mut().find(|pending| !pending.staged) {
            match world.change(id, Effect::Stage(next.name, next.file)) {
                Some(_) => next.staged = true,
                None => self.perhaps_give_up(id, world),
            }
            return None;
        }
        if let Some(early) = self.pending.iter().position(|pending| !pending.listed)
            && world.mutates(Mutant::CommitBeforeRecord)
        {
            world.change(id, Effect::Commit(self.pending.remove(early).name));
            return None;
        }
        let entry = match &attempt.entry {
            Some(entry) => Rc::clone(entry),
            None => {
                let forgets = self.pending.iter().any(|pending| pending.listed) && world.mutates(Mutant::UncommittedForgotten);
                let listed = self.pending.iter().filter(|pending| !(forgets && pending.listed));
                let body = Body { offset: attempt.offset, parts: attempt.parts, staged: listed.map(|pending| pending.name).collect() };
                let record = Record::Checkpoint(self.runner.record(attempt.stamp, attempt.parts.to_vec()));
                if self.pending.iter().any(|pending| pending.listed) {
                    world.tally.mark(Mark::Carried);
                }
                Rc::clone(attempt.entry.insert(Rc::new(Entry { record, body: Some(body) })))
            }
        };
        let line = Line(self.runner.next().0 + self.passed);
        match world.change(id, Effect::Create(line, Rc::clone(&entry))) {
            Some(Reply::Created(created)) => self.created(id, &entry, &created, world),
            _ if world.mutates(Mutant::DoubtIsFailure) => {
                self.undo();
                None
            }
            _ => None,
        }
    }

    fn created(&mut self, id: u32, entry: &Rc<Entry>, created: &Created, world: &mut World) -> Option<End> {
        let Record::Checkpoint(record) = &entry.record else { unreachable!("a job makes checkpoints") };
        let line = match self.runner.created(record, created) {
            Outcome::Completed(line) => line,
            Outcome::Again => return None,
            Outcome::Superseded if world.mutates(Mutant::IgnoreSuccessor) => {
                self.passed += 1;
                return None;
            }
            Outcome::Superseded => {
                world.tally.mark(Mark::Superseded);
                return Some(End::Superseded);
            }
        };
        let attempt = self.attempt.take()?;
        world.note(id, Event::Completed(line));
        self.savepoint = attempt.savepoint.map(|name| (name, Rc::clone(entry), false));
        self.parts = Some(attempt.parts);
        self.pending.iter_mut().for_each(|pending| pending.listed = true);
        self.completed = Some((line, record.clone(), attempt.offset));
        None
    }

    /// Copies the record, then looks whether the job is still ours.
    fn save(&mut self, id: u32, world: &mut World) -> Option<End> {
        let (name, entry, copied) = self.savepoint.as_mut()?;
        if !*copied {
            *copied = world.change(id, Effect::Savepoint(name.clone(), Rc::clone(entry))).is_some();
            return None;
        }
        let next = self.runner.next();
        if !world.reads(id, Event::Reads(Some(next))) {
            return None;
        }
        if self.runner.is_superseded(&world.store.read(next)) && !world.mutates(Mutant::SavepointUnconfirmed) {
            world.tally.mark(Mark::Orphan);
            return Some(End::Superseded);
        }
        world.tally.mark(Mark::Savepoint);
        self.clean_up.made(name, &entry.record);
        world.oracle.acknowledged(Rc::clone(entry), &world.store);
        self.savepoint = None;
        None
    }

    /// Commits one file that a record lists; after the last one, clean-up has something to do.
    fn commit(&mut self, id: u32, world: &mut World) {
        if let Some(next) = self.pending.iter().position(|pending| pending.listed) {
            if world.change(id, Effect::Commit(self.pending[next].name)).is_some() {
                self.pending.remove(next);
            }
        } else if self.savepoint.is_none()
            && let Some((line, record, offset)) = self.completed.take()
        {
            world.note(id, Event::Committed(offset));
            world.oracle.committed(self.claim, offset);
            self.committed = Some(offset);
            self.clean_up.completed(line, &record, world);
        }
    }

    fn perhaps_give_up(&mut self, id: u32, world: &mut World) {
        if !world.rng.permille(300) {
            return;
        }
        if let Some(attempt) = self.attempt.take() {
            world.note(id, Event::GivesUp(attempt.stamp));
            world.tally.mark(Mark::GivenUp);
            (0..KEYS).for_each(|key| self.dirty[key] |= attempt.dirty[key]);
        }
    }

    /// The mutant's way out of doubt: as if the attempt had never begun, its number included.
    fn undo(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            (0..KEYS).for_each(|key| self.dirty[key] |= attempt.dirty[key]);
            self.pending.retain(|pending| pending.name.stamp != attempt.stamp);
            self.cut = attempt.cut_before;
            self.reused = Some(attempt.stamp);
        }
    }
}
