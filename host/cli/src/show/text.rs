//! The resolved plan as text: one paragraph per operator, in the order in which records pass.

use std::fmt::Write as _;

use tidemill_core::connect::OnError;
use tidemill_core::plan::{
    Aggregate, Assigner, Chaining, Compute, Edge, Evict, Evictor, Kind, LATE, Operator, ProcessSpec, Side, SourceSpec, State, StateKind,
    Trigger, TriggerSpec, Ttl, Watermarks, WindowSpec,
};
use tidemill_core::schema::Schema;

use super::{Shown, partition_reason, partition_word, port_name};
use crate::moment::span;

/// What would run, for people.
pub(crate) fn text(shown: &Shown<'_>) -> String {
    let workers = shown.graph.workers();
    let plural = if workers == 1 { "worker" } else { "workers" };
    let mut out = format!("{}: {} operators on {workers} {plural}\n", shown.job, shown.plan.operators.len());
    if shown.parts.is_empty() {
        let _ = writeln!(out, "component {} (contract {}, sha256 {})", shown.component, shown.plan.contract, shown.sha256);
    }
    for part in shown.parts {
        let _ = writeln!(out, "component {} = {} (contract {}, sha256 {})", part.name, part.path, part.contract, part.sha256);
    }
    for (index, chain) in shown.graph.chains.iter().enumerate().filter(|(_, c)| c.members.len() > 1) {
        let names: Vec<&str> = chain.members.iter().map(|id| shown.operator(*id).name.as_str()).collect();
        let _ = writeln!(out, "chain {index}: {} (one guest call per block)", names.join(" > "));
    }
    for (number, id) in shown.graph.order.iter().enumerate() {
        let (operator, node) = (shown.operator(*id), &shown.graph.nodes[*id as usize]);
        let width = format!("parallelism {} ({})", node.parallelism.workers, node.parallelism.origin);
        let _ = writeln!(out, "\n{}. {} - {}, {width}", number + 1, operator.name, operator.kind_name());
        lines(shown, *id, operator).iter().for_each(|line| {
            let _ = writeln!(out, "     {line}");
        });
    }
    out
}

fn lines(shown: &Shown<'_>, id: u32, operator: &Operator) -> Vec<String> {
    let mut lines: Vec<String> = shown.graph.inputs(id).map(|edge| input(shown, edge)).collect();
    if let Some(bound) = shown.bound(id) {
        let origin = if bound.is_default { " (the job's default)" } else { "" };
        let url = bound.url.as_deref().map_or_else(|| format!("nothing yet: --bind {}=URL", bound.binding), |url| format!("{url}{origin}"));
        lines.push(format!("binding {} = {url}", bound.binding));
    }
    match operator.chaining {
        Chaining::Fuse => {}
        Chaining::Start => lines.push("begins a chain (set in the job)".to_owned()),
        Chaining::Never => lines.push("a guest call of its own (set in the job)".to_owned()),
    }
    match &operator.kind {
        Kind::Source(spec) => lines.extend(source(shown, spec)),
        Kind::Timestamps(strategy) => lines.push(format!("event time is set by the component; {}", watermark(*strategy))),
        Kind::Process(spec) => lines.extend(process(spec)),
        Kind::Window(spec) => lines.extend(window(shown, id, spec)),
        Kind::Rolling(spec) => lines.push(format!("running {}, computed by the host", aggregate(&spec.aggregate))),
        Kind::Sink(spec) => lines.push(format!("format {}", word(&spec.format))),
        Kind::WindowJoin(spec) => {
            lines.push(format!("{} windows in {} time, joined by the host", assigner(&spec.assigner), word(&spec.domain)));
            lines.extend(sides(&spec.sides));
        }
        Kind::CoGroup(spec) => {
            lines.push(format!("{} windows in {} time, computed by the component", assigner(&spec.assigner), word(&spec.domain)));
            lines.extend(spec.trigger.as_ref().map(trigger));
            lines.extend(states(&spec.state));
        }
        Kind::IntervalJoin(spec) => {
            let (lower, upper) = spec.bounds();
            lines.push(format!("the right record from {} to {} behind the left one, joined by the host", span(lower), span(upper)));
            lines.extend(sides(&spec.sides));
        }
        Kind::KeyedJoin(spec) => {
            lines.push("the last record of each side, joined by the host".to_owned());
            lines.extend(sides(&spec.sides));
        }
        Kind::TemporalJoin(spec) => {
            lines.push("each record with the version of its time, joined by the host".to_owned());
            lines.extend(sides(&spec.sides));
        }
        Kind::Map | Kind::Filter | Kind::FlatMap | Kind::KeyBy | Kind::Union => {}
    }
    lines.extend(operator.outputs.iter().map(|o| match &o.variant {
        Some(variant) => format!("port {} (records tagged {variant:?}): {}", o.name, o.schema),
        None => format!("port {}: {}", o.name, o.schema),
    }));
    match operator.on_error {
        OnError::Fail => {}
        OnError::Skip => lines.push("a bad record is skipped and counted".to_owned()),
        OnError::DeadLetter => lines.push("a bad record goes to port dead-letter".to_owned()),
    }
    lines
}

