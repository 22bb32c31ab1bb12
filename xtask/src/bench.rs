//! `bench`: hands its arguments to the benchmarks of `benches/`, built for release.

use anyhow::{Result, bail};
use clap::Args;

use crate::process;
use crate::workspace::Workspace;

/// The package of the benchmarks.
const PACKAGE: &str = "tidemill-bench";

/// The options of `bench`.
#[derive(Args)]
pub(crate) struct Options {
    /// The benchmarks to run; all of them when none is named
    names: Vec<String>,
    /// Run with the input sizes and repetitions of the published figures
    #[arg(long)]
    full: bool,
}

/// Runs the verb.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if !workspace.metadata()?.packages.iter().any(|package| package.name == PACKAGE) {
        bail!("this checkout has no package {PACKAGE} in benches/, so there is nothing to run");
    }
    crate::dist::everything(workspace, &[crate::setup::Language::Rust])?;
    let mut cargo = workspace.cargo();
    cargo.env("TIDEMILL_BIN", workspace.binary()).env("TIDEMILL_GUESTS", workspace.guests());
    cargo.args(["run", "--release", "-p", PACKAGE, "--"]).args(&options.names);
    if options.full {
        cargo.arg("--full");
    }
    process::run(&mut cargo, "the benchmarks")
}
