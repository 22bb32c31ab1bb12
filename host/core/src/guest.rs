//! User code as the dataflow sees it: a [`Guest`] that answers calls over blocks.
//!
//! `host/guest` implements these traits with wasmtime; tests and benches implement them with closures.
//! An [`Error`] tells who has to act: a record that user code refused is not an error but a
//! [`Failure`] inside the [`Outcome`].

use crate::TimeMs;
use crate::block::Block;
use crate::schema::Schema;

/// The index of an operator in its plan.
pub type OperatorId = u32;
/// The index of a fused chain, given by the host.
pub type ChainId = u32;
/// A dense index of one piece of guest-resident state of one operator and instance.
pub type Slot = u32;

/// What a component may be given at most. Every limit is enforced by the guest host and tested at the limit.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Linear memory of all modules of the store together, in bytes.
    pub memory_bytes: usize,
    /// How long one call may run before it is stopped, in milliseconds.
    pub call_ms: u64,
    /// Bytes one call may emit.
    pub emit_bytes: usize,
    /// Timer operations one call may return.
    pub timer_ops: usize,
    /// Log bytes per second that are kept; the rest is counted.
    pub log_bytes_per_s: usize,
}

impl Default for Limits {
    /// Admits the largest sample of every SDK (a Python component starts at 12 MiB of memory).
    fn default() -> Limits {
        Limits { memory_bytes: 512 << 20, call_ms: 5_000, emit_bytes: 256 << 20, timer_ops: 1 << 20, log_bytes_per_s: 64 << 10 }
    }
}

/// Event time and processing time at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The operator's watermark before the call.
    pub watermark: TimeMs,
    /// Processing time as the host hands it out.
    pub now: TimeMs,
}

/// A block that a call emitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Emission {
    /// The operator.
    pub operator: OperatorId,
    /// The index in its outputs.
    pub port: u32,
    /// The records.
    pub block: Block,
}

/// What to do with timers of a key. See the WIT for the exact words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerAction {
    /// Add beside others.
    Add,
    /// Replace all of this name.
    Replace,
    /// Remove this one.
    Delete,
    /// Remove all of this name.
    Clear,
}

/// One change to timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerOp {
    /// The slot whose key it concerns.
    pub slot: Slot,
    /// The index of the timer's name in the plan.
    pub timer: u32,
    /// What to do.
    pub action: TimerAction,
    /// When it is due.
    pub time: TimeMs,
}

/// A record that user code refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The row in the block of the call.
    pub row: u32,
    /// The operator of the chain that refused it.
    pub operator: OperatorId,
    /// What it said.
    pub message: String,
}

/// Everything a call did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Blocks in the order they were emitted, checked against the plan's schemas.
    pub emitted: Vec<Emission>,
    /// Timer changes in order.
    pub timers: Vec<TimerOp>,
    /// Slots that are empty now.
    pub cleared: Vec<Slot>,
    /// Slots that did not change.
    pub unchanged: Vec<Slot>,
    /// Refused records in ascending order of row.
    pub failures: Vec<Failure>,
}

/// What happened to windows whose trigger is the component's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerEvent {
    /// A record is being added.
    Record,
    /// Event time has come to what the trigger asked for.
    EventTime,
    /// Processing time has.
    ProcessingTime,
}

/// What becomes of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerAction {
    /// Nothing.
    Continue,
    /// It fires.
    Fire,
    /// It is emptied.
    Purge,
    /// Both.
    FireAndPurge,
}

/// What a trigger answers about a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of it.
    pub action: TriggerAction,
    /// When to ask again in event time, unless as before.
    pub event_time: Option<TimeMs>,
    /// When to ask again in processing time, unless as before.
    pub processing_time: Option<TimeMs>,
}

/// What a trigger is asked: see the WIT.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What happened.
    pub event: TriggerEvent,
    /// One row per window.
    pub windows: &'a Block,
    /// Their slots.
    pub slots: &'a [Slot],
    /// The block of the records.
    pub records: Option<&'a Block>,
    /// The record of each window.
    pub rows: &'a [u32],
}

