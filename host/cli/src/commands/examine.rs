//! `tidemill examine`: looks at a component for a server, in a process that may die of it, and answers in JSON.
//!
//! Promise: whatever is wrong with the component is an answer and no failure; what passes the limits of the process ends it.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use tidemill_core::plan::{self, Plan};
use tidemill_dataflow::participants;
use tidemill_guest::{Component, LoadError, LoadOptions};
use tidemill_server::examined::{self, Answer, Bound, Keeps, Operator, Part, Planned, Refusal};
use tidemill_server::limits::{CHILD_CPU, COMPILE_MEMORY_BYTES, RUNNER_FILES_MAX, SHADOW_BYTES_MAX};
use tidemill_server::shadow::{Ran, Shadow};

use super::{inspect, plan as plan_command};
use crate::bindings;
use crate::fault::{Fault, Outcome};
use crate::loaded::{self, Components, Loaded};
use crate::settings::{self, JobArgs, RunArgs, Settings};
use crate::shadow::{self, Span};
use crate::show::{self, Shown};
use crate::{confine, console, prepare};

/// Look at a component for a server
#[derive(Clone, Debug, Args)]
pub(crate) struct ExamineCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Compile it
    Component {
        /// The component
        file: PathBuf,
        /// So that it counts what it costs
        #[arg(long)]
        meter: bool,
    },
    /// Let its code build the plan
    Plan {
        #[command(flatten)]
        job: JobArgs,
        #[command(flatten)]
        run: Box<RunArgs>,
    },
    /// Run it over a few records of its input, and keep what it writes
    Shadow {
        #[command(flatten)]
        job: JobArgs,
        #[command(flatten)]
        run: Box<RunArgs>,
        /// The savepoint to begin with
        #[arg(long)]
        from: String,
        /// Records of each source
        #[arg(long)]
        records: u64,
        /// A folder for what it writes
        #[arg(long)]
        into: PathBuf,
        /// Leave behind state of the savepoint that it does not have
        #[arg(long)]
        allow_dropped_state: bool,
    },
    /// Compare what two versions wrote
    Compare {
        /// Folder of the version that runs, and what it said
        #[arg(long, num_args = 2)]
        before: Vec<String>,
        /// Folder of the new version, and what it said
        #[arg(long, num_args = 2)]
        after: Vec<String>,
    },
}

/// Runs the command.
pub(crate) fn run(command: &ExamineCommand) -> Outcome<()> {
    let answer = match &command.what {
        What::Component { file, meter } => {
            confine::examiner(CHILD_CPU.as_secs(), Some(COMPILE_MEMORY_BYTES));
            component(&prepare::read(file)?, *meter).map_or_else(Answer::Refused, Answer::Component)
        }
        What::Plan { job, run } => {
            // Without a limit of address space: an instance reserves gigabytes that it never touches, and has a limit of its own.
            confine::examiner(CHILD_CPU.as_secs(), None);
            planned(&settings::gather(job, run)?)?.map_or_else(Answer::Refused, |planned| Answer::Planned(Box::new(planned)))
        }
        What::Shadow { job, run, from, records, into, allow_dropped_state } => {
            confine::shadow(CHILD_CPU.as_secs(), SHADOW_BYTES_MAX, RUNNER_FILES_MAX);
            let span = Span { from, records: *records, into, allow_dropped_state: *allow_dropped_state };
            shadow::run(job, &settings::gather(job, run)?, &span).map_or_else(|fault| Answer::Refused(failed(fault)), Answer::Ran)
        }
        What::Compare { before, after } => {
            confine::examiner(CHILD_CPU.as_secs(), Some(COMPILE_MEMORY_BYTES));
            Answer::Compared(compared(before, after)?)
        }
    };
    let text = serde_json::to_string(&answer).map_err(|e| Fault::failed("the answer cannot be written").because(&e))?;
    console::result(&text)
}

fn component(bytes: &[u8], meter: bool) -> Result<examined::Component, Refusal> {
    let options = LoadOptions { meter, ..prepare::plain_options() };
    let loaded = Component::load(bytes, &options).map_err(|e| refusal(Part::Component, &e))?;
    let about = loaded.describe();
    Ok(examined::Component {
        sha256: about.sha256.clone(),
        bytes: about.bytes as u64,
        compiled_bytes: about.compiled_bytes as u64,
        contract: inspect::contract(&about.exports).to_owned(),
        imports: about.imports.clone(),
        exports: about.exports.clone(),
        capabilities: inspect::verdicts(&inspect::asked(bytes).unwrap_or_default()),
    })
}

/// Whatever ends a job ends its shadow, and is what was to be found out.
fn failed(fault: Fault) -> Refusal {
    of_fault(Part::Shadow, "shadow-failed", fault)
}

fn compared(before: &[String], after: &[String]) -> Outcome<Shadow> {
    let side = |side: &[String]| {
        let [folder, said] = side else { return Err(Fault::usage("a side is a folder and what was said")) };
        let ran: Ran = serde_json::from_str(said).map_err(|e| Fault::usage("a side is no JSON of this release").because(&e))?;
        Ok((PathBuf::from(folder), ran))
    };
    let (before, after) = (side(before)?, side(after)?);
    shadow::difference((&before.0, &before.1), (&after.0, &after.1))
}

