//! Which URL each source and sink of a plan reads or writes.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use tidemill_core::connect::{self, Sink, Source};
use tidemill_core::guest::OperatorId;
use tidemill_core::plan::{Kind, Operator, Plan};
use tidemill_core::schema::Schema;

use crate::fault::{Fault, Outcome};
use crate::suggest;

/// A source or sink with its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) operator: OperatorId,
    pub(crate) binding: String,
    /// None when the plan has no default and nobody gave one.
    pub(crate) url: Option<String>,
    /// Whether the URL is the plan's own.
    pub(crate) is_default: bool,
}

/// The binding and default URL of an operator that has one.
pub(crate) fn of(operator: &Operator) -> Option<(&str, Option<&str>, &'static str)> {
    match &operator.kind {
        Kind::Source(spec) => Some((&spec.binding, spec.default.as_deref(), "source")),
        Kind::Sink(spec) => Some((&spec.binding, spec.default.as_deref(), "sink")),
        _ => None,
    }
}

/// Lays the given URLs over the plan's defaults.
///
/// # Errors
/// A given name that the plan does not have.
pub(crate) fn resolve(plan: &Plan, given: &BTreeMap<String, String>) -> Outcome<Vec<Bound>> {
    let known: Vec<(&str, &str)> = plan.operators.iter().filter_map(of).map(|(name, _, kind)| (name, kind)).collect();
    if let Some(unknown) = given.keys().find(|name| !known.iter().any(|(k, _)| k == name)) {
        let list: Vec<String> = known.iter().map(|(name, kind)| format!("{name} ({kind})")).collect();
        let fault = Fault::refused(format!("the job has no binding {unknown:?}; it has {}", list.join(", ")));
        return Err(fault.maybe_hint(suggest::hint(unknown, known.iter().map(|(name, _)| *name))));
    }
    let bind = |(id, operator): (usize, &Operator)| {
        let (binding, default, _) = of(operator)?;
        let url = given.get(binding).map(String::as_str).or(default).map(str::to_owned);
        Some(Bound { operator: id as OperatorId, binding: binding.to_owned(), url, is_default: !given.contains_key(binding) })
    };
    Ok(plan.operators.iter().enumerate().filter_map(bind).collect())
}

/// The opened ends of a job.
#[derive(Default)]
pub(crate) struct Ends {
    pub(crate) sources: HashMap<OperatorId, Arc<dyn Source>>,
    pub(crate) sinks: HashMap<OperatorId, Arc<dyn Sink>>,
    /// The most workers an end can use, with the reason.
    pub(crate) limits: Vec<(OperatorId, usize, String)>,
}

/// Opens sources first: a missing input must not leave an empty output behind. `resuming` says that the job has run before and that
/// its output may be there.
///
/// # Errors
/// An end without a URL, and whatever the connector says.
pub(crate) fn open(plan: &Plan, bounds: &[Bound], endless_allowed: bool, resuming: bool) -> Outcome<Ends> {
    missing_urls(plan, bounds)?;
    let mut ends = Ends::default();
    let with_url = || bounds.iter().filter_map(|b| b.url.as_deref().map(|url| (b, &plan.operators[b.operator as usize], url)));
    for (bound, operator, url) in with_url().filter(|(_, op, _)| matches!(op.kind, Kind::Source(_))) {
        let source = tidemill_connectors::open_source(url, operator).map_err(|e| refused(bound, url, &e))?;
        note_limit(&mut ends.limits, bound, url, source.parallelism_max(), "read");
        ends.sources.insert(bound.operator, source);
    }
    if !endless_allowed {
        refuse_endless(bounds, &ends.sources)?;
    }
    for (bound, operator, url) in with_url().filter(|(_, op, _)| matches!(op.kind, Kind::Sink(_))) {
        let schema = input_schema(plan, operator);
        let sink = tidemill_connectors::open_sink(url, operator, &schema, resuming).map_err(|e| refused(bound, url, &e))?;
        note_limit(&mut ends.limits, bound, url, sink.parallelism_max(), "written");
        ends.sinks.insert(bound.operator, sink);
    }
    Ok(ends)
}

