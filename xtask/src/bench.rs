//! `bench`: what parts of the engine cost by themselves. The comparison with other systems, which needs them installed, is
//! `benches/compare/compare.py`; see `benches/README.md`.

use anyhow::Result;
use clap::Args;

use crate::process;
use crate::setup::Language;
use crate::workspace::Workspace;

/// The options of `bench`.
#[derive(Args)]
pub(crate) struct Options {
    /// One short round: shows that everything runs, measures nothing
    #[arg(long)]
    quick: bool,
    /// Options of the program itself, such as --only calls or --queries q5,q7; `-- --help` shows them
    #[arg(last = true)]
    more: Vec<String>,
}

/// Builds the guests and the program, and runs it. Figures are also appended to `dist/benches.jsonl`.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    crate::dist::guests(workspace, &[Language::Rust])?;
    let mut bench = workspace.cargo();
    bench.args(["run", "--release", "-p", "tidemill-benches", "--"]).arg("--guests").arg(workspace.guests());
    bench.arg("--out").arg(workspace.dist().join("benches.jsonl"));
    if options.quick {
        bench.arg("--quick");
    }
    bench.args(&options.more);
    process::run(&mut bench, "the benchmarks")
}
