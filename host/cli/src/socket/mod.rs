//! The control socket of a running job: how `savepoint` and `stop` reach a job of this user on this machine.
//!
//! A job listens at `NAME.PID.sock` in a folder that belongs to its user alone. A request is one JSON object in a line, and so is the
//! answer, after which the connection is closed. Whoever may connect may stop the job, so the folder is checked by both sides.

mod ask;
mod listen;

pub(crate) use ask::ask;
pub(crate) use listen::{Listener, absolute};

use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::fault::{Exit, Fault};

/// Bytes of a request or an answer at most: names and URLs that people type.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// Bytes of a job's name in the name of its socket at most: a path of a socket has 108.
const NAME_BYTES_MAX: usize = 48;
/// What the name of a socket ends with.
const SUFFIX: &str = ".sock";

/// What is asked of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Make a savepoint and go on.
    Savepoint(Savepoint),
    /// Finish what is in flight and end.
    Stop {
        /// The savepoint to make of the end.
        savepoint: Option<Savepoint>,
        /// Let event time come to its end first.
        drain: bool,
    },
}

/// The savepoint that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Savepoint {
    /// Its name; the moment when there is none.
    pub(crate) name: Option<String>,
    /// Where to, when not into the checkpoint directory of the job.
    pub(crate) to: Option<String>,
}

/// What a job answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Reply {
    /// It is done.
    Done {
        /// The savepoint made.
        savepoint: Option<Made>,
    },
    /// It is not.
    Refused {
        /// The exit code for whoever asked.
        exit: u8,
        /// What went wrong.
        message: String,
        /// Why.
        causes: Vec<String>,
        /// What to do next.
        hint: Option<String>,
    },
}

/// A savepoint that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Made {
    /// What `run --from` takes.
    pub(crate) url: String,
    /// The checkpoint it is.
    pub(crate) checkpoint: u64,
    /// Bytes of its keyed state.
    pub(crate) bytes: u64,
}

impl From<Fault> for Reply {
    fn from(fault: Fault) -> Reply {
        Reply::Refused { exit: fault.exit as u8, message: fault.message, causes: fault.causes, hint: fault.hint }
    }
}

impl Reply {
    /// The answer as the outcome of the command that asked.
    fn outcome(self) -> Result<Option<Made>, Fault> {
        match self {
            Reply::Done { savepoint } => Ok(savepoint),
            Reply::Refused { exit, message, causes, hint } => {
                let fault = if exit == Exit::Failed as u8 { Fault::failed(message) } else { Fault::refused(message) };
                Err(causes.into_iter().fold(fault, Fault::cause).maybe_hint(hint))
            }
        }
    }
}

/// The folder of this user's sockets.
pub(crate) fn folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir).join("tidemill"),
        None => std::env::temp_dir().join(format!("tidemill-{}", nix::unistd::geteuid())),
    }
}

/// Makes the folder, for this user alone.
fn make(folder: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder) {
        Ok(()) => is_ours(folder),
        Err(error) => Err(error),
    }
}

/// Fails for a folder that others may write to or that belongs to somebody else: in a shared `/tmp` anyone may have made it first.
fn is_ours(folder: &Path) -> io::Result<()> {
    let facts = std::fs::symlink_metadata(folder)?;
    if facts.is_dir() && facts.uid() == nix::unistd::geteuid().as_raw() && facts.mode() & 0o077 == 0 {
        return Ok(());
    }
    let text = format!("{} is not a folder of this user alone (mode 0700)", folder.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

/// The name of a job as it stands in the name of its socket.
fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
    name.chars().map(plain).take(NAME_BYTES_MAX).collect()
}

/// Reads the one line of a request or an answer.
fn read_line<T: for<'de> Deserialize<'de>>(from: impl Read) -> io::Result<T> {
    let mut line = Vec::new();
    io::BufRead::read_until(&mut io::BufReader::new(from.take(LINE_BYTES_MAX)), b'\n', &mut line)?;
    if line.last() != Some(&b'\n') {
        let why = if line.len() as u64 == LINE_BYTES_MAX { "a line that is too long" } else { "a line that is cut off" };
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    serde_json::from_slice(&line).map_err(io::Error::from)
}

/// Writes the one line of a request or an answer.
fn write_line(mut to: impl io::Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_back_and_wrong_ones_are_refused() {
        let request = Request::Stop { savepoint: Some(Savepoint { name: Some("a".to_owned()), to: None }), drain: true };
        let mut line = Vec::new();
        write_line(&mut line, &request).unwrap();
        assert_eq!(read_line::<Request>(line.as_slice()).unwrap(), request);
        let refused = |bytes: &[u8]| read_line::<Request>(bytes).unwrap_err().to_string();
        assert_eq!(refused(&line[..line.len() - 1]), "a line that is cut off");
        assert_eq!(refused(b""), "a line that is cut off");
        assert_eq!(refused(&vec![b' '; LINE_BYTES_MAX as usize + 1]), "a line that is too long");
        assert!(refused(b"{\"restart\":{}}\n").contains("unknown variant"));
    }

    #[test]
    fn a_line_of_the_greatest_length_is_read() {
        let mut line = b"{\"stop\":{\"drain\":false,\"savepoint\":null}}".to_vec();
        line.resize(LINE_BYTES_MAX as usize - 1, b' ');
        line.push(b'\n');
        assert!(read_line::<Request>(line.as_slice()).is_ok());
    }

    #[test]
    fn names_become_file_names() {
        assert_eq!(plain("word count/ü.v2"), "word-count---v2");
        assert_eq!(plain(&"x".repeat(500)).len(), NAME_BYTES_MAX);
    }

    #[test]
    fn a_folder_that_others_may_use_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        make(&folder).unwrap();
        std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        assert!(make(&folder).unwrap_err().to_string().contains("not a folder of this user alone"));
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("a"), &link).unwrap();
        assert!(is_ours(&link).is_err());
    }
}
