//! The resolved plan as a Mermaid flowchart, for pages that draw it.

use std::fmt::Write as _;

use tidemill_core::plan::Operator;

use super::{Shown, partition_word, port_name};

/// A left-to-right flowchart; fused operators stand in one box.
pub(crate) fn mermaid(shown: &Shown<'_>) -> String {
    let mut out = String::from("flowchart LR\n");
    for (index, part) in shown.parts.iter().enumerate() {
        let _ = writeln!(out, "  subgraph component{index} [{}]", quoted(&format!("{}<br/>{}", part.name, part.path)));
        nodes(shown, "    ", |operator| part.has(operator), &mut out);
        out.push_str("  end\n");
    }
    if shown.parts.is_empty() {
        nodes(shown, "  ", |_| true, &mut out);
    }
    for edge in &shown.graph.edges {
        let port = port_name(shown.plan, edge);
        let port = if edge.port == 0 { String::new() } else { format!("{port}: ") };
        let label = quoted(&format!("{port}{}", partition_word(shown, edge)));
        let _ = writeln!(out, "  op{} -- {label} --> op{}", edge.from, edge.to);
    }
    out
}

/// The operators that are meant, those that are fused in a box.
fn nodes(shown: &Shown<'_>, indent: &str, meant: impl Fn(&Operator) -> bool, out: &mut String) {
    for (index, chain) in shown.graph.chains.iter().enumerate().filter(|(_, c)| c.members.len() > 1) {
        // A chain is of one component.
        if chain.members.iter().any(|id| !meant(shown.operator(*id))) {
            continue;
        }
        let _ = writeln!(out, "{indent}subgraph chain{index} [\"one guest call\"]");
        chain.members.iter().for_each(|id| out.push_str(&node(shown, *id, &format!("{indent}  "))));
        let _ = writeln!(out, "{indent}end");
    }
    let fused = |id: &u32| shown.graph.chains.iter().any(|c| c.members.len() > 1 && c.members.contains(id));
    let alone = shown.graph.order.iter().filter(|id| !fused(id) && meant(shown.operator(**id)));
    alone.for_each(|id| out.push_str(&node(shown, *id, indent)));
}

fn node(shown: &Shown<'_>, id: u32, indent: &str) -> String {
    let operator = shown.operator(id);
    let text = format!("{}<br/>{} x{}", operator.name, operator.kind_name(), shown.workers(id));
    let (open, close) = match shown.bound(id) {
        Some(_) => ("([", "])"),
        None => ("[", "]"),
    };
    format!("{indent}op{id}{open}{}{close}\n", quoted(&text))
}

/// A label; quotes inside would end it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "#quot;"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{with_several, with_shown};
    use super::*;

    #[test]
    fn each_of_several_components_is_a_box() {
        with_several(|shown| {
            let chart = mermaid(shown);
            let expected = "flowchart LR\n\
                 \x20 subgraph component0 [\"average<br/>average.wasm\"]\n\
                 \x20   op0[\"average.average<br/>window x1\"]\n\
                 \x20   op1([\"average.averages<br/>sink x1\"])\n\
                 \x20 end\n\
                 \x20 subgraph component1 [\"parse<br/>parse.wasm\"]\n\
                 \x20   subgraph chain1 [\"one guest call\"]\n\
                 \x20     op3[\"parse.valid<br/>filter x1\"]\n\
                 \x20     op4[\"parse.kelvin<br/>map x1\"]\n\
                 \x20   end\n\
                 \x20   op2([\"parse.readings<br/>source x1\"])\n\
                 \x20 end\n";
            let index = shown.graph.chains.iter().position(|chain| chain.members.len() > 1).unwrap_or(9);
            assert!(chart.starts_with(&expected.replace("chain1", &format!("chain{index}"))), "{chart}");
            assert!(chart.contains("op4 -- \"key sensor\" --> op0"), "the wire is an edge between the boxes: {chart}");
        });
    }

    #[test]
    fn the_chart_has_every_operator_and_edge_once() {
        with_shown(|shown| {
            let chart = mermaid(shown);
            assert_eq!(
                chart,
                "flowchart LR\n\
                 \x20 subgraph chain0 [\"one guest call\"]\n\
                 \x20   op1[\"valid<br/>filter x2\"]\n\
                 \x20   op2[\"kelvin<br/>map x2\"]\n\
                 \x20 end\n\
                 \x20 op0([\"readings<br/>source x2\"])\n\
                 \x20 op3[\"average<br/>window x2\"]\n\
                 \x20 op4([\"averages<br/>sink x1\"])\n\
                 \x20 op0 -- \"forward\" --> op1\n\
                 \x20 op1 -- \"fused\" --> op2\n\
                 \x20 op2 -- \"key sensor\" --> op3\n\
                 \x20 op3 -- \"rebalance\" --> op4\n"
            );
        });
    }
}
