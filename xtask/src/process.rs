//! Running other programs with errors that a person can act on.
//!
//! Promise: an error names what was attempted, how it ended, and the command to repeat it alone.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How a command with a time limit ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It exited with success.
    Well,
    /// It exited with a failure; the last line it wrote to standard error.
    Badly(String),
    /// It was stopped at the limit.
    TooLate,
}

/// Runs a command with this terminal as its input and output.
pub(crate) fn run(command: &mut Command, what: &str) -> Result<()> {
    let status = command.status().with_context(|| format!("{what}: cannot start `{}`", shown(command)))?;
    if !status.success() {
        bail!("{what} failed ({status}); repeat it alone with: {}", shown(command));
    }
    Ok(())
}

/// Runs a command without showing its output, unless it fails.
pub(crate) fn run_quiet(command: &mut Command, what: &str) -> Result<()> {
    output(command, what).map(|_| ())
}

/// Runs a command and returns what it wrote to standard output.
pub(crate) fn capture(command: &mut Command, what: &str) -> Result<String> {
    let output = output(command, what)?;
    String::from_utf8(output.stdout).with_context(|| format!("{what}: the answer is not UTF-8"))
}

/// Whether the command exists and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs a command whose standard output is passed on line by line and also given to `line`.
pub(crate) fn tee(command: &mut Command, what: &str, mut line: impl FnMut(&str)) -> Result<bool> {
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("{what}: cannot start `{}`", shown(command)))?;
    let stdout = child.stdout.take().context("the child has no standard output although one was asked for")?;
    let mut reader = BufReader::new(stdout);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes)? > 0 {
        let text = String::from_utf8_lossy(&bytes);
        print!("{text}");
        line(text.trim_end());
        bytes.clear();
    }
    Ok(child.wait()?.success())
}

/// Runs a command that may wait for a network that is not there, and stops it at `limit`.
pub(crate) fn run_limited(command: &mut Command, limit: Duration) -> Result<Ended> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start `{}`", shown(command)))?;
    let mut stderr = child.stderr.take().context("the child has no standard error although one was asked for")?;
    let (sender, receiver) = mpsc::channel();
    // The pipe ends when the child does, so the reader doubles as the bell that the limit is measured against.
    let reader = thread::spawn(move || {
        let mut text = Vec::new();
        let read = stderr.read_to_end(&mut text);
        // The receiver is gone when the limit passed first; then nobody wants the text.
        let _ = sender.send(read.map(|_| String::from_utf8_lossy(&text).into_owned()));
    });
    let Ok(text) = receiver.recv_timeout(limit) else {
        child.kill().context("cannot stop a command that took too long")?;
        child.wait()?;
        return Ok(Ended::TooLate);
    };
    let status = child.wait()?;
    reader.join().ok();
    if status.success() {
        return Ok(Ended::Well);
    }
    let text = text.unwrap_or_default();
    Ok(Ended::Badly(text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given").trim().to_owned()))
}

/// A command as it could be typed into a shell, with the folder and variables that it needs.
pub(crate) fn shown(command: &Command) -> String {
    let mut words = Vec::new();
    if let Some(dir) = command.get_current_dir() {
        words.push(format!("cd {} &&", quoted(&dir.to_string_lossy())));
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => words.push(format!("{}={}", name.to_string_lossy(), quoted(&value.to_string_lossy()))),
            None => continue,
        }
    }
    words.push(quoted(&command.get_program().to_string_lossy()));
    words.extend(command.get_args().map(|argument| quoted(&argument.to_string_lossy())));
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

fn output(command: &mut Command, what: &str) -> Result<Output> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{what}: cannot start `{}`", shown(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{what} failed ({}):\n{}\nrepeat it alone with: {}", output.status, said.trim_end(), shown(command));
    }
    Ok(output)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_command_is_shown_so_that_a_shell_reads_the_same_words() {
        let mut command = shell("echo 'a b'");
        command.current_dir("/tmp").env("KEY", "x y");
        assert_eq!(shown(&command), r"cd /tmp && KEY='x y' sh -c 'echo '\''a b'\'''");
    }

    #[test]
    fn a_failure_tells_what_the_program_said_and_how_to_repeat_it() {
        let error = capture(&mut shell("echo broken >&2; exit 3"), "asking").unwrap_err().to_string();
        assert!(error.contains("asking failed") && error.contains("broken") && error.contains("sh -c"), "{error}");
    }

    #[test]
    fn the_limit_stops_a_command_that_never_ends() {
        let ended = run_limited(&mut shell("exec tail -f /dev/null"), Duration::from_millis(50)).unwrap();
        assert_eq!(ended, Ended::TooLate);
    }

    #[test]
    fn within_the_limit_the_last_line_of_the_error_is_kept() {
        assert_eq!(run_limited(&mut shell("exit 0"), Duration::from_secs(60)).unwrap(), Ended::Well);
        let ended = run_limited(&mut shell("echo one >&2; echo two >&2; exit 1"), Duration::from_secs(60)).unwrap();
        assert_eq!(ended, Ended::Badly("two".to_owned()));
    }

    #[test]
    fn tee_hands_on_every_line() {
        let mut lines = Vec::new();
        assert!(!tee(&mut shell("printf 'a\\nb'; exit 1"), "printing", |line| lines.push(line.to_owned())).unwrap());
        assert_eq!(lines, ["a", "b"]);
    }
}
