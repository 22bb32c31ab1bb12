//! `tidemill savepoint`: a checkpoint of a running job that is kept under a name.

use clap::Args;

use super::checkpoint;
use crate::client::{Client, ServerArgs, part};
use crate::console;
use crate::fault::{Fault, Outcome};
use crate::socket::{self, Made, Request, Savepoint};

/// Keep the state of a running job under a name, while it goes on
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "JOB is the name of a job that runs on this machine as this user, the id of its process, or its control socket; else a job of the server.
The URL of the savepoint is the result: `tidemill run … --from URL` begins with it, at any parallelism.

Examples:
  tidemill savepoint counts
  tidemill savepoint counts --name before-upgrade --to s3://bucket/savepoints"
)]
pub(crate) struct SavepointCommand {
    /// The running job
    #[arg(value_name = "JOB")]
    job: String,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    server: ServerArgs,
}

/// What a savepoint is called and where it goes.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlaceArgs {
    /// What to call it: small letters, digits and - [default: the moment]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) name: Option<String>,
    /// Copy it to this directory, where it stands by itself [default: the job's checkpoint directory]
    #[arg(long, value_name = "URL")]
    pub(crate) to: Option<String>,
}

impl PlaceArgs {
    /// As a request; a relative path is one of this process, not of the job's.
    pub(crate) fn savepoint(&self) -> Savepoint {
        Savepoint { name: self.name.clone(), to: self.to.as_deref().map(socket::absolute) }
    }
}

fn name(text: &str) -> Result<String, String> {
    let savepoint: Result<tidemill_core::checkpoint::protocol::Savepoint, _> = text.parse();
    savepoint.map(|name| name.to_string()).map_err(|_| "small letters, digits and - are allowed, e.g. before-upgrade".to_owned())
}

/// Runs the command.
pub(crate) fn run(command: &SavepointCommand) -> Outcome<()> {
    let wanted = command.place.savepoint();
    let here = || socket::ask(&command.job, &Request::Savepoint(wanted.clone()));
    let there = |client: &Client| client.post(&format!("/v1/jobs/{}/savepoint", part(&command.job)), &wanted).map(Some);
    let made = here_or_there(&command.server, here, there)?;
    tell(&made.ok_or_else(|| Fault::failed("the job has answered without a savepoint"))?)
}

/// Asks a job of this machine, or where there is none of that name, and where a server is named, one of a server.
pub(crate) fn here_or_there<T>(server: &ServerArgs, here: impl Fn() -> Outcome<T>, there: impl Fn(&Client) -> Outcome<T>) -> Outcome<T> {
    if server.server.is_some() {
        return there(&Client::new(server)?);
    }
    match here() {
        Err(absent) if absent.is_unreachable => match Client::new(server).and_then(|client| there(&client)) {
            // Without a server the answer is about this machine.
            Err(nobody) if nobody.is_unreachable => Err(absent),
            answer => answer,
        },
        answer => answer,
    }
}

/// The URL on standard output, the rest for people.
pub(crate) fn tell(made: &Made) -> Outcome<()> {
    console::note(&format!("savepoint of checkpoint {}, {} of keyed state", made.checkpoint, checkpoint::size(made.bytes)));
    console::result(&format!("{}\n", made.url))
}
