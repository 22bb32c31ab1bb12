//! A job that survives its process: claims its checkpoint directory, begins with what it finds there, and keeps what operators hand
//! over while the job runs.
//!
//! Promise: what is refused is refused before anything runs; whatever was passed over, left behind or cannot be promised is said.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tidemill_core::checkpoint::compare::{self, Kept, Problem};
use tidemill_core::checkpoint::protocol::{Object, RunnerId, Savepoint};
use tidemill_core::checkpoint::trigger::Pace;
use tidemill_core::checkpoint::{Generation, Keeper, Saved};
use tidemill_core::connect;
use tidemill_core::key;
use tidemill_core::plan::{Graph, Plan};
use tidemill_dataflow::{Checkpoints, Control, Mode, is_under_way, participants};
use tidemill_state::{
    Access, Base, Catalog, Coordinator, Ending, Event, Expected, Hooks, Job, Options, Purpose, Restore, Start, Store, Which,
};

use crate::bindings::Ends;
use crate::commands::checkpoint;
use crate::console;
use crate::fault::{Fault, Outcome};
use crate::moment;
use crate::settings::{CheckpointMode, KeepSettings};

/// How long the checkpoint at the end of a job is tried again while storage refuses it: long enough for a full disk to be noticed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A claimed job. See the module.
pub(crate) struct Claimed {
    store: Store,
    start: Start,
    base: Option<Base>,
    /// The savepoint to delete once there is a checkpoint.
    claimed: Option<(Store, Savepoint)>,
    settings: KeepSettings,
}

/// A job whose handovers are being kept.
pub(crate) struct Keeping {
    pub(crate) coordinator: Arc<Coordinator>,
    pub(crate) checkpoints: Checkpoints,
}

/// Claims the job and finds what to begin with.
///
/// # Errors
/// A directory that cannot be used, and checkpoints none of which can be.
pub(crate) fn claim(settings: &KeepSettings) -> Outcome<Claimed> {
    let refused = |e: &tidemill_state::Error| Fault::refused(format!("cannot use the checkpoint directory {}", settings.dir)).because(e);
    let store = Store::open(&settings.dir, Access::Write, &checkpoint::settings()).map_err(|e| refused(&e))?;
    let start = tidemill_state::start(&store, RunnerId(runner_id())).map_err(|e| refused(&e))?;
    for skipped in &start.opened.said {
        console::log("warn", "checkpoints", &skipped.to_string());
    }
    let own = start.base.clone().map(|manifest| Base { store: store.clone(), manifest });
    let base = match (&own, &settings.from) {
        (Some(base), Some(from)) => {
            let number = base.manifest.stamp.checkpoint;
            console::note(&format!("{} has checkpoint {number} already: --from {from} was for the first start only", settings.dir));
            own
        }
        (None, Some(from)) => Some(elsewhere(from)?),
        _ => own,
    };
    let named = base.as_ref().and_then(|base| Some((base.store.clone(), base.manifest.savepoint.clone()?)));
    if settings.claim && named.is_none() && start.base.is_none() {
        return Err(Fault::refused("--claim takes a savepoint over, and --from names a checkpoint of another job")
            .hint("name the savepoint: --from URL/savepoints/NAME"));
    }
    Ok(Claimed { store, start, base, claimed: named.filter(|_| settings.claim), settings: settings.clone() })
}

/// The newest checkpoint of another directory, or the savepoint or checkpoint of it that the URL names.
fn elsewhere(from: &str) -> Outcome<Base> {
    let refused = |e: &tidemill_state::Error| Fault::refused(format!("cannot begin with {from}")).because(e);
    let (directory, object) = named(from);
    let store = Store::open(directory, Access::Read, &checkpoint::settings()).map_err(|e| refused(&e))?;
    let catalog = Catalog::read(&store).map_err(|e| refused(&e))?;
    let found = match &object {
        None => catalog.find(&Which::Newest),
        Some(object) => catalog.checkpoints().find(|listed| listed.object == object),
    };
    let Some(found) = found else {
        let fault = Fault::refused(format!("there is no checkpoint {from}"));
        let fault = catalog.unreadable().fold(fault, |fault, (_, error)| fault.cause(error.to_string()));
        return Err(fault.hint(format!("`tidemill checkpoint ls {directory}` lists what there is")));
    };
    let manifest = found.manifest.clone();
    tidemill_state::judge(&store, &manifest).map_err(|e| refused(&e))?;
    Ok(Base { store, manifest })
}

/// `DIR/savepoints/NAME` and `DIR/log/LINE` as the directory and what is meant in it.
fn named(url: &str) -> (&str, Option<Object>) {
    let url = url.trim_end_matches('/');
    let folders = url.rmatch_indices('/').nth(1).map(|(at, _)| url.split_at(at));
    match folders.and_then(|(directory, path)| Some((directory, Object::parse(&path[1..])?))) {
        Some((directory, object)) if !directory.is_empty() => (directory, Some(object)),
        _ => (url, None),
    }
}

impl Claimed {
    /// Whether an earlier start of the job may have written output.
    pub(crate) fn is_resuming(&self) -> bool {
        self.start.opened.claim.base.is_some() || self.start.opened.line.0 > 1
    }

