//! `tidemill explain`: the plan of a job of a server.

use clap::Args;

use super::job_path;
use crate::client::{Client, ServerArgs};
use crate::console;
use crate::fault::Outcome;

/// Show the plan of a job of a server
#[derive(Clone, Debug, Args)]
pub(crate) struct ExplainCommand {
    /// The job: its name or id
    #[arg(value_name = "JOB")]
    job: String,
    /// Print the plan document and the resolved graph as JSON
    #[arg(long, conflicts_with = "mermaid")]
    json: bool,
    /// Print a Mermaid flowchart
    #[arg(long)]
    mermaid: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs the command.
pub(crate) fn run(command: &ExplainCommand) -> Outcome<()> {
    let client = Client::new(&command.server)?;
    if command.json {
        let plan: serde_json::Value = client.get(&job_path(&command.job, "/plan"))?;
        return super::json(&plan);
    }
    let format = if command.mermaid { "mermaid" } else { "text" };
    console::result(&client.text(&job_path(&command.job, &format!("/explain?format={format}")))?)
}
