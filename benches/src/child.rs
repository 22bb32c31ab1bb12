//! Running a program to its end, within a time, with its output kept in files.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How often the end is looked for: 10 ms of 2 s and more that a run takes.
const POLL: Duration = Duration::from_millis(10);
/// Bytes of a failed program's messages that are shown.
const SHOWN_BYTES: usize = 2_000;

/// What a program that ended well has said and taken.
pub(crate) struct Done {
    /// Its standard output.
    pub(crate) stdout: String,
    /// From before its start to after its end.
    pub(crate) wall: Duration,
}

/// Runs `command` with its outputs in `dir`. It is ended when it takes longer than `limit`.
///
/// # Errors
/// When it cannot be started, takes too long or fails; with the end of what it said.
pub(crate) fn run(command: &mut Command, dir: &Path, limit: Duration) -> Result<Done> {
    let (out, err) = (dir.join("child.out"), dir.join("child.err"));
    command.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&err)?);
    let shown = format!("{command:?}");
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot start {shown}"))?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("{shown} did not end within {} s", limit.as_secs());
        }
        thread::sleep(POLL);
    };
    let wall = start.elapsed();
    let stdout = std::fs::read_to_string(&out).unwrap_or_default();
    if !status.success() {
        let messages = std::fs::read_to_string(&err).unwrap_or_default();
        let from = messages.floor_char_boundary(messages.len().saturating_sub(SHOWN_BYTES));
        bail!("{shown} ended with {status}: {}{}", stdout.trim_end(), messages[from..].trim_end());
    }
    Ok(Done { stdout, wall })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sh(script: &str, limit: Duration) -> Result<Done> {
        let dir = tempfile::tempdir().unwrap();
        run(Command::new("sh").args(["-c", script]), dir.path(), limit)
    }

    #[test]
    fn output_and_failures_are_told() {
        assert_eq!(sh("echo hello", Duration::from_secs(60)).unwrap().stdout, "hello\n");
        let failed = sh("echo why >&2; exit 3", Duration::from_secs(60)).err().unwrap().to_string();
        assert!(failed.contains("why") && failed.contains('3'), "{failed}");
    }

    #[test]
    fn what_takes_too_long_is_ended() {
        let late = sh("exec sleep 600", Duration::from_millis(50)).err().unwrap().to_string();
        assert!(late.contains("did not end"), "{late}");
    }
}
