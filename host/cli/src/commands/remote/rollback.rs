//! `tidemill rollback`: a job of a server goes back to a version before, with today's state.

use clap::Args;
use tidemill_server::view::{Changed, Rollback};

use super::{changed, operation_path};
use crate::client::{Client, ServerArgs};
use crate::fault::Outcome;

/// Go back to a version of a job before, with today's state
#[derive(Clone, Debug, Args)]
#[command(after_help = "`tidemill status JOB` lists the versions.

Example:
  tidemill rollback counts")]
pub(crate) struct RollbackCommand {
    /// The job: its name or id
    #[arg(value_name = "JOB")]
    job: String,
    /// The number of the version [default: the one before]
    #[arg(value_name = "VERSION")]
    version: Option<u32>,
    /// Leave behind state that it does not have
    #[arg(long)]
    allow_dropped_state: bool,
    /// Print what changed as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs the command.
pub(crate) fn run(command: &RollbackCommand) -> Outcome<()> {
    let client = Client::new(&command.server)?;
    let rollback = Rollback { version: command.version, allow_dropped_state: command.allow_dropped_state };
    let answer: Changed = client.post(&operation_path(&command.job, "rollback"), &rollback)?;
    changed(&client, answer, command.json)
}
