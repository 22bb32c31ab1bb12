//! `tidemill list`: the jobs of a server.

use clap::Args;
use tidemill_server::view::JobView;

use super::json;
use crate::client::{Client, ServerArgs, table};
use crate::console;
use crate::fault::Outcome;

/// List the jobs of a server
#[derive(Clone, Debug, Args)]
pub(crate) struct ListCommand {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Only jobs that are not over
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs the command.
pub(crate) fn run(command: &ListCommand) -> Outcome<()> {
    let mut jobs: Vec<JobView> = Client::new(&command.server)?.get("/v1/jobs")?;
    jobs.retain(|job| !command.live || !job.state.is_over());
    if command.json { json(&jobs) } else { console::result(&table::jobs(&jobs)) }
}
