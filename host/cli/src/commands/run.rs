//! `tidemill run`: a job in the foreground, in this process, until its input ends or somebody stops it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use clap::{Args, ValueEnum};
use tidemill_core::checkpoint::poison::Watchlist;
use tidemill_core::connect;
use tidemill_core::explain::{Facts, Phase};
use tidemill_core::guest;
use tidemill_core::guest::{Factory, OperatorId};
use tidemill_core::plan::{Graph, Kind};
use tidemill_dataflow::{Cause, Checkpoints, Control, Failure, JobSpec, Options, Report};
use tidemill_guest::StateMemory;
use tidemill_state::{Ending, Scratch};

use crate::bindings::{self, Ends};
use crate::exchange::Exchange;
use crate::fault::{Fault, Outcome};
use crate::hosted::{Hosted, HostedArgs};
use crate::keep::{Claimed, Keeping};
use crate::loaded::{Components, Present};
use crate::meter::{MeteredSink, MeteredSource, Once};
use crate::monitor::{self, Monitor, Sample};
use crate::prepare::{self, Prepared};
use crate::progress::{Progress, View};
use crate::remember::Remember;
use crate::settings::{self, JobArgs, KeepArgs, KeepSettings, Mode, RunArgs, Settings};
use crate::socket::{Listener, Place, left};
use crate::staged::Staged;
use crate::status::Telling;
use crate::supervise::{SUPERVISOR, supervise};
use crate::value::Timeout;
use crate::{console, hosted, interrupt, keep, process, report, tell};

/// Run a job here and now, until its input ends
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  tidemill run wordcount.wasm --bind lines=file:book.txt --bind counts=stdout:
  tidemill run nexmark.wasm --arg query=q5 --bind events=file:in.json --bind results=file:out -p 4
  tidemill run job.toml --report json --report-file figures.json
  tidemill run counts.wasm --checkpoint-dir state --checkpoint-interval 1s   # goes on where it was after a crash

Sources: file:PATH (also patterns, .gz, .zst), stdin:, socket://HOST:PORT, datagen:nexmark, datagen:rows
Sinks: stdout:, file:DIR, discard:
Options follow a question mark: ?format=json|csv|text for both, ?rate=N for sources, ?overwrite=true for file:DIR")]
pub(crate) struct RunCommand {
    #[command(flatten)]
    job: JobArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    keep: KeepArgs,
    /// Tell what the run did and cost, as one JSON object on standard error
    #[arg(long, value_enum, value_name = "FORMAT")]
    report: Option<ReportFormat>,
    /// Write the report to this file instead
    #[arg(long, value_name = "FILE")]
    report_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// One object; units stand in the names
    Json,
}

/// Runs the command: here, or where the job is to survive its process, in one that is started again when it fails.
pub(crate) fn run(command: &RunCommand, start: Instant) -> Outcome<()> {
    match settings::gather_keep(&command.job, &command.keep)? {
        Some(keep) => supervise(keep.restarts),
        None => {
            let mut last = Last::default();
            let ended = here(command, start, &HostedArgs::default(), &mut last);
            last.leave(&ended);
            ended
        }
    }
}

/// A run for a supervisor or for a server.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunnerCommand {
    #[command(flatten)]
    run: RunCommand,
    #[command(flatten)]
    hosted: HostedArgs,
}

/// Runs the job for a supervisor or for a server.
pub(crate) fn runner(command: &RunnerCommand, start: Instant) -> Outcome<()> {
    if let Some(hosted) = Hosted::enter(&command.hosted)? {
        let mut last = Last::default();
        let ended = here(&command.run, start, &command.hosted, &mut last);
        if let Some(facts) = last.facts(&ended) {
            hosted.explain(&facts);
        }
        let status = last.telling.as_ref().map(|status| status.now());
        let version = last.telling.and_then(|telling| telling.exchange.as_ref()?.version());
        hosted.leave(&ended, last.stopped, status, last.control.and_then(|control| control.take_suspect()), version);
        return hosted::said(ended);
    }
    if let Some(supervisor) = std::env::var(SUPERVISOR).ok().and_then(|pid| pid.parse().ok()) {
        interrupt::end_with_supervisor(supervisor)?;
    }
    let mut last = Last::default();
    let ended = here(&command.run, start, &command.hosted, &mut last);
    last.leave(&ended);
    if let Some(suspect) = last.control.and_then(|control| control.take_suspect()) {
        tell::suspect(&suspect);
    }
    ended
}

