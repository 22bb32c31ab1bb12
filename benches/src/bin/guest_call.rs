//! What one call of a guest costs, by the number of records in it. See the library's module of this name.

use anyhow::Result;
use clap::Parser as _;
use tidemill_bench::guest_call::{Options, run};

fn main() -> Result<()> {
    run(&Options::parse())
}