fn input(shown: &Shown<'_>, edge: &Edge) -> String {
    let port = if edge.port == 0 { String::new() } else { format!(".{}", port_name(shown.plan, edge)) };
    let name = &shown.operator(edge.from).name;
    format!("from {name}{port}, {}: {}", partition_word(shown, edge), partition_reason(shown, edge))
}

fn source(shown: &Shown<'_>, spec: &SourceSpec) -> Vec<String> {
    let tag = spec.tag.as_ref().map(|tag| format!(", field {tag} chooses the port")).unwrap_or_default();
    let mut lines = vec![format!("format {}{tag}", word(&spec.format))];
    if let (Some(time), Some(strategy)) = (&spec.time, spec.watermarks) {
        lines.push(format!("event time is field {time}; {}", watermark(strategy)));
    }
    if let Some(align) = &spec.align {
        let group = align.group.as_ref().map_or_else(|| "of this source".to_owned(), |group| format!("of group {group}"));
        lines.push(format!("alignment: a split more than {} ahead of the slowest {group} is not read", span(align.max_drift_ms)));
    }
    let idle = match shown.idle_ms {
        Some(ms) => format!("a split with nothing to read for {} no longer holds event time back", span(ms as i64)),
        None => "a split with nothing to read holds event time back for ever".to_owned(),
    };
    lines.push(format!("idle timeout: {idle} ({})", shown.idle_reason));
    lines
}

fn watermark(strategy: Watermarks) -> String {
    let bound = match strategy {
        Watermarks::Monotonic => "1ms".to_owned(),
        Watermarks::Bounded { ms } => format!("{} - 1ms", span(ms)),
        Watermarks::Guest { every_ms: None } => return "watermark of each split: the component says, behind each block".to_owned(),
        Watermarks::Guest { every_ms: Some(ms) } => {
            return format!("watermark of each split: the component says, behind each block and every {}", span(ms));
        }
    };
    format!("watermark of each split = greatest time - {bound}")
}

fn process(spec: &ProcessSpec) -> Vec<String> {
    let timer = |t: &tidemill_core::plan::Timer| format!("{} ({} time)", t.name, word(&t.domain));
    let mut lines = states(&spec.state);
    if !spec.timers.is_empty() {
        lines.push(format!("timers: {}", spec.timers.iter().map(timer).collect::<Vec<_>>().join(", ")));
    }
    lines
}

fn window(shown: &Shown<'_>, id: u32, spec: &WindowSpec) -> Vec<String> {
    let computed = match &spec.compute {
        Compute::Guest => "computed by the component".to_owned(),
        Compute::Host(what) => format!("{}, computed by the host", aggregate(what)),
    };
    let mut lines = vec![format!("{} windows in {} time, {computed}", assigner(&spec.assigner), word(&spec.domain))];
    lines.extend(spec.trigger.as_ref().map(trigger));
    lines.extend(spec.evictor.as_ref().map(evictor));
    if spec.has_late() {
        let read = shown.graph.consumers(id, LATE).next().is_some();
        let rest = if read { "go to port late" } else { "are counted and the first ten logged: nobody reads port late" };
        lines.push(format!("allowed lateness {}; later records {rest}", span(spec.lateness_ms)));
    }
    lines.extend(states(&spec.state));
    lines
}

fn trigger(trigger: &TriggerSpec) -> String {
    let empties = if trigger.purge { ", and is empty then" } else { "" };
    format!("fires {}{empties}", when(&trigger.when))
}

fn when(trigger: &Trigger) -> String {
    let list = |of: &[Trigger], word: &str| of.iter().map(when).collect::<Vec<_>>().join(word);
    match trigger {
        Trigger::AtWatermark => "at its end".to_owned(),
        Trigger::LateEach => "at each late record".to_owned(),
        Trigger::EarlyEvery { ms, domain } => format!("every {} of {} time before its end", span(*ms), word(domain)),
        Trigger::After { ms, domain } => format!("{} of {} time after its first record", span(*ms), word(domain)),
        Trigger::Count { records } => format!("every {records} records"),
        Trigger::Any(of) => list(of, " or "),
        Trigger::All(of) => format!("when all of these have come: {}", list(of, ", ")),
        Trigger::Guest => "when the component says so".to_owned(),
    }
}

fn evictor(evictor: &Evictor) -> String {
    let what = match &evictor.evict {
        Evict::Count { records } => format!("all but the last {records} records"),
        Evict::Time { ms } => format!("records more than {} before the latest", span(*ms)),
        Evict::Delta { field, threshold } => format!("records whose {field} differs from the last one's by {threshold} or more"),
        Evict::Guest => "what the component says".to_owned(),
    };
    format!("leaves out {what}, {} the function", if evictor.after { "behind" } else { "in front of" })
}

fn sides(sides: &[Side]) -> Vec<String> {
    let side = |side: &Side| {
        let may = if side.required { "required" } else { "may be missing" };
        format!("side {} (key {}): {may}", side.name, side.key.join(", "))
    };
    sides.iter().map(side).collect()
}

