//! `guest_call`: what one call of a guest costs, by the number of records in it.
//!
//! The guest hands on what it gets, so its code decodes and encodes a block and does nothing else. Beside the component stands the
//! same code compiled natively: the difference is what the border costs, with both copies and the check of what comes back.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use clap::Parser;
use tidemill_core::block::{Block, Builder};
use tidemill_core::guest::{Guest, Moment};
use tidemill_core::plan::{Graph, Settings};
use tidemill_core::schema::Schema;

use crate::inprocess::{self, Code};
use crate::median::median;
use crate::table::{Table, number};
use crate::{machine, place};

/// Rows of the blocks.
const ROWS: [usize; 7] = [1, 10, 100, 256, 1024, 4096, 16384];
/// The text of a record: with three numbers and the text's offset, a record has 90 bytes.
const NOTE: &str = "a note of sixty-two bytes, as long as what people write in it.";
/// Calls before the first that counts, so that memory has grown and code is warm.
const WARM_UP: usize = 20;

/// Measure the cost of a guest call by block size
#[derive(Debug, Parser)]
pub struct Options {
    /// Rounds over all block sizes; the median counts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long one measurement takes, in milliseconds
    #[arg(long, default_value_t = 300)]
    ms: u64,
}

impl Options {
    /// The options of the published figures, or of a quick look.
    pub fn sized(full: bool) -> Options {
        if full { Options { rounds: 5, ms: 300 } } else { Options { rounds: 3, ms: 50 } }
    }
}

/// Runs the benchmark and prints its table.
///
/// # Errors
/// When the component is missing or does not behave.
pub fn run(options: &Options) -> Result<()> {
    let path = place::guest("test", "identity")?;
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut wasm = Caller::new(&Code::Component(&bytes))?;
    let mut native = Caller::new(&Code::Native(test_guest_identity::identity))?;
    let blocks: Vec<Block> = ROWS.iter().map(|rows| block(*rows, &wasm.schema)).collect();
    let mut times = vec![(Vec::new(), Vec::new()); ROWS.len()];
    for _ in 0..options.rounds {
        for (block, (in_wasm, in_native)) in blocks.iter().zip(&mut times) {
            in_wasm.push(wasm.measure(block, options.ms)?);
            in_native.push(native.measure(block, options.ms)?);
        }
    }
    let bytes_per_record = blocks.last().map_or(0, |block| block.as_bytes().len() / block.rows());
    println!("{}", machine::heading("Guest call by block size"));
    println!("Identity over records of {bytes_per_record} bytes, event time included; median of {}.\n", options.rounds);
    let mut table = Table::new(&["rows", "us per call", "ns per record", "native us per call", "native ns per record", "ns per record more"]);
    for (rows, (in_wasm, in_native)) in ROWS.iter().zip(times) {
        let per_record = |us: Option<f64>| us.map(|us| us * 1e3 / *rows as f64);
        let (wasm, native) = (median(in_wasm), median(in_native));
        let more = wasm.zip(native).map(|(wasm, native)| wasm - native);
        table.row([
            rows.to_string(),
            number(wasm, 2),
            number(per_record(wasm), 1),
            number(native, 2),
            number(per_record(native), 1),
            number(per_record(more), 1),
        ]);
    }
    table.print();
    Ok(())
}

/// An instance whose first chain is the identity.
struct Caller {
    guest: Box<dyn Guest>,
    schema: Schema,
}

impl Caller {
    fn new(code: &Code<'_>) -> Result<Caller> {
        let loaded = inprocess::load(code, &[])?;
        let graph = Graph::resolve(&loaded.plan, &Settings::default());
        let chain = graph.chains.first().context("the plan has no guest operator")?;
        let edge = graph.inputs(chain.members[0]).next().context("the guest operator reads nothing")?;
        let schema = edge.schema.clone();
        let mut guest = loaded.factory.instantiate()?;
        guest.link(0, &chain.members)?;
        Ok(Caller { guest, schema })
    }

    fn call(&mut self, block: &Block) -> Result<()> {
        let outcome = self.guest.process(0, 0, Moment { watermark: 0, now: 0 }, block, &[], &[])?;
        let rows: usize = outcome.emitted.iter().map(|emission| emission.block.rows()).sum();
        if black_box(rows) != block.rows() {
            return Err(anyhow!("{} rows came back of {}", rows, block.rows()));
        }
        Ok(())
    }

    /// Microseconds a call, over calls that together take about `ms`.
    fn measure(&mut self, block: &Block, ms: u64) -> Result<f64> {
        let warm = Instant::now();
        (0..WARM_UP).try_for_each(|_| self.call(block))?;
        let one = (warm.elapsed() / WARM_UP as u32).max(Duration::from_nanos(1));
        let calls = (Duration::from_millis(ms).as_nanos() / one.as_nanos()).clamp(5, 1_000_000) as u32;
        let start = Instant::now();
        (0..calls).try_for_each(|_| self.call(block))?;
        Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(calls))
    }
}

fn block(rows: usize, schema: &Schema) -> Block {
    let mut builder = Builder::new(schema);
    for row in 0..rows as i64 {
        builder.push_time(row);
        (0..3).for_each(|column| builder.column(column).push_i64(row * 1_000_003 + column as i64));
        builder.column(3).push_str(NOTE);
    }
    builder.finish().expect("there is at least one row")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn records_have_ninety_bytes_and_come_back() {
        let mut native = Caller::new(&Code::Native(test_guest_identity::identity)).unwrap();
        assert_eq!(3 * 8 + 4 + NOTE.len(), 90);
        let block = block(10, &native.schema);
        native.call(&block).unwrap();
        assert!(native.measure(&block, 1).unwrap() > 0.0);
    }
}
