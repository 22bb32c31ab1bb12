//! The control socket of a running job: how `savepoint` and `stop` reach a job of this user on this machine.
//!
//! A job listens at `NAME.PID.sock` in a folder that belongs to its user alone, or where the server that has started it says. What is
//! asked and answered is `tidemill_server::control`. Whoever may connect may stop the job, so the folder is checked by both sides.

mod ask;
pub(crate) mod left;
mod listen;

pub(crate) use ask::{ask, facts};
pub(crate) use listen::{Listener, Place, Tells, absolute};

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

pub(crate) use tidemill_server::control::{Made, Reply, Request, Savepoint};
use tidemill_server::control::{read_line, write_line};

use crate::fault::{Exit, Fault};

/// Bytes of a job's name in the name of its socket at most: a path of a socket has 108.
const NAME_BYTES_MAX: usize = 48;
/// What the name of a socket ends with.
const SUFFIX: &str = ".sock";

impl From<Fault> for Reply {
    fn from(fault: Fault) -> Reply {
        Reply::Refused { exit: fault.exit as u8, message: fault.message, causes: fault.causes, hint: fault.hint }
    }
}

/// The answer as the outcome of the command that asked.
fn outcome(reply: Reply) -> Result<Option<Made>, Fault> {
    match reply {
        Reply::Done { savepoint } => Ok(savepoint),
        Reply::Refused { exit, message, causes, hint } => {
            let fault = if exit == Exit::Failed as u8 { Fault::failed(message) } else { Fault::refused(message) };
            Err(causes.into_iter().fold(fault, Fault::cause).maybe_hint(hint))
        }
        Reply::Status(_) | Reply::Facts(_) | Reply::Exchanged { .. } | Reply::Elsewhere { .. } | Reply::Ended => {
            Err(Fault::failed("the job has answered something else"))
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

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
