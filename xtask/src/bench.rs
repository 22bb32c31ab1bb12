//! `bench`: Tidemill beside its peers, on the same input with the same output.

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::process;
use crate::setup::Language;
use crate::workspace::Workspace;

/// The options of `bench`.
#[derive(Args)]
pub(crate) struct Options {
    /// The queries to run; all of them when none is named
    queries: Vec<String>,
    /// Five rounds, as for the published figures, instead of one
    #[arg(long)]
    full: bool,
}

/// Runs the verb. Peers are measured where `TIDEMILL_PEERS` says how to start them.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    crate::dist::everything(workspace, &[Language::Rust])?;
    let mut compare = Command::new("python3");
    compare.current_dir(workspace.root()).args(["benches/compare/compare.py", "--rounds", if options.full { "5" } else { "1" }]);
    if !options.queries.is_empty() {
        compare.args(["--queries", &options.queries.join(",")]);
    }
    process::run(&mut compare, "the comparison")
}
