//! Measures how long a source takes per record: `cargo run --release --example scan_speed -- [EVENTS]`.
//!
//! Writes Nexmark events to a temporary file and reads them back with the projection of query 5 (the auction and time of
//! bids), then with all fields of bids, in one thread. The
//! time is that of the processor, and holds everything between the page cache and finished blocks.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use tidemill_connectors::{datagen, open_sink, open_source};
use tidemill_core::block::Block;
use tidemill_core::connect::Polled;
use tidemill_core::plan::Operator;

/// Records asked for in one poll, as the dataflow does.
const ROWS: usize = 4096;
/// Runs of each measure; the fastest counts, because what disturbs a run only ever makes it slower.
const RUNS: usize = 5;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let events = std::env::args().nth(1).map_or(Ok(1_000_000), |n| n.replace('_', "").parse())?;
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("events.json");
    let begun = cpu_time()?;
    let mut file = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(&path)?);
    datagen::nexmark::write(events, 10_000, 42, &mut file)?;
    file.flush()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:>28} {:6.0} ns/event", "render to a file", per(events, begun)?)?;
    let url = format!("file:{}", path.display());
    let all = "auction:i64,bidder:i64,price:i64,channel:string,url:string,dateTime:i64,extra:string";
    let mut kept = Vec::new();
    let five = "auction:i64,bidder:i64,price:i64,channel:string,dateTime:i64";
    for (name, schema) in
        [("read q5: auction, dateTime", "auction:i64,dateTime:i64"), ("read all seven fields", all), ("read five fields", five)]
    {
        let mut best = f64::INFINITY;
        for _ in 0..RUNS {
            let begun = cpu_time()?;
            kept = read(&url, schema, events)?;
            best = best.min(per(events, begun)?);
        }
        writeln!(out, "{name:>28} {best:6.0} ns/event")?;
    }
    for format in ["json", "csv"] {
        let sink: Operator =
            serde_json::from_str(&format!(r#"{{"name":"out","kind":{{"sink":{{"binding":"out","format":"{format}"}}}}}}"#))?;
        let rows: usize = kept.iter().map(Block::rows).sum();
        let mut best = f64::INFINITY;
        for run in 0..RUNS {
            let target = dir.path().join(format!("{format}-{run}"));
            let mut writer = open_sink(&format!("file:{}", target.display()), &sink, &five.parse()?, false)?.writer(0, 1)?;
            let begun = cpu_time()?;
            kept.iter().try_for_each(|block| writer.write(block))?;
            best = best.min(per(rows as u64, begun)?);
            std::fs::remove_dir_all(target)?;
        }
        writeln!(out, "{:>28} {best:6.0} ns/row of five columns", format!("write {format}"))?;
    }
    Ok(())
}

fn per(events: u64, begun: Duration) -> Result<f64, Failure> {
    Ok((cpu_time()? - begun).as_nanos() as f64 / events as f64)
}

/// The time this thread has run. On a machine with other work the wall clock would measure that work.
fn cpu_time() -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = stat.split_whitespace().next().ok_or("an empty schedstat")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

/// Reads everything; keeps some of it for the sinks.
fn read(url: &str, schema: &str, events: u64) -> Result<Vec<Block>, Failure> {
    let plan = format!(
        r#"{{"name":"in","kind":{{"source":{{"binding":"in","format":"json","tag":"type","time":"dateTime","watermarks":{{"bounded":{{"ms":4000}}}}}}}},
            "outputs":[{{"name":"bid","variant":"bid","schema":"{schema}"}}]}}"#
    );
    let operator: Operator = serde_json::from_str(&plan)?;
    let mut reader = open_source(url, &operator)?.reader(0, 1, Arc::new(|| {}))?;
    let (mut records, mut kept) = (0, Vec::new());
    while let Polled::Batch(batch) = reader.poll(ROWS)? {
        records += batch.records;
        if kept.len() < 64 {
            kept.extend(batch.blocks.into_iter().map(|(_, block)| block));
        }
    }
    if records == events { Ok(kept) } else { Err(format!("{records} records of {events}").into()) }
}