/// What is left of a job for whoever asks how it ended.
#[derive(Default)]
struct Last {
    control: Option<Arc<Control>>,
    telling: Option<Arc<Telling>>,
    stopped: bool,
}

impl Last {
    /// What the operators waited for at the end, where the job has come to run.
    fn facts(&self, ended: &Outcome<()>) -> Option<Facts> {
        let phase = match ended {
            Err(fault) => Phase::Failed(fault.message.clone()),
            Ok(()) if self.stopped => Phase::Stopped,
            Ok(()) => Phase::Finished,
        };
        self.telling.as_ref().map(|telling| telling.facts_of(phase))
    }

    /// Leaves that for `explain`. A job does not fail because it cannot be explained.
    fn leave(&self, ended: &Outcome<()>) {
        if let Some(Err(error)) = self.facts(ended).map(|facts| left::write(&facts)) {
            console::log("warn", "control", &format!("`tidemill explain` will not explain this job: {error}"));
        }
    }
}

fn here(command: &RunCommand, start: Instant, hosted: &HostedArgs, last: &mut Last) -> Outcome<()> {
    let settings = settings::gather(&command.job, &command.run)?;
    let prepared = prepare::prepare(&settings)?;
    let bounds = bindings::resolve(&prepared.plan, &settings.bindings)?;
    let hold = |keep: KeepSettings| KeepSettings { hold: hosted.hold.unwrap_or_default(), ..keep };
    let held_until = Instant::now() + hosted.hold.unwrap_or_default();
    let claimed = settings::gather_keep(&command.job, &command.keep)?.map(hold).map(|keep| keep::claim(&keep)).transpose()?;
    let resuming = claimed.as_ref().is_some_and(Claimed::is_resuming);
    let mut ends = bindings::open(&prepared.plan, &bounds, settings.mode == Mode::Stream, resuming)?;
    let staged = claimed.as_ref().map(|_| Staged::count(&mut ends)).unwrap_or_default();
    let graph = prepare::resolve(&prepared.plan, &settings, ends.limits.clone());
    let name = settings.job_name(prepared.plan.name.as_deref());
    if hosted.hosted.is_none() {
        left::forget(&name);
    }
    let wants_report = command.report.is_some() || command.report_file.is_some();
    if let Some(claimed) = &claimed {
        claimed.check(&prepared.plan, &graph)?;
        claimed.restore(&prepared.plan, &ends)?;
        if claimed.is_finished() {
            console::note("the job has come to its end before: nothing is left to do");
            return Ok(());
        }
        claimed.announce();
    }
    let control = Arc::new(Control::new(prepared.plan.operators.len(), graph.workers()));
    last.control = Some(Arc::clone(&control));
    let keeping = match claimed {
        Some(claimed) => Some(claimed.keep(&prepared.plan, &graph, &name, &prepared.components.digest(), &ends, &control)?),
        None => None,
    };
    let mut run = Run::new(prepared, graph, ends, &settings, control)?;
    run.spec.checkpoints = keeping.as_ref().map(|keeping| keeping.checkpoints.clone());
    interrupt::stop_on_signal(Arc::clone(&run.control))?;
    let exchange = hosted.hosted.is_some().then(|| run.exchange(&settings, keeping.as_ref(), held_until));
    let telling = Arc::new(Telling { exchange, ..run.telling(&name, keeping.as_ref(), staged) });
    last.telling = Some(Arc::clone(&telling));
    let place = hosted.control.as_deref().map_or(Place::Own(&name), Place::Given);
    let listener = listen(&place, &run.control, keeping.as_ref(), Arc::clone(&telling));
    // Ends before the last words are written.
    let _remember = Remember::start(telling, hosted.hosted.as_deref())
        .map_err(|error| console::log("warn", "control", &format!("nothing will be known of this job if it is killed: {error}")));
    last.stopped = run.watched(wants_report, &name, start, command.report_file.as_deref(), (keeping, listener))?;
    Ok(())
}

