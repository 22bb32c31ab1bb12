//! `test`: everything that is checked, cheap things first, in one command for a person and for CI.
//!
//! Promise: a stage that fails stops the run, is named, and comes with the command that repeats it alone; the tests
//! themselves all run, and the last line is `N passed, N failed` over all of them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::process;
use crate::setup::Language;
use crate::workspace::Workspace;
use crate::{dist, sdk, setup, tidy};

/// The release whose rules deny.toml is written for.
const DENY_VERSION: &str = "0.20.2";

/// Set for the tests by `--full`: those that take minutes run only then, at their published size.
const FULL: &str = "TIDEMILL_TEST_FULL";

/// The options of `test`.
#[derive(Args)]
pub(crate) struct Options {
    /// Run the tests that take minutes at their full size as well
    #[arg(long)]
    full: bool,
}

/// One stage: its name, how to repeat it, and what it does.
struct Stage<'a> {
    name: &'static str,
    again: String,
    work: Box<dyn Fn() -> Result<()> + 'a>,
}

/// Runs the verb.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let stages = checks(workspace);
    let count = stages.len() + 1;
    let begun = Instant::now();
    for (number, stage) in (1..).zip(&stages) {
        let begun = Instant::now();
        println!("== {number}/{count} {}", stage.name);
        (stage.work)().with_context(|| format!("stage {} failed, repeat it alone with `{}`", stage.name, stage.again))?;
        println!("== {} took {:.1} s", stage.name, begun.elapsed().as_secs_f64());
    }
    println!("== {count}/{count} tests");
    let testing = Instant::now();
    let (tally, good) = tests(workspace, options)?;
    println!("== tests took {:.1} s, everything {:.1} s", testing.elapsed().as_secs_f64(), begun.elapsed().as_secs_f64());
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed > 0 || !good {
        bail!("stage tests failed; after `cargo xtask dist --all` repeat a part of it alone with `{} -p PACKAGE`", test_command(workspace));
    }
    Ok(())
}

/// What comes before the tests.
fn checks(workspace: &Workspace) -> Vec<Stage<'_>> {
    let cargo = |arguments: &'static [&'static str]| move || judged(workspace.cargo().args(arguments));
    vec![
        Stage {
            name: "setup",
            again: "cargo xtask setup --lang rust --lang c --lang python --lang js --lang go".to_owned(),
            work: Box::new(|| setup::languages(workspace, &Language::ALL).and_then(|()| setup::instruments())),
        },
        Stage { name: "tidy", again: "cargo xtask tidy".to_owned(), work: Box::new(|| tidy::run(workspace)) },
        Stage { name: "fmt", again: "cargo fmt --all --check".to_owned(), work: Box::new(cargo(&["fmt", "--all", "--check"])) },
        Stage {
            name: "clippy",
            again: "cargo clippy --workspace --all-targets -- -D warnings".to_owned(),
            work: Box::new(cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])),
        },
        Stage {
            name: "stores",
            again: "cargo clippy -p tidemill-state --features s3,hdfs -- -D warnings".to_owned(),
            // Off by default, so nothing else compiles them.
            work: Box::new(cargo(&["clippy", "-p", "tidemill-state", "--features", "s3,hdfs", "--", "-D", "warnings"])),
        },
        Stage {
            name: "deny",
            again: format!("PATH={}/bin:$PATH cargo deny check bans licenses sources", workspace.tools().display()),
            work: Box::new(|| deny(workspace)),
        },
        Stage { name: "dist", again: "cargo xtask dist --all".to_owned(), work: Box::new(|| dist::everything(workspace, &Language::ALL)) },
        Stage {
            name: "publish-check",
            again: "cargo xtask publish-check".to_owned(),
            work: Box::new(|| sdk::publish::check(workspace, &Language::ALL)),
        },
        Stage { name: "sdk", again: "cargo xtask sdk".to_owned(), work: Box::new(|| sdk::test(workspace, &Language::ALL)) },
    ]
}

/// Checks the dependencies by deny.toml; duplicates of a crate are advice that would fill the screen, so errors only.
fn deny(workspace: &Workspace) -> Result<()> {
    let mut command = Command::new(deny_program(workspace)?);
    command.current_dir(workspace.root()).args(["--log-level", "error", "check", "bans", "licenses", "sources"]);
    judged(&mut command)
}

/// Runs a check that shows its findings itself; the stage says how to repeat it.
fn judged(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start `{}`", process::shown(command)))?;
    if !status.success() {
        bail!("its findings are shown above ({status})");
    }
    Ok(())
}

/// cargo-deny of the right release: kept from before, in the PATH, or built now.
fn deny_program(workspace: &Workspace) -> Result<PathBuf> {
    let kept = workspace.tools().join("bin/cargo-deny");
    for program in [kept.clone(), PathBuf::from("cargo-deny")] {
        let version = process::capture(Command::new(&program).arg("--version"), "asking cargo-deny for its version");
        if version.is_ok_and(|version| version.trim() == format!("cargo-deny {DENY_VERSION}")) {
            return Ok(program);
        }
    }
    println!("deny: building cargo-deny {DENY_VERSION} once, which takes a minute or two");
    let building = workspace.cache().join("tools-target");
    let mut cargo = workspace.cargo();
    cargo.args(["install", "cargo-deny", "--quiet", "--locked", "--force", "--version", DENY_VERSION, "--root"]).arg(workspace.tools());
    // A check of a few hundred crates takes less than a second in any build, and this one is done twice as soon.
    cargo.arg("--debug").env("CARGO_TARGET_DIR", &building);
    cargo.env("CARGO_PROFILE_DEV_OPT_LEVEL", "0").env("CARGO_PROFILE_DEV_DEBUG", "0");
    process::run(&mut cargo, "installing cargo-deny")?;
    fs::remove_dir_all(&building).with_context(|| format!("cannot remove {}", building.display()))?;
    Ok(kept)
}

/// Runs every test, whatever fails on the way; answers the counts and whether cargo is content.
fn tests(workspace: &Workspace, options: &Options) -> Result<(Tally, bool)> {
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--workspace", "--no-fail-fast"]);
    cargo.env("TIDEMILL_BIN", workspace.binary()).env("TIDEMILL_GUESTS", workspace.guests());
    if options.full {
        cargo.env(FULL, "1");
    }
    let mut tally = Tally::default();
    let good = process::tee(&mut cargo, "the tests", |line| tally.add(line))?;
    Ok((tally, good))
}

fn test_command(workspace: &Workspace) -> String {
    let (binary, guests) = (workspace.binary(), workspace.guests());
    format!("TIDEMILL_BIN={} TIDEMILL_GUESTS={} cargo test", binary.display(), guests.display())
}

/// The sum over the result lines of the test programs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    failed: u64,
}

impl Tally {
    /// Adds a line such as `test result: ok. 12 passed; 1 failed; 0 ignored; ...`; other lines count nothing.
    pub(crate) fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let counts = result.split_once(". ").map_or(result, |(_, counts)| counts);
        for count in counts.split("; ") {
            match count.split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse::<u64>().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse::<u64>().unwrap_or(0),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_summed_and_other_lines_pass_by() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.06s",
            "test a::b ... ok",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.06s",
            "I passed; 9 failed; nonsense",
        ] {
            tally.add(line);
        }
        assert_eq!(tally, Tally { passed: 14, failed: 1 });
    }
}