    /// The job had come to its end: everything was read and emitted.
    pub(crate) fn is_finished(&self) -> bool {
        self.base.as_ref().is_some_and(|base| base.manifest.finished)
    }

    /// Refuses a checkpoint that does not fit the plan.
    ///
    /// # Errors
    /// All that does not fit, at once.
    pub(crate) fn check(&self, plan: &Plan, graph: &Graph) -> Outcome<()> {
        let Some(base) = &self.base else { return Ok(()) };
        // A savepoint is aligned: whatever columns a job has now, nothing is under way to it.
        let at_rest = base.manifest.savepoint.is_some();
        let saved = base.manifest.operators.iter().filter(|operator| !(at_rest && is_under_way(&operator.name)));
        let saved: Vec<Kept> = saved.map(kept).collect();
        // In any mode a job takes what an unaligned checkpoint found under way.
        let now = participants(plan, graph, true);
        let now = now.into_iter().map(|p| Kept { name: p.name, kind: p.kind, key: p.key, state: p.state, migrates: p.migrates });
        let problems = compare::compare(&saved, &now.collect::<Vec<_>>());
        let (mut dropped, mut wrong, mut migrated) = (Vec::new(), Vec::new(), Vec::new());
        for problem in problems {
            match problem {
                Problem::Dropped(text) => dropped.push(text),
                Problem::Incompatible(text) => wrong.push(text),
                Problem::Migrated(text) => migrated.push(text),
            }
        }
        if wrong.is_empty() && (dropped.is_empty() || self.settings.allow_dropped_state) {
            dropped.iter().for_each(|text| console::log("warn", "checkpoints", &format!("left behind: {text}")));
            migrated.iter().for_each(|text| console::log("info", "checkpoints", &format!("migrated by the component: {text}")));
            return Ok(());
        }
        let number = base.manifest.stamp.checkpoint;
        let fault = Fault::refused(format!("the job does not fit checkpoint {number} of {}", base.store.url()));
        let hint = if wrong.is_empty() { "--allow-dropped-state leaves it behind" } else { "begin anew with another --checkpoint-dir" };
        Err(wrong.into_iter().chain(dropped).fold(fault, Fault::cause).hint(hint))
    }

    /// Takes sources and sinks back to the checkpoint, and says what to expect.
    ///
    /// # Errors
    /// Input that is not what it was, and output of the checkpoint that is gone.
    pub(crate) fn restore(&self, plan: &Plan, ends: &Ends) -> Outcome<()> {
        self.restore_sources(plan, ends)?;
        let name = |id: &u32| plan.operators[*id as usize].name.as_str();
        for (id, source) in &ends.sources {
            if !source.replayable() {
                let text = "what it reads cannot be read again: after a crash, what came since the last checkpoint is lost";
                console::log("warn", name(id), text);
            }
        }
        // A checkpoint of elsewhere was committed there.
        let own = self.start.base.is_some();
        for (id, sink) in &ends.sinks {
            let staged = self.saved(name(id)).filter(|_| own).map_or(&[][..], |saved| &saved.staged);
            sink.recover(self.generation(), staged).map_err(|e| self.refused(name(id), &e))?;
            if !sink.transactional() && self.settings.mode != CheckpointMode::AtLeastOnce {
                console::log("warn", name(id), "its output is seen before a checkpoint covers it: after a crash some of it comes twice");
            }
        }
        Ok(())
    }

    /// Takes sources back to the checkpoint.
    ///
    /// # Errors
    /// Input that is not what it was.
    pub(crate) fn restore_sources(&self, plan: &Plan, ends: &Ends) -> Outcome<()> {
        for (id, source) in &ends.sources {
            let name = plan.operators[*id as usize].name.as_str();
            source.restore(self.saved(name).map_or(&[], |saved| &saved.positions)).map_err(|e| self.refused(name, &e))?;
        }
        Ok(())
    }

    fn saved(&self, operator: &str) -> Option<&tidemill_state::Operator> {
        self.base.as_ref().and_then(|base| base.manifest.operator(operator))
    }

    fn refused(&self, operator: &str, error: &connect::Error) -> Fault {
        let number = self.base.as_ref().map_or(0, |base| base.manifest.stamp.checkpoint.0);
        Fault::refused(format!("operator {operator:?} cannot go on from checkpoint {number}")).because(error)
    }

    fn generation(&self) -> Generation {
        Generation(self.start.opened.line.0)
    }

    /// Says where the job begins.
    pub(crate) fn announce(&self) {
        let Some(base) = &self.base else { return };
        let manifest = &base.manifest;
        let age = moment::span(now_ms().saturating_sub(manifest.created_ms));
        let what = manifest.savepoint.as_ref().map_or_else(|| "checkpoint".to_owned(), |name| format!("savepoint {name}, checkpoint"));
        console::note(&format!("going on from {what} {} of {}, taken {age} ago", manifest.stamp.checkpoint, base.store.url()));
    }

