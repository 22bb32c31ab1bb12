//! `cargo xtask bench [NAME..] [--full]`: the benchmarks by name, with the sizes of a quick look or of `RESULTS.md`.

use anyhow::{Result, bail};
use clap::Parser;
use tidemill_bench::{compare, guest_call, native_vs_wasm};

/// Run benchmarks
#[derive(Parser)]
struct Cli {
    /// guest_call, native_vs_wasm or compare; the first two when none is named
    names: Vec<String>,
    /// With the input sizes and repetitions of the published figures
    #[arg(long)]
    full: bool,
}

fn main() -> Result<()> {
    if let Some(done) = native_vs_wasm::child_if_asked() {
        return done;
    }
    let cli = Cli::parse();
    let names = if cli.names.is_empty() { vec!["guest_call".to_owned(), "native_vs_wasm".to_owned()] } else { cli.names };
    for name in &names {
        match name.as_str() {
            "guest_call" => guest_call::run(&guest_call::Options::sized(cli.full))?,
            "native_vs_wasm" => native_vs_wasm::run(&native_vs_wasm::Options::sized(cli.full))?,
            "compare" => compare::run(&compare::Options::sized(cli.full))?,
            other => bail!("there is no benchmark {other:?}: there are guest_call, native_vs_wasm and compare"),
        }
    }
    Ok(())
}
