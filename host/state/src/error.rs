//! What can go wrong with a directory of checkpoints, told apart by who can do something about it.

use std::time::Duration;

use tidemill_core::checkpoint::protocol::Refused;

/// Why a checkpoint could not be written or read. A file is named as it is listed in its directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The directory cannot be used as it is written.
    #[error("{0}")]
    Directory(String),
    /// The storage refused, or did not answer; what it did may be known later.
    #[error("{file}: {reason}")]
    Storage {
        /// The file, or the directory.
        file: String,
        /// What the storage said.
        reason: String,
    },
    /// A file that must be there is not.
    #[error("{file} is missing")]
    Missing {
        /// The file.
        file: String,
    },
    /// A file to be created has been created by another.
    #[error("{file} exists already, and another wrote it")]
    Exists {
        /// The file.
        file: String,
    },
    /// Bytes that are not what was written.
    #[error("{file} is damaged at byte {at}: {what}")]
    Damaged {
        /// The file.
        file: String,
        /// Offset of what is wrong; of its first byte when it is longer.
        at: u64,
        /// What is wrong.
        what: String,
    },
    /// A file that a later release wrote.
    #[error("{file} has format {found}, and this release reads format {known}")]
    Newer {
        /// The file.
        file: String,
        /// The format of the file.
        found: u32,
        /// The format of this release.
        known: u32,
    },
    /// The job cannot start.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// Another runner has the job.
    #[error("another runner has taken the job over")]
    Superseded,
    /// Operators that did not hand over in time.
    #[error("the boundary was not reached within {} s by {missing}", after.as_secs_f64())]
    Late {
        /// What they were given.
        after: Duration,
        /// Which, in words.
        missing: String,
    },
    /// What the engine handed over cannot be state of the operator: a bug of the engine.
    #[error("operator {operator}: {reason}")]
    Handover {
        /// The operator.
        operator: String,
        /// What is wrong.
        reason: String,
    },
}

impl Error {
    /// Whether the file is there but cannot be used: another checkpoint may be complete. What the storage refused may be answered
    /// later.
    pub fn is_damage(&self) -> bool {
        matches!(self, Error::Missing { .. } | Error::Damaged { .. })
    }

    /// The file it is about.
    pub fn file(&self) -> Option<&str> {
        match self {
            Error::Storage { file, .. }
            | Error::Missing { file }
            | Error::Exists { file }
            | Error::Damaged { file, .. }
            | Error::Newer { file, .. } => Some(file),
            Error::Directory(_) | Error::Refused(_) | Error::Superseded | Error::Late { .. } | Error::Handover { .. } => None,
        }
    }

    pub(crate) fn damaged(file: &str, at: u64, what: impl Into<String>) -> Error {
        Error::Damaged { file: file.to_owned(), at, what: what.into() }
    }

    pub(crate) fn storage(file: &str, reason: impl Into<String>) -> Error {
        Error::Storage { file: file.to_owned(), reason: reason.into() }
    }
}

impl From<Error> for tidemill_core::connect::Error {
    fn from(error: Error) -> Self {
        tidemill_core::connect::Error::Io(error.to_string())
    }
}
