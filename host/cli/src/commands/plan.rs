//! `tidemill plan`: what would run, without running it or opening anything.

use clap::Args;

use crate::fault::Outcome;
use crate::settings::{self, JobArgs, Mode, RunArgs, Settings};
use crate::show::{self, Shown};
use crate::value::Timeout;
use crate::{bindings, console, prepare};

/// Show what would run: operators, chains, edges, and where each number came from
#[derive(Clone, Debug, Args)]
#[command(after_help = "Takes the flags of `tidemill run` but for --report.
Sources and sinks are not opened: one that only one worker can use (stdin:, a socket) shows so when it runs.

Examples:
  tidemill plan nexmark.wasm --arg query=q5 -p 4
  tidemill plan job.toml --mermaid > plan.mmd")]
pub(crate) struct PlanCommand {
    #[command(flatten)]
    job: JobArgs,
    #[command(flatten)]
    run: RunArgs,
    /// Print the plan document and the resolved graph as JSON
    #[arg(long, conflicts_with = "mermaid")]
    json: bool,
    /// Print a Mermaid flowchart
    #[arg(long)]
    mermaid: bool,
}

/// Runs the command.
pub(crate) fn run(command: &PlanCommand) -> Outcome<()> {
    let settings = settings::gather(&command.job, &command.run)?;
    let prepared = prepare::prepare(&settings)?;
    let bounds = bindings::resolve(&prepared.plan, &settings.bindings)?;
    let graph = prepare::resolve(&prepared.plan, &settings, Vec::new());
    let (idle_ms, idle_reason) = idle(&settings);
    let shown = Shown {
        job: settings.job_name(prepared.plan.name.as_deref()),
        component: settings.component().display().to_string(),
        sha256: &prepared.components.digest(),
        parts: &show::parts(&prepared.components),
        plan: &prepared.plan,
        document: &prepared.document,
        graph: &graph,
        bounds: &bounds,
        idle_ms,
        idle_reason,
    };
    let text = match (command.json, command.mermaid) {
        (true, _) => format!("{:#}\n", show::json(&shown)),
        (_, true) => show::mermaid(&shown),
        _ => show::text(&shown),
    };
    console::result(&text)
}

/// The idle timeout and why it is that.
pub(crate) fn idle(settings: &Settings) -> (Option<u64>, &'static str) {
    match (settings.mode, settings.idle_timeout) {
        (Mode::Batch, _) => (None, "off in batch mode: every input ends"),
        (_, Some(Timeout::Off)) => (None, "--idle-timeout off"),
        (_, Some(Timeout::After(ms))) => (Some(ms), "--idle-timeout; files never count as idle"),
        (_, None) => {
            let default = tidemill_dataflow::Options::default().idle_ms;
            (default, "default, so that one quiet split does not stop every window; files never count as idle")
        }
    }
}
