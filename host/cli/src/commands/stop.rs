//! `tidemill stop`: ends a running job in order.

use clap::Args;

use tidemill_server::view::{EndState, JobView, Stop};

use super::savepoint::{self, PlaceArgs, here_or_there};
use crate::client::{Client, OPERATION_WAIT, ServerArgs, part};
use crate::fault::{Fault, Outcome};
use crate::socket::{self, Made, Request};

/// End a running job: sources stop, what is in flight is finished, outputs are committed
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "JOB is the name of a job that runs on this machine as this user, the id of its process, or its control socket; else a job of the server.
Returns when the job has ended. A job with --checkpoint-dir goes on where it stood when it is run again, unless it was drained.

Examples:
  tidemill stop counts
  tidemill stop counts --savepoint --name before-upgrade
  tidemill stop counts --drain"
)]
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
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs the command.
pub(crate) fn run(command: &StopCommand) -> Outcome<()> {
    let wanted = command.savepoint || command.place.name.is_some() || command.place.to.is_some();
    let savepoint = wanted.then(|| command.place.savepoint());
    let here = || socket::ask(&command.job, &Request::Stop { savepoint: savepoint.clone(), drain: command.drain });
    let there = |client: &Client| remotely(client, &command.job, &Stop { savepoint: savepoint.clone(), drain: command.drain });
    match here_or_there(&command.server, here, there)? {
        Some(made) => savepoint::tell(&made),
        None => Ok(()),
    }
}

fn remotely(client: &Client, job: &str, stop: &Stop) -> Outcome<Option<Made>> {
    let route = format!("/v1/jobs/{}/stop?wait_ms={}", part(job), OPERATION_WAIT.as_millis());
    let job: JobView = client.post(&route, stop)?;
    let job = client.wait(job, |job| job.state.is_over())?;
    let failed = || Fault::failed(format!("the job {} has failed while it was stopping", job.name));
    match &job.end {
        Some(end) if end.state == EndState::Failed => Err(end
            .message
            .iter()
            .chain(&end.causes)
            .fold(failed(), |fault, cause| fault.cause(cause.clone()))
            .maybe_hint(end.hint.clone())),
        Some(end) => Ok(end.savepoint.clone()),
        None => Ok(None),
    }
}
