//! A version of a job over a few records of its input, from a savepoint, with nothing written where anybody looks: for a server that
//! compares two versions before it swaps them.
//!
//! Promise: two runs from one savepoint read the same records in the same order. So one worker does all of it, rates do not hold, no
//! source counts as idle, and a run ends when every source has given what was asked for or has come to its end. What is left to chance is
//! what the job takes from the clock, and how several sources take turns.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tidemill_core::TimeMs;
use tidemill_core::connect::{Error, Polled, Reader, Source, SplitTime, Waker};
use tidemill_core::plan::{Kind, Plan};
use tidemill_dataflow::Control;
use tidemill_server::shadow::{Ran, RanSink, Shadow, ShadowSink, compare};

use crate::bindings::{self, Bound, Ends};
use crate::commands::run::Run;
use crate::fault::{Fault, Outcome};
use crate::prepare::{self, Prepared};
use crate::settings::{JobArgs, KeepArgs, KeepSettings, Mode, Settings};
use crate::{keep, settings};

/// What a version is run over, and where what it writes goes.
pub(crate) struct Span<'a> {
    /// The savepoint.
    pub(crate) from: &'a str,
    /// Records of each source at most.
    pub(crate) records: u64,
    /// A folder of this run.
    pub(crate) into: &'a Path,
    pub(crate) allow_dropped_state: bool,
}

/// Runs a version.
///
/// # Errors
/// Whatever would end the job, and input that cannot be read again.
pub(crate) fn run(job: &JobArgs, settings: &Settings, span: &Span<'_>) -> Outcome<Ran> {
    let settings = Settings { mode: Mode::Batch, parallelism: Some(1), ..settings.clone() };
    let prepared = prepare::prepare(&settings)?;
    let plan = alone(&prepared.plan);
    let mut bounds = bindings::resolve(&plan, &settings.bindings)?;
    let sinks = redirect(&plan, &mut bounds, span.into)?;
    let claimed = keep::claim(&kept(job, span)?)?;
    let mut ends = bindings::open(&plan, &bounds, true, false)?;
    let graph = prepare::resolve(&plan, &settings, ends.limits.clone());
    claimed.check(&plan, &graph)?;
    claimed.restore_sources(&plan, &ends)?;
    let control = Arc::new(Control::new(plan.operators.len(), graph.workers()));
    let reading = cap(&mut ends, span.records, &control);
    let name = settings.job_name(plan.name.as_deref());
    let keeping = claimed.keep(&plan, &graph, &name, &prepared.components.digest(), &ends, &control)?;
    let prepared = Prepared { plan: Arc::new(plan), ..prepared };
    let run = Run::new(prepared, graph, ends, &settings, control)?;
    run.kept(keeping.checkpoints.clone()).quiet()?;
    Ok(Ran { records: reading.records.load(Relaxed), cut: reading.cut.load(Relaxed), sinks })
}

/// The plan for one worker, whatever its operators state.
fn alone(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.operators.iter_mut().for_each(|operator| operator.parallelism = None);
    plan
}

/// The savepoint to begin with. No checkpoint is ever taken: the folder is gone before one would be of use.
fn kept(job: &JobArgs, span: &Span<'_>) -> Outcome<KeepSettings> {
    let dir = span.into.join("kept").display().to_string();
    let allow_dropped_state = span.allow_dropped_state;
    let args = KeepArgs { checkpoint_dir: Some(dir), from: Some(span.from.to_owned()), allow_dropped_state, ..KeepArgs::default() };
    let keep = settings::gather_keep(job, &args)?.ok_or_else(|| Fault::failed("a shadow has a folder"))?;
    Ok(KeepSettings { hold: Duration::MAX, ..keep })
}

/// Binds every sink to a folder of its own, and lets sources run as fast as they can.
fn redirect(plan: &Plan, bounds: &mut [Bound], into: &Path) -> Outcome<Vec<RanSink>> {
    let mut sinks = Vec::new();
    for bound in bounds {
        let operator = &plan.operators[bound.operator as usize];
        if matches!(operator.kind, Kind::Sink(_)) {
            let folder = format!("sink-{}", sinks.len());
            bound.url = Some(format!("file:{}?format=json&ordered=true", into.join(&folder).display()));
            sinks.push(RanSink { operator: operator.name.clone(), folder });
            continue;
        }
        let Some(url) = &bound.url else { continue };
        // Before it is opened: a connection that a source makes may be the only one that its other side takes.
        if !tidemill_connectors::can_be_read_again(url) {
            let text = format!("source {:?} reads {url}, which cannot be read a second time", operator.name);
            return Err(Fault::refused(text).hint("only file: sources can be read by a shadow; swap without it, and the probation watches"));
        }
        bound.url = Some(tidemill_connectors::unpaced(url));
    }
    Ok(sinks)
}

