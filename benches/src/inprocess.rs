//! A job run to its end in this process, with its user code as a component or native.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use tidemill_core::guest::{Factory, OperatorId};
use tidemill_core::plan::{self, Graph, Kind, Plan};
use tidemill_dataflow::{Control, JobSpec, Options};
use tidemill_guest::{Component, LoadOptions};

use crate::machine;
use crate::native::{self, Build, Native};

/// Where the user code comes from.
pub(crate) enum Code<'a> {
    /// The bytes of a component.
    Component(&'a [u8]),
    /// The function of the same crate.
    Native(Build),
}

/// What a run took, from the first worker's start to the last one's end; compiling is not in it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Events read.
    pub(crate) events: u64,
    /// CPU of all threads, user and system, in seconds.
    pub(crate) cpu_s: f64,
    /// Time passed, in seconds.
    pub(crate) wall_s: f64,
    /// Time that the engine spent in calls of user code, all workers, in seconds.
    pub(crate) guest_s: f64,
    /// The most memory that was resident, in MiB.
    pub(crate) peak_mib: f64,
}

/// The user code with its plan.
pub(crate) struct Loaded {
    pub(crate) plan: Arc<Plan>,
    pub(crate) factory: Arc<dyn Factory>,
}

/// Asks the code for its plan and checks it.
pub(crate) fn load(code: &Code<'_>, args: &[(String, String)]) -> Result<Loaded> {
    match code {
        Code::Component(bytes) => {
            let component = Component::load(bytes, &LoadOptions::default())?;
            let (plan, document) = component.plan(args)?;
            plan::check(&plan)?;
            let plan = Arc::new(plan);
            Ok(Loaded { factory: component.factory(args, document, Arc::clone(&plan)), plan })
        }
        Code::Native(build) => {
            let (_, document) = Native::plan(*build, args)?;
            let plan: Plan = serde_json::from_str(&document).context("the plan of the native job")?;
            plan::check(&plan)?;
            Ok(Loaded { factory: native::factory(*build, args), plan: Arc::new(plan) })
        }
    }
}

/// Runs a job whose one source reads `events` and whose one sink writes `results`, both URLs.
pub(crate) fn run(code: &Code<'_>, args: &[(String, String)], events: &str, results: &str, parallelism: usize) -> Result<Figures> {
    let Loaded { plan, factory } = load(code, args)?;
    let mut spec = JobSpec {
        graph: Arc::new(Graph::resolve(&plan, &plan::Settings { parallelism: Some(parallelism), ..plan::Settings::default() })),
        plan: Arc::clone(&plan),
        factory,
        sources: HashMap::new(),
        sinks: HashMap::new(),
        options: Options { log: Arc::new(|operator, message| eprintln!("{operator}: {message}")), ..Options::default() },
    };
    for (id, operator) in plan.operators.iter().enumerate() {
        let id = id as OperatorId;
        match &operator.kind {
            Kind::Source(_) => drop(spec.sources.insert(id, tidemill_connectors::open_source(events, operator)?)),
            Kind::Sink(_) => {
                let schema = plan::late_schema(&plan, operator).unwrap_or_default();
                spec.sinks.insert(id, tidemill_connectors::open_sink(results, operator, &schema)?);
            }
            _ => {}
        }
    }
    if spec.sources.len() != 1 || spec.sinks.len() != 1 {
        bail!("the job has {} sources and {} sinks, and this benchmark binds one of each", spec.sources.len(), spec.sinks.len());
    }
    let source = spec.sources.keys().copied().next().unwrap_or_default() as usize;
    let control = Arc::new(Control::new(plan.operators.len(), spec.graph.workers()));
    let (start, cpu) = (Instant::now(), machine::own_cpu());
    let report = tidemill_dataflow::run(spec, &control).map_err(|failure| anyhow!("the job failed: {failure}"))?;
    Ok(Figures {
        wall_s: start.elapsed().as_secs_f64(),
        cpu_s: machine::own_cpu().saturating_sub(cpu).as_secs_f64(),
        events: report.snapshot.operators[source].records_in,
        guest_s: report.snapshot.operators.iter().map(|o| o.guest_ns).sum::<u64>() as f64 / 1e9,
        peak_mib: machine::own_peak_mib(),
    })
}

/// Runs the Nexmark job, for a child of [`crate::native_vs_wasm`].
pub(crate) fn nexmark(component: Option<&Path>, args: &[(String, String)], events: &str, out: &Path, parallelism: usize) -> Result<Figures> {
    let results = format!("file:{}?overwrite=true", out.display());
    match component {
        Some(path) => {
            let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            run(&Code::Component(&bytes), args, events, &results, parallelism)
        }
        None => run(&Code::Native(nexmark::nexmark), args, events, &results, parallelism),
    }
}
