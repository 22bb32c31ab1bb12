//! `tidemill logs`: what a job of a server has to say.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::job_path;
use crate::client::{Client, ServerArgs, part};
use crate::console;
use crate::fault::{Fault, Outcome};

/// Show the log of a job of a server
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  tidemill logs counts -f
  tidemill logs counts --operator count --level warn")]
pub(crate) struct LogsCommand {
    /// The job: its name or id
    #[arg(value_name = "JOB")]
    job: String,
    /// Go on until the job is over
    #[arg(long, short)]
    follow: bool,
    /// Only lines of this operator
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// Only lines of this level and above
    #[arg(long, value_enum, value_name = "LEVEL")]
    level: Option<Level>,
    /// The last so many lines
    #[arg(long, short = 'n', value_name = "N", default_value = "100")]
    lines: usize,
    /// Print the lines as they are stored, a JSON object each
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Level {
    Info,
    Warn,
    Error,
}

/// Runs the command.
pub(crate) fn run(command: &LogsCommand) -> Outcome<()> {
    let mut query = format!("/logs?lines={}", command.lines);
    if command.follow {
        query.push_str("&follow=true");
    }
    if let Some(operator) = &command.operator {
        query.push_str(&format!("&operator={}", part(operator)));
    }
    if let Some(level) = command.level.and_then(|level| level.to_possible_value()) {
        query.push_str(&format!("&level={}", level.get_name()));
    }
    let client = Client::new(&command.server)?;
    let mut lines = BufReader::new(client.stream(&job_path(&command.job, &query))?);
    let mut line = String::new();
    loop {
        line.clear();
        let read = lines.read_line(&mut line).map_err(|e| Fault::failed("the log is cut off").because(&e))?;
        if read == 0 {
            return Ok(());
        }
        console::result(&if command.json { line.clone() } else { shown(&line) })?;
    }
}

/// A line for people: time, level unless it is `info`, operator, message.
fn shown(line: &str) -> String {
    let Ok(value) = serde_json::from_str::<Value>(line) else { return console::printable(line) };
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let time = value["time_ms"].as_u64().map(|ms| humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(ms)).to_string());
    let level = Some(text("level")).filter(|level| level != "info");
    let place = Some(text("operator")).filter(|place| !place.is_empty()).map(|place| format!("{place}:"));
    let mut parts: Vec<String> = [time, level, place].into_iter().flatten().collect();
    parts.push(text("message"));
    let mut out = parts.join(" ");
    for cause in value["causes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        out.push_str(&format!("\n  cause: {cause}"));
    }
    if let Some(hint) = value["hint"].as_str() {
        out.push_str(&format!("\n  hint: {hint}"));
    }
    console::printable(&(out + "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_by_people() {
        let line =
            "{\"time_ms\":1000,\"level\":\"warn\",\"operator\":\"a\",\"message\":\"b\\u001b[2J\",\"causes\":[\"c\"],\"hint\":\"d\"}\n";
        assert_eq!(shown(line), "1970-01-01T00:00:01.000Z warn a: b\\u{1b}[2J\n  cause: c\n  hint: d\n");
        assert_eq!(shown("{\"level\":\"info\",\"message\":\"b\"}\n"), "b\n");
        assert_eq!(shown("no json\n"), "no json\n");
    }
}
