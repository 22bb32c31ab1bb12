//! `sdk-matrix`: the cases of tests/matrix in every language by `tests/e2e/tests/matrix.rs` and `errors.rs`, with the tables that they print.

use anyhow::{Result, bail};
use clap::Args;

use crate::setup::Language;
use crate::test::Tally;
use crate::workspace::Workspace;
use crate::{dist, process};

/// The options of `sdk-matrix`.
#[derive(Args)]
pub(crate) struct Options {
    /// Take the binary and the guests in dist as they are
    #[arg(long)]
    no_build: bool,
    /// Take what the components in Rust give as expected
    #[arg(long)]
    bless: bool,
}

/// Runs the verb.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if !options.no_build {
        dist::everything(workspace, &Language::ALL)?;
    }
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--quiet", "-p", "tidemill-e2e", "--test", "matrix", "--test", "errors", "--", "--nocapture"]);
    cargo.env("TIDEMILL_BIN", workspace.binary()).env("TIDEMILL_GUESTS", workspace.guests());
    if options.bless {
        cargo.env("TIDEMILL_MATRIX_BLESS", "1");
    }
    let mut tally = Tally::default();
    if !process::tee(&mut cargo, "the language matrix", |line| tally.add(line))? {
        bail!(
            "a language lacks a case, gives another output or tells a failure badly, as shown above; tests/matrix/README.md says what a case is"
        );
    }
    if tally.passed == 0 {
        bail!("no test ran: nothing is shown by this run");
    }
    Ok(())
}
