//! A runner from its start to its end, one operation at a time: between any two it may be paused for as long as you like, or die.

use std::rc::Rc;

use tidemill_core::checkpoint::protocol::{
    Answer, Claim, Created, Found, Line, Opened, Opening, Record, Refused, RunnerId, Staged, Step, Verdict, Visible,
};

use crate::job::Job;
use crate::model::{KEYS, State};
use crate::mutant::Mutant;
use crate::store::{Body, Effect, Entry};
use crate::tally::Mark;
use crate::trace::{End, Event};
use crate::world::{Reply, World};

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a few runners at a time: not worth a box for each start")]
enum Phase {
    Starting(Start),
    Righting(Box<Righting>),
    Running(Box<Job>),
    Ended,
}

/// A runner.
#[derive(Debug)]
pub struct Runner {
    /// Its number.
    pub id: u32,
    /// It does nothing before this tick.
    pub paused_until: u32,
    /// After so many steps it falls asleep for so long.
    nap: Option<(u32, u32)>,
    phase: Phase,
}

impl Runner {
    /// A runner that begins.
    pub fn new(id: u32, world: &mut World) -> Runner {
        world.note(id, Event::Starts);
        let known_as = if id > 1 && world.mutates(Mutant::EqualRunners) { 1 } else { id };
        let start = Start { opening: Opening::new(RunnerId(u64::from(known_as))), base: None, claimed: None };
        // In the middle of a start, where a store may look quite different afterwards.
        let nap = world.rng.permille(200).then(|| (1 + world.rng.below(12) as u32, 1 + world.rng.below(300) as u32));
        Runner { id, paused_until: 0, nap, phase: Phase::Starting(start) }
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// Ends it from outside.
    pub fn kill(&mut self) {
        self.phase = Phase::Ended;
    }

    /// Pauses it.
    pub fn pause(&mut self, until: u32, world: &mut World) {
        self.paused_until = until;
        world.note(self.id, Event::Pauses(until));
    }

    /// Does one thing; answers how it ended if it did.
    pub fn step(&mut self, world: &mut World) -> Option<End> {
        if let Some((steps, ticks)) = &mut self.nap {
            *steps -= 1;
            if *steps == 0 {
                let until = world.now + *ticks;
                self.nap = None;
                self.pause(until, world);
            }
        }
        let (next, end) = match &mut self.phase {
            Phase::Starting(start) => start.step(self.id, world),
            Phase::Righting(righting) => righting.step(self.id, world),
            Phase::Running(job) => (None, job.step(self.id, world)),
            Phase::Ended => (None, None),
        };
        if let Some(next) = next {
            self.phase = next;
        }
        if let Some(end) = end {
            world.note(self.id, Event::Ends(end));
            self.phase = Phase::Ended;
        }
        end
    }
}

/// Drives an [`Opening`].
#[derive(Debug)]
struct Start {
    opening: Opening,
    /// The checkpoint read last.
    base: Option<Rc<Entry>>,
    /// The line of a claim that is yet to be confirmed.
    claimed: Option<Line>,
}

impl Start {
    fn step(&mut self, id: u32, world: &mut World) -> (Option<Phase>, Option<End>) {
        if let Some(answer) = self.ask(id, world) {
            self.opening.answer(answer);
        }
        match self.opening.step() {
            Step::Opened(opened) => (Some(self.opened(id, opened, world)), None),
            Step::Refused(Refused::NothingUsable(_)) => {
                world.tally.mark(Mark::Refused);
                world.oracle.refused();
                (None, Some(End::Refused))
            }
            Step::Refused(Refused::Contended) => {
                world.tally.mark(Mark::Contended);
                (None, Some(End::Superseded))
            }
            _ => (None, None),
        }
    }

    fn ask(&mut self, id: u32, world: &mut World) -> Option<Answer> {
        match self.opening.step() {
            Step::List => self.list(id, world),
            Step::Read(line) => self.read(id, line, world),
            Step::Create(line, claim) => self.create(id, line, claim, world),
            Step::Judge(line, checkpoint) => world.reads(id, Event::Reads(Some(line))).then(|| {
                let verdict = world.store.judge(&checkpoint.parts);
                let unseen = verdict != Verdict::Whole && world.mutates(Mutant::BaseNotJudged);
                Answer::Judged(if unseen { Verdict::Whole } else { verdict })
            }),
            Step::Opened(_) | Step::Refused(_) => None,
        }
    }

    fn list(&mut self, id: u32, world: &mut World) -> Option<Answer> {
        if !world.reads(id, Event::Lists) {
            return None;
        }
        let mut lines = world.store.log.listed(world.now, world.lag);
        if let Some(claimed) = self.claimed.take()
            && lines.iter().any(|line| *line > claimed)
        {
            world.tally.mark(Mark::ClaimedAgain);
            if world.mutates(Mutant::NoConfirmation) {
                lines.retain(|line| *line <= claimed);
            }
        }
        Some(Answer::Listed(lines))
    }

    fn read(&mut self, id: u32, line: Line, world: &mut World) -> Option<Answer> {
        if !world.reads(id, Event::Reads(Some(line))) {
            return None;
        }
        if let Some(there) = world.store.log.get(&line).filter(|there| there.value.body.is_some()) {
            self.base = Some(Rc::clone(&there.value));
        }
        let found = world.store.read(line);
        Some(Answer::Read(ignoring_claims(line, found, world)))
    }

