//! What can be done to jobs: each operation checks everything first, writes down what is wanted, and waits a while for it to be so.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::admission::{self, admit};
use crate::audit::Audit;
use crate::child::Children;
use crate::components::Components;
use crate::control::{Made, Request, Savepoint};
use crate::error::{Code, Error};
use crate::events::Events;
use crate::examined::Planned;
use crate::id::{Digest, Name};
use crate::job::record::{Next, Record, Version, Wanted};
use crate::job::{CHECKPOINTS, Context, Job, Phase, ask, flags, is_absent, made};
use crate::jobs::Jobs;
use crate::limits::{BODY_IDLE_WAIT, INSTANCE_BYTES, PAIR_BYTES_MAX, PAIRS_MAX, STOP_WAIT, STREAMS_MAX, UPLOADS_MAX, WORKERS_MAX};
use crate::options::Options;
use crate::parts::{self, Parts};
use crate::process::now_ms;
use crate::view::{Changed, JobView, Rescale, Rollback, ServerView, Stop, Submit, Swap};
use crate::{beside, bindings, durable, swap};

/// How often a checkpoint is taken unless a job says.
const CHECKPOINT_INTERVAL_MS: u64 = 10_000;
/// The shortest interval a job may ask for: each checkpoint syncs files.
const CHECKPOINT_INTERVAL_MS_MIN: u64 = 10;
/// How long a swapped version is watched unless it is said.
const PROBATION_MS: u64 = 60_000;
/// How long a rescaled job is watched: the code is the same, only its start can fail.
const RESCALE_PROBATION_MS: u64 = 30_000;

/// A server: all that a request may need.
pub(crate) struct Server {
    pub(crate) options: Options,
    pub(crate) components: Components,
    pub(crate) children: Children,
    pub(crate) jobs: Jobs,
    pub(crate) events: Arc<Events>,
    pub(crate) audit: Audit,
    pub(crate) started_ms: u64,
    /// Uploads under way, each with a file.
    pub(crate) uploads: Semaphore,
    /// How long a body may stand still.
    pub(crate) body_wait: Duration,
    /// Answers without an end.
    pub(crate) streams: Arc<Semaphore>,
    /// One admission at a time: what is free is looked at and taken in one step.
    pub(crate) admitting: tokio::sync::Mutex<()>,
}

impl Server {
    /// Reads the data directory, whose lock the caller holds, and takes up its jobs.
    pub(crate) fn open(options: Options) -> std::io::Result<Server> {
        let (places, events) = (options.places(), Arc::new(Events::new()));
        let context = Arc::new(Context { options: options.clone(), events: Arc::clone(&events) });
        Ok(Server {
            components: Components::open(places.components())?,
            children: Children::new(&options),
            audit: Audit::open(&options.data_dir.join("audit.jsonl"))?,
            jobs: Jobs::open(places, context)?,
            events,
            options,
            started_ms: now_ms(),
            uploads: Semaphore::new(UPLOADS_MAX),
            body_wait: BODY_IDLE_WAIT,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            admitting: tokio::sync::Mutex::default(),
        })
    }