fn refusal(part: Part, error: &LoadError) -> Refusal {
    Refusal { part, reason: error.code().to_owned(), message: error.to_string(), causes: Vec::new(), hint: prepare::hint(error) }
}

/// A plan that can run, or why there is none. A file that cannot be read is a failure of the server.
fn planned(settings: &Settings) -> Outcome<Result<Planned, Refusal>> {
    let files = match &settings.several {
        None => vec![("", settings.component(), settings.args.as_slice())],
        Some(several) => several.parts.iter().map(|part| (part.name.as_str(), part.path.as_path(), part.args.as_slice())).collect(),
    };
    let mut all = Vec::new();
    for (name, path, args) in files {
        match one(name, &prepare::read(path)?, args, settings) {
            Ok(loaded) => all.push(loaded),
            Err(refusal) => return Ok(Err(of_component(name, refusal))),
        }
    }
    Ok(whole(all, settings).and_then(|(components, plan, document)| plan_of(&components, &plan, &document, settings)))
}

/// One component with its plan. It is named by its digest, since a path of the server is nothing to a user.
fn one(name: &str, bytes: &[u8], args: &[(String, String)], settings: &Settings) -> Result<Loaded, Refusal> {
    let component = Component::load(bytes, &prepare::options(settings)).map_err(|e| refusal(Part::Component, &e))?;
    let (plan, document) = component.plan(args).map_err(|e| {
        let told = refusal(Part::Plan, &e);
        Refusal { message: format!("no plan for {}", prepare::arguments(args)), causes: vec![told.message], ..told }
    })?;
    plan::check(&plan).map_err(|e| Refusal {
        part: Part::Plan,
        reason: "plan-invalid".to_owned(),
        message: "the plan cannot run".to_owned(),
        causes: e.0.clone(),
        hint: None,
    })?;
    let path = component.describe().sha256.clone();
    Ok(Loaded { name: name.to_owned(), path, component, plan: Arc::new(plan), document, args: args.to_vec() })
}

fn of_component(name: &str, refusal: Refusal) -> Refusal {
    if name.is_empty() {
        return refusal;
    }
    Refusal { message: format!("component {name:?}: {}", refusal.message), ..refusal }
}

/// The plan of all components, and its document.
fn whole(mut all: Vec<Loaded>, settings: &Settings) -> Result<(Components, Arc<Plan>, String), Refusal> {
    let Some(several) = &settings.several else {
        let only = all.remove(0);
        let (plan, document) = (Arc::clone(&only.plan), only.document.clone());
        return Ok((Components::one(only), plan, document));
    };
    let (components, plan, replaced) =
        Components::wired(all, settings.name.as_deref(), several).map_err(|fault| of_fault(Part::Plan, "wires-invalid", fault))?;
    loaded::check_unbound(&replaced, settings.bindings.keys()).map_err(|fault| of_fault(Part::Binding, "binding-wired", fault))?;
    let document = serde_json::to_string(&plan)
        .map_err(|e| of_fault(Part::Plan, "plan-invalid", Fault::failed("it cannot be written").because(&e)))?;
    Ok((components, Arc::new(plan), document))
}

fn of_fault(part: Part, reason: &str, fault: Fault) -> Refusal {
    Refusal { part, reason: reason.to_owned(), message: fault.message, causes: fault.causes, hint: fault.hint }
}

fn plan_of(components: &Components, plan: &Plan, document: &str, settings: &Settings) -> Result<Planned, Refusal> {
    let bounds = bindings::resolve(plan, &settings.bindings).map_err(|fault| of_fault(Part::Binding, "binding-unknown", fault))?;
    let graph = prepare::resolve(plan, settings, Vec::new());
    let (idle_ms, idle_reason) = plan_command::idle(settings);
    let digest = components.digest();
    let shown = Shown {
        job: settings.job_name(plan.name.as_deref()),
        component: digest.clone(),
        sha256: &digest,
        parts: &show::parts(components),
        plan,
        document,
        graph: &graph,
        bounds: &bounds,
        idle_ms,
        idle_reason,
    };
    let operator = |id: u32| &plan.operators[id as usize];
    let bound = |bound: &bindings::Bound| Bound {
        name: bound.binding.clone(),
        is_sink: matches!(operator(bound.operator).kind, plan::Kind::Sink(_)),
        url: bound.url.clone(),
    };
    let keeps = participants(plan, &graph, false).into_iter().map(|p| Keeps {
        name: operator(p.operator).name.clone(),
        kind: p.kind,
        key: p.key.map(|schema| schema.to_string()),
        state: p.state.map(|schema| schema.to_string()),
        migrates: p.migrates.iter().map(ToString::to_string).collect(),
    });
    Ok(Planned {
        name: plan.name.clone(),
        workers: graph.workers(),
        bindings: bounds.iter().map(bound).collect(),
        operators: plan.operators.iter().map(|o| Operator { name: o.name.clone(), kind: o.kind_name().to_owned() }).collect(),
        keeps: keeps.collect(),
        plan: show::json(&shown),
        text: show::text(&shown),
        mermaid: show::mermaid(&shown),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_component_are_an_answer() {
        let refused = component(b"no wasm", false).unwrap_err();
        assert_eq!((refused.part, refused.reason.as_str()), (Part::Component, "component-not-wasm"));
    }
}