/// Why a call gave no outcome. The instance is unusable afterwards.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The code trapped: a bug of the job's author.
    #[error("the component trapped in {export}: {message}")]
    Trap {
        /// The export that was running.
        export: &'static str,
        /// wasmtime's reason and the guest's own panic message.
        message: String,
        /// The wasm frames, innermost first, with names where the component has them.
        backtrace: Vec<String>,
        /// Operator and row, where the guest could still tell.
        at: Option<(OperatorId, u32)>,
    },
    /// The call passed its deadline: retried by a supervisor, never blamed on a record.
    #[error("the component was stopped in {export} after {ms} ms: it may not run longer in one call")]
    Deadline {
        /// The export that was running.
        export: &'static str,
        /// The limit.
        ms: u64,
    },
    /// A limit of [`Limits`] or of the contract was passed.
    #[error("the component passed a limit in {export}: {message}")]
    Limit {
        /// The export that was running.
        export: &'static str,
        /// Which limit, and its value.
        message: String,
    },
    /// The component broke the contract: a wrong block, an unknown operator, a slot that was not named.
    #[error("the component broke the contract in {export}: {message}")]
    Contract {
        /// The export that was running.
        export: &'static str,
        /// What it did.
        message: String,
    },
    /// State that does not fit into memory could not be moved out or back: no fault of the component.
    #[error("the store of state that is not in memory failed: {message}")]
    Storage {
        /// What it said.
        message: String,
    },
    /// The component answered an orderly error outside of a record (`plan`, `import-state`).
    #[error("the component refused {export}: {message}")]
    Refused {
        /// The export that answered.
        export: &'static str,
        /// What it said.
        message: String,
    },
}

/// One instance of a component; it lives on one worker and is never called concurrently.
pub trait Guest {
    /// Announces a fused chain.
    fn link(&mut self, chain: ChainId, members: &[OperatorId]) -> Result<(), Error>;

    /// Processes records; `rows` and `slots` as in the WIT.
    fn process(&mut self, chain: ChainId, input: u32, at: Moment, block: &Block, rows: &[u32], slots: &[Slot]) -> Result<Outcome, Error>;

    /// Fires timers, one per row.
    fn on_timer(&mut self, chain: ChainId, at: Moment, block: &Block, slots: &[Slot]) -> Result<Outcome, Error>;

    /// Fires windows, one per row; row `i` is the merge of `slots[offsets[i]..offsets[i + 1]]`.
    fn fire(&mut self, chain: ChainId, at: Moment, block: &Block, offsets: &[u32], slots: &[Slot]) -> Result<Outcome, Error>;

    /// Merges accumulators pairwise.
    fn merge(&mut self, operator: OperatorId, targets: &[Slot], sources: &[Slot]) -> Result<(), Error>;

    /// Encodes the state of slots as one block of the operator's state schema.
    fn export_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<Block, Error>;

    /// Loads state into empty slots.
    fn import_state(&mut self, operator: OperatorId, slots: &[Slot], block: &Block) -> Result<(), Error>;

    /// Empties slots.
    fn drop_state(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(), Error>;

    /// The slots of an operator that may hold state, in no order; `None` from a guest that keeps no book of them, whose code cannot be
    /// exchanged while it runs.
    fn slots(&self, operator: OperatorId) -> Option<Vec<Slot>> {
        let _ = operator;
        None
    }

    // What follows came with contract 0.2.0; a guest whose plan has nothing of it is never asked.

    /// Asks the trigger of a window operator; one decision per window.
    fn trigger(&mut self, operator: OperatorId, at: Moment, asked: &Asked<'_>) -> Result<Vec<Decision>, Error> {
        let _ = (operator, at, asked);
        Err(missing("trigger"))
    }

    /// Empties slots of what their windows have gathered.
    fn purge(&mut self, operator: OperatorId, slots: &[Slot]) -> Result<(), Error> {
        let _ = (operator, slots);
        Err(missing("purge"))
    }

    /// Applies one record of a broadcast input to keys.
    fn apply(&mut self, chain: ChainId, input: u32, at: Moment, block: &Block, keys: &Block, slots: &[Slot]) -> Result<Outcome, Error> {
        let _ = (chain, input, at, block, keys, slots);
        Err(missing("apply"))
    }

    /// Asks for the watermark of a split.
    fn watermark(&mut self, operator: OperatorId, split: u32, now: TimeMs, block: Option<&Block>) -> Result<Option<TimeMs>, Error> {
        let _ = (operator, split, now, block);
        Err(missing("watermark"))
    }

    /// Turns rows of state with the columns `from`, that an earlier version exported, into rows of today's, one each.
    fn migrate_state(&mut self, operator: OperatorId, from: &Schema, block: &Block) -> Result<Block, Error> {
        let _ = (operator, from, block);
        Err(missing("migrate-state"))
    }
}

fn missing(export: &'static str) -> Error {
    Error::Contract { export, message: "this guest has no such export".to_owned() }
}

/// Makes instances, one per worker, all of one component and plan.
pub trait Factory: Send + Sync {
    /// A fresh instance that has built its plan and compared it.
    fn instantiate(&self) -> Result<Box<dyn Guest>, Error>;
}