    pub(crate) fn view(&self) -> ServerView {
        let holders = self.jobs.holders(None);
        let used = admission::used(&holders);
        ServerView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_ms: self.started_ms,
            slots: self.options.capacity.slots,
            slots_used: used.slots,
            memory_bytes: self.options.capacity.bytes,
            memory_bytes_used: used.bytes,
            instance_bytes_max: self.options.instance_bytes_max,
            allow_files: self.options.allow_files.iter().map(|path| path.display().to_string()).collect(),
            allow_sockets: self.options.allow_sockets.clone(),
            jobs: holders.len(),
            components: self.components.list().len(),
        }
    }

    /// Plans a job, and admits it or says why not.
    pub(crate) async fn submit(&self, submit: Submit) -> Result<JobView, Error> {
        let Parts { component, components, wires } = Parts::of_submit(&self.components, &submit)?;
        let interval = submit.checkpoint_interval_ms.unwrap_or(CHECKPOINT_INTERVAL_MS);
        if interval < CHECKPOINT_INTERVAL_MS_MIN {
            return Err(Error::new(Code::LimitRefused, format!("checkpoints are at least {CHECKPOINT_INTERVAL_MS_MIN} ms apart")));
        }
        let mut version = Version {
            number: 1,
            component,
            components,
            wires,
            args: submit.args,
            bindings: submit.bindings,
            parallelism: submit.parallelism,
            workers: 1,
            instance_bytes: submit.memory_bytes.unwrap_or(INSTANCE_BYTES.min(self.options.instance_bytes_max)),
            meter: submit.meter,
            batch: submit.batch,
            idle_timeout_ms: submit.idle_timeout_ms,
            checkpoint_interval_ms: interval,
            allow_dropped_state: submit.allow_dropped_state,
            hold_ms: 0,
            since_ms: now_ms(),
            why: "submitted".to_owned(),
            taken: None,
        };
        if let Some(from) = &submit.from {
            self.check_from(from)?;
        }
        let planned = self.plan(&mut version).await?;
        let plan_name = || planned.name.as_deref().and_then(Name::from_text);
        let no_name = || Error::new(Code::BadRequest, "the job has no name").hint("give it one: small letters, digits and -");
        let name = submit.name.or_else(plan_name).or(submit.default_name).ok_or_else(no_name)?;
        let job = self.admit(version, name, submit.from, &planned).await?;
        Ok(JobView::of(&job))
    }

    async fn admit(&self, version: Version, name: Name, from: Option<String>, planned: &Planned) -> Result<Arc<Job>, Error> {
        let _one_at_a_time = self.admitting.lock().await;
        self.jobs.room_for(&name)?;
        admit(self.options.capacity, &self.jobs.holders(None), version.need())?;
        let record = Record {
            id: self.jobs.new_id(),
            name,
            created_ms: now_ms(),
            wanted: Wanted::Run,
            version,
            next: None,
            probation: None,
            history: Vec::new(),
            from,
            restarts: 0,
            begun: false,
            end: None,
        };
        let begun = tokio::task::block_in_place(|| self.jobs.begin(record, planned));
        let job = begun.map_err(|e| Error::internal("the job cannot be written down", &e))?;
        self.events.tell("job-submitted", Some((&job.id, &job.name)), job.record().version.component.short());
        Ok(job)
    }

    /// Checks what a version asks for, lets its component build the plan, and fills in how many workers that takes.
    async fn plan(&self, version: &mut Version) -> Result<Planned, Error> {
        check_pairs("argument", &version.args)?;
        check_pairs("binding", &version.bindings)?;
        check_pairs("wire", &version.wires)?;
        parts::check_args(version)?;
        let most = self.options.instance_bytes_max;
        if version.instance_bytes > most || version.instance_bytes == 0 {
            let text = format!("memory of {} for each worker", admission::mib(version.instance_bytes));
            return Err(Error::new(Code::LimitRefused, text).because(format!("this server gives {} at most", admission::mib(most))));
        }
        let too_wide = || Error::new(Code::LimitRefused, format!("a job has 1 to {WORKERS_MAX} workers"));
        if version.parallelism.is_some_and(|workers| workers == 0 || workers as usize > WORKERS_MAX) {
            return Err(too_wide());
        }
        for digest in version.digests().into_iter().filter(|_| version.meter) {
            self.children.metered(&self.components.file(digest)).await?;
        }
        let planned = self.children.plan(version.program(self.components.folder()), flags(version)).await?;
        bindings::check(&self.options, &planned.bindings)?;
        if planned.workers > WORKERS_MAX {
            return Err(too_wide());
        }
        version.workers = planned.workers as u32;
        Ok(planned)
    }

    /// A place to begin with: below an allowed folder, or the checkpoints of a job of this server.
    fn check_from(&self, from: &str) -> Result<(), Error> {
        let path = Path::new(from.strip_prefix("file:").unwrap_or(from));
        let own = self.jobs.list().into_iter().any(|job| path.starts_with(job.folder.join(CHECKPOINTS)));
        let climbs = path.components().any(|part| part == std::path::Component::ParentDir);
        if own && !climbs { Ok(()) } else { bindings::check_storage(&self.options, from) }
    }

    /// Makes a savepoint of a running job.
    pub(crate) async fn savepoint(&self, job: &Job, savepoint: Savepoint) -> Result<Made, Error> {
        self.check_savepoint(Some(&savepoint))?;
        let made = self.make_savepoint(job, savepoint).await?;
        self.events.tell("job-savepoint", Some((&job.id, &job.name)), made.url.clone());
        Ok(made)
    }

    /// Makes a savepoint wherever it is to be.
    pub(crate) async fn make_savepoint(&self, job: &Job, savepoint: Savepoint) -> Result<Made, Error> {
        running(job)?;
        not_held(&job.record(), now_ms())?;
        let answer = ask(&job.socket, &Request::Savepoint(savepoint), STOP_WAIT).await;
        let reply = answer.map_err(|error| match is_absent(&error) {
            true => Error::new(Code::JobState, "the job is not running yet, or no longer").hint("ask again when it is running"),
            false => Error::new(Code::RunnerRefused, "the runner has not answered").because(error.to_string()),
        })?;
        let made = made(reply)?;
        made.ok_or_else(|| Error::new(Code::RunnerRefused, "the runner has answered without a savepoint"))
    }

    fn check_savepoint(&self, savepoint: Option<&Savepoint>) -> Result<(), Error> {
        match savepoint.and_then(|savepoint| savepoint.to.as_deref()) {
            Some(to) => bindings::check_storage(&self.options, to),
            None => Ok(()),
        }
    }

    /// Ends a job in order. Answers when it has ended, or has not within `wait`.
    pub(crate) async fn stop(&self, job: &Arc<Job>, stop: Stop, wait: Duration) -> Result<JobView, Error> {
        self.check_savepoint(stop.savepoint.as_ref())?;
        if let (Some(_), Phase::Restarting(_)) = (&stop.savepoint, job.live().phase) {
            return Err(Error::new(Code::JobState, "the job is between two starts: nothing of it runs that could make a savepoint")
                .hint("stop it without one: its last checkpoint is kept"));
        }
        job.set_live(|live| live.refusal = None);
        job.update(move |record| {
            not_over(record)?;
            record.wanted = Wanted::Stop { drain: stop.drain, savepoint: stop.savepoint };
            Ok(())
        })
        .await?;
        self.settled(job, wait, |record, _| record.end.is_some()).await
    }

    /// Ends a job at once: what was not committed is not shown.
    pub(crate) async fn cancel(&self, job: &Arc<Job>, wait: Duration) -> Result<JobView, Error> {
        job.update(|record| {
            not_over(record)?;
            record.wanted = Wanted::Cancel;
            Ok(())
        })
        .await?;
        self.settled(job, wait, |record, _| record.end.is_some()).await
    }

    /// Waits until something holds, a refusal comes, or the time is up; then the job is shown as it is.
    async fn settled(&self, job: &Job, wait: Duration, holds: impl Fn(&Record, Phase) -> bool) -> Result<JobView, Error> {
        let refused = job.until(|record, live| match (&live.refusal, holds(record, live.phase)) {
            (_, true) => Some(None),
            (Some(error), false) => Some(Some(error.clone())),
            (None, false) => None,
        });
        match timeout(wait, refused).await {
            Ok(Some(error)) => Err(error),
            Ok(None) | Err(_) => Ok(JobView::of(job)),
        }
    }

    /// Another parallelism, by way of a checkpoint.
    pub(crate) async fn rescale(&self, job: &Arc<Job>, rescale: Rescale, wait: Duration) -> Result<Changed, Error> {
        let before = job.record().version;
        let why = format!("rescaled from {} to {}", before.workers, rescale.parallelism);
        let based_on = before.number;
        let version = Version { parallelism: Some(rescale.parallelism), hold_ms: 0, why, taken: None, ..before };
        self.change(job, version, Watched { based_on, probation_ms: RESCALE_PROBATION_MS, ..Watched::default() }, wait).await
    }

    /// Another component, other arguments or bindings.
    pub(crate) async fn swap(&self, job: &Arc<Job>, swap: Swap, wait: Duration) -> Result<Changed, Error> {
        let before = job.record().version;
        let based_on = before.number;
        let parts = Parts::of_swap(&self.components, &before, &swap)?;
        let why = parts.why(&before);
        let mut version = Version { allow_dropped_state: swap.allow_dropped_state, why, taken: None, ..parts.into_version(before) };
        version.args.extend(swap.args);
        version.bindings.extend(swap.bindings);
        let probation_ms = swap.probation_ms.unwrap_or(PROBATION_MS);
        let Swap { errors_max, shadow, allow_difference, dry_run, .. } = swap;
        self.change(job, version, Watched { based_on, probation_ms, errors_max, shadow, allow_difference, dry_run }, wait).await
    }

    /// Back to a version before, with today's state.
    pub(crate) async fn rollback(&self, job: &Arc<Job>, rollback: Rollback, wait: Duration) -> Result<Changed, Error> {
        let record = job.record();
        let past = match rollback.version {
            Some(number) => record.history.iter().find(|past| past.version.number == number),
            None => record.history.last(),
        };
        let Some(past) = past else {
            let numbers: Vec<String> = record.history.iter().map(|past| past.version.number.to_string()).collect();
            let what = rollback.version.map_or_else(|| "there is no version before".to_owned(), |n| format!("there is no version {n}"));
            let error = Error::new(Code::JobState, what);
            return Err(if numbers.is_empty() { error } else { error.hint(format!("there are {}", numbers.join(", "))) });
        };
        let why = format!("back to version {}", past.version.number);
        let version = Version { allow_dropped_state: rollback.allow_dropped_state, why, taken: None, ..past.version.clone() };
        let based_on = record.version.number;
        self.change(job, version, Watched { based_on, probation_ms: PROBATION_MS, ..Watched::default() }, wait).await
    }

    async fn change(&self, job: &Arc<Job>, mut version: Version, watched: Watched, wait: Duration) -> Result<Changed, Error> {
        can_change(&job.record())?;
        let after = self.plan(&mut version).await?;
        let comparison = swap::compare(&job.planned()?, &after);
        comparison.judge(version.allow_dropped_state)?;
        version.hold_ms = if comparison.is_same_state() { 0 } else { watched.probation_ms };
        let shadow = match watched.shadow {
            Some(records) => Some(self.shadow(job, &version, records).await?),
            None => None,
        };
        if let Some(shadow) = shadow.as_ref().filter(|_| !watched.allow_difference) {
            beside::judge(shadow)?;
        }
        if watched.dry_run {
            return Ok(Changed { comparison, shadow, job: JobView::of(job) });
        }
        version.since_ms = now_ms();
        let number = self.want(job, version, &watched, after).await?;
        let arrived = |record: &Record, phase: Phase| record.end.is_some() || record.version.number == number && phase == Phase::Running;
        let view = self.settled(job, wait, arrived).await?;
        match &view.end {
            Some(end) if view.version.number != number => {
                let error = Error::new(Code::JobState, "the job ended before it was changed");
                Err(end.message.iter().fold(error, |error, message| error.because(message.clone())))
            }
            _ => Ok(Changed { comparison, shadow, job: view }),
        }
    }

    /// Writes down what is to run next; answers its number.
    async fn want(&self, job: &Arc<Job>, version: Version, watched: &Watched, planned: Planned) -> Result<u32, Error> {
        let _one_at_a_time = self.admitting.lock().await;
        let need = job.record().need().or(version.need());
        admit(self.options.capacity, &self.jobs.holders(Some(&job.id)), need)?;
        job.set_live(|live| live.refusal = None);
        let (plans, probation_ms, errors_max) = (Arc::clone(job), watched.probation_ms, watched.errors_max);
        let based_on = watched.based_on;
        job.update(move |record| {
            can_change_from(record, based_on)?;
            let number = record.next_number();
            durable::write(&plans.plan_file(number), &planned).map_err(|e| Error::internal("the plan cannot be written down", &e))?;
            record.next = Some(Next { version: Version { number, ..version }, probation_ms, errors_max });
            Ok(number)
        })
        .await
    }

    /// Forgets a job that is over.
    pub(crate) fn forget(&self, job: &Job) -> Result<(), Error> {
        if !job.is_over() {
            return Err(Error::new(Code::JobState, format!("the job {} is not over", job.name)).hint("stop or cancel it first"));
        }
        tokio::task::block_in_place(|| self.jobs.remove(job));
        self.events.tell("job-forgotten", Some((&job.id, &job.name)), "");
        Ok(())
    }

    /// Deletes a component that no job needs.
    pub(crate) fn delete(&self, digest: &Digest) -> Result<(), Error> {
        let users = self.jobs.using(digest);
        if !users.is_empty() {
            let names: Vec<&str> = users.iter().map(Name::as_str).collect();
            return Err(Error::new(Code::ComponentInUse, format!("jobs use the component: {}", names.join(", "))));
        }
        let removed = tokio::task::block_in_place(|| self.components.remove(digest));
        match removed.map_err(|e| Error::internal("the component cannot be removed", &e))? {
            true => Ok(()),
            false => Err(Error::new(Code::ComponentNotFound, format!("there is no component {digest}"))),
        }
    }
}

