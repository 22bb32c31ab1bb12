//! Runs a case and compares.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tidemill_core::TimeMs;
use tidemill_core::checkpoint::{Keeper, Saved};
use tidemill_core::connect::{Sink, Source};
use tidemill_core::guest::OperatorId;
use tidemill_core::plan::{self, Graph, Kind, Operator, Settings, Watermarks};
use tidemill_dataflow::{Checkpoints, Control, JobSpec, Mode, Options, participants};

use crate::case::{Case, Expected, Out, What};
use crate::guest::Interpreters;
use crate::keep::{Book, Memory};
use crate::script::{Left, Script, ScriptSource, has_idle};
use crate::sink::{ListSink, Outputs};

/// What every case runs at.
pub const PARALLELISMS: [usize; 3] = [1, 2, 4];
/// Ticks that may be in flight: a reader that waits for others emits nothing in very many of them.
const TICKS_IN_FLIGHT: u64 = 1_000_000;

/// A case takes a part of a second, on a busy machine some.
const RUN_MAX: Duration = Duration::from_secs(60);

/// Runs a case at a parallelism.
///
/// # Errors
/// What differs from what the case expects.
pub fn run(case: &Case, parallelism: usize) -> Result<()> {
    let result = outputs(case, parallelism);
    match (&case.expected, result) {
        (Expected::Output(expected), Ok(given)) => compare(case, expected, given),
        (Expected::Output(_), Err(error)) => bail!("fails: {error}"),
        (Expected::Error(parts), Err(error)) => {
            for part in parts {
                ensure!(error.contains(part.as_str()), "the error does not say {part:?}, but: {error}");
            }
            Ok(())
        }
        (Expected::Error(_), Ok(given)) => bail!("gives {} records where an error is expected", given.len()),
    }
}

/// What comes out, or the text of the error.
fn outputs(case: &Case, parallelism: usize) -> Result<Vec<(usize, Out)>, String> {
    plan::check(&case.plan).map_err(|error| error.to_string())?;
    let mut workers = parallelism;
    let mut script: Option<Arc<Script>> = None;
    let mut saved: Option<Arc<Memory>> = None;
    let mut given = Vec::new();
    loop {
        let graph = Graph::resolve(&case.plan, &Settings { parallelism: Some(workers), ..Settings::default() });
        let sources = operators(case, |o| matches!(o.kind, Kind::Source(_)));
        let readers = sources.iter().map(|(id, _)| graph.nodes[*id as usize].parallelism.workers).sum();
        let names: Vec<String> = sources.iter().map(|(_, o)| o.name.clone()).collect();
        let now = Arc::new(script.as_ref().map_or_else(|| Script::new(&case.input, &names, readers), |script| script.rest(readers)));
        let control = Arc::new(Control::new(case.plan.operators.len(), graph.workers()));
        now.set_control(&control);
        let outputs = Outputs::default();
        let book = Arc::new(Book::new(&control, participants(&case.plan, &graph, false).len() * graph.workers()));
        let spec = spec(case, graph, &now, &outputs, (&book, saved.clone())).map_err(|error| format!("{error:#}"))?;
        let watch = Watch::start(&control);
        let ended = tidemill_dataflow::run(spec, &control).map_err(|failure| failure.to_string());
        drop(watch);
        ended?;
        given.extend(outputs.take());
        match now.left() {
            Left::AtEnd => return Ok(given),
            Left::Restart(next) => {
                let names: Vec<String> = case.plan.operators.iter().map(|o| o.name.clone()).collect();
                saved = Some(Arc::new(book.saved(&names, saved.as_deref())));
                workers = next;
            }
        }
        script = Some(now);
    }
}

