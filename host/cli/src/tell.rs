//! What a supervisor tells its runner at the start, and a runner its supervisor at the end: records at which the job ends.
//!
//! Down goes an environment variable, up a pipe whose end the runner finds under a path, so that no file is left behind by whoever is
//! killed. A runner tells at most once, less than a pipe holds.

use std::io::{PipeReader, PipeWriter, Read as _};
use std::os::fd::AsRawFd as _;
use std::process::Command;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use tidemill_core::checkpoint::poison::{Suspect, Watchlist};

use tidemill_server::control::WATCHLIST;

use crate::console;
use crate::fault::{Fault, Outcome};

/// Where the runner says in which call it ended.
const SUSPECT: &str = "TIDEMILL_SUSPECT";
/// Bytes read from a runner at most: what a pipe holds.
const TOLD_MAX: u64 = 64 << 10;

/// The supervisor's side of one runner.
pub(crate) struct Line {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Line {
    /// Opens a line to a runner that is about to be started by `command`.
    ///
    /// # Errors
    /// When the system has no pipe.
    pub(crate) fn open(command: &mut Command, list: &Watchlist) -> std::io::Result<Line> {
        let (reader, writer) = std::io::pipe()?;
        // The runner's descendants may outlive it: what it said is there when it has ended, and nothing more is waited for.
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        fcntl(&writer, FcntlArg::F_SETFD(FdFlag::empty()))?;
        let list = serde_json::to_string(list).map_err(std::io::Error::other)?;
        command.env(WATCHLIST, list).env(SUSPECT, format!("/dev/fd/{}", writer.as_raw_fd()));
        Ok(Line { reader, writer })
    }

    /// What the runner has said, which has ended.
    pub(crate) fn heard(self) -> Option<Suspect> {
        drop(self.writer);
        let mut text = Vec::new();
        // It ends with an error where somebody else still holds the other end; what was read until then counts.
        let _ = self.reader.take(TOLD_MAX).read_to_end(&mut text);
        // A runner that was killed while it spoke has said nothing.
        serde_json::from_slice(&text).ok()
    }
}

/// What this runner has to watch; nothing where it has no supervisor.
///
/// # Errors
/// A variable that no supervisor has written.
pub(crate) fn watchlist() -> Outcome<Watchlist> {
    let Some(text) = std::env::var_os(WATCHLIST) else { return Ok(Watchlist::default()) };
    let text = text.to_string_lossy();
    serde_json::from_str(&text).map_err(|e| Fault::usage(format!("{WATCHLIST} is not what a supervisor writes")).because(&e))
}

/// Tells the supervisor, if there is one, in which call the job has ended.
pub(crate) fn suspect(suspect: &Suspect) {
    let Some(path) = std::env::var_os(SUSPECT) else { return };
    let text = serde_json::to_vec(suspect).unwrap_or_default();
    if let Err(error) = std::fs::write(path, text) {
        console::log("warn", "supervisor", &format!("it cannot be told at which record the job has ended: {error}"));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn heard(script: &str) -> Option<Suspect> {
        let mut command = Command::new("sh");
        let line = Line::open(&mut command, &Watchlist::default()).unwrap();
        assert!(command.args(["-c", script]).status().unwrap().success());
        line.heard()
    }

    const SAID: &str = r#"{"entry":"a","call":"process","input":0,"content":18446744073709551615,"operator":"a","on_error":"skip",
        "kind":"Trap","reason":"r","record":null,"seen":1}"#;

    #[test]
    fn what_a_runner_says_is_heard_and_nothing_is_waited_for() {
        assert_eq!(heard(&format!("printf %s '{SAID}' > $TIDEMILL_SUSPECT")).unwrap().content, Some(u64::MAX));
        assert_eq!(heard("true"), None);
        assert_eq!(heard("printf '{\"entry\":' > $TIDEMILL_SUSPECT"), None, "it was killed meanwhile");
        let outlived = heard(&format!("printf %s '{SAID}' > $TIDEMILL_SUSPECT; sleep 5 > /dev/null 2>&1 &"));
        assert!(outlived.is_some(), "somebody holds the other end still");
    }
}