/// How a change is watched.
#[derive(Default)]
struct Watched {
    /// The version that it is a change of.
    based_on: u32,
    probation_ms: u64,
    errors_max: Option<u64>,
    /// Records that both versions read before.
    shadow: Option<u64>,
    allow_difference: bool,
    dry_run: bool,
}

fn not_over(record: &Record) -> Result<(), Error> {
    match record.end {
        Some(_) => Err(Error::new(Code::JobState, format!("the job {} has ended", record.name))),
        None => Ok(()),
    }
}

fn can_change(record: &Record) -> Result<(), Error> {
    not_over(record)?;
    match (&record.wanted, &record.next) {
        (Wanted::Run, None) => Ok(()),
        (Wanted::Run, Some(_)) => Err(Error::new(Code::JobBusy, "the job is changing already").hint("ask again when it is running")),
        _ => Err(Error::new(Code::JobBusy, "the job is ending")),
    }
}

/// As [`can_change`], for a change of that version: it was compared with it, and would take back what another has changed since.
fn can_change_from(record: &Record, version: u32) -> Result<(), Error> {
    can_change(record)?;
    if record.version.number != version {
        return Err(Error::new(Code::JobBusy, "the job has become another version meanwhile").hint("ask again"));
    }
    Ok(())
}

fn running(job: &Job) -> Result<(), Error> {
    not_over(&job.record())?;
    match job.live().phase {
        Phase::Restarting(_) => Err(Error::new(Code::JobState, "the job is between two starts").hint("ask again when it is running")),
        _ => Ok(()),
    }
}

