//! Everything the user reads: messages go to standard error as text or JSON lines, results to standard output.
//!
//! Text that came from a component or an input file may hold control characters; they are written
//! as escapes, so that no record can move the cursor or rename the window of a terminal.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::sync::OnceLock;

use clap::ValueEnum;
use indicatif::MultiProgress;
use serde_json::json;

use crate::fault::{Fault, Outcome};
use crate::rotate::RotatingLog;

/// How messages are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

static FORMAT: OnceLock<LogFormat> = OnceLock::new();
/// Where messages go of a job that runs for a server.
static LOG: OnceLock<RotatingLog> = OnceLock::new();
/// Messages are printed above the progress line, where there is one.
static LINES: OnceLock<MultiProgress> = OnceLock::new();

/// Chooses the format, once, before the first message.
pub(crate) fn set_format(format: LogFormat) {
    // The first choice stands: the command line is read once.
    let _ = FORMAT.set(format);
}

pub(crate) fn format() -> LogFormat {
    FORMAT.get().copied().unwrap_or_default()
}

/// Where progress bars live.
pub(crate) fn bars() -> &'static MultiProgress {
    LINES.get_or_init(MultiProgress::new)
}

/// Whether a person watches standard error.
pub(crate) fn watched() -> bool {
    format() == LogFormat::Text && io::stderr().is_terminal()
}

/// Something worth knowing now, e.g. what Ctrl-C is doing.
pub(crate) fn note(message: &str) {
    line("info", None, message);
}

/// A line of the job's log: what an operator or the engine has to tell.
pub(crate) fn log(level: &str, operator: &str, message: &str) {
    line(level, Some(operator), message);
}

fn line(level: &str, place: Option<&str>, message: &str) {
    match format() {
        LogFormat::Json => write_line(&json!({"level": level, "operator": place, "message": message}).to_string()),
        LogFormat::Text => {
            let mut text = if level == "info" { String::new() } else { format!("{level}: ") };
            if let Some(place) = place {
                let _ = write!(text, "{}: ", printable(place));
            }
            text.push_str(&printable(message));
            write_line(&text);
        }
    }
}

/// A machine's line on standard error, e.g. a report.
pub(crate) fn raw(text: &str) {
    write_line(text);
}

/// Tells why the command did not succeed.
pub(crate) fn fault(fault: &Fault) {
    if fault.quiet {
        return;
    }
    if format() == LogFormat::Json {
        let code = fault.exit as i32;
        let value = json!({"level": "error", "message": fault.message, "causes": fault.causes, "hint": fault.hint, "exit": code});
        return write_line(&value.to_string());
    }
    let mut text = format!("error: {}", printable(&fault.message));
    for cause in &fault.causes {
        let _ = write!(text, "\n  cause: {}", printable(cause).replace('\n', "\n         "));
    }
    if let Some(hint) = &fault.hint {
        let _ = write!(text, "\nhint: {}", printable(hint));
    }
    write_line(&text);
}

/// Standard error may be closed or full; there is nobody left to tell.
fn write_line(text: &str) {
    if let Some(log) = LOG.get() {
        return log.write(text);
    }
    match LINES.get() {
        Some(bars) if watched() => {
            let _ = bars.println(text);
        }
        _ => {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }
}

/// From now on messages go to this log instead of standard error, each with its time.
pub(crate) fn set_log(log: RotatingLog) {
    // The first choice stands: a process has one job.
    let _ = LOG.set(log);
}

/// Writes a command's result to standard output.
///
/// # Errors
/// A reader that has left (`| head`) is a quiet fault; a full disk is a loud one.
pub(crate) fn result(text: &str) -> Outcome<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|e| output_fault(&e))
}

/// The fault for a failed write to standard output.
pub(crate) fn output_fault(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Fault::closed(),
        _ => Fault::failed("cannot write to standard output").because(error),
    }
}

/// The text with control characters as escapes; line breaks and tabs stay.
pub(crate) fn printable(text: &str) -> String {
    let escape = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(escape) {
        return text.to_owned();
    }
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match escape(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_cannot_drive_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\tc\nd"), "a\\u{1b}[2Jb\tc\nd");
        assert_eq!(printable("größe"), "größe");
    }
}