fn missing_urls(plan: &Plan, bounds: &[Bound]) -> Outcome<()> {
    let Some(bound) = bounds.iter().find(|b| b.url.is_none()) else { return Ok(()) };
    let is_source = matches!(plan.operators[bound.operator as usize].kind, Kind::Source(_));
    let (kind, verb, example) = if is_source { ("source", "read", "file:in.json") } else { ("sink", "write", "file:out") };
    let name = &bound.binding;
    // Only in a job of several components does a binding have a component's name in front, unless its author wanted so.
    let wired = if name.contains('.') { ", or wire it under [wires] of the job file" } else { "" };
    Err(Fault::refused(format!("nothing says where the {kind} {name:?} is to {verb}: the job gives it no default"))
        .hint(format!("add --bind {name}={example}{wired}")))
}

fn refuse_endless(bounds: &[Bound], sources: &HashMap<OperatorId, Arc<dyn Source>>) -> Outcome<()> {
    let endless = |b: &&Bound| sources.get(&b.operator).is_some_and(|s| !s.bounded());
    let names: Vec<String> =
        bounds.iter().filter(endless).map(|b| format!("{} ({})", b.binding, b.url.as_deref().unwrap_or_default())).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Fault::refused(format!("--mode batch needs inputs that end, and these do not: {}", names.join(", ")))
        .hint("bind them to files, or run with --mode stream"))
}

fn note_limit(limits: &mut Vec<(OperatorId, usize, String)>, bound: &Bound, url: &str, max: Option<usize>, done: &str) {
    if let Some(max) = max {
        let who = if max == 1 { "one worker".to_owned() } else { format!("at most {max} workers") };
        limits.push((bound.operator, max, format!("{url} is {done} by {who}")));
    }
}

fn refused(bound: &Bound, url: &str, error: &connect::Error) -> Fault {
    Fault::refused(format!("cannot open binding {} = {url}", bound.binding)).because(error)
}

/// The schema of a sink: that of its first input; core's check made all inputs agree.
pub(crate) fn input_schema(plan: &Plan, sink: &Operator) -> Schema {
    tidemill_core::plan::late_schema(plan, sink, 0).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        serde_json::from_str(
            r#"{"contract": "0.1.0", "operators": [
              {"name": "read", "kind": {"source": {"binding": "readings", "default": "stdin:", "format": "json"}}, "outputs": [{"schema": "a:i64"}]},
              {"name": "write", "kind": {"sink": {"binding": "results", "format": "json"}}, "inputs": [{"from": "read"}]}]}"#,
        )
        .unwrap()
    }

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_given_url_wins_over_the_default() {
        let bounds = resolve(&plan(), &given(&[("results", "file:out")])).unwrap();
        assert_eq!((bounds[0].url.as_deref(), bounds[0].is_default), (Some("stdin:"), true));
        assert_eq!((bounds[1].url.as_deref(), bounds[1].is_default), (Some("file:out"), false));
    }

    #[test]
    fn an_unknown_binding_is_refused_with_the_known_ones() {
        let fault = resolve(&plan(), &given(&[("reedings", "x:")])).unwrap_err();
        assert_eq!(fault.message, "the job has no binding \"reedings\"; it has readings (source), results (sink)");
        assert_eq!(fault.hint.as_deref(), Some("did you mean `readings`?"));
    }

    #[test]
    fn an_end_without_url_says_how_to_give_it() {
        let plan = plan();
        let fault = missing_urls(&plan, &resolve(&plan, &given(&[])).unwrap()).unwrap_err();
        assert_eq!(fault.exit, crate::fault::Exit::Refused);
        assert_eq!(fault.hint.as_deref(), Some("add --bind results=file:out"));
    }

    #[test]
    fn a_sink_has_the_schema_of_its_input() {
        let plan = plan();
        assert_eq!(input_schema(&plan, &plan.operators[1]).to_string(), "a:i64");
    }
}