fn states(states: &[State]) -> Vec<String> {
    let kind = |kind: StateKind| match kind {
        StateKind::Value => "value",
        StateKind::List => "list",
        StateKind::Map => "map",
        StateKind::Accumulator => "accumulator",
    };
    let migrates = |older: &[Schema]| older.iter().map(|schema| format!(", migrates ({schema})")).collect::<String>();
    let lives = |ttl: &Option<Ttl>| ttl.map_or_else(String::new, |ttl| format!(", lives {}", span(ttl.ms)));
    states.iter().map(|s| format!("state {} ({}): {}{}{}", s.name, kind(s.kind), s.schema, migrates(&s.migrates), lives(&s.ttl))).collect()
}

fn assigner(assigner: &Assigner) -> String {
    let shifted = |offset: i64| if offset == 0 { String::new() } else { format!(" shifted by {}", span(offset)) };
    match assigner {
        Assigner::Tumbling { size_ms, offset_ms } => format!("tumbling {}{}", span(*size_ms), shifted(*offset_ms)),
        Assigner::Sliding { size_ms, slide_ms, offset_ms } => {
            let panes = if *slide_ms > 0 && size_ms % slide_ms == 0 { ", panes shared" } else { ", each kept in full" };
            format!("sliding {} every {}{}{panes},", span(*size_ms), span(*slide_ms), shifted(*offset_ms))
        }
        Assigner::Session { gap_ms } => format!("session (gap {})", span(*gap_ms)),
        Assigner::SessionBy { field } => format!("session (gap from field {field})"),
        Assigner::Days { timezone, days } => format!("{days} day(s) of {timezone}"),
        Assigner::Count { records, slide, or_after } => {
            let slide = slide.map(|slide| format!(" every {slide}")).unwrap_or_default();
            let after = or_after.map(|after| format!(" or {} in {} time", span(after.ms), word(&after.domain))).unwrap_or_default();
            format!("{records} records{slide}{after}")
        }
        Assigner::Global => "global".to_owned(),
    }
}

fn aggregate(aggregate: &Aggregate) -> String {
    match aggregate {
        Aggregate::Count => "count".to_owned(),
        Aggregate::Sum(field) => format!("sum of {field}"),
        Aggregate::Min(field) => format!("min of {field}"),
        Aggregate::Max(field) => format!("max of {field}"),
        Aggregate::MinBy(field) => format!("record of least {field}"),
        Aggregate::MaxBy(field) => format!("record of greatest {field}"),
    }
}

/// The word of the plan document for a plain variant.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{with_several, with_shown};
    use super::*;

    #[test]
    fn several_components_are_listed_with_their_files() {
        with_several(|shown| {
            let text = text(shown);
            let head = "job: 5 operators on 1 worker\ncomponent average = average.wasm (contract 0.1.0, sha256 abc)\n\
                        component parse = parse.wasm (contract 0.1.0, sha256 abc)\n";
            assert!(text.starts_with(head), "{text}");
            assert!(text.contains("average.average - window") && text.contains("from parse.kelvin, key sensor"), "{text}");
        });
    }

    #[test]
    fn who_is_chained_otherwise_says_so() {
        with_shown(|shown| {
            let mut operator = shown.operator(1).clone();
            assert!(!lines(shown, 1, &operator).iter().any(|line| line.contains("set in the job")));
            operator.chaining = Chaining::Never;
            assert!(lines(shown, 1, &operator).contains(&"a guest call of its own (set in the job)".to_owned()));
        });
    }

    #[test]
    fn the_sensor_job_reads_like_prose() {
        with_shown(|shown| {
            let expected = "\
sensor-average: 5 operators on 2 workers
component job.wasm (contract 0.1.0, sha256 abc)
chain 0: valid > kelvin (one guest call per block)

1. readings - source, parallelism 2 (--parallelism)
     binding readings = stdin: (the job's default)
     format json
     event time is field at; watermark of each split = greatest time - 2s - 1ms
     idle timeout: a split with nothing to read for 10s no longer holds event time back (default)
     port out: sensor:string,celsius:f64,at:i64

2. valid - filter, parallelism 2 (--parallelism)
     from readings, forward: stays on its worker
     port out: sensor:string,celsius:f64,at:i64
     a bad record is skipped and counted

3. kelvin - map, parallelism 2 (--parallelism)
     from valid, fused: in the same guest call
     port out: sensor:string,kelvin:f64

4. average - window, parallelism 2 (--parallelism)
     from kelvin, key sensor: all records of a key meet at one worker
     tumbling 10s windows in event time, computed by the component
     allowed lateness 0s; later records are counted and the first ten logged: nobody reads port late
     state acc (accumulator): sum:f64,n:i64
     port out: sensor:string,kelvin:f64

5. averages - sink, parallelism 1 (limit: stdout: is written by one worker)
     from average, rebalance: blocks in turn, since 2 workers feed 1
     binding averages = nothing yet: --bind averages=URL
     format json
";
            assert_eq!(text(shown), expected);
        });
    }
}