/// Nothing can be saved of a version whose state the one before could not read, until that is not to come back any more.
fn not_held(record: &Record, now_ms: u64) -> Result<(), Error> {
    match &record.probation {
        Some(probation) if record.version.hold_ms > 0 && now_ms < probation.until_ms => {
            let left = (probation.until_ms - now_ms).div_ceil(1000);
            let text = "the version is on probation and keeps nothing yet: its state would not fit the version before";
            Err(Error::new(Code::JobBusy, text).hint(format!("ask again in {left} s, or swap with a shorter --probation")))
        }
        _ => Ok(()),
    }
}

/// Refuses names and values that no program could be given.
fn check_pairs(what: &str, pairs: &BTreeMap<String, String>) -> Result<(), Error> {
    let wrong = |text: String| Err(Error::new(Code::BadRequest, text));
    if pairs.len() > PAIRS_MAX {
        return wrong(format!("{} {what}s are more than {PAIRS_MAX}", pairs.len()));
    }
    for (name, value) in pairs {
        if name.is_empty() || name.trim() != name || name.contains(['=', '\0']) || name.len() > PAIR_BYTES_MAX {
            return wrong(format!(
                "{:?} is no name of a {what}: it is empty, has a =, spaces around it, or is too long",
                &name.chars().take(80).collect::<String>()
            ));
        }
        if value.contains('\0') || value.len() > PAIR_BYTES_MAX || what == "binding" && value.trim().is_empty() {
            return wrong(format!("the {what} {name:?} has a value that is empty, has a NUL or more than {PAIR_BYTES_MAX} bytes"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_saved_of_a_version_that_may_have_to_give_its_place_back() {
        use crate::job::record::Probation;
        use crate::job::record::tests::{record, version};

        let mut held = record();
        held.probation = Some(Probation { until_ms: 2_500, before: Box::new(version(1, 1)), errors_max: None, lost_before: 0 });
        assert!(not_held(&held, 0).is_ok(), "its state is that of the version before");
        held.version.hold_ms = 5;
        let refused = not_held(&held, 1_000).unwrap_err();
        assert_eq!((refused.code, refused.hint.as_deref()), (Code::JobBusy, Some("ask again in 2 s, or swap with a shorter --probation")));
        assert!(not_held(&held, 2_500).is_ok());
    }

    #[test]
    fn a_change_is_of_the_version_that_runs() {
        use crate::job::record::tests::{record, version};

        let mut job = record();
        assert!(can_change_from(&job, 1).is_ok());
        job.advance(version(2, 1), 0, "swapped");
        let refused = can_change_from(&job, 1).unwrap_err();
        assert_eq!((refused.code, refused.hint.as_deref()), (Code::JobBusy, Some("ask again")));
        assert!(can_change_from(&job, 2).is_ok());
    }

    fn pairs(count: usize, name: &str, value: &str) -> BTreeMap<String, String> {
        (0..count).map(|n| (format!("{name}{n}"), value.to_owned())).collect()
    }

    #[test]
    fn names_and_values_are_taken_to_their_limits() {
        let code = |pairs: &BTreeMap<String, String>| check_pairs("binding", pairs).err().map(|error| error.code.as_str());
        assert_eq!(code(&pairs(PAIRS_MAX, "a", "x")), None);
        assert_eq!(code(&pairs(PAIRS_MAX + 1, "a", "x")), Some("bad-request"));
        assert_eq!(code(&pairs(1, "a", &"x".repeat(PAIR_BYTES_MAX))), None);
        assert_eq!(code(&pairs(1, "a", &"x".repeat(PAIR_BYTES_MAX + 1))), Some("bad-request"));
        for (name, value) in [("=", "x"), (" a", "x"), ("a\0", "x"), ("a", "\0"), ("a", " ")] {
            assert_eq!(code(&pairs(1, name, value)), Some("bad-request"), "{name:?} {value:?}");
        }
        assert!(check_pairs("argument", &BTreeMap::from([("a".to_owned(), String::new())])).is_ok());
    }
}