    fn create(&mut self, id: u32, line: Line, claim: Claim, world: &mut World) -> Option<Answer> {
        let entry = Entry { record: Record::Claim(claim), body: None };
        let Reply::Created(mut created) = world.change(id, Effect::Create(line, Rc::new(entry)))? else {
            unreachable!("creating answers what it came to")
        };
        self.claimed = created.is_ours().then_some(line);
        if let Created::Other(found) = &mut created {
            *found = ignoring_claims(line, found.clone(), world);
        }
        Some(Answer::Created(created))
    }

    fn opened(&mut self, id: u32, opened: Opened, world: &mut World) -> Phase {
        world.note(id, Event::Opened(opened.line, opened.claim.base));
        world.oracle.opened(&opened, &world.store);
        if opened.fell_back() {
            world.tally.mark(Mark::FellBack);
        }
        let base = opened.base.is_some().then(|| self.base.take()).flatten();
        let body = base.and_then(|base| base.body.clone());
        Phase::Righting(Box::new(Righting { opened, body, task: Task::Commit, todo: None, state: State::default() }))
    }
}

/// The mutant's way to read a claim: the base is the newest checkpoint there is.
fn ignoring_claims(line: Line, found: Found, world: &mut World) -> Found {
    let Found::Record(Record::Claim(claim)) = &found else { return found };
    let older = world.store.log.iter().filter(|(older, there)| **older < line && there.value.body.is_some() && !there.damaged);
    let newest = older.map(|(older, _)| *older).max();
    if newest == claim.base || !world.mutates(Mutant::IgnoreClaims) {
        return found;
    }
    Found::Record(Record::Claim(Claim { base: newest, skipped: Vec::new(), ..claim.clone() }))
}

/// What a start puts right, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Commit,
    Unstage,
    TakeBack,
    Load(usize),
}

/// Between the claim and the first record: output is put right and the state read.
#[derive(Debug)]
struct Righting {
    opened: Opened,
    body: Option<Body>,
    task: Task,
    /// What is left of the task, from back to front; none before it has been looked at.
    todo: Option<Vec<Effect>>,
    state: State,
}

impl Righting {
    fn step(&mut self, id: u32, world: &mut World) -> (Option<Phase>, Option<End>) {
        if let Task::Load(key) = self.task {
            return self.load(id, key, world);
        }
        let Some(todo) = &mut self.todo else {
            let look = match self.task {
                Task::Commit => true,
                _ => world.reads(id, Event::Lists),
            };
            self.todo = look.then(|| self.look(world));
            return (None, None);
        };
        let Some(effect) = todo.last().cloned() else {
            let first = self.opened.fell_back() && world.setting.mutant == Some(Mutant::TakenBackFirst);
            self.task = match self.task {
                Task::Commit if first => Task::TakeBack,
                Task::Commit => Task::Unstage,
                Task::Unstage if first => Task::Load(0),
                Task::Unstage => Task::TakeBack,
                Task::TakeBack if first => Task::Unstage,
                Task::TakeBack | Task::Load(_) => Task::Load(0),
            };
            self.todo = None;
            world.fired += u32::from(first);
            return (None, None);
        };
        match (world.change(id, effect), self.task) {
            (None, _) => return (None, None),
            (Some(Reply::Moved(true)), _) => world.tally.mark(Mark::Recommitted),
            (_, Task::Unstage) => world.tally.mark(Mark::Unstaged),
            _ => {}
        }
        todo.pop();
        (None, None)
    }

    fn look(&self, world: &mut World) -> Vec<Effect> {
        let listed = self.body.as_ref().map_or(&[][..], |body| &body.staged);
        match self.task {
            Task::Commit if !listed.is_empty() && world.mutates(Mutant::NoRecommit) => Vec::new(),
            Task::Commit => listed.iter().map(|name| Effect::Commit(*name)).collect(),
            Task::Unstage => {
                let names: Vec<_> = world.store.staged.names().copied().collect();
                let mut remove = Vec::new();
                for name in names {
                    let removes = match self.opened.staged(name.stamp, listed.contains(&name)) {
                        Staged::Remove => !world.mutates(Mutant::StagedLeft),
                        Staged::Leave => world.mutates(Mutant::AllStagedRemoved),
                        Staged::Commit => false,
                    };
                    remove.extend(removes.then_some(Effect::Unstage(name)));
                }
                remove
            }
            Task::TakeBack if self.opened.fell_back() => {
                let names = world.store.visible.names().filter(|name| self.opened.visible(name.stamp) == Visible::TakeBack);
                let take: Vec<_> = names.map(|name| Effect::TakeBack(*name)).collect();
                if !take.is_empty() && world.mutates(Mutant::NothingTakenBack) { Vec::new() } else { take }
            }
            Task::TakeBack | Task::Load(_) => Vec::new(),
        }
    }

    /// Reads the sum of a key; after the last one the job goes on.
    fn load(&mut self, id: u32, key: usize, world: &mut World) -> (Option<Phase>, Option<End>) {
        if let Some(body) = self.body.as_ref().filter(|_| key < KEYS) {
            if !world.reads(id, Event::Reads(None)) {
                return (None, None);
            }
            let part = world.store.parts.get(&body.parts[key]);
            let (read, whole) = part.map_or((0, false), |part| (part.value.sum ^ u64::from(part.damaged), !part.damaged));
            if !whole && !world.mutates(Mutant::BaseNotJudged) {
                return (None, Some(End::Failed));
            }
            self.state.sums[key] = read;
            self.task = Task::Load(key + 1);
            return (None, None);
        }
        self.state.offset = self.body.as_ref().map_or(0, |body| body.offset);
        world.note(id, Event::Resumes(self.state.offset));
        world.oracle.resumes(self.opened.line, &self.state);
        let parts = self.body.as_ref().map(|body| body.parts);
        (Some(Phase::Running(Box::new(Job::new(&self.opened, self.state, parts, world)))), None)
    }
}
