//! Measures what a checkpoint costs: `cargo run --release -p tidemill-state --example checkpoint_speed -- [KEYS] [CHANGED] [URL]`.
//!
//! One operator with a number of state for each of KEYS keys hands over all of it, then CHANGED keys at a time; then all of it is
//! verified and read back. Time is that of the wall and that of all processors together; bytes are those of the parts.

use std::io::Write;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tidemill_core::block::{Block, Builder};
use tidemill_core::checkpoint::protocol::RunnerId;
use tidemill_core::checkpoint::{CheckpointId, Handover, Keeper as _, Keyed, column, page_schema};
use tidemill_core::key;
use tidemill_core::schema::Schema;
use tidemill_state::{Access, Coordinator, Error, Expected, Hooks, Job, Options, Settings, Store, Which, Wish, open, start};

/// Rows of a page, as an export has them.
const ROWS: u64 = 4096;
/// Checkpoints of changes; the mean counts.
const CHANGES: u64 = 20;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let number = |index: usize, default: u64| std::env::args().nth(index).map_or(Ok(default), |n| n.replace('_', "").parse());
    let (keys, changed) = (number(1, 1_000_000)?, number(2, 10_000)?);
    let dir = tempfile::tempdir()?;
    let url = std::env::args().nth(3).unwrap_or_else(|| dir.path().display().to_string());
    let settings = Settings { options: std::env::vars().filter(|(name, _)| name.starts_with("AWS_")).collect(), ..Settings::default() };
    let store = Store::open(&url, Access::Write, &settings)?;
    let state: Schema = "n:i64".parse()?;
    let out = &mut std::io::stdout().lock();
    let start = start(&store, RunnerId(1))?;
    let (begun, boundaries) = channel();
    let hooks = Hooks {
        begin: Box::new(move |checkpoint, _| begun.send(checkpoint).is_ok()),
        commit: Box::new(|_, _| Ok(())),
        event: Box::new(|_| {}),
        now: Box::new(|| 0),
    };
    let expected = Expected { operator: 0, name: "counts".to_owned(), kind: "process".to_owned(), workers: 1, key: None };
    let job = Job { name: "speed".to_owned(), plan: String::new(), groups: key::GROUPS, operators: vec![expected] };
    let coordinator = Coordinator::start(store.clone(), &start, None, job, Options::default(), hooks)?;
    let mut checkpoint = |name: &str, pages: Vec<Block>, rows: u64| -> Result<(), Failure> {
        let granted = coordinator.wish(Wish::Checkpoint);
        let checkpoint: CheckpointId = boundaries.recv()?;
        let (wall, cpu) = (Instant::now(), cpu_time()?);
        let keyed = Some(Keyed { state: state.clone(), pages });
        coordinator
            .keep(checkpoint, Handover { operator: 0, worker: 0, watermark: 0, keyed, position: None, staged: Vec::new(), last: false });
        granted.recv()??;
        let written = coordinator.statistics().last.map_or(0, |last| last.written);
        let (wall, cpu) = (wall.elapsed(), cpu_time()? - cpu);
        if !name.is_empty() {
            let per = |time: Duration| time.as_nanos() as f64 / rows as f64;
            let bytes = written as f64 / rows as f64;
            writeln!(
                out,
                "{name:>24} {wall:9.1?} wall {:5.0} ns/row, {cpu:9.1?} cpu {:5.0} ns/row, {bytes:5.1} bytes/row",
                per(wall),
                per(cpu)
            )?;
        }
        Ok(())
    };
    checkpoint("everything", pages(&state, 0, keys, 1), keys)?;
    for round in 0..CHANGES {
        let name = if round + 1 == CHANGES { "the last of the changes" } else { "" };
        checkpoint(name, pages(&state, round * changed, changed, round), changed)?;
    }
    let statistics = coordinator.statistics();
    drop(coordinator);
    writeln!(out, "{:>24} {} merges, {} bytes", "", statistics.merges.0, statistics.merges.1)?;
    let (wall, cpu) = (Instant::now(), cpu_time()?);
    let saved = open(&store, &Which::Newest)?;
    writeln!(out, "{:>24} {:9.1?} wall, {:9.1?} cpu, {} bytes", "verify", wall.elapsed(), cpu_time()? - cpu, saved.manifest().bytes())?;
    let (wall, cpu) = (Instant::now(), cpu_time()?);
    let rows = Mutex::new(0);
    let saved = Arc::new(saved);
    std::thread::scope(|scope| {
        let half = key::GROUPS / 2;
        let read = |groups| {
            saved.read::<Error>("counts", groups, &mut |page| {
                *rows.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += page.rows();
                Ok(())
            })
        };
        let other = scope.spawn(move || read(half..key::GROUPS));
        read(0..half).and(other.join().unwrap_or(Ok(())))
    })?;
    let rows = rows.into_inner()?;
    writeln!(out, "{:>24} {:9.1?} wall, {:9.1?} cpu, {rows} rows by two threads", "read back", wall.elapsed(), cpu_time()? - cpu)?;
    Ok(())
}

/// Pages of the keys from `first` on.
fn pages(state: &Schema, first: u64, count: u64, value: u64) -> Vec<Block> {
    let mut builder = Builder::new(&page_schema(state));
    let mut pages = Vec::new();
    for id in first..first + count {
        // Spread, as keys of a stream are.
        let key = id.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
        builder.push_time(0);
        builder.column(column::GROUP).push_i32(key::group(key::hash(&key)) as i32);
        builder.column(column::KEY).push_bytes(&key);
        builder.column(column::NAMESPACE).push_bytes(&[]);
        builder.column(column::GONE).push_bool(false);
        builder.column(column::HOST).push_absent();
        builder.column(column::STATE).push_i64(value as i64);
        if builder.rows() as u64 == ROWS {
            pages.extend(builder.finish());
        }
    }
    pages.extend(builder.finish());
    pages
}

/// The time that all threads of the process have run, in steps of 10 ms.
fn cpu_time() -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().ok_or("an empty stat")?.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(10 * ticks))
}