/// What is read, and by how many sources it still is.
struct Reading {
    left: AtomicUsize,
    records: AtomicU64,
    cut: AtomicBool,
    control: Arc<Control>,
}

/// Lets every source give so many records.
fn cap(ends: &mut Ends, records: u64, control: &Arc<Control>) -> Arc<Reading> {
    let (left, control) = (AtomicUsize::new(ends.sources.len()), Arc::clone(control));
    let reading = Arc::new(Reading { left, records: AtomicU64::new(0), cut: AtomicBool::new(false), control });
    for source in ends.sources.values_mut() {
        *source = Arc::new(Capped { inner: Arc::clone(source), records, reading: Arc::clone(&reading) });
    }
    reading
}

impl Reading {
    /// A source has given all that it will. When all have, and one of them had more, the job is stopped, so that no window fires that would
    /// have had more; where all came to their ends, it ends by itself.
    fn done(&self, cut: bool) {
        if cut {
            self.cut.store(true, Relaxed);
        }
        if self.left.fetch_sub(1, Relaxed) == 1 && self.cut.load(Relaxed) {
            self.control.stop();
        }
    }
}

struct Capped {
    inner: Arc<dyn Source>,
    records: u64,
    reading: Arc<Reading>,
}

impl Source for Capped {
    fn reader(&self, worker: usize, peers: usize, waker: Waker) -> Result<Box<dyn Reader>, Error> {
        let inner = self.inner.reader(worker, peers, waker)?;
        Ok(Box::new(CappedReader { inner, left: self.records, done: false, reading: Arc::clone(&self.reading) }))
    }

    fn bounded(&self) -> bool {
        self.inner.bounded()
    }

    fn restore(&self, positions: &[String]) -> Result<(), Error> {
        self.inner.restore(positions)
    }

    fn replayable(&self) -> bool {
        self.inner.replayable()
    }

    fn parallelism_max(&self) -> Option<usize> {
        self.inner.parallelism_max()
    }
}

struct CappedReader {
    inner: Box<dyn Reader>,
    left: u64,
    done: bool,
    reading: Arc<Reading>,
}

impl CappedReader {
    fn finish(&mut self, cut: bool) {
        if !std::mem::replace(&mut self.done, true) {
            self.reading.done(cut);
        }
    }
}

impl Reader for CappedReader {
    fn poll(&mut self, rows: usize) -> Result<Polled, Error> {
        if self.left == 0 {
            // Only now, when what the last records said of event time has been told.
            self.finish(true);
            return Ok(Polled::Pending);
        }
        let polled = self.inner.poll(rows.min(usize::try_from(self.left).unwrap_or(usize::MAX)))?;
        match &polled {
            Polled::Batch(batch) => {
                self.left = self.left.saturating_sub(batch.records);
                self.reading.records.fetch_add(batch.records, Relaxed);
            }
            Polled::Ended => self.finish(false),
            Polled::Pending => {}
        }
        Ok(polled)
    }

    fn splits(&self) -> &[SplitTime] {
        self.inner.splits()
    }

    fn observe(&mut self, split: usize, max_time: TimeMs) {
        self.inner.observe(split, max_time);
    }

    fn position(&mut self, boundary: Option<u64>) -> Result<Option<String>, Error> {
        self.inner.position(boundary)
    }
}

/// Compares what two runs wrote; each is its folder and what it said.
///
/// # Errors
/// What they wrote cannot be read.
pub(crate) fn difference(before: (&Path, &Ran), after: (&Path, &Ran)) -> Outcome<Shadow> {
    let mut sinks = Vec::new();
    for sink in &before.1.sinks {
        // A sink of one version only is told by the comparison of plans.
        let Some(other) = after.1.sinks.iter().find(|other| other.operator == sink.operator) else { continue };
        let (was, is) = (written(&before.0.join(&sink.folder))?, written(&after.0.join(&other.folder))?);
        let difference = compare(&was, &is);
        sinks.push(ShadowSink { operator: sink.operator.clone(), before: was.len() as u64, after: is.len() as u64, difference });
    }
    Ok(Shadow { records: before.1.records, cut: before.1.cut, sinks })
}

