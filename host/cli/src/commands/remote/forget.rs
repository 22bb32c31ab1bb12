//! `tidemill forget`: deletes what is left of a job that is over.

use clap::Args;

use super::job_path;
use crate::client::{Client, ServerArgs};
use crate::fault::Outcome;

/// Delete a job of a server that is over, with its log and checkpoints
#[derive(Clone, Debug, Args)]
pub(crate) struct ForgetCommand {
    /// The job: its name or id
    #[arg(value_name = "JOB")]
    job: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs the command.
pub(crate) fn run(command: &ForgetCommand) -> Outcome<()> {
    Client::new(&command.server)?.delete(&job_path(&command.job, ""))
}
