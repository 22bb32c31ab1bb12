//! `swap-storm`: swaps in a row of a job that counts at 100,000 records a second, some of them to versions that trap
//! (`tests/e2e/tests/storm.rs`): what comes out must be what comes out without a swap.

use anyhow::{Result, bail};
use clap::Args;

use crate::setup::Language;
use crate::test::Tally;
use crate::workspace::Workspace;
use crate::{dist, process};

/// The options of `swap-storm`.
#[derive(Args)]
pub(crate) struct Options {
    /// Swaps in a row
    #[arg(long, default_value_t = 10)]
    swaps: u64,
    /// What the versions are drawn from; a failure names it
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the verb.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    dist::everything(workspace, &[Language::Rust])?;
    let mut cargo = workspace.cargo();
    cargo.args(["test", "-p", "tidemill-e2e", "--test", "storm", "--", "--nocapture"]);
    cargo.env("TIDEMILL_BIN", workspace.binary()).env("TIDEMILL_GUESTS", workspace.guests());
    cargo.env("TIDEMILL_STORM_SWAPS", options.swaps.to_string()).env("TIDEMILL_STORM_SEED", options.seed.to_string());
    let mut tally = Tally::default();
    if !process::tee(&mut cargo, "the storm", |line| tally.add(line))? {
        bail!("the job was not what it is without swaps; the failure above names seed and swap");
    }
    if tally.passed != 1 {
        bail!("no storm has run: nothing is shown by this run");
    }
    println!("swap-storm: {} swaps with seed {}, 0 lost, 0 doubled", options.swaps, options.seed);
    Ok(())
}
