//! A plan made visible: as text, as JSON, as a Mermaid flowchart.
//!
//! All three show what would run: the plan with everything resolved, and where each number came from.

mod document;
mod mermaid;
mod text;

use tidemill_core::plan::{DEAD_LETTER, Edge, Graph, LATE, Operator, PORT_DEAD_LETTER, PORT_LATE, Partition, Plan};

use crate::bindings::Bound;
use crate::loaded::{Components, Loaded};

pub(crate) use document::json;
pub(crate) use mermaid::mermaid;
pub(crate) use text::text;

/// A resolved plan with everything the command line said about it.
pub(crate) struct Shown<'a> {
    pub(crate) job: String,
    pub(crate) component: String,
    pub(crate) sha256: &'a str,
    /// The components, where there are several.
    pub(crate) parts: &'a [Part],
    pub(crate) plan: &'a Plan,
    pub(crate) document: &'a str,
    pub(crate) graph: &'a Graph,
    pub(crate) bounds: &'a [Bound],
    /// `None` is off.
    pub(crate) idle_ms: Option<u64>,
    /// Why the idle timeout is what it is.
    pub(crate) idle_reason: &'static str,
}

/// One of several components.
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) contract: String,
    pub(crate) sha256: String,
}

impl Part {
    /// Whether an operator of the whole is of this component, whose name it has in front.
    fn has(&self, operator: &Operator) -> bool {
        operator.name.split_once('.').is_some_and(|(component, _)| component == self.name)
    }
}

/// The components of a job, where they are several.
pub(crate) fn parts(components: &Components) -> Vec<Part> {
    let several = components.all.iter().filter(|loaded| !loaded.name.is_empty());
    let part = |loaded: &Loaded| Part {
        name: loaded.name.clone(),
        path: loaded.path.clone(),
        contract: loaded.plan.contract.clone(),
        sha256: loaded.component.describe().sha256.clone(),
    };
    several.map(part).collect()
}

impl Shown<'_> {
    fn operator(&self, id: u32) -> &Operator {
        &self.plan.operators[id as usize]
    }

    /// Whether both ends of an edge run in one guest call.
    fn fused(&self, edge: &Edge) -> bool {
        let chain = |id: u32| self.graph.nodes[id as usize].chain;
        chain(edge.from).is_some() && chain(edge.from) == chain(edge.to)
    }

    fn workers(&self, id: u32) -> usize {
        self.graph.nodes[id as usize].parallelism.workers
    }

    fn bound(&self, id: u32) -> Option<&Bound> {
        self.bounds.iter().find(|b| b.operator == id)
    }
}

/// The name of an edge's port.
fn port_name(plan: &Plan, edge: &Edge) -> String {
    let operator = &plan.operators[edge.from as usize];
    match edge.port {
        DEAD_LETTER => PORT_DEAD_LETTER.to_owned(),
        late if late <= LATE && ((LATE - late) as usize) < operator.inputs.len() => {
            operator.late_port((LATE - late) as usize).unwrap_or_else(|| PORT_LATE.to_owned())
        }
        index => operator.outputs.get(index as usize).map_or("?", |o| o.name.as_str()).to_owned(),
    }
}

/// How an edge spreads records, in a word.
fn partition_word(shown: &Shown<'_>, edge: &Edge) -> String {
    match &edge.partition {
        _ if shown.fused(edge) => "fused".to_owned(),
        Partition::Forward => "forward".to_owned(),
        Partition::Key => format!("key {}", key_fields(shown, edge)),
        Partition::Rebalance => "rebalance".to_owned(),
        Partition::Shuffle => "shuffle".to_owned(),
        Partition::Rescale => "rescale".to_owned(),
        Partition::Broadcast => "broadcast".to_owned(),
        Partition::Global => "global".to_owned(),
        Partition::Custom(field) => format!("custom {field}"),
    }
}

/// Why an edge spreads records as it does, in one line (semantics.md #38).
fn partition_reason(shown: &Shown<'_>, edge: &Edge) -> String {
    let (from, to) = (shown.workers(edge.from), shown.workers(edge.to));
    let stated = shown.operator(edge.to).inputs.get(edge.input as usize).map(|i| &i.partition);
    match &edge.partition {
        _ if shown.fused(edge) => "in the same guest call".to_owned(),
        Partition::Forward => "stays on its worker".to_owned(),
        Partition::Key => "all records of a key meet at one worker".to_owned(),
        Partition::Rebalance if stated == Some(&Partition::Forward) => format!("blocks in turn, since {from} workers feed {to}"),
        Partition::Rebalance => "blocks in turn to all workers".to_owned(),
        Partition::Shuffle => "each record to a random worker".to_owned(),
        Partition::Rescale => "blocks in turn to a local subset of the workers".to_owned(),
        Partition::Broadcast => "every record to every worker".to_owned(),
        Partition::Global => "everything to worker 0".to_owned(),
        Partition::Custom(field) => format!("to worker {field} modulo {to}"),
    }
}

