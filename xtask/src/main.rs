//! The project's tasks: `cargo xtask VERB`.
//!
//! One verb per file. A verb says in plain lines what it does, can be repeated at any time, and when it fails names
//! what failed and how to repeat that alone. Nothing here knows the host's crates: the tasks drive cargo, the guests'
//! compilers and the built binary from outside.

// The tasks talk to a person at a terminal: printing is their job.
#![allow(clippy::print_stdout)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod chaos;
mod conformance;
mod demo;
mod dist;
mod process;
mod sdk;
mod setup;
mod storm;
mod test;
mod tidy;
mod workspace;
mod zoo;

/// Tasks of the Tidemill workspace. A newcomer starts with `cargo xtask demo`.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Tasks {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make this machine able to build the host and the guests
    Setup(setup::Options),
    /// Build, then run a real job on real input and check its result
    Demo,
    /// Run every check and every test, as CI does
    Test(test::Options),
    /// Run the SDKs' own tests, each by the tools of its language
    Sdk(sdk::Options),
    /// Run the same cases in every language and show where their outputs are equal
    SdkMatrix(sdk::matrix::Options),
    /// Check the packages of the SDKs by the tools of their registries; publishes nothing
    PublishCheck(sdk::publish::Options),
    /// Build dist/tidemill and every guest under dist/guests
    Dist(dist::Options),
    /// Kill a job with kill -9 at random moments, many times, and compare its output and state
    Chaos(chaos::Options),
    /// Run the hostile zoo: what uploads may do, beside a job that must not feel it
    Zoo,
    /// Swap the code of a running job many times in a row and compare its output
    SwapStorm(storm::Options),
    /// Run the conformance cases: what each row of semantics.md means
    Conformance(conformance::Options),
    /// Check the rules of the house that the compiler cannot check
    Tidy,
    /// Run the benchmarks
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let tasks = Tasks::parse();
    let result = workspace::Workspace::find().and_then(|workspace| match tasks.verb {
        Verb::Setup(options) => setup::run(&workspace, &options),
        Verb::Demo => demo::run(&workspace),
        Verb::Test(options) => test::run(&workspace, &options),
        Verb::Sdk(options) => sdk::run(&workspace, &options),
        Verb::SdkMatrix(options) => sdk::matrix::run(&workspace, &options),
        Verb::PublishCheck(options) => sdk::publish::run(&workspace, &options),
        Verb::Dist(options) => dist::run(&workspace, &options),
        Verb::Chaos(options) => chaos::run(&workspace, &options),
        Verb::Zoo => zoo::run(&workspace),
        Verb::SwapStorm(options) => storm::run(&workspace, &options),
        Verb::Conformance(options) => conformance::run(&workspace, &options),
        Verb::Tidy => tidy::run(&workspace),
        Verb::Bench(options) => bench::run(&workspace, &options),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
