//! A run: who is next, who is started, paused or killed, and at last quiet, a runner that finishes the job, and the accounts.

use tidemill_core::checkpoint::protocol::{Object, Record};

use crate::Report;
use crate::model::RECORDS;
use crate::oracle::Violation;
use crate::runner::Runner;
use crate::tally::Mark;
use crate::trace::{End, Event};
use crate::world::{Setting, World};

/// Runners of one run, the last one not counted.
const RUNNERS_MAX: u32 = 7;

/// Runners that live at the same time.
const ALIVE_MAX: usize = 4;

/// Ticks after which a run that is quiet is stuck.
const QUIET_TICKS_MAX: u32 = 20_000;

/// How often what befalls the runners of a run, in a hundred thousand ticks.
#[derive(Clone, Copy, Debug)]
struct Plan {
    ticks: u32,
    start: usize,
    kill: usize,
    pause: usize,
    power: usize,
    /// When something is damaged.
    damage_at: Option<u32>,
    /// When it is mended.
    mend_at: u32,
}

impl Plan {
    fn new(world: &mut World) -> Plan {
        let damages = if world.setting.no_damage { 0 } else { 300 };
        let rng = &mut world.rng;
        let ticks = 200 + rng.below(700) as u32;
        let damage_at = rng.permille(damages).then(|| rng.below(ticks as usize) as u32);
        let mend_at = if rng.permille(500) { ticks + 1 } else { damage_at.unwrap_or(0) + 1 + rng.below(200) as u32 };
        let power = if rng.permille(300) { 500 } else { 0 };
        Plan { ticks, start: 1_000, kill: rng.below(1_000), pause: 1_500 + rng.below(3_000), power, damage_at, mend_at }
    }
}

struct Run {
    world: World,
    runners: Vec<Runner>,
    started: u32,
    /// How often a runner is paused just when it has made a checkpoint, in a thousand.
    trap: usize,
    /// That checkpoint is damaged then.
    damage_next: bool,
}

/// Makes the run of a seed.
pub fn run(seed: u64, setting: Setting) -> Report {
    let mut world = World::new(seed, setting);
    let plan = Plan::new(&mut world);
    if plan.damage_at.is_some() {
        // With one checkpoint kept, one damage is the end of it.
        world.retain = world.retain.max(2);
    }
    let mut run = Run { world, runners: Vec::new(), started: 0, trap: 100, damage_next: false };
    run.chaos(plan);
    if run.fine() {
        run.quiet();
    }
    let mut world = run.world;
    if let Some(violation) = world.oracle.violation() {
        world.note_all(Event::Violated(violation));
    }
    let text = world.trace.text().to_owned();
    Report { violation: world.oracle.violation(), hash: world.trace.hash(), tally: world.tally, fired: world.fired, ticks: world.now, text }
}

impl Run {
    fn fine(&self) -> bool {
        self.world.oracle.violation().is_none()
    }

    fn start(&mut self) {
        self.started += 1;
        let runner = Runner::new(self.started, &mut self.world);
        self.runners.push(runner);
    }

    fn chaos(&mut self, plan: Plan) {
        while self.world.now < plan.ticks && self.fine() {
            self.world.now += 1;
            let now = self.world.now;
            self.world.land(now);
            self.befall(plan);
            if self.runners.is_empty() {
                if self.started == RUNNERS_MAX {
                    return;
                }
                self.start();
            }
            let index = self.world.rng.below(self.runners.len());
            self.step(index);
        }
    }

    fn befall(&mut self, plan: Plan) {
        let now = self.world.now;
        if plan.damage_at == Some(now) {
            self.damage_next = self.world.rng.permille(500);
            if !self.damage_next {
                self.damage();
            }
        }
        if plan.mend_at == now {
            self.mend();
        }
        // Most ticks are calm: one draw tells.
        let luck = self.world.rng.below(100_000);
        let starts = plan.start;
        let kills = starts + plan.kill;
        let pauses = kills + plan.pause;
        let powers = pauses + plan.power;
        let flushes = powers + 1_000;
        match luck {
            luck if luck < starts && self.started < RUNNERS_MAX && self.runners.len() < ALIVE_MAX => self.start(),
            luck if luck < starts => {}
            luck if luck < kills => self.kill_one(),
            luck if luck < pauses => self.pause_one(),
            luck if luck < powers => {
                self.runners.clear();
                self.world.tally.mark(Mark::PowerFailed);
                self.world.lose_power();
            }
            luck if luck < flushes => {
                self.world.note_all(Event::Flush);
                self.world.store.flush();
            }
            _ => {}
        }
    }

    fn kill_one(&mut self) {
        if self.runners.is_empty() {
            return;
        }
        let index = self.world.rng.below(self.runners.len());
        let runner = self.runners.swap_remove(index);
        self.world.note(runner.id, Event::Killed);
        self.world.tally.mark(Mark::Killed);
    }

    fn pause_one(&mut self) {
        if self.runners.is_empty() {
            return;
        }
        let index = self.world.rng.below(self.runners.len());
        let long = match self.world.rng.below(3) {
            0 => 20,
            1 => 150,
            _ => 1_000,
        };
        let until = self.world.now + 1 + self.world.rng.below(long) as u32;
        self.runners[index].pause(until, &mut self.world);
    }