fn key_fields(shown: &Shown<'_>, edge: &Edge) -> String {
    shown.operator(edge.to).key(edge.input as usize).unwrap_or_default().join(", ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use tidemill_core::plan::Settings;

    use super::*;
    use crate::bindings;

    pub(crate) const DOCUMENT: &str = r#"{"contract": "0.1.0", "name": "sensor-average", "operators": [
      {"name": "readings", "kind": {"source": {"binding": "readings", "default": "stdin:", "format": "json",
          "time": "at", "watermarks": {"bounded": {"ms": 2000}}}},
       "outputs": [{"schema": "sensor:string,celsius:f64,at:i64"}]},
      {"name": "valid", "kind": "filter", "inputs": [{"from": "readings"}], "on-error": "skip",
       "outputs": [{"schema": "sensor:string,celsius:f64,at:i64"}]},
      {"name": "kelvin", "kind": "map", "inputs": [{"from": "valid"}], "outputs": [{"schema": "sensor:string,kelvin:f64"}]},
      {"name": "average", "kind": {"window": {"key": ["sensor"], "assigner": {"tumbling": {"size_ms": 10000}},
          "compute": "guest", "state": [{"name": "acc", "kind": "accumulator", "schema": "sum:f64,n:i64"}]}},
       "inputs": [{"from": "kelvin"}], "outputs": [{"schema": "sensor:string,kelvin:f64"}]},
      {"name": "averages", "kind": {"sink": {"binding": "averages", "format": "json"}}, "inputs": [{"from": "average"}]}]}"#;

    /// Hands the plan of two wired components to a test.
    pub(crate) fn with_several(test: impl FnOnce(&Shown<'_>)) {
        let whole: Plan = serde_json::from_str(DOCUMENT).unwrap();
        let mut rows: Vec<Operator> = whole.operators.clone();
        rows.truncate(3);
        let sink = |from: &str| {
            let mut sink = whole.operators[4].clone();
            sink.inputs[0].from = from.to_owned();
            sink
        };
        rows.push(sink("kelvin"));
        let parse = Plan { operators: rows, ..whole.clone() };
        let mut source = whole.operators[0].clone();
        source.outputs = whole.operators[2].outputs.clone();
        let mut average = whole.operators[3].clone();
        average.inputs[0].from = source.name.clone();
        let average = Plan { operators: vec![source, average, sink("average")], ..whole };
        let wires = [tidemill_core::plan::Wire { source: "average.readings".to_owned(), sink: "parse.averages".to_owned() }];
        let parts = [("average", &average), ("parse", &parse)].map(|(name, plan)| tidemill_core::plan::Part { name, plan });
        let plan = tidemill_core::plan::wire(Some("job"), &parts, &wires).unwrap().plan;
        let graph = Graph::resolve(&plan, &Settings::default());
        let bounds = bindings::resolve(&plan, &std::collections::BTreeMap::new()).unwrap();
        let part = |name: &str| Part {
            name: name.to_owned(),
            path: format!("{name}.wasm"),
            contract: "0.1.0".to_owned(),
            sha256: "abc".to_owned(),
        };
        test(&Shown {
            job: "job".to_owned(),
            component: "job.toml".to_owned(),
            sha256: "abc",
            parts: &["average", "parse"].map(part),
            plan: &plan,
            document: "{}",
            graph: &graph,
            bounds: &bounds,
            idle_ms: None,
            idle_reason: "off",
        });
    }

    /// Hands a resolved plan to a test: two workers by flag, one for the sink.
    pub(crate) fn with_shown(test: impl FnOnce(&Shown<'_>)) {
        let plan: Plan = serde_json::from_str(DOCUMENT).unwrap();
        let limits = vec![(4, 1, "stdout: is written by one worker".to_owned())];
        let graph = Graph::resolve(&plan, &Settings { parallelism: Some(2), from_job_file: false, limits });
        let bounds = bindings::resolve(&plan, &std::collections::BTreeMap::new()).unwrap();
        test(&Shown {
            job: "sensor-average".to_owned(),
            component: "job.wasm".to_owned(),
            sha256: "abc",
            parts: &[],
            plan: &plan,
            document: DOCUMENT,
            graph: &graph,
            bounds: &bounds,
            idle_ms: Some(10_000),
            idle_reason: "default",
        });
    }

    #[test]
    fn an_edge_between_different_widths_says_so() {
        with_shown(|shown| {
            let last = shown.graph.edges.iter().find(|e| e.to == 4).unwrap();
            assert_eq!(partition_word(shown, last), "rebalance");
            assert_eq!(partition_reason(shown, last), "blocks in turn, since 2 workers feed 1");
        });
    }
}
