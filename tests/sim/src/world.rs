//! The world of a run: a store that answers, or does not, or does what it was told long after; and the oracle that watches it.

use std::rc::Rc;

use tidemill_core::checkpoint::protocol::{Created, Line, Object, Record};

use crate::mutant::Mutant;
use crate::oracle::{Oracle, Violation};
use crate::rng::Rng;
use crate::store::{Effect, Entry, Store};
use crate::tally::{Mark, Tally};
use crate::trace::{Event, Fate, Trace};

/// What a run is asked to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setting {
    /// A fault put into the protocol.
    pub mutant: Option<Mutant>,
    /// Ticks by which listings of the checkpoint directory lag at most; the protocol asks for 0.
    pub lag_max: u32,
    /// Nothing is ever deleted from the checkpoint directory.
    pub no_clean_up: bool,
    /// Nothing is damaged.
    pub no_damage: bool,
    /// Keep the text of the trace.
    pub text: bool,
}

/// How often what goes wrong in a run, in a thousand.
#[derive(Clone, Copy, Debug, Default)]
struct Rates {
    fails: usize,
    reply_lost: usize,
    late: usize,
    unreachable: usize,
}

/// The answer to a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It has been done.
    Done,
    /// What creating came to.
    Created(Created),
    /// Whether the file was there to be moved.
    Moved(bool),
}

/// See the module.
#[derive(Debug)]
pub struct World {
    /// Ticks since the begin.
    pub now: u32,
    /// All chance.
    pub rng: Rng,
    /// The directories.
    pub store: Store,
    /// Who watches.
    pub oracle: Oracle,
    /// What has happened.
    pub trace: Trace,
    /// What has been seen at all.
    pub tally: Tally,
    /// Checkpoints that runners keep.
    pub retain: usize,
    /// Ticks by which listings lag.
    pub lag: u32,
    /// What was asked for.
    pub setting: Setting,
    /// How often the mutant did something.
    pub fired: u32,
    rates: Rates,
    late: Vec<(u32, u32, Effect)>,
}

impl World {
    /// The world of a seed.
    pub fn new(seed: u64, setting: Setting) -> World {
        let mut rng = Rng::new(seed);
        let bad = rng.permille(850);
        let mut rate = |most: usize| if bad { rng.below(most + 1) } else { 0 };
        let rates = Rates { fails: rate(80), reply_lost: rate(80), late: rate(60), unreachable: rate(60) };
        let retain = 1 + rng.below(3);
        let lag = if setting.lag_max == 0 { 0 } else { 1 + rng.below(setting.lag_max as usize) as u32 };
        World {
            now: 0,
            rng,
            store: Store::default(),
            oracle: Oracle::default(),
            trace: Trace::new(setting.text),
            tally: Tally::default(),
            retain,
            lag,
            setting,
            fired: 0,
            rates,
            late: Vec::new(),
        }
    }

    /// Whether the mutant of this run is this one. To be asked where it changes something.
    pub fn mutates(&mut self, mutant: Mutant) -> bool {
        let mutates = self.setting.mutant == Some(mutant);
        self.fired += u32::from(mutates);
        mutates
    }

    /// Adds to the trace.
    pub fn note(&mut self, runner: u32, event: Event) {
        self.trace.add(self.now, Some(runner), event);
    }

    /// Adds to the trace what concerns everybody.
    pub fn note_all(&mut self, event: Event) {
        self.trace.add(self.now, None, event);
    }

    /// No more faults from now on; what is late lands.
    pub fn calm_down(&mut self) {
        self.note_all(Event::Calm);
        self.rates = Rates::default();
        self.land(u32::MAX);
    }

    /// A reading: whether the store can be reached.
    pub fn reads(&mut self, runner: u32, event: Event) -> bool {
        let fine = !self.rng.permille(self.rates.unreachable);
        self.note(runner, if fine { event } else { Event::Unreachable });
        fine
    }

    /// A change: its answer, or none when the caller is left in the dark.
    pub fn change(&mut self, runner: u32, effect: Effect) -> Option<Reply> {
        let fate = self.fate(&effect);
        self.note(runner, described(&effect, fate));
        match fate {
            Fate::Fails => None,
            Fate::Fine => Some(self.happen(effect)),
            Fate::ReplyLost => {
                self.happen(effect);
                None
            }
            Fate::Late(ticks) => {
                self.late.push((self.now + ticks, runner, effect));
                None
            }
        }
    }

    fn fate(&mut self, effect: &Effect) -> Fate {
        let Rates { fails, reply_lost, late, .. } = self.rates;
        let luck = self.rng.below(1000);
        // A file that is staged after its attempt has been given up would lie around until the next start, which is no fault.
        let late = if matches!(effect, Effect::Stage(..)) { 0 } else { late };
        match luck {
            luck if luck < fails => Fate::Fails,
            luck if luck < fails + reply_lost => Fate::ReplyLost,
            luck if luck < fails + reply_lost + late => {
                let most = if self.rng.permille(200) { 400 } else { 20 };
                Fate::Late(1 + self.rng.below(most) as u32)
            }
            _ => Fate::Fine,
        }
    }

