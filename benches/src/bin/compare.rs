//! Tidemill beside other engines on the same machine, input and output. See the library's module of this name.

use anyhow::Result;
use clap::Parser as _;
use tidemill_bench::compare::{Options, run};

fn main() -> Result<()> {
    run(&Options::parse())
}