/// Makes the job reachable for `stop`, `savepoint` and `explain`. One that is not runs all the same, which is said.
fn listen(place: &Place<'_>, control: &Arc<Control>, keeping: Option<&Keeping>, telling: Arc<Telling>) -> Option<Listener> {
    let coordinator = keeping.map(|keeping| Arc::clone(&keeping.coordinator));
    Listener::start(place, Arc::clone(control), coordinator, telling)
        .map_err(|error| console::log("warn", "control", &format!("`tidemill stop` and `savepoint` will not reach this job: {error}")))
        .ok()
}

/// A job about to run, with what is needed to watch it.
pub(crate) struct Run {
    pub(crate) control: Arc<Control>,
    components: Arc<Present>,
    spec: JobSpec,
    sources: Vec<OperatorId>,
    sinks: Vec<OperatorId>,
    endless: bool,
    first_record: Once,
    first_output: Once,
}

impl Run {
    /// Puts together what the engine needs.
    ///
    /// # Errors
    /// When the component cannot be instantiated for this plan.
    pub(crate) fn new(prepared: Prepared, graph: Graph, ends: Ends, settings: &Settings, control: Arc<Control>) -> Outcome<Run> {
        let Prepared { components, plan, .. } = prepared;
        let factory = factory(&components, settings, graph.workers())?;
        let (first_record, first_output) = (Once::default(), Once::default());
        let endless = ends.sources.values().any(|s| !s.bounded());
        let meter_source = |(id, inner)| (id, Arc::new(MeteredSource { inner, first: first_record.clone() }) as Arc<dyn connect::Source>);
        let meter_sink = |(id, inner)| (id, Arc::new(MeteredSink { inner, first: first_output.clone() }) as Arc<dyn connect::Sink>);
        let ids = |wanted: fn(&Kind) -> bool| {
            plan.operators.iter().enumerate().filter(|(_, op)| wanted(&op.kind)).map(|(id, _)| id as OperatorId).collect()
        };
        let (sources, sinks) = (ids(|k| matches!(k, Kind::Source(_))), ids(|k| matches!(k, Kind::Sink(_))));
        let spec = JobSpec {
            sources: ends.sources.into_iter().map(meter_source).collect(),
            sinks: ends.sinks.into_iter().map(meter_sink).collect(),
            graph: Arc::new(graph),
            plan,
            factory,
            checkpoints: None,
            options: options(settings)?,
        };
        Ok(Run { control, components: Arc::new(Present::new(components)), spec, sources, sinks, endless, first_record, first_output })
    }

    /// Begins with a checkpoint.
    pub(crate) fn kept(mut self, checkpoints: Checkpoints) -> Run {
        self.spec.checkpoints = Some(checkpoints);
        self
    }

    /// Runs to the end, silently.
    pub(crate) fn quiet(self) -> Outcome<Option<Report>> {
        ended(tidemill_dataflow::run(self.spec, &self.control))
    }

    /// What can be told of the job while it runs.
    fn telling(&self, job: &str, keeping: Option<&Keeping>, staged: Staged) -> Telling {
        Telling {
            job: job.to_owned(),
            control: Arc::clone(&self.control),
            coordinator: keeping.map(|keeping| Arc::clone(&keeping.coordinator)),
            plan: Arc::clone(&self.spec.plan),
            components: Arc::clone(&self.components),
            graph: Arc::clone(&self.spec.graph),
            sources: self.sources.clone(),
            sinks: self.sinks.clone(),
            staged,
            endless: self.endless,
            begun: Instant::now(),
            exchange: None,
        }
    }