    fn step(&mut self, index: usize) {
        let runner = &mut self.runners[index];
        if runner.paused_until > self.world.now {
            return;
        }
        let base = self.world.oracle.base();
        let end = runner.step(&mut self.world);
        // A checkpoint exists and nothing has come of it yet: the moment that matters most.
        if self.world.oracle.base() > base && (self.damage_next || self.world.rng.permille(self.trap)) {
            let until = self.world.now + 1 + self.world.rng.below(600) as u32;
            runner.pause(until, &mut self.world);
            if std::mem::take(&mut self.damage_next) {
                self.damage();
            }
        }
        if end.is_some() {
            self.runners.swap_remove(index);
        }
    }

    /// Damages a part or the record of the checkpoint that the next start would take, or the newest claim.
    fn damage(&mut self) {
        let World { rng, store, oracle, .. } = &mut self.world;
        let Some(base) = oracle.base() else { return };
        let parts = match store.log.get(&base).map(|there| &there.value.record) {
            Some(Record::Checkpoint(checkpoint)) => checkpoint.parts.clone(),
            _ => return,
        };
        let object = match rng.below(5) {
            0 => Object::Record(base),
            1 => oracle.claim().map_or(Object::Record(base), Object::Record),
            _ => Object::Part(parts[rng.below(parts.len())]),
        };
        match &object {
            Object::Record(line) => store.log.damage(line, true),
            Object::Part(part) if rng.permille(300) => drop(store.parts.take(part)),
            Object::Part(part) => store.parts.damage(part, true),
            Object::Savepoint(_) => {}
        }
        oracle.damaged(object.clone());
        self.world.tally.mark(Mark::Damaged);
        self.world.note_all(damaged(&object));
    }

    /// Damage that was only seen: a bad read, a cable. What is lost stays lost.
    fn mend(&mut self) {
        let Some((object, true)) = self.world.oracle.damage().cloned() else { return };
        match &object {
            Object::Record(line) => self.world.store.log.damage(line, false),
            Object::Part(part) if self.world.store.parts.get(part).is_some() => self.world.store.parts.damage(part, false),
            _ => return,
        }
        self.world.oracle.mended();
        self.world.tally.mark(Mark::Mended);
        self.world.note_all(Event::Mended);
    }

    /// The faults end, sleepers wake up or are killed, and one more runner finishes the job.
    fn quiet(&mut self) {
        (self.trap, self.damage_next) = (0, false);
        self.world.calm_down();
        let rng = &mut self.world.rng;
        self.runners.retain(|_| rng.permille(600));
        let most = self.world.now + QUIET_TICKS_MAX;
        while !self.runners.is_empty() && self.fine() {
            if self.world.now > most {
                return self.world.violate(Violation::Stuck);
            }
            self.world.now += 1;
            let index = self.world.rng.below(self.runners.len());
            self.runners[index].paused_until = 0;
            self.step(index);
        }
        if self.fine() {
            self.finish();
        }
    }

    fn finish(&mut self) {
        let most = self.world.now + QUIET_TICKS_MAX;
        self.started += 1;
        let mut last = Runner::new(self.started, &mut self.world);
        while self.fine() && self.world.now < most {
            self.world.now += 1;
            match last.step(&mut self.world) {
                None => {}
                Some(End::Finished) => return self.settle(),
                Some(End::Refused) => return,
                Some(End::Failed | End::Superseded) => break,
            }
        }
        self.world.violate(Violation::Stuck);
    }

    /// The job is finished and nobody is left: every row is there once, and nothing that nobody needs.
    fn settle(&mut self) {
        self.world.oracle.visible_exactly(RECORDS);
        let torn = self.world.store.visible.iter().any(|(_, kept)| kept.damaged || !kept.value.is_right());
        if torn {
            self.world.violate(Violation::WrongRows);
        }
        if self.world.store.staged.names().next().is_some() {
            self.world.violate(Violation::StagingLeaked);
        }
        if !self.world.setting.no_clean_up && self.world.oracle.damage().is_none() {
            self.count_objects();
        }
    }

    /// As many checkpoints as are kept, and no part that neither they nor a savepoint refer to.
    fn count_objects(&mut self) {
        let store = &self.world.store;
        let checkpoint = |record: &Record| match record {
            Record::Checkpoint(checkpoint) => Some(checkpoint.parts.clone()),
            Record::Claim(_) => None,
        };
        let kept: Vec<_> = store.log.iter().filter_map(|(_, there)| checkpoint(&there.value.record)).collect();
        let saved = store.savepoints.iter().filter_map(|(_, there)| checkpoint(&there.value.record));
        let records = kept.len();
        let needed: Vec<_> = kept.into_iter().chain(saved).flatten().collect();
        let parts = store.parts.names().all(|part| needed.contains(part));
        if records > self.world.retain || !parts {
            self.world.violate(Violation::ObjectLeaked);
        }
    }
}

fn damaged(object: &Object) -> Event {
    match object {
        Object::Record(line) => Event::Damaged(None, Some(*line)),
        Object::Part(part) => Event::Damaged(Some(part.stamp), None),
        Object::Savepoint(_) => Event::Damaged(None, None),
    }
}
