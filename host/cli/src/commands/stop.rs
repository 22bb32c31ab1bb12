//! `tidemill stop`: ends a running job in order.

use clap::Args;

use super::savepoint::{self, PlaceArgs};
use crate::fault::Outcome;
use crate::socket::{self, Request};

/// End a running job: sources stop, what is in flight is finished, outputs are committed
#[derive(Clone, Debug, Args)]
#[command(after_help = "JOB is the name of a job that runs on this machine as this user, the id of its process, or its control socket.
Returns when the job has ended. A job with --checkpoint-dir goes on where it stood when it is run again, unless it was drained.

Examples:
  tidemill stop counts
  tidemill stop counts --savepoint --name before-upgrade
  tidemill stop counts --drain")]
pub(crate) struct StopCommand {
    /// The running job
    #[arg(value_name = "JOB")]
    job: String,
    /// Make a savepoint of where it ends; its URL is the result
    #[arg(long)]
    savepoint: bool,
    /// Let event time come to its end first, so that every window and timer fires: for a job that is not to go on
    #[arg(long)]
    drain: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Runs the command.
pub(crate) fn run(command: &StopCommand) -> Outcome<()> {
    let wanted = command.savepoint || command.place.name.is_some() || command.place.to.is_some();
    let savepoint = wanted.then(|| command.place.savepoint());
    match socket::ask(&command.job, &Request::Stop { savepoint, drain: command.drain })? {
        Some(made) => savepoint::tell(&made),
        None => Ok(()),
    }
}
