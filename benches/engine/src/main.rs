//! Measures parts of the engine by themselves: what a call of a guest costs by size of its block, and a component beside the
//! same closures compiled natively into the same engine.
//!
//! `cargo xtask bench` builds the guests and runs this. Tables go to standard output; with `--out` every figure is appended to a file
//! as one JSON object a line. Both sides of a comparison do the same work, or the run fails: calls must hand on the same
//! rows, jobs must write the same lines.

// A report on standard output is what this program is for.
#![allow(clippy::print_stdout)]

mod calls;
mod clock;
mod jobs;
mod results;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

use crate::results::Results;

/// What the binary `tidemill` uses as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures calls of guests, and components beside native closures
#[derive(Parser)]
struct Options {
    /// Where `cargo xtask dist` put the guests
    #[arg(long, default_value = "dist/guests")]
    guests: PathBuf,
    /// Events of each job's input
    #[arg(long, default_value_t = 2_000_000)]
    events: u64,
    /// Runs of each measure, interleaved; the median counts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Workers of each job
    #[arg(long, default_value_t = 2)]
    parallelism: usize,
    /// One short round: shows that everything runs, measures nothing
    #[arg(long)]
    quick: bool,
    /// Appends the figures to this file as JSON lines
    #[arg(long)]
    out: Option<PathBuf>,
    /// Only jobs of these queries
    #[arg(long, value_delimiter = ',', default_values_t = jobs::QUERIES.map(str::to_owned))]
    queries: Vec<String>,
    /// `calls` or `jobs` alone
    #[arg(long)]
    only: Option<Part>,
}

/// A part of the measurements.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Calls of guests by size of block
    Calls,
    /// Components beside native closures
    Jobs,
}

fn main() -> Result<()> {
    let mut options = Options::parse();
    if options.quick {
        (options.events, options.rounds) = (options.events.min(100_000), 1);
    }
    let mut results = Results::new(options.out.as_deref())?;
    if options.only != Some(Part::Jobs) {
        calls::measure(&options.guests, options.rounds, options.quick, &mut results)?;
    }
    if options.only != Some(Part::Calls) {
        jobs::measure(&options, &mut results)?;
    }
    Ok(())
}