    /// What exchanges its code.
    fn exchange(&self, settings: &Settings, keeping: Option<&Keeping>, held_until: Instant) -> Exchange {
        let workers = self.spec.graph.workers();
        Exchange {
            settings: settings.clone(),
            plan: Arc::clone(&self.spec.plan),
            present: Arc::clone(&self.components),
            control: Arc::clone(&self.control),
            coordinator: keeping.map(|keeping| Arc::clone(&keeping.coordinator)),
            factory: Box::new(move |prepared, settings| factory(&prepared.components, settings, workers)),
            held_until,
            sets_aside: *self.spec.options.watchlist != Watchlist::default(),
            version: Mutex::default(),
        }
    }

    /// Runs to the end with a progress line, a summary and a report where they are wanted; answers whether somebody stopped it.
    fn watched(
        self,
        wants_report: bool,
        name: &str,
        start: Instant,
        report_file: Option<&std::path::Path>,
        (keeping, listener): (Option<Keeping>, Option<Listener>),
    ) -> Outcome<bool> {
        let no_thread = |e: std::io::Error| Fault::failed("cannot start a thread").because(&e);
        let monitor = match wants_report {
            true => Some(Monitor::start(Arc::clone(&self.control), self.sources.clone()).map_err(no_thread)?),
            false => None,
        };
        let view =
            View { control: Arc::clone(&self.control), sources: self.sources.clone(), sinks: self.sinks.clone(), endless: self.endless };
        let progress = Progress::start(view).map_err(no_thread)?;
        let (plan, workers) = (Arc::clone(&self.spec.plan), self.spec.graph.workers());
        let result = tidemill_dataflow::run(self.spec, &self.control);
        let end = monitor::sample(&self.control, &self.sources);
        let samples = monitor.map(Monitor::finish).unwrap_or_default();
        if let Some(progress) = progress {
            progress.finish();
        }
        let Some(ended) = ended(result)? else { return Ok(false) };
        finish(keeping.as_ref(), listener, ended.stopped && !self.control.is_draining())?;
        let cost = self.components.cost();
        let facts = report::Facts {
            job: name,
            plan: &plan,
            workers,
            stopped: ended.stopped,
            start,
            first_record: self.first_record.get(),
            first_record_at: self.first_record.get().map(|at| SystemTime::now() - at.elapsed()),
            first_output: self.first_output.get(),
            end: Sample { records: monitor::records(&ended.snapshot, &self.sources), ..end },
            steady: monitor::steady(&samples, end),
            peak_rss_bytes: process::peak_rss_bytes(),
            recycled: cost.recycled,
            pauses_us: self.control.pauses_us(),
            moved: cost.moved,
            fuel: cost.fuel,
            snapshot: ended.snapshot,
        };
        if console::watched() {
            console::note(&report::summary(&facts));
        }
        if wants_report {
            write_report(&report::json(&facts).to_string(), report_file)?;
        }
        Ok(facts.stopped)
    }
}

/// Makes the last checkpoint, where there are any, and tells whoever waits for the end.
fn finish(keeping: Option<&Keeping>, listener: Option<Listener>, stopped: bool) -> Outcome<()> {
    let ending = if stopped { Ending::Stopped } else { Ending::Finished };
    match (keeping, listener.as_ref().map(Listener::ended)) {
        (Some(keeping), Some(ended)) => ended.with(&keeping.coordinator, || keeping.finish(ending)),
        (Some(keeping), None) => keeping.finish(ending),
        (None, Some(ended)) => {
            ended.tell();
            Ok(())
        }
        (None, None) => Ok(()),
    }
}

/// State memory of each worker that is less than this would be moved out and back with every block.
const STATE_BYTES_MIN: usize = 1 << 20;

/// What each worker makes its instance with.
fn factory(components: &Components, settings: &Settings, workers: usize) -> Outcome<Arc<dyn Factory>> {
    let state = settings.state_bytes.map(|bytes| state_memory(bytes, settings, (workers, components.with_state())));
    Ok(components.factory(state.transpose()?))
}

