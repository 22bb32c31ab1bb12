//! `tidemill rescale`: a job of a server goes on with another parallelism.

use clap::Args;
use tidemill_server::view::{Changed, Rescale};

use super::{changed, operation_path};
use crate::client::{Client, ServerArgs};
use crate::fault::Outcome;
use crate::value;

/// Go on with another parallelism: the job stops in order and goes on from where it stood
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:
  tidemill rescale counts -p 4")]
pub(crate) struct RescaleCommand {
    /// The job: its name or id
    #[arg(value_name = "JOB")]
    job: String,
    /// Workers for every operator that does not state its own
    #[arg(long, short = 'p', value_name = "N", value_parser = value::parallelism)]
    parallelism: usize,
    /// Print what changed as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs the command.
pub(crate) fn run(command: &RescaleCommand) -> Outcome<()> {
    let client = Client::new(&command.server)?;
    let rescale = Rescale { parallelism: u32::try_from(command.parallelism).unwrap_or(u32::MAX) };
    let answer: Changed = client.post(&operation_path(&command.job, "rescale"), &rescale)?;
    changed(&client, answer, command.json)
}
