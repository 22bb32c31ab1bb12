//! A component beside the same closures compiled natively: same engine, same input, same output.
//!
//! Both run in this process by the same connectors; only who makes the instances differs. The cost is the processor time of the whole
//! process per event, reading and writing included; the time inside of guest calls stands beside it, because that is the
//! part that WebAssembly changes.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::json;
use sha2::{Digest, Sha256};
use tidemill_connectors::{datagen, open_sink, open_source};
use tidemill_core::guest::{Factory, OperatorId};
use tidemill_core::plan::{Graph, Kind, Plan, Settings, check, late_schema};
use tidemill_dataflow::{Control, JobSpec, Options};
use tidemill_guest::{Component, LoadOptions};

use crate::clock;
use crate::results::Results;
use tidemill_native::Native;

/// The queries that call user code in different ways: none at all, a map, windows, a flat map, timers.
pub(crate) const QUERIES: [&str; 7] = ["q0", "q1", "q5", "q7", "q11", "wordcount", "timers"];
/// Events of one second of event time, and the seed: those of the large input of `benches/compare`.
const EVENTS_PER_SECOND: u64 = 10_000;
const SEED: u64 = 7;

/// One run.
struct Run {
    us_per_event: f64,
    /// Time inside of guest calls.
    guest_us_per_event: f64,
    events_per_s: f64,
    digest: String,
}

/// Measures every query both ways.
pub(crate) fn measure(options: &crate::Options, results: &mut Results) -> Result<()> {
    let folder = tempfile::tempdir().context("no place for the input")?;
    let input = folder.path().join("events.json");
    let mut file = std::io::BufWriter::with_capacity(1 << 20, fs::File::create(&input)?);
    datagen::nexmark::write(options.events, EVENTS_PER_SECOND, SEED, &mut file)?;
    std::io::Write::flush(&mut file)?;
    let wasm = options.guests.join("rust/nexmark.wasm");
    let bytes = fs::read(&wasm).with_context(|| format!("{} is not there: `cargo xtask dist` makes it", wasm.display()))?;
    let component = Component::load(&bytes, &LoadOptions::default())?;
    results.heading(
        &format!("(b) A component beside native closures, {} events, {} workers", options.events, options.parallelism),
        &["query", "wasm us/event", "native us/event", "wasm / native", "in calls wasm", "native", "wasm M events/s", "native"],
    );
    for query in &options.queries {
        compare(query, &component, &input, folder.path(), options, results)?;
    }
    Ok(())
}

fn compare(query: &str, component: &Component, input: &Path, folder: &Path, options: &crate::Options, results: &mut Results) -> Result<()> {
    let arguments = vec![("query".to_owned(), query.to_owned())];
    let native = Native::new(nexmark::nexmark, arguments.clone());
    let (plan, document) = component.plan(&arguments)?;
    if plan != native.plan()? {
        bail!("{query}: the component was built from another source than this program: run `cargo xtask dist` again");
    }
    let plan = Arc::new(plan);
    let factories: [Arc<dyn Factory>; 2] = [component.factory(&arguments, document, Arc::clone(&plan)), Arc::new(native)];
    let mut runs: [Vec<Run>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..options.rounds {
        for (factory, runs) in factories.iter().zip(&mut runs) {
            runs.push(run(&plan, factory, input, &folder.join("out"), options)?);
        }
    }
    let [wasm, native] = &runs;
    if let Some(other) = wasm.iter().chain(native).find(|run| run.digest != wasm[0].digest) {
        bail!("{query}: the results differ: {} and {}", wasm[0].digest, other.digest);
    }
    let median = |runs: &[Run], of: fn(&Run) -> f64| clock::median(&mut runs.iter().map(of).collect::<Vec<_>>());
    let [wasm_us, native_us] = [wasm, native].map(|runs| median(runs, |run| run.us_per_event));
    let [wasm_in, native_in] = [wasm, native].map(|runs| median(runs, |run| run.guest_us_per_event));
    let [wasm_rate, native_rate] = [wasm, native].map(|runs| median(runs, |run| run.events_per_s));
    results.keep(&json!({
        "bench": "native", "query": query, "events": options.events, "parallelism": options.parallelism, "rounds": options.rounds,
        "wasm_us_per_event": wasm_us, "native_us_per_event": native_us, "wasm_us_per_event_in_calls": wasm_in,
        "native_us_per_event_in_calls": native_in, "wasm_events_per_s": wasm_rate, "native_events_per_s": native_rate,
    }))?;
    let mut row = vec![query.to_owned(), format!("{wasm_us:.3}"), format!("{native_us:.3}"), format!("{:.2}", wasm_us / native_us)];
    row.extend([format!("{wasm_in:.3}"), format!("{native_in:.3}")]);
    row.extend([wasm_rate, native_rate].map(|rate| format!("{:.2}", rate / 1e6)));
    results.row(row);
    Ok(())
}

fn run(plan: &Arc<Plan>, factory: &Arc<dyn Factory>, input: &Path, out: &Path, options: &crate::Options) -> Result<Run> {
    check(plan).map_err(|error| anyhow::anyhow!("{error}"))?;
    let settings = Settings { parallelism: Some(options.parallelism), ..Settings::default() };
    let graph = Graph::resolve(plan, &settings);
    let control = Arc::new(Control::new(plan.operators.len(), graph.workers()));
    let (mut sources, mut sinks) = (HashMap::new(), HashMap::new());
    for (id, operator) in plan.operators.iter().enumerate() {
        match &operator.kind {
            Kind::Source(_) => {
                sources.insert(id as OperatorId, open_source(&format!("file:{}", input.display()), operator)?);
            }
            Kind::Sink(_) => {
                let schema = late_schema(plan, operator, 0).context("a sink has an input")?;
                sinks.insert(id as OperatorId, open_sink(&format!("file:{}?overwrite=true", out.display()), operator, &schema, false)?);
            }
            _ => {}
        }
    }
    let spec = JobSpec {
        plan: Arc::clone(plan),
        graph: Arc::new(graph),
        factory: Arc::clone(factory),
        sources,
        sinks,
        checkpoints: None,
        options: Options::default(),
    };
    let (begun, before) = (Instant::now(), clock::process());
    let report = tidemill_dataflow::run(spec, &control)?;
    let (wall, cpu) = (begun.elapsed(), clock::process() - before);
    let guest_ns: u64 = report.snapshot.operators.iter().map(|operator| operator.guest_ns).sum();
    let events = options.events as f64;
    Ok(Run {
        us_per_event: cpu.as_secs_f64() * 1e6 / events,
        guest_us_per_event: guest_ns as f64 / 1e3 / events,
        events_per_s: events / wall.as_secs_f64(),
        digest: digest(out)?,
    })
}

/// SHA-256 of the sorted lines of all parts.
fn digest(out: &Path) -> Result<String> {
    let mut text = Vec::new();
    for entry in fs::read_dir(out)? {
        text.push(fs::read(entry?.path())?);
    }
    let mut lines: Vec<&[u8]> = text.iter().flat_map(|part| part.split_inclusive(|byte| *byte == b'\n')).collect();
    lines.sort_unstable();
    let mut hash = Sha256::new();
    lines.iter().for_each(|line| hash.update(line));
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
