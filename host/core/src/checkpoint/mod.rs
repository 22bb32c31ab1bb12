//! Checkpoints: what an operator hands over at a boundary, and what it is given back at a restore.
//!
//! A **boundary** is the end of a tick. At it every operator hands over what it has (a [`Handover`] per operator and worker); a
//! [`Keeper`] writes them down and makes them one checkpoint by a manifest. What comes back is a [`Saved`] job, whose keyed state is
//! read by key group, so that it fits any parallelism.
//!
//! Keyed state travels in **pages**: blocks whose first columns say whose state a row is ([`page_schema`]), followed by
//! the state as the guest exports it. A page of a handover may say that a row is gone; a page that comes back never does.
//!
//! What makes a checkpoint exist, and which one a start takes, is decided in [`protocol`]; when to begin one in [`trigger`]; what
//! becomes of a job whose runner ended in [`restart`]; and of a record that ends every runner in [`poison`].

pub mod compare;
pub mod poison;
pub mod protocol;
pub mod restart;
pub mod trigger;

use std::fmt;
use std::ops::Range;

use crate::TimeMs;
use crate::block::Block;
use crate::connect;
use crate::guest::OperatorId;
use crate::schema::{Field, Schema, Type};

/// The number of a checkpoint of a job; every attempt has one of its own, and later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct CheckpointId(pub u64);

/// The number of a start of the job: of two runners that believe the job theirs, the one with the greater number is right. It is
/// the line of the log at which the runner claimed the job ([`protocol::Claim`]), so numbers rise but not by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Generation(pub u64);

impl fmt::Display for CheckpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The columns of a page before the state's own.
pub mod column {
    /// The key group, i32.
    pub const GROUP: usize = 0;
    /// The canonical key, bytes.
    pub const KEY: usize = 1;
    /// What the state is of besides its key, bytes, in the operator's own encoding; empty for none.
    pub const NAMESPACE: usize = 2;
    /// Whether the row says that the state of its key and namespace is gone, bool.
    pub const GONE: usize = 3;
    /// What the host keeps of the key and namespace (timers, firings), optional bytes in the operator's own encoding.
    pub const HOST: usize = 4;
    /// The first column of the state.
    pub const STATE: usize = 5;
}

/// The schema of the pages of an operator whose state has the columns of `state`.
///
/// # Panics
/// When a column of the state has the name of one of the page's; a plan's names never begin with `$`.
pub fn page_schema(state: &Schema) -> Schema {
    let field = |name: &str, ty, optional| Field { name: name.to_owned(), ty, optional };
    let mut fields = vec![
        field("$group", Type::I32, false),
        field("$key", Type::Bytes, false),
        field("$namespace", Type::Bytes, false),
        field("$gone", Type::Bool, false),
        field("$host", Type::Bytes, true),
    ];
    fields.extend(state.fields().iter().cloned());
    Schema::new(fields).expect("names of state columns do not begin with $")
}

/// What one operator hands over at a boundary, on one worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Handover {
    /// The operator.
    pub operator: OperatorId,
    /// The worker.
    pub worker: usize,
    /// Its watermark at the boundary.
    pub watermark: TimeMs,
    /// State by key.
    pub keyed: Option<Keyed>,
    /// State that is not by key: where a reader stands, as text in its owner's words.
    pub position: Option<String>,
    /// Output that is durable but not yet visible: names that the sink's commit is called with.
    pub staged: Vec<String>,
    /// The operator has come to its end: this handover holds for every later checkpoint too.
    pub last: bool,
}

/// Keyed state at a boundary.
#[derive(Clone, Debug, PartialEq)]
pub struct Keyed {
    /// The columns of the state; the pages have those of [`page_schema`] of it.
    pub state: Schema,
    /// Rows of each key and namespace at most once, in no order: everything that has changed or gone since the handover before, or
    /// since the restore. The first handover of a job that was not restored has everything there is.
    pub pages: Vec<Block>,
}

/// Takes what operators hand over.
pub trait Keeper: Send + Sync {
    /// Takes a handover for a checkpoint. Returns at once; whatever goes wrong later fails the checkpoint, never the job.
    fn keep(&self, checkpoint: CheckpointId, handover: Handover);
}

/// An operator of a saved job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SavedOperator {
    /// The least watermark over its workers.
    pub watermark: TimeMs,
    /// The columns of its keyed state, when it has any.
    pub state: Option<Schema>,
    /// Positions of all workers that had one.
    pub positions: Vec<String>,
    /// Output to commit before anything else, unless it has been.
    pub staged: Vec<String>,
}

/// A checkpoint to start from.
pub trait Saved: Send + Sync {
    /// Its number.
    fn checkpoint(&self) -> CheckpointId;

    /// What was saved of an operator; operators are found by name.
    fn operator(&self, name: &str) -> Option<&SavedOperator>;

    /// Reads the keyed state of an operator for some key groups: each key and namespace that has state, once.
    ///
    /// # Errors
    /// Storage that cannot be read or is damaged: file and place are in the text. What `each` answers ends the reading.
    fn pages(
        &self,
        name: &str,
        groups: Range<u32>,
        each: &mut dyn FnMut(Block) -> Result<(), connect::Error>,
    ) -> Result<(), connect::Error>;
}