    /// What is late and due happens.
    pub fn land(&mut self, until: u32) {
        let mut index = 0;
        while index < self.late.len() {
            if self.late[index].0 > until {
                index += 1;
                continue;
            }
            let (_, runner, effect) = self.late.swap_remove(index);
            self.note(runner, Event::Lands);
            self.tally.mark(Mark::LandedLate);
            self.happen(effect);
        }
    }

    /// The power fails, for everybody, and what was under way is gone.
    pub fn lose_power(&mut self) {
        self.note_all(Event::PowerFails);
        self.late.clear();
        self.store.lose_power(&mut self.rng);
        self.oracle.power_failed(&self.store);
    }

    fn happen(&mut self, effect: Effect) -> Reply {
        let now = self.now;
        match effect {
            Effect::Create(line, entry) => self.create(line, &entry),
            Effect::Part(part, content) => {
                let synced = !self.mutates(Mutant::PartsNotSynced);
                self.store.parts.put(part, content, synced, now);
                Reply::Done
            }
            Effect::Savepoint(name, entry) => {
                if self.store.savepoints.get(&name).is_none() {
                    self.store.savepoints.put(name, entry, true, now);
                }
                Reply::Done
            }
            Effect::Delete(object) => {
                self.delete(&object);
                Reply::Done
            }
            Effect::Stage(name, file) => {
                let synced = !self.mutates(Mutant::StagedNotSynced);
                self.store.staged.put(name, file, synced, now);
                Reply::Done
            }
            Effect::Commit(name) => {
                let durably = !self.mutates(Mutant::CommitsNotSynced);
                let moved = self.store.commit(name, durably);
                if moved && let Some(file) = self.store.visible.get(&name) {
                    self.oracle.became_visible(name, &file.value);
                }
                Reply::Moved(moved)
            }
            Effect::Unstage(name) => {
                self.store.staged.delete(&name, true, now);
                Reply::Done
            }
            Effect::TakeBack(name) => {
                if let Some(file) = self.store.visible.delete(&name, true, now) {
                    self.oracle.taken_back(&file.value);
                    self.tally.mark(Mark::TookBack);
                }
                Reply::Done
            }
        }
    }

    fn create(&mut self, line: Line, entry: &Rc<Entry>) -> Reply {
        let synced = !self.mutates(Mutant::RecordsNotSynced);
        let mut created = self.store.create(line, entry, synced, self.now);
        if matches!(created, Created::Other(_)) && self.mutates(Mutant::RecordsOverwrite) {
            self.store.log.put(line, Rc::clone(entry), synced, self.now);
            created = Created::New;
        }
        match created {
            Created::New => {
                if self.oracle.knows(line) {
                    let claim = matches!(entry.record, Record::Claim(_));
                    self.tally.mark(if claim { Mark::ClaimedFreedLine } else { Mark::CreatedAfterDeletion });
                }
                self.oracle.created(line, entry, &self.store);
            }
            Created::Same => self.tally.mark(Mark::CreatedTwice),
            Created::Other(_) => {}
        }
        Reply::Created(created)
    }

    fn delete(&mut self, object: &Object) {
        let now = self.now;
        self.oracle.deleting(object);
        let gone = match object {
            Object::Record(line) => self.store.log.delete(line, false, now).is_some(),
            Object::Part(part) => self.store.parts.delete(part, false, now).is_some(),
            Object::Savepoint(name) => self.store.savepoints.delete(name, false, now).is_some(),
        };
        if gone {
            self.tally.mark(if matches!(object, Object::Part(_)) { Mark::DeletedPart } else { Mark::DeletedRecord });
        }
    }

    /// The run has failed.
    pub fn violate(&mut self, violation: Violation) {
        self.oracle.check(false, violation);
    }
}

fn described(effect: &Effect, fate: Fate) -> Event {
    match effect {
        Effect::Create(line, entry) => match &entry.record {
            Record::Claim(_) => Event::Claim(*line, fate),
            Record::Checkpoint(checkpoint) => Event::Checkpoint(*line, checkpoint.stamp, fate),
        },
        Effect::Part(part, content) => Event::Part(part.stamp, content.key, fate),
        Effect::Savepoint(_, _) => Event::Savepoint(fate),
        Effect::Delete(Object::Record(line)) => Event::DeleteRecord(*line, fate),
        Effect::Delete(Object::Part(part)) => Event::DeletePart(part.stamp, fate),
        Effect::Delete(Object::Savepoint(_)) => unreachable!("no runner deletes a savepoint"),
        Effect::Stage(name, file) => Event::Stage(*name, file.from, file.to, fate),
        Effect::Commit(name) => Event::Commit(*name, fate),
        Effect::Unstage(name) => Event::Unstage(*name, fate),
        Effect::TakeBack(name) => Event::TakeBack(*name, fate),
    }
}