/// Each worker's share of the budget for state, and the store for the rest. `components` have state on each.
fn state_memory(bytes: usize, settings: &Settings, (workers, components): (usize, usize)) -> Outcome<StateMemory> {
    let share = bytes / workers;
    if share / components < STATE_BYTES_MIN {
        let of = if components == 1 { String::new() } else { format!(" and {components} components with state") };
        let each = share / components;
        let each = format!("--state-memory is {each} bytes for each of {workers} workers{of}, and less than 1 MiB is of no use");
        return Err(Fault::usage(each).hint(format!("give at least {}MiB", workers * components)));
    }
    let dir = settings.state_dir.clone().unwrap_or_else(std::env::temp_dir);
    let scratch = Scratch::create(&dir).map_err(|e| {
        let fault = Fault::refused("there is no place for state that is not in memory").because(&e);
        fault.hint("--state-dir names another folder")
    })?;
    Ok(StateMemory { bytes: share, spills: Arc::new(scratch) })
}

fn options(settings: &Settings) -> Outcome<Options> {
    let defaults = Options::default();
    let idle_ms = match (settings.mode, settings.idle_timeout) {
        // Where every input ends, a quiet one is only slow (design: off for batch).
        (Mode::Batch, _) | (_, Some(Timeout::Off)) => None,
        (_, Some(Timeout::After(ms))) => Some(ms),
        (_, None) => defaults.idle_ms,
    };
    let log = Arc::new(|operator: &str, message: &str| console::log("warn", operator, message));
    Ok(Options { idle_ms, watchlist: Arc::new(tell::watchlist()?), log, ..defaults })
}

/// A reader that has left is how pipes end, not a failure; there is nothing to report then.
fn ended(result: Result<Report, Failure>) -> Outcome<Option<Report>> {
    match result {
        Ok(report) => Ok(Some(report)),
        Err(Failure { cause: Cause::Connector(connect::Error::Closed), .. }) => Ok(None),
        Err(Failure { cause: Cause::Aborted(reason), .. }) if reason == keep::SUPERSEDED => Err(Fault::refused(reason)),
        Err(failure) => Err(fault(&failure)),
    }
}

/// Frames of a trap's backtrace shown, from the first that is not the machinery of a panic: the user's function is among them.
const FRAMES_SHOWN: usize = 12;

fn fault(failure: &Failure) -> Fault {
    let hint = match &failure.cause {
        Cause::Connector(connect::Error::Record { .. }) | Cause::Refused(_) => {
            Some("the job decides what happens to such a record: its operator's on-error may be skip or dead-letter")
        }
        Cause::Guest(error) => match **error {
            guest::Error::Deadline { .. } => Some("look for an endless loop, or do less in one call"),
            guest::Error::Storage { .. } => Some("make room, or name another folder with --state-dir"),
            guest::Error::Limit { .. } => Some("--memory gives the component more, where memory is what it lacks"),
            _ => None,
        },
        _ => None,
    };
    let mut text = failure.to_string();
    if let Cause::Guest(error) = &failure.cause
        && let guest::Error::Trap { backtrace, .. } = &**error
    {
        let runtime = |frame: &&String| ["__rustc::", "std::", "core::", "alloc::"].iter().any(|start| frame.starts_with(start));
        for frame in backtrace.iter().skip_while(runtime).take(FRAMES_SHOWN) {
            text.push_str("\n  at ");
            text.push_str(frame);
        }
    }
    Fault::failed(text).maybe_hint(hint.map(str::to_owned))
}

fn write_report(report: &str, file: Option<&std::path::Path>) -> Outcome<()> {
    match file {
        None => console::raw(report),
        Some(path) => std::fs::write(path, format!("{report}\n"))
            .map_err(|e| Fault::failed(format!("the job is done, but its report cannot be written to {}", path.display())).because(&e))?,
    }
    Ok(())
}
