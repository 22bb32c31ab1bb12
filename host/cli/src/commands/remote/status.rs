//! `tidemill status`: how a job of a server goes.

use std::io::IsTerminal as _;
use std::time::Duration;

use clap::Args;
use tidemill_server::view::JobView;

use super::{job_path, json};
use crate::client::{Client, ServerArgs, table};
use crate::console;
use crate::fault::Outcome;

/// Show how a job of a server goes
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  tidemill status counts
  tidemill status counts --watch
  tidemill status counts --json | jq .status.records_in")]
pub(crate) struct StatusCommand {
    /// The job: its name or id
    #[arg(value_name = "JOB")]
    job: String,
    /// Show it again every second until it is over
    #[arg(long, short)]
    watch: bool,
    /// Print JSON; with --watch an object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// How often a job that is watched is shown.
const INTERVAL: Duration = Duration::from_secs(1);
/// Moves the cursor to the top left and clears the screen below it.
const CLEAR: &str = "\u{1b}[H\u{1b}[J";

/// Runs the command.
pub(crate) fn run(command: &StatusCommand) -> Outcome<()> {
    let client = Client::new(&command.server)?;
    let clear = command.watch && !command.json && std::io::stdout().is_terminal();
    loop {
        let job: JobView = client.get(&job_path(&command.job, ""))?;
        match (command.json, command.watch) {
            (true, false) => json(&job)?,
            (true, true) => console::result(&format!("{}\n", serde_json::json!(job)))?,
            (false, _) => console::result(&format!("{}{}", if clear { CLEAR } else { "" }, table::job(&job)))?,
        }
        if !command.watch || job.state.is_over() {
            return Ok(());
        }
        std::thread::sleep(INTERVAL);
    }
}
