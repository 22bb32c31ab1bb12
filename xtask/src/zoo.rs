//! `zoo`: the hostile zoo of `tests/hostile`: components and uploads that do their worst beside a job that must not feel it.

use anyhow::{Result, bail};

use crate::setup::Language;
use crate::test::Tally;
use crate::workspace::Workspace;
use crate::{dist, process};

/// Tests of the zoo: of guests and of uploads.
const TESTS: u64 = 2;

/// Runs the verb.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    dist::everything(workspace, &[Language::Rust])?;
    let mut cargo = workspace.cargo();
    cargo.args(["test", "-p", "tidemill-e2e", "--test", "hostile", "--", "--nocapture"]);
    cargo.env("TIDEMILL_BIN", workspace.binary()).env("TIDEMILL_GUESTS", workspace.guests());
    let mut tally = Tally::default();
    if !process::tee(&mut cargo, "the zoo", |line| tally.add(line))? {
        bail!("the failure above names the case in tests/hostile/guests");
    }
    if tally.passed != TESTS {
        bail!("{} tests ran where there are {TESTS}: nothing is shown by this run", tally.passed);
    }
    println!("zoo: nobody was hurt");
    Ok(())
}