/// Ends a job that takes far too long: what it waits for will never come.
struct Watch {
    /// Gone when the job has ended.
    running: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    fn start(control: &Arc<Control>) -> Watch {
        let (running, ended) = channel::<()>();
        let control = Arc::clone(control);
        let watch = move || {
            if ended.recv_timeout(RUN_MAX) == Err(RecvTimeoutError::Timeout) {
                control.abort(format!("the case has not come to its end after {} s", RUN_MAX.as_secs()));
            }
        };
        Watch { running: Some(running), thread: Some(std::thread::spawn(watch)) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.running = None;
        // The thread has nothing to tell.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn operators(case: &Case, wanted: impl Fn(&Operator) -> bool) -> Vec<(OperatorId, &Operator)> {
    (0..).zip(&case.plan.operators).filter(|(_, o)| wanted(o)).collect()
}

fn spec(
    case: &Case,
    graph: Graph,
    script: &Arc<Script>,
    outputs: &Outputs,
    (book, saved): (&Arc<Book>, Option<Arc<Memory>>),
) -> Result<JobSpec> {
    let has_idle = has_idle(&case.input);
    let sources = operators(case, |o| matches!(o.kind, Kind::Source(_))).into_iter().enumerate();
    let source = |(index, (id, operator)): (usize, (OperatorId, &Operator))| {
        let source = ScriptSource::new(script, index, operator, strategy(operator), !has_idle);
        (id, Arc::new(source) as Arc<dyn Source>)
    };
    let sink = |(id, operator): (OperatorId, &Operator)| {
        let schema = graph.inputs(id).next().map(|edge| edge.schema.clone()).unwrap_or_default();
        let sink = ListSink { name: operator.name.clone(), schema, script: Arc::clone(script), outputs: outputs.clone() };
        (id, Arc::new(sink) as Arc<dyn Sink>)
    };
    let clock = Arc::clone(script);
    let factory = match &case.program {
        Some(program) => program.factory()?,
        None => Arc::new(Interpreters::new(&case.plan, &case.guest)),
    };
    Ok(JobSpec {
        plan: Arc::new(case.plan.clone()),
        factory,
        sources: sources.map(source).collect::<HashMap<_, _>>(),
        sinks: operators(case, |o| matches!(o.kind, Kind::Sink(_))).into_iter().map(sink).collect(),
        graph: Arc::new(graph.clone()),
        checkpoints: Some(Checkpoints {
            keeper: Arc::clone(book) as Arc<dyn Keeper>,
            saved: saved.map(|saved| saved as Arc<dyn Saved>),
            mode: Mode::Aligned,
            under_way: false,
        }),
        options: Options {
            tick_ms: 1,
            ticks_in_flight: TICKS_IN_FLIGHT,
            idle_ms: has_idle.then_some(0),
            clock: Arc::new(move || -> TimeMs { clock.clock.load(SeqCst) }),
            ..Options::default()
        },
    })
}

fn strategy(operator: &Operator) -> Option<Watermarks> {
    match &operator.kind {
        Kind::Source(spec) => spec.watermarks,
        _ => None,
    }
}

/// Output as text, in an order of its own: what comes between two marks has none.
fn sorted(outputs: impl IntoIterator<Item = (usize, Out)>) -> Vec<(usize, String)> {
    let text = |(phase, mut out): (usize, Out)| {
        out.record.retain(|_, value| !value.is_null());
        let mut record: Vec<_> = out.record.into_iter().collect();
        record.sort_by(|a, b| a.0.cmp(&b.0));
        let record = serde_json::Value::Object(record.into_iter().collect());
        (phase, format!("{} at {}: {record}", out.sink, out.time))
    };
    let mut lines: Vec<(usize, String)> = outputs.into_iter().map(text).collect();
    lines.sort();
    lines
}

fn compare(case: &Case, expected: &[(usize, Out)], given: Vec<(usize, Out)>) -> Result<()> {
    let (expected, given) = (sorted(expected.to_vec()), sorted(given));
    let without = |some: &[(usize, String)], others: &[(usize, String)]| {
        let mut others = others.to_vec();
        let mut left = Vec::new();
        for line in some {
            match others.iter().position(|other| other == line) {
                Some(at) => drop(others.swap_remove(at)),
                None => left.push(line.clone()),
            }
        }
        left
    };
    let (missing, surplus) = (without(&expected, &given), without(&given, &expected));
    if missing.is_empty() && surplus.is_empty() {
        return Ok(());
    }
    let shown = |what: &str, lines: Vec<(usize, String)>| {
        lines.into_iter().map(|(phase, line)| format!("\n  {what} after {}: {line}", mark(case, phase))).collect::<String>()
    };
    bail!("differs:{}{}", shown("missing", missing), shown("surplus", surplus))
}

/// A mark in words.
fn mark(case: &Case, phase: usize) -> String {
    let mut marks = case.input.iter().filter(|line| !matches!(line.what, What::Record(_)));
    match phase {
        0 => "the beginning".to_owned(),
        _ => marks.nth(phase - 1).map_or_else(|| "the end".to_owned(), |line| format!("line {} ({:?})", line.number, line.what)),
    }
}
