//! `tidemill datagen`: the events of the benchmarks, as a file.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use clap::{Args, Subcommand};

use crate::console;
use crate::fault::{Fault, Outcome};

/// Bytes buffered before a write.
const BUFFER_BYTES: usize = 1 << 18;

/// Write deterministic test data
#[derive(Clone, Debug, Args)]
pub(crate) struct DatagenCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Auction events as JSON lines: 1 person to 3 auctions to 46 bids, a tenth of them up to 3 s late
    #[command(after_help = "Example:
  tidemill datagen nexmark --events 100000 --out events.json")]
    Nexmark(Nexmark),
}

#[derive(Clone, Debug, Args)]
struct Nexmark {
    /// How many events, e.g. 100000
    #[arg(long, value_name = "N")]
    events: u64,
    /// Events per second of event time
    #[arg(long, value_name = "R", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// The same seed gives the same bytes
    #[arg(long, value_name = "S", default_value_t = 42)]
    seed: u64,
    /// The file to write, or - for standard output
    #[arg(long, value_name = "FILE|-")]
    out: String,
}

/// Runs the command.
pub(crate) fn run(command: &DatagenCommand) -> Outcome<()> {
    let What::Nexmark(nexmark) = &command.what;
    if nexmark.out == "-" {
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
        return write(nexmark, &mut out).map_err(|e| console::output_fault(&e));
    }
    let failed = |e: io::Error| Fault::failed(format!("cannot write {}", nexmark.out)).because(&e);
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, File::create(&nexmark.out).map_err(failed)?);
    write(nexmark, &mut out).map_err(failed)
}

fn write(nexmark: &Nexmark, out: &mut dyn Write) -> io::Result<()> {
    tidemill_connectors::datagen::nexmark::write(nexmark.events, nexmark.rate, nexmark.seed, out)?;
    out.flush()
}
