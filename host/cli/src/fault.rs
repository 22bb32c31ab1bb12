//! What a command ends with when it does not end well: an exit code, a message, its causes and a hint.
//!
//! The codes are part of the interface (docs/cli.md); scripts branch on them.

use std::error::Error;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The job ran and failed, a test differed, a build broke.
    Failed = 1,
    /// The command line or the job file cannot be understood.
    Usage = 2,
    /// Component, plan, binding or request refused; nothing ran.
    Refused = 3,
    /// A bug of ours.
    Internal = 70,
    /// The second Ctrl-C.
    Interrupted = 130,
}

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    /// From the outermost to the root, none repeating the message.
    pub(crate) causes: Vec<String>,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// Nothing to say: the reader of our output has left, which is how pipes end.
    pub(crate) quiet: bool,
    /// It has been said, here or by another process that ended with this code.
    pub(crate) told: Option<u8>,
    /// There was nobody to ask.
    pub(crate) is_unreachable: bool,
}

/// The result of everything that ends in front of the user.
pub(crate) type Outcome<T> = Result<T, Fault>;

impl Fault {
    fn new(exit: Exit, message: impl Into<String>) -> Fault {
        Fault { exit, message: message.into(), causes: Vec::new(), hint: None, quiet: false, told: None, is_unreachable: false }
    }

    /// The job failed.
    pub(crate) fn failed(message: impl Into<String>) -> Fault {
        Fault::new(Exit::Failed, message)
    }

    /// The request makes no sense as written.
    pub(crate) fn usage(message: impl Into<String>) -> Fault {
        Fault::new(Exit::Usage, message)
    }

    /// The request is understood and declined.
    pub(crate) fn refused(message: impl Into<String>) -> Fault {
        Fault::new(Exit::Refused, message)
    }

    /// The reader of standard output has closed it.
    pub(crate) fn closed() -> Fault {
        Fault { quiet: true, ..Fault::new(Exit::Failed, "the reader of the output has closed it") }
    }

    /// As another process ended, which has said why.
    pub(crate) fn told(code: u8) -> Fault {
        Fault { told: Some(code), ..Fault::new(Exit::Failed, "another process has failed") }
    }

    /// Marks that there was nobody to ask.
    pub(crate) fn unreachable(self) -> Fault {
        Fault { is_unreachable: true, ..self }
    }

    /// Adds what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Fault {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a hint where there is one.
    pub(crate) fn maybe_hint(mut self, hint: Option<String>) -> Fault {
        self.hint = hint.or(self.hint);
        self
    }

    /// Adds an error and everything behind it. A cause that only repeats its predecessor is left out.
    pub(crate) fn because(mut self, error: &(dyn Error + 'static)) -> Fault {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            if self.causes.last().unwrap_or(&self.message) != &text {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// Adds a cause that is only a text.
    pub(crate) fn cause(mut self, text: impl Into<String>) -> Fault {
        self.causes.push(text.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);
    impl std::fmt::Display for Layer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }
    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|e| e as &(dyn Error + 'static))
        }
    }

    #[test]
    fn causes_are_listed_once_each() {
        let error = Layer("disk", Some(Box::new(Layer("disk", Some(Box::new(Layer("full", None)))))));
        let fault = Fault::failed("cannot write").because(&error);
        assert_eq!(fault.causes, ["disk", "full"]);
    }
}
