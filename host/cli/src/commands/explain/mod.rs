//! `tidemill explain`: the plan of a job, what its watermarks wait for, and why it writes nothing.
//!
//! The last two ask the job itself: one of this machine over its control socket, or of a server over HTTP. `tidemill_core::explain`
//! decides; here is where it gets words.

mod output;
mod plan;
mod reason;
mod watermark;
mod words;

use std::time::SystemTime;

use clap::{Args, Subcommand};
use serde::Serialize;
use tidemill_core::TimeMs;
use tidemill_core::explain::Facts;

use crate::client::{Client, ServerArgs, part};
use crate::commands::savepoint::here_or_there;
use crate::console;
use crate::fault::{Fault, Outcome};
use crate::socket::{self, left};

/// Say why a job's event time stands still or why it writes nothing; or show the plan of a job of a server
#[derive(Clone, Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "JOB is the name of a job that runs on this machine as this user, the id of its process, or its control socket; else a job of the server,
else one that has ended, or was killed: what its operators waited for then.

Examples:
  tidemill explain watermark counts         # which split or sender holds each operator back
  tidemill explain why-no-output counts     # the most probable reason first
  tidemill explain plan counts              # as `tidemill explain counts`"
)]
pub(crate) struct ExplainCommand {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    plan: PlanCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Say what each operator's watermark is and what it waits for
    Watermark(AskCommand),
    /// Say why nothing comes to the sinks
    WhyNoOutput(AskCommand),
    /// Show the plan of a job of a server
    Plan(PlanCommand),
}

#[derive(Clone, Debug, Args)]
struct AskCommand {
    /// The job
    #[arg(value_name = "JOB")]
    job: String,
    /// Print the diagnosis and the facts behind it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Debug, Args)]
struct PlanCommand {
    /// The job of a server whose plan is shown: its name or id
    #[arg(value_name = "JOB", required = true)]
    job: Option<String>,
    #[command(flatten)]
    shown: PlanArgs,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Clone, Debug, Args)]
struct PlanArgs {
    /// Print the plan document and the resolved graph as JSON
    #[arg(long, conflicts_with = "mermaid")]
    json: bool,
    /// Print a Mermaid flowchart
    #[arg(long)]
    mermaid: bool,
}

/// Runs the command.
pub(crate) fn run(command: &ExplainCommand) -> Outcome<()> {
    match &command.what {
        Some(What::Watermark(asked)) => show(asked, watermark::text, watermark::json),
        Some(What::WhyNoOutput(asked)) => show(asked, output::text, output::json),
        Some(What::Plan(PlanCommand { job, shown, server })) => plan::run(job.as_deref().unwrap_or_default(), shown, server),
        None => plan::run(command.plan.job.as_deref().unwrap_or_default(), &command.plan.shown, &command.plan.server),
    }
}

fn show(asked: &AskCommand, text: fn(&Facts) -> String, document: fn(&Facts) -> serde_json::Value) -> Outcome<()> {
    let facts = facts(&asked.job, &asked.server)?;
    match asked.json {
        true => json(&document(&facts)),
        false => {
            let lost = words::lost(&facts, by_clock()).map(|line| format!("{line}\n\n")).unwrap_or_default();
            console::result(&console::printable(&format!("{lost}{}", text(&facts))))
        }
    }
}

/// This moment, as facts have it.
fn by_clock() -> TimeMs {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    TimeMs::try_from(since.as_millis()).unwrap_or(TimeMs::MAX)
}

/// The facts of a job: one that runs here, else one of a server, else what the last one of that name has left here.
fn facts(job: &str, server: &ServerArgs) -> Outcome<Facts> {
    let there = |client: &Client| client.get(&format!("/v1/jobs/{}/facts", part(job)));
    let absent = std::cell::Cell::new(false);
    let here = || socket::facts(job).inspect_err(|fault| absent.set(fault.is_unreachable));
    here_or_there(server, here, there).or_else(|fault| left::read(job).filter(|_| absent.get()).ok_or(fault))
}

/// A value for programs.
fn json(value: &impl Serialize) -> Outcome<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Fault::failed("the answer cannot be written").because(&e))?;
    console::result(&format!("{text}\n"))
}
