//! `tidemill events`: what happens on a server, as it happens.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use serde_json::Value;

use crate::client::{Client, ServerArgs};
use crate::console;
use crate::fault::{Fault, Outcome};

/// Show what happens on a server, until Ctrl-C
#[derive(Clone, Debug, Args)]
pub(crate) struct EventsCommand {
    /// Print a JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs the command.
pub(crate) fn run(command: &EventsCommand) -> Outcome<()> {
    let client = Client::new(&command.server)?;
    for line in BufReader::new(client.stream("/v1/events")?).lines() {
        let line = line.map_err(|e| Fault::failed("the stream of events is cut off").because(&e))?;
        // Every event of ours is one line of data; the rest are its number, its name and signs of life.
        if let Some(data) = line.strip_prefix("data:") {
            console::result(&if command.json { format!("{}\n", data.trim()) } else { shown(data) })?;
        }
    }
    Ok(())
}

fn shown(data: &str) -> String {
    let Ok(value) = serde_json::from_str::<Value>(data) else { return console::printable(data) };
    if let Some(lost) = value["lost"].as_u64() {
        return format!("{lost} events were lost: this reader was too slow\n");
    }
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let time = Duration::from_millis(value["time_ms"].as_u64().unwrap_or_default());
    let parts = [humantime::format_rfc3339_millis(UNIX_EPOCH + time).to_string(), text("name"), text("event"), text("detail")];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    console::printable(&format!("{}\n", parts.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let data = " {\"number\":1,\"time_ms\":0,\"event\":\"job-failed\",\"job\":\"j1\",\"name\":\"counts\",\"detail\":\"why\"}";
        assert_eq!(shown(data), "1970-01-01T00:00:00.000Z counts job-failed why\n");
        assert_eq!(shown("{\"lost\":3}"), "3 events were lost: this reader was too slow\n");
    }
}
