//! Alignment as a plan says it, and which sources can be aligned; the arithmetic is in [`crate::align`].

use serde::{Deserialize, Serialize};

use super::{Graph, Kind, Partition, Plan, Port};
use crate::guest::OperatorId;

/// How far the splits of a source may be ahead of the slowest of their group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Align {
    /// At most, in milliseconds of event time: a split whose watermark is further ahead is not read.
    pub max_drift_ms: i64,
    /// The sources of the job that say the same name are aligned with each other; without one the splits of this source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// The source and port whose records a chain stamps right behind it, so that its times are known by split.
pub fn stamped_source(plan: &Plan, graph: &Graph, head: OperatorId) -> Option<(OperatorId, Port)> {
    let chain = &graph.chains[graph.nodes[head as usize].chain? as usize];
    let last = *chain.members.last()?;
    let edge = graph.inputs(head).next()?;
    let stamps = matches!(plan.operators[last as usize].kind, Kind::Timestamps(_));
    let from_source = matches!(plan.operators[edge.from as usize].kind, Kind::Source(_));
    let only = graph.consumers(edge.from, edge.port).count() == 1;
    (stamps && from_source && only && edge.partition == Partition::Forward).then_some((edge.from, edge.port))
}

/// The sources that shall be aligned and know no watermark of their splits.
pub(super) fn without_watermarks(plan: &Plan, graph: &Graph) -> Vec<OperatorId> {
    let is_stamped = |id: OperatorId| {
        graph.chains.iter().any(|chain| stamped_source(plan, graph, chain.members[0]).is_some_and(|(source, _)| source == id))
    };
    let blind = |(id, kind): &(OperatorId, &Kind)| match kind {
        Kind::Source(source) => source.align.is_some() && source.watermarks.is_none() && !is_stamped(*id),
        _ => false,
    };
    (0..).zip(plan.operators.iter().map(|operator| &operator.kind)).filter(blind).map(|(id, _)| id).collect()
}
