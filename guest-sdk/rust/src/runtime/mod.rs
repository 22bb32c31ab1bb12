//! What runs a job: an [`Instance`] answers the calls of the contract over blocks of bytes.
//!
//! Nothing here knows WebAssembly. The component binds an [`Instance`] to the exports of the contract; the test kit and
//! benches run the same instance natively. A block is decoded column by column, its records pass through the chain
//! one by one in typed closures that were put together when the chain was linked, and what leaves the chain is written into
//! the columns of a block again.

mod call;
mod chain;
mod co_group;
mod expiring;
mod generator;
mod instance;
mod keyed;
mod port;
mod slots;
mod stateless;
mod windowed;

pub use instance::Instance;

pub(crate) use call::{Call, with_current};
pub(crate) use chain::{Asked, Exits, Head, Operator, Push, erase};
pub(crate) use co_group::CoGroupOperator;
pub(crate) use expiring::{Expiring, ExpiringList, ExpiringMap, ExpiringValue, Stamp, is_stamp};
pub(crate) use generator::TimestampsOperator;
pub(crate) use keyed::{Keyed, KeyedOperator, Run};
pub(crate) use port::{AnyPort, Port};
pub(crate) use slots::{CLEARED, ListTable, MapTable, Slots, Table, Touched, ValueTable};
pub(crate) use stateless::{FilterOperator, StatelessOperator};
pub(crate) use windowed::{Compute, WindowOperator};

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For the author of the job, while looking for a bug.
    Trace,
    /// For the author of the job.
    Debug,
    /// Worth knowing in normal operation.
    Info,
    /// Somebody should look at it some day.
    Warn,
    /// Somebody should look at it now.
    Error,
}

/// What the host offers.
pub trait Host {
    /// Writes a line to the log of the job.
    fn log(&self, level: Level, operator: u32, message: &str);

    /// Hands on a block of output records.
    fn emit(&self, operator: u32, port: u32, block: &[u8]);

    /// Says which row is about to cause a trap.
    fn report_failure(&self, operator: u32, row: u32, message: &str);
}

/// What to do with timers of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerAction {
    /// Sets one beside others.
    Add,
    /// Sets one and removes every other of the name.
    Replace,
    /// Removes the one of exactly this time.
    Delete,
    /// Removes all of the name.
    Clear,
}

/// One change to the timers of a keyed operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerOp {
    /// The slot whose key it concerns.
    pub slot: u32,
    /// The index of the timer in the plan.
    pub timer: u32,
    /// What to do.
    pub action: TimerAction,
    /// When it is due, in milliseconds of its time domain.
    pub time: i64,
}

/// A record that the job's code refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The row of the block.
    pub row: u32,
    /// The operator that refused it.
    pub operator: u32,
    /// What it said.
    pub message: String,
}

/// What a call did besides emitting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Timer changes in order.
    pub timers: Vec<TimerOp>,
    /// Slots of this call that are empty now.
    pub cleared: Vec<u32>,
    /// Slots of this call that are as they were before.
    pub unchanged: Vec<u32>,
    /// Refused records in ascending order of row.
    pub failures: Vec<Failure>,
}

/// Event time and processing time at a call, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The operator's watermark before the call.
    pub watermark: i64,
    /// The host's processing time.
    pub now: i64,
}
