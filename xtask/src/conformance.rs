//! `conformance`: the cases of `tests/conformance`, all or by name.

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::workspace::Workspace;

/// The options of `conformance`.
#[derive(Args)]
pub(crate) struct Options {
    /// Run only cases whose name holds one of these
    names: Vec<String>,
    /// Print a line for each row of semantics.md and case
    #[arg(long)]
    list: bool,
}

/// Runs the verb.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--quiet", "-p", "tidemill-conformance", "--"]).args(&options.names);
    if options.list {
        cargo.arg("--list");
    }
    let status = cargo.status().context("cannot start cargo to run the conformance cases")?;
    if !status.success() {
        bail!("conformance cases failed, as shown above; tests/conformance/README.md says what is in a case");
    }
    Ok(())
}
