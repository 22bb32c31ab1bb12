//! The resolved plan as JSON, for programs.

use serde_json::{Value, json};

use super::{Part, Shown, partition_reason, partition_word, port_name};

/// The component's own document and the graph that would run.
pub(crate) fn json(shown: &Shown<'_>) -> Value {
    // The document was read from this text, so it is JSON.
    let document: Value = serde_json::from_str(shown.document).unwrap_or(Value::Null);
    let part = |part: &Part| json!({"name": part.name, "path": part.path, "contract": part.contract, "sha256": part.sha256});
    let mut value = json!({
        "job": shown.job,
        "component": {"path": shown.component, "sha256": shown.sha256},
        "plan": document,
        "graph": {
            "workers": shown.graph.workers(),
            "idle_timeout_ms": shown.idle_ms,
            "operators": operators(shown),
            "edges": edges(shown),
            "chains": chains(shown),
        },
    });
    if !shown.parts.is_empty() {
        value["components"] = shown.parts.iter().map(part).collect();
    }
    value
}

fn operators(shown: &Shown<'_>) -> Vec<Value> {
    let operator = |id: &u32| {
        let (operator, node) = (shown.operator(*id), &shown.graph.nodes[*id as usize]);
        let bound = shown.bound(*id);
        json!({
            "id": id,
            "name": operator.name,
            "kind": operator.kind_name(),
            "parallelism": node.parallelism.workers,
            "parallelism_from": node.parallelism.origin.to_string(),
            "chain": node.chain,
            "binding": bound.map(|b| &b.binding),
            "url": bound.and_then(|b| b.url.as_ref()),
        })
    };
    shown.graph.order.iter().map(operator).collect()
}

fn edges(shown: &Shown<'_>) -> Vec<Value> {
    let edge = |edge: &tidemill_core::plan::Edge| {
        json!({
            "from": shown.operator(edge.from).name,
            "port": port_name(shown.plan, edge),
            "to": shown.operator(edge.to).name,
            "input": edge.input,
            "partition": partition_word(shown, edge),
            "reason": partition_reason(shown, edge),
            "schema": edge.schema.to_string(),
        })
    };
    shown.graph.edges.iter().map(edge).collect()
}

fn chains<'a>(shown: &'a Shown<'_>) -> Vec<Vec<&'a str>> {
    shown.graph.chains.iter().map(|chain| chain.members.iter().map(|id| shown.operator(*id).name.as_str()).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{with_several, with_shown};
    use super::*;

    #[test]
    fn programs_find_the_components_of_a_job_that_has_several() {
        with_several(|shown| assert_eq!(json(shown)["components"][1]["path"], "parse.wasm"));
        with_shown(|shown| assert_eq!(json(shown).get("components"), None));
    }

    #[test]
    fn programs_find_plan_and_graph() {
        with_shown(|shown| {
            let value = json(shown);
            assert_eq!(value["plan"]["name"], "sensor-average");
            assert_eq!(value["graph"]["workers"], 2);
            assert_eq!(value["graph"]["operators"][0]["url"], "stdin:");
            assert_eq!(value["graph"]["chains"][0], json!(["valid", "kelvin"]));
            assert_eq!(value["graph"]["edges"][2]["partition"], "key sensor");
        });
    }
}
