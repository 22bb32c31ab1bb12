//! Drives a [`Cleaner`]: lists, reads what it asks for, deletes what it says, one operation at a time and while the job goes on.

use tidemill_core::checkpoint::protocol::{Checkpoint, Cleaner, Found, Line, Object, Opened, Plan, Record, Savepoint};

use crate::mutant::Mutant;
use crate::store::Effect;
use crate::tally::Mark;
use crate::trace::Event;
use crate::world::World;

/// What is to be done with an object.
#[derive(Clone, Debug)]
enum Todo {
    Read(Object),
    Delete(Object),
}

/// See the module.
#[derive(Debug)]
pub struct CleanUp {
    cleaner: Cleaner,
    /// The newest checkpoint of this runner.
    newest: Option<(Line, Checkpoint)>,
    /// The one that was the newest when this clean-up began.
    bound: Option<(Line, Checkpoint)>,
    wanted: bool,
    listed: Option<Vec<Object>>,
    /// From back to front.
    todo: Vec<Todo>,
}

impl CleanUp {
    /// For a runner that has just opened the job.
    pub fn new(opened: &Opened) -> CleanUp {
        CleanUp { cleaner: Cleaner::new(opened), newest: None, bound: None, wanted: false, listed: None, todo: Vec::new() }
    }

    /// Whether there is something to do.
    pub fn is_busy(&self) -> bool {
        self.wanted || self.listed.is_some() || !self.todo.is_empty()
    }

    /// A checkpoint is complete and committed.
    pub fn completed(&mut self, line: Line, record: &Checkpoint, world: &World) {
        self.cleaner.completed(line, record);
        self.newest = Some((line, record.clone()));
        self.wanted = !world.setting.no_clean_up;
    }

    /// A savepoint has been made.
    pub fn made(&mut self, name: &Savepoint, record: &Record) {
        self.cleaner.learn(&Object::Savepoint(name.clone()), &Found::Record(record.clone()));
    }

    /// Does one thing.
    pub fn step(&mut self, id: u32, world: &mut World) {
        match self.todo.last().cloned() {
            Some(Todo::Read(object)) => {
                let found = match &object {
                    Object::Record(line) if world.reads(id, Event::Reads(Some(*line))) => world.store.read(*line),
                    Object::Savepoint(name) if world.reads(id, Event::Reads(None)) => world.store.read_savepoint(name),
                    _ => return,
                };
                self.cleaner.learn(&object, &found);
                self.todo.pop();
            }
            Some(Todo::Delete(object)) => {
                // What cannot be deleted now is found again by a later clean-up.
                world.change(id, Effect::Delete(object));
                self.todo.pop();
            }
            None => self.look(id, world),
        }
    }

    fn look(&mut self, id: u32, world: &mut World) {
        let Some(listed) = &self.listed else {
            if world.reads(id, Event::Lists) {
                self.wanted = false;
                self.cleaner.begin();
                self.bound.clone_from(&self.newest);
                self.listed = Some(listing(world));
            }
            return;
        };
        match self.cleaner.plan(listed) {
            Plan::Read(objects) => self.todo = objects.into_iter().map(Todo::Read).collect(),
            Plan::Delete(mut objects) => {
                if !self.cleaner.unreadable(listed).is_empty() {
                    world.tally.mark(Mark::KeptBack);
                }
                if let Some((line, newest)) = &self.bound {
                    spoil(&mut objects, listed, *line, newest, world);
                }
                self.todo = objects.into_iter().rev().map(Todo::Delete).collect();
                self.listed = None;
            }
        }
    }
}

fn listing(world: &mut World) -> Vec<Object> {
    let (now, lag) = (world.now, world.lag);
    let mut listed: Vec<Object> = world.store.log.listed(now, lag).into_iter().map(Object::Record).collect();
    listed.extend(world.store.parts.listed(now, lag).into_iter().map(Object::Part));
    let savepoints = world.store.savepoints.listed(now, lag);
    if savepoints.is_empty() || !world.mutates(Mutant::SavepointsForgotten) {
        listed.extend(savepoints.into_iter().map(Object::Savepoint));
    }
    listed
}

/// What mutants do to a plan.
fn spoil(objects: &mut Vec<Object>, listed: &[Object], line: Line, newest: &Checkpoint, world: &mut World) {
    let floor = newest.kept.first().copied().unwrap_or(line);
    let Some(mutant) = world.setting.mutant else { return };
    let before = objects.len();
    match mutant {
        Mutant::PartsLeft => objects.retain(|object| !matches!(object, Object::Part(_))),
        Mutant::YoungPartsDeleted => {
            let young = listed.iter().filter(|object| matches!(object, Object::Part(part) if part.stamp > newest.stamp));
            objects.extend(young.cloned());
        }
        Mutant::KeptForgotten => {
            let old = |part| !newest.parts.contains(part) && part.stamp <= newest.stamp && !objects.contains(&Object::Part(*part));
            let old: Vec<_> = listed.iter().filter(|object| matches!(object, Object::Part(part) if old(part))).cloned().collect();
            objects.extend(old);
        }
        Mutant::ClaimsDeleted => {
            let claims = listed.iter().filter(|object| matches!(object, Object::Record(line) if *line < floor));
            let claims: Vec<_> = claims.filter(|object| !objects.contains(object)).cloned().collect();
            objects.extend(claims);
        }
        _ => {}
    }
    if objects.len() != before {
        world.mutates(mutant);
    }
}
