//! The same job in the same engine as a component and as native code. See the library's module of this name.

use anyhow::Result;
use clap::Parser as _;
use tidemill_bench::native_vs_wasm::{Options, child_if_asked, run};

fn main() -> Result<()> {
    match child_if_asked() {
        Some(done) => done,
        None => run(&Options::parse()),
    }
}
