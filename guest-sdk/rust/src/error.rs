//! Errors of a job: what is wrong with its arguments, or why it refuses a record.

use std::fmt;

/// A message for whoever runs the job. Made of any `std::error::Error` by `?`, or of a text by [`Error::new`] and
/// [`bail!`](crate::bail).
pub struct Error {
    message: String,
}

/// `std::result::Result` with [`Error`].
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that says `message`: one lowercase clause.
    pub fn new(message: impl Into<String>) -> Error {
        Error { message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// `Error` itself is no `std::error::Error`, or this could not be.
impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Error {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            message.push_str(": ");
            message.push_str(&inner.to_string());
            cause = inner.source();
        }
        Error { message }
    }
}

/// Returns an [`Error`] with a formatted message.
#[macro_export]
macro_rules! bail {
    ($($message:tt)*) => {
        return ::std::result::Result::Err($crate::Error::new(::std::format!($($message)*)).into())
    };
}
