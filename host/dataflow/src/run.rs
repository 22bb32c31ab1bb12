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
    /// What an operator does at a boundary that has not been reached everywhere.
    pub mode: Mode,
    /// Whether what is under way is handed over too: in an unaligned job, and in any that begins with what such a job has left.
    pub under_way: bool,
}

/// What an operator does with records from behind a boundary while others from before it are still to come (semantics.md #46).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They wait. A restore counts every record once.
    #[default]
    Aligned,
    /// They go on: the operator hands over at once, and what still comes from before the boundary is kept beside its state. A restore
    /// counts every record once.
    Unaligned,
    /// They go on and are in what is handed over: a restore counts some of them twice.
    AtLeastOnce,
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

/// Whether a name in a checkpoint is that of what is under way to an operator. A checkpoint that was aligned has nothing of it.
pub fn is_under_way(name: &str) -> bool {
    name.contains(crate::in_flight::SEPARATOR)
}

/// Runs a job to its end on `graph.workers()` threads. `control` must have been made for this plan.
pub fn run(spec: JobSpec, control: &Arc<Control>) -> Result<Report, Failure> {
    crate::build::execute(spec, control)
}
