//! `tidemill cancel`: ends a job of a server at once.

use clap::Args;
use tidemill_server::view::JobView;

use super::{json, operation_path};
use crate::client::{Client, ServerArgs};
use crate::console;
use crate::fault::Outcome;

/// End a job of a server at once: what it has not committed is not shown
#[derive(Clone, Debug, Args)]
#[command(after_help = "`tidemill stop` ends a job in order.")]
pub(crate) struct CancelCommand {
    /// The job: its name or id
    #[arg(value_name = "JOB")]
    job: String,
    /// Print the job as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs the command.
pub(crate) fn run(command: &CancelCommand) -> Outcome<()> {
    let client = Client::new(&command.server)?;
    let job: JobView = client.post(&operation_path(&command.job, "cancel"), &serde_json::json!({}))?;
    let job = client.wait(job, |job| job.state.is_over())?;
    if command.json {
        return json(&job);
    }
    console::note(&format!("{} is {}", job.name, job.state.as_str()));
    Ok(())
}