    /// Begins to keep what operators hand over.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn keep(
        self,
        plan: &Plan,
        graph: &Graph,
        name: &str,
        digest: &str,
        ends: &Ends,
        control: &Arc<Control>,
    ) -> Outcome<Keeping> {
        let workers = graph.workers();
        let mode = self.settings.mode.engine();
        let left = |base: &Base| base.manifest.operators.iter().any(|operator| is_under_way(&operator.name));
        let under_way = mode == Mode::Unaligned || self.base.as_ref().is_some_and(left);
        let expected = participants(plan, graph, under_way).into_iter();
        let expected = expected.map(|p| Expected { operator: p.operator, name: p.name, kind: p.kind, workers, key: p.key });
        let job = Job { name: name.to_owned(), plan: digest.to_owned(), groups: key::GROUPS, operators: expected.collect() };
        let pace = Pace { interval: self.settings.interval, pause: self.settings.pause, failures_max: None };
        let options = Options { pace: Some(pace), retain: self.settings.retain, ..Options::default() };
        let saved = self.base.as_ref().map(|base| Arc::new(Restore::new(&base.store, &base.manifest)) as Arc<dyn Saved>);
        let hooks = hooks(plan, ends, control, self.claimed, self.settings.hold);
        let coordinator = Coordinator::start(self.store, &self.start, self.base, job, options, hooks)
            .map_err(|e| Fault::failed("cannot begin to take checkpoints").because(&e))?;
        let coordinator = Arc::new(coordinator);
        let checkpoints = Checkpoints { keeper: Arc::clone(&coordinator) as Arc<dyn Keeper>, saved, mode, under_way };
        Ok(Keeping { coordinator, checkpoints })
    }
}

fn kept(operator: &tidemill_state::Operator) -> Kept {
    let tidemill_state::Operator { name, kind, key, state, .. } = operator.clone();
    Kept { name, kind, key, state, migrates: Vec::new() }
}

fn hooks(plan: &Plan, ends: &Ends, control: &Arc<Control>, claimed: Option<(Store, Savepoint)>, hold: Duration) -> Hooks {
    let sinks: HashMap<String, Arc<dyn connect::Sink>> =
        ends.sinks.iter().map(|(id, sink)| (plan.operators[*id as usize].name.clone(), Arc::clone(sink))).collect();
    let (begin, events, claimed) = (Arc::clone(control), Arc::clone(control), Mutex::new(claimed));
    let begun = Instant::now();
    Hooks {
        begin: Box::new(move |id, purpose| {
            begun.elapsed() >= hold
                && match purpose {
                    Purpose::Recovery => begin.announce(id),
                    Purpose::Asked => begin.announce_aligned(id),
                }
        }),
        commit: Box::new(move |operator, staged| sinks.get(operator).map_or(Ok(()), |sink| sink.commit(staged))),
        event: Box::new(move |event| {
            if let Event::Completed(_) = event {
                discard(claimed.lock().unwrap_or_else(PoisonError::into_inner).take());
            }
            tell(&event, &events);
        }),
        now: Box::new(now_ms),
    }
}

/// Deletes the savepoint that the job has taken over: it has a checkpoint of its own now.
fn discard(claimed: Option<(Store, Savepoint)>) {
    let Some((store, name)) = claimed else { return };
    match tidemill_state::discard(&store, &name) {
        Ok(()) => console::note(&format!("savepoint {name} of {} is deleted: the job has a checkpoint of its own", store.url())),
        Err(error) => console::log("warn", "checkpoints", &format!("savepoint {name} of {} cannot be deleted: {error}", store.url())),
    }
}

fn tell(event: &Event, control: &Control) {
    let warn = |text: String| console::log("warn", "checkpoints", &text);
    match event {
        Event::Completed(_) => {}
        Event::Failed { checkpoint, reason, row } => {
            warn(format!("checkpoint {checkpoint} failed ({row} in a row), the job goes on: {reason}"));
        }
        Event::FailJob { reason, row } => control.abort(format!("{row} checkpoints in a row have failed: {reason}")),
        Event::Uncommitted { operator, reason } => warn(format!("output of {operator} is not visible yet: {reason}")),
        Event::Trouble(text) => warn(text.clone()),
        Event::Superseded => control.abort(SUPERSEDED.to_owned()),
    }
}

/// Why a runner ends whose job another has taken over.
pub(crate) const SUPERSEDED: &str = "another start of this job has taken over its checkpoint directory; this one writes nothing more";

impl Keeping {
    /// The job has ended as it should: makes the last checkpoint and shows the output it covers.
    ///
    /// # Errors
    /// When storage refuses it for longer than is waited.
    pub(crate) fn finish(&self, ending: Ending) -> Outcome<()> {
        self.coordinator.finish(ending, PATIENCE).map_err(|e| match e {
            tidemill_state::Error::Superseded => Fault::refused(SUPERSEDED),
            e => {
                Fault::failed("the job is done, but its last checkpoint could not be made, and output since the one before is not visible")
                    .because(&e)
                    .hint("run the same command again once the storage works: it goes on from the last checkpoint")
            }
        })
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

/// Different for every start on any machine: the clock in nanoseconds and the process.
fn runner_id() -> u64 {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    nanos.rotate_left(20) ^ u64::from(std::process::id())
}
