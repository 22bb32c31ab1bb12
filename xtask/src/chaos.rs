//! `chaos`: the kill loop of `tests/e2e/tests/recovery.rs` at any length: jobs with windows, sessions, timers and joins over parallelism 1 to
//! 4 are killed with `kill -9` at random moments and started again, and must come to the output and state of an undisturbed run.

use anyhow::{Result, bail};
use clap::Args;

use crate::setup::Language;
use crate::test::Tally;
use crate::workspace::Workspace;
use crate::{dist, process};

/// Kill loops in the test, one for each query and mode.
const STORMS: u64 = 11;

/// The options of `chaos`.
#[derive(Args)]
pub(crate) struct Options {
    /// Kills in all, divided among the queries and modes
    #[arg(long, default_value_t = 55)]
    kills: u64,
    /// What the moments and the parallelism are drawn from; a failure names it
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the verb.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    dist::everything(workspace, &[Language::Rust])?;
    let mut cargo = workspace.cargo();
    cargo.args(["test", "-p", "tidemill-e2e", "--test", "recovery", "--", "_kills"]);
    cargo.env("TIDEMILL_BIN", workspace.binary()).env("TIDEMILL_GUESTS", workspace.guests());
    cargo.env("TIDEMILL_CHAOS_KILLS", options.kills.to_string()).env("TIDEMILL_CHAOS_SEED", options.seed.to_string());
    let mut tally = Tally::default();
    if !process::tee(&mut cargo, "the kill loop", |line| tally.add(line))? {
        bail!("a job was not what it is without kills; the failure above names query and seed");
    }
    if tally.passed != STORMS {
        bail!("{} kill loops ran where there are {STORMS}: nothing is shown by this run", tally.passed);
    }
    println!(
        "chaos: {} kills with seed {}, 0 lost, 0 doubled where records count once",
        options.kills.div_ceil(STORMS) * STORMS,
        options.seed
    );
    Ok(())
}
