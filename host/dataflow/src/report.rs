//! How a job ended.

use tidemill_core::{connect, guest};

use crate::control::Snapshot;

/// Why a job failed: which operator, what happened, and the record where it is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("operator {operator:?} failed: {cause}{}", .record.as_deref().map(|r| format!("\n  record: {r}")).unwrap_or_default())]
pub struct Failure {
    /// The operator's name.
    pub operator: String,
    /// What happened.
    pub cause: Cause,
    /// The record, rendered as `field=value` pairs.
    pub record: Option<String>,
}

/// What can go wrong in an operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The guest.
    #[error(transparent)]
    Guest(Box<guest::Error>),
    /// User code refused a record and the operator's policy is to fail.
    #[error("the job refused a record: {0}")]
    Refused(String),
    /// A source or sink.
    #[error(transparent)]
    Connector(connect::Error),
    /// Somebody ended the job from outside.
    #[error("{0}")]
    Aborted(String),
    /// A limit of the engine.
    #[error("{0}")]
    Limit(String),
}

/// A job that ended as it should.
#[derive(Clone, Debug)]
pub struct Report {
    /// Final counters.
    pub snapshot: Snapshot,
    /// Whether it was stopped before its input ended.
    pub stopped: bool,
}
