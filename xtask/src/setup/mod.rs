//! `setup`: makes the machine able to build the host and the guests.
//!
//! Promise: repeating it changes nothing and takes no time. It says in one line each what it found or did. Where it may
//! not install, it prints the one command to run and fails.

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::workspace::Workspace;

mod apt;
pub(crate) mod c;
pub(crate) mod go;
pub(crate) mod js;
pub(crate) mod python;
pub(crate) mod rust;

/// A language that guests are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Language {
    /// Rust for wasm32-unknown-unknown.
    Rust,
    /// C by clang for wasm32-wasi, without any WASI call.
    C,
    /// Python by componentize-py.
    Python,
    /// TypeScript and JavaScript by componentize-qjs.
    Js,
    /// Go's own compiler.
    Go,
}

impl Language {
    /// Every language that a guest of this repository is written in.
    pub(crate) const ALL: [Language; 5] = [Language::Rust, Language::C, Language::Python, Language::Js, Language::Go];
}

/// The options of `setup`.
#[derive(Args)]
#[command(after_help = "Rust guests are compiled by the active toolchain when it has the wasm32-unknown-unknown target, else by Debian's \
    rustc-web; TIDEMILL_WASM_RUST=debian asks for the latter. Things are kept in $TIDEMILL_CACHE, else $XDG_CACHE_HOME/tidemill, else \
    ~/.cache/tidemill.")]
pub(crate) struct Options {
    /// A language of guests; may be repeated
    #[arg(long = "lang", value_enum, default_value = "rust")]
    languages: Vec<Language>,
}

/// Runs the verb.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    languages(workspace, &options.languages)
}

/// Makes the machine ready for the given languages.
pub(crate) fn languages(workspace: &Workspace, languages: &[Language]) -> Result<()> {
    host()?;
    for language in languages {
        match language {
            Language::Rust => rust::setup(workspace)?,
            Language::C => c::setup()?,
            Language::Python => python::setup(workspace)?,
            Language::Js => js::setup(workspace)?,
            Language::Go => go::setup(workspace)?,
        }
    }
    Ok(())
}

/// The C compiler that some of the host's dependencies need; Rust itself is here, or this task would not run.
fn host() -> Result<()> {
    if crate::process::succeeds(std::process::Command::new("cc").arg("--version")) {
        say("host", "found a C compiler (cc)");
        return Ok(());
    }
    say("host", "no C compiler (cc), which zstd and mimalloc need");
    apt::install("host", "a C compiler", &["gcc", "libc6-dev"])
}

/// Programs that tests run the binary under: strace kills it at system calls, unshare gives it a disk of its own.
pub(crate) fn instruments() -> Result<()> {
    for (program, package) in [("strace", "strace"), ("unshare", "util-linux")] {
        if !crate::process::succeeds(std::process::Command::new(program).arg("--version")) {
            apt::install("tests", program, &[package])?;
        }
        say("tests", &format!("found {program}"));
    }
    Ok(())
}

/// One line of what was found or done.
fn say(subject: &str, text: &str) {
    println!("setup: {subject}: {text}");
}
