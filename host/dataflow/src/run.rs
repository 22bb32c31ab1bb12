//! Running a job: one timely worker per thread until the input ends, the job is stopped or it fails.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use tidemill_core::TimeMs;
use tidemill_core::checkpoint::poison::Watchlist;
use tidemill_core::checkpoint::{Keeper, Saved};
use tidemill_core::connect::{Sink, Source};
use tidemill_core::guest::{Factory, OperatorId};
use tidemill_core::plan::{Graph, Plan};
use tidemill_core::schema::Schema;

use crate::control::Control;
use crate::report::{Failure, Report};

/// Receives what the engine has to tell the user: operator name and message.
pub type Log = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// Tells processing time: milliseconds since 1970-01-01T00:00:00Z. It should not go back; where it does, nothing happens until it has
/// caught up.
pub type Clock = Arc<dyn Fn() -> TimeMs + Send + Sync>;

/// Everything a job needs to run.
#[derive(Clone)]
pub struct JobSpec {
    /// The plan, checked.
    pub plan: Arc<Plan>,
    /// The plan resolved.
    pub graph: Arc<Graph>,
    /// Makes the component's instances.
    pub factory: Arc<dyn Factory>,
    /// The opened source of every source operator.
    pub sources: HashMap<OperatorId, Arc<dyn Source>>,
    /// The opened sink of every sink operator.
    pub sinks: HashMap<OperatorId, Arc<dyn Sink>>,
    /// Where checkpoints go and what to begin with, when the job is to survive its process.
    pub checkpoints: Option<Checkpoints>,
    /// Tuning.
    pub options: Options,
}

/// How a job is kept.
#[derive(Clone)]
pub struct Checkpoints {
    /// Takes what operators hand over at the boundaries that [`Control::announce`] makes, and at their ends.
    pub keeper: Arc<dyn Keeper>,
    /// What to begin with.
    pub saved: Option<Arc<dyn Saved>>,
    /// Exactly once: what comes from behind a boundary waits until the boundary has been reached everywhere. Otherwise nothing waits, and
    /// after a restore some records count twice (semantics.md #46).
    pub aligned: bool,
}

/// Tuning of the engine; the defaults are what the figures in `benches/RESULTS.md` were measured with.
#[derive(Clone)]
pub struct Options {
    /// Length of a tick in milliseconds.
    pub tick_ms: u64,
    /// Records a source hands on in one block at most.
    pub block_rows: usize,
    /// Ticks between a source and the sinks at most.
    pub ticks_in_flight: u64,
    /// Bytes of records between sources and sinks at most, all workers together.
    pub bytes_in_flight: usize,
    /// A split of an unbounded source that was polled this long without a record is idle; `None` turns it off.
    pub idle_ms: Option<u64>,
    /// Records at which the job has ended before.
    pub watchlist: Arc<Watchlist>,
    /// Where warnings go.
    pub log: Log,
    /// What drives timers and windows in processing time.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            tick_ms: 10,
            block_rows: 2048,
            ticks_in_flight: 8,
            bytes_in_flight: 64 << 20,
            idle_ms: Some(10_000),
            watchlist: Arc::default(),
            log: Arc::new(|_, _| {}),
            clock: Arc::new(wall_clock),
        }
    }
}

fn wall_clock() -> TimeMs {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as TimeMs)
}

/// An operator that hands over at a boundary, once on every worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Participant {
    /// Its id.
    pub operator: OperatorId,
    /// The fields of its key, where it keeps state by key.
    pub key: Option<Schema>,
    /// The columns of that state.
    pub state: Option<Schema>,
}

/// Who hands over at a boundary, and what: what a keeper waits for, and what is compared with a checkpoint before a restore.
pub fn participants(plan: &Plan, graph: &Graph) -> Vec<Participant> {
    crate::build::heads(plan, graph).into_iter().map(|operator| crate::build::participant(plan, graph, operator)).collect()
}

/// Runs a job to its end on `graph.workers()` threads. `control` must have been made for this plan.
pub fn run(spec: JobSpec, control: &Arc<Control>) -> Result<Report, Failure> {
    crate::build::execute(spec, control)
}
