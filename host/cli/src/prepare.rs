//! From a file on disk to a checked plan: what `run`, `test`, `plan` and `inspect` begin with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidemill_core::guest::Limits;
use tidemill_core::plan::{self, Graph, Plan};
use tidemill_guest::{Component, Level, LoadError, LoadOptions, LogSink};

use crate::console;
use crate::fault::{Fault, Outcome};
use crate::loaded::{self, Components, Loaded};
use crate::settings::{self, Settings};
use crate::suggest;

/// A job that can run.
pub(crate) struct Prepared {
    pub(crate) components: Components,
    pub(crate) plan: Arc<Plan>,
    /// The plan as the component wrote it, or as it is put together from those of several.
    pub(crate) document: String,
}

/// Loads the components, asks each for its plan, and checks those and the wires between them.
///
/// # Errors
/// Everything is refused that cannot run, with all that is wrong with a plan at once.
pub(crate) fn prepare(settings: &Settings) -> Outcome<Prepared> {
    let Some(several) = &settings.several else {
        let loaded = planned("", settings.component(), &settings.args, options(settings))?;
        let (plan, document) = (Arc::clone(&loaded.plan), loaded.document.clone());
        return Ok(Prepared { components: Components::one(loaded), plan, document });
    };
    let load = |part: &settings::Part| {
        let of = |fault: Fault| Fault { message: format!("component {:?}: {}", part.name, fault.message), ..fault };
        planned(&part.name, &part.path, &part.args, options(settings)).map_err(of)
    };
    let all = several.parts.iter().map(load).collect::<Outcome<Vec<Loaded>>>()?;
    let (components, plan, replaced) = Components::wired(all, settings.name.as_deref(), several)?;
    loaded::check_unbound(&replaced, settings.bindings.keys())?;
    let document = serde_json::to_string(&plan).map_err(|e| Fault::failed("the plan cannot be written").because(&e))?;
    Ok(Prepared { components, plan: Arc::new(plan), document })
}

/// One component with its plan, which has been checked.
fn planned(name: &str, path: &Path, args: &[(String, String)], options: LoadOptions) -> Outcome<Loaded> {
    let shown = path.display();
    let component = load_as(name, path, options)?;
    let (plan, document) = component.plan(args).map_err(|e| {
        let fault = Fault::refused(format!("{shown} gives no plan for {}", arguments(args))).because(&e);
        fault.maybe_hint(hint(&e))
    })?;
    plan::check(&plan).map_err(|e| {
        let fault = Fault::refused(format!("the plan of {shown} cannot run"));
        e.0.iter().fold(fault, |fault, line| fault.cause(line.clone()))
    })?;
    Ok(Loaded { name: name.to_owned(), path: shown.to_string(), component, plan: Arc::new(plan), document, args: args.to_vec() })
}

/// Reads and compiles a component, or takes the compiled one from the cache.
///
/// # Errors
/// A file that cannot be read, and whatever is wrong with the component.
pub(crate) fn load(path: &Path, options: LoadOptions) -> Outcome<Component> {
    load_as("", path, options)
}

/// As [`load`]; in the log its operators have the component's name in front.
fn load_as(name: &str, path: &Path, options: LoadOptions) -> Outcome<Component> {
    let bytes = read(path)?;
    let options = LoadOptions { log: Arc::new(GuestLog { component: name.to_owned() }), ..options };
    Component::load(&bytes, &options).map_err(|e| {
        let hint = hint(&e);
        Fault::refused(format!("cannot use {}", path.display())).because(&e).maybe_hint(hint)
    })
}

/// How components are loaded here that are only looked at.
pub(crate) fn plain_options() -> LoadOptions {
    LoadOptions { cache_dir: cache_dir(), log: Arc::new(GuestLog { component: String::new() }), ..LoadOptions::default() }
}

/// How the component of a job is loaded.
pub(crate) fn options(settings: &Settings) -> LoadOptions {
    let memory_bytes = settings.memory_bytes.unwrap_or(Limits::default().memory_bytes);
    LoadOptions { limits: Limits { memory_bytes, ..Limits::default() }, meter: settings.meter, ..plain_options() }
}

/// Reads a component's file.
///
/// # Errors
/// A missing file, a folder, one without permission.
pub(crate) fn read(path: &Path) -> Outcome<Vec<u8>> {
    std::fs::read(path).map_err(|e| {
        let fault = Fault::refused(format!("cannot read component {}", path.display()));
        if path.is_dir() {
            let hint = format!("`tidemill build {}` makes a component of a project", path.display());
            return fault.cause("it is a folder").hint(hint);
        }
        fault.because(&e)
    })
}

/// Resolves a checked plan with what the command line and the opened ends say.
pub(crate) fn resolve(plan: &Plan, settings: &Settings, limits: Vec<(u32, usize, String)>) -> Graph {
    let given = plan::Settings { parallelism: settings.parallelism, from_job_file: settings.parallelism_from_file, limits };
    Graph::resolve(plan, &given)
}

pub(crate) fn arguments(args: &[(String, String)]) -> String {
    match args {
        [] => "no arguments".to_owned(),
        _ => args.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "),
    }
}

pub(crate) fn hint(error: &LoadError) -> Option<String> {
    match error {
        LoadError::Guest(tidemill_core::guest::Error::Refused { message, .. }) => {
            let usual = || "arguments are given as --arg NAME=VALUE; the job decides which it takes".to_owned();
            Some(meant(message).unwrap_or_else(usual))
        }
        LoadError::Guest(_) => Some("the component failed before any record was read: its code that builds the job is at fault".to_owned()),
        _ => None,
    }
}

/// What was meant by an argument that the SDKs refuse as `unknown argument "nane": this job takes name, size`. Other words
/// give no suggestion.
fn meant(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("unknown argument \"")?;
    let (unknown, rest) = rest.split_once('"')?;
    let (_, known) = rest.split_once("this job takes ")?;
    suggest::hint(unknown, known.lines().next()?.split(", "))
}

/// `$XDG_CACHE_HOME/tidemill`, else `$HOME/.cache/tidemill`; without either nothing is cached.
fn cache_dir() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache"))).map(|base| base.join("tidemill/components"))
}

/// What components log goes where messages go. Lower levels than `info` are for `--log-level` of a later day: dropped.
struct GuestLog {
    /// Where the job has several.
    component: String,
}

impl LogSink for GuestLog {
    fn log(&self, level: Level, operator: &str, message: &str) {
        let full = if self.component.is_empty() { operator.to_owned() } else { format!("{}.{operator}", self.component) };
        let operator = full.as_str();
        match level {
            Level::Trace | Level::Debug => {}
            Level::Info => console::log("info", operator, message),
            Level::Warn => console::log("warn", operator, message),
            Level::Error => console::log("error", operator, message),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_told_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let fault = read(folder.path()).unwrap_err();
        assert_eq!(fault.causes, ["it is a folder"]);
        assert!(fault.hint.unwrap().contains("tidemill build"));
    }

    #[test]
    fn a_misspelt_argument_is_recognised_in_the_words_of_the_sdk() {
        let refused = "unknown argument \"qurey\": this job takes aggregate, query";
        assert_eq!(meant(refused).as_deref(), Some("did you mean `query`?"));
        assert_eq!(meant("unknown argument \"x\": this job takes none"), None);
        assert_eq!(meant("query has to be q0 to q22"), None);
    }

    #[test]
    fn arguments_are_named_as_they_were_given() {
        assert_eq!(arguments(&[]), "no arguments");
        assert_eq!(arguments(&[("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())]), "a=1 b=");
    }
}