/// The lines of a sink's only file, which has a dot in front of its name for as long as no checkpoint has shown it.
fn written(folder: &Path) -> Outcome<Vec<String>> {
    let failed = |e: std::io::Error| Fault::failed(format!("cannot read what was written to {}", folder.display())).because(&e);
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        files.push(entry.map_err(failed)?.path());
    }
    files.sort();
    let mut lines = Vec::new();
    for file in files {
        let bytes = fs::read(file).map_err(failed)?;
        lines.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned));
    }
    Ok(lines)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tidemill_core::connect::Batch;

    /// Gives so many records, at most three in a poll.
    struct Given(u64);

    impl Reader for Given {
        fn poll(&mut self, rows: usize) -> Result<Polled, Error> {
            let records = self.0.min(3).min(rows as u64);
            self.0 -= records;
            Ok(if records == 0 { Polled::Ended } else { Polled::Batch(Batch { records, ..Batch::default() }) })
        }

        fn splits(&self) -> &[SplitTime] {
            &[]
        }

        fn observe(&mut self, _: usize, _: TimeMs) {}
    }

    fn reading(sources: usize) -> Arc<Reading> {
        let control = Arc::new(Control::new(1, 1));
        Arc::new(Reading { left: AtomicUsize::new(sources), records: AtomicU64::new(0), cut: AtomicBool::new(false), control })
    }

    /// Polls until there is nothing more, and says how many records came.
    fn read(has: u64, records: u64, reading: &Arc<Reading>) -> u64 {
        let mut reader = CappedReader { inner: Box::new(Given(has)), left: records, done: false, reading: Arc::clone(reading) };
        let mut count = 0;
        while let Polled::Batch(batch) = reader.poll(100).unwrap() {
            count += batch.records;
            assert!(!reading.control.is_stopping(), "not before the last records have been passed on");
        }
        reader.poll(100).unwrap();
        count
    }

    #[test]
    fn a_source_gives_what_was_asked_for_and_the_last_one_stops_the_job() {
        let reading = reading(2);
        assert_eq!(read(20, 7, &reading), 7);
        assert!(!reading.control.is_stopping());
        assert_eq!(read(20, 7, &reading), 7);
        assert!(reading.control.is_stopping());
        assert_eq!((reading.records.load(Relaxed), reading.cut.load(Relaxed)), (14, true));
    }

    #[test]
    fn input_that_comes_to_its_end_ends_the_job_by_itself() {
        let whole = reading(1);
        assert_eq!(read(5, 7, &whole), 5);
        assert!(!whole.control.is_stopping() && !whole.cut.load(Relaxed));
        let mixed = reading(2);
        assert_eq!((read(20, 7, &mixed), read(5, 7, &mixed)), (7, 5));
        assert!(mixed.control.is_stopping());
    }

    #[test]
    fn what_two_runs_wrote_is_compared_sink_by_sink() {
        let folder = tempfile::tempdir().unwrap();
        let (before, after) = (folder.path().join("a"), folder.path().join("b"));
        for (run, name, text) in [(&before, "part-0", "1\n2\n"), (&after, ".part-0", "2\n3\n")] {
            fs::create_dir_all(run.join("sink-0")).unwrap();
            fs::write(run.join("sink-0").join(name), text).unwrap();
        }
        let sink = |operator: &str| RanSink { operator: operator.to_owned(), folder: "sink-0".to_owned() };
        let ran = Ran { records: 2, cut: true, sinks: vec![sink("out"), sink("gone")] };
        let shadow = difference((&before, &ran), (&after, &Ran { sinks: vec![sink("new"), sink("out")], ..ran.clone() })).unwrap();
        assert_eq!((shadow.records, shadow.sinks.len()), (2, 1));
        let sink = &shadow.sinks[0];
        let found = sink.difference.as_ref().unwrap();
        assert_eq!((sink.operator.as_str(), sink.before, sink.after), ("out", 2, 2));
        assert_eq!((found.first_missing.as_deref(), found.first_surplus.as_deref()), (Some("1"), Some("3")));
    }
}
