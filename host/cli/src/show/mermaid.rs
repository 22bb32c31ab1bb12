//! The resolved plan as a Mermaid flowchart, for pages that draw it.

use std::fmt::Write as _;

use super::{Shown, partition_word, port_name};

/// A left-to-right flowchart; fused operators stand in one box.
pub(crate) fn mermaid(shown: &Shown<'_>) -> String {
    let mut out = String::from("flowchart LR\n");
    for (index, chain) in shown.graph.chains.iter().enumerate().filter(|(_, c)| c.members.len() > 1) {
        let _ = writeln!(out, "  subgraph chain{index} [\"one guest call\"]");
        chain.members.iter().for_each(|id| out.push_str(&node(shown, *id, "    ")));
        out.push_str("  end\n");
    }
    let fused = |id: &u32| shown.graph.chains.iter().any(|c| c.members.len() > 1 && c.members.contains(id));
    shown.graph.order.iter().filter(|id| !fused(id)).for_each(|id| out.push_str(&node(shown, *id, "  ")));
    for edge in &shown.graph.edges {
        let port = port_name(shown.plan, edge);
        let port = if edge.port == 0 { String::new() } else { format!("{port}: ") };
        let label = quoted(&format!("{port}{}", partition_word(shown, edge)));
        let _ = writeln!(out, "  op{} -- {label} --> op{}", edge.from, edge.to);
    }
    out
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
    use super::super::tests::with_shown;
    use super::*;

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
