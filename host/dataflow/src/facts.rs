//! What a job knows of itself: its counters, and what its operators say on the board, as `tidemill_core::explain` takes it.

use std::collections::HashMap;
use std::time::Duration;

use tidemill_core::explain::{Facts, InputFacts, Member, OperatorFacts, Phase};
use tidemill_core::guest::OperatorId;
use tidemill_core::plan::{DEAD_LETTER, Edge, Graph, Kind, LATE, Plan, stamped_source};

use crate::board::by_clock;
use crate::control::Control;
use crate::participants::heads;

/// How long operators are waited for: a hundred ticks. One that takes longer is in a call that takes long.
const WAIT: Duration = Duration::from_secs(1);

/// The facts of a job at this moment. `control` is that of the plan's run. A job that is over is not waited for.
pub fn facts(job: &str, plan: &Plan, graph: &Graph, control: &Control, phase: Phase) -> Facts {
    let heads = heads(plan, graph);
    let heads: Vec<OperatorId> = graph.order.iter().copied().filter(|id| heads.contains(id)).collect();
    let runs = Runs::new(plan, graph, &heads);
    let ids: Vec<usize> = heads.iter().map(|&id| id as usize).collect();
    let waits = control.tick().is_some() && !phase.is_over();
    let said = control.board.ask(&ids, if waits { WAIT } else { Duration::ZERO });
    let counted = control.snapshot().operators;
    let operators = heads.iter().zip(said).map(|(&id, workers)| {
        let counted = counted.get(id as usize).copied().unwrap_or_default();
        OperatorFacts {
            records_in: counted.records_in,
            records_out: counted.records_out,
            late: counted.late,
            skipped: counted.skipped,
            dead_lettered: counted.dead_lettered,
            unread: counted.dropped,
            workers,
            ..runs.operator(id)
        }
    });
    Facts { job: job.to_owned(), taken_ms: by_clock(std::time::Instant::now()), phase, operators: operators.collect() }
}

/// Which operators of the plan run as which of the engine's.
struct Runs<'a> {
    plan: &'a Plan,
    graph: &'a Graph,
    /// The place of the operator that each runs in.
    place: HashMap<OperatorId, usize>,
    /// What each of the engine's operators runs behind the first.
    fused: HashMap<OperatorId, Vec<OperatorId>>,
}

impl<'a> Runs<'a> {
    fn new(plan: &'a Plan, graph: &'a Graph, heads: &[OperatorId]) -> Runs<'a> {
        let mut fused: HashMap<OperatorId, Vec<OperatorId>> = HashMap::new();
        for chain in &graph.chains {
            match stamped_source(plan, graph, chain.members[0]) {
                Some((source, _)) => fused.entry(source).or_default().extend(&chain.members),
                None => fused.entry(chain.members[0]).or_default().extend(&chain.members[1..]),
            }
        }
        let mut place = HashMap::new();
        for (at, head) in heads.iter().enumerate() {
            place.insert(*head, at);
            fused.get(head).into_iter().flatten().for_each(|&member| {
                place.insert(member, at);
            });
        }
        Runs { plan, graph, place, fused }
    }

    /// What does not change while the job runs.
    fn operator(&self, id: OperatorId) -> OperatorFacts {
        let operator = &self.plan.operators[id as usize];
        let member = |id: &OperatorId| {
            let operator = &self.plan.operators[*id as usize];
            Member { name: operator.name.clone(), kind: operator.kind_name().to_owned() }
        };
        let fused = self.fused.get(&id).map_or(&[][..], Vec::as_slice);
        let stamps = |id: &OperatorId| matches!(self.plan.operators[*id as usize].kind, Kind::Timestamps(_));
        let knows_time = matches!(&operator.kind, Kind::Source(source) if source.watermarks.is_some());
        OperatorFacts {
            name: operator.name.clone(),
            kind: operator.kind_name().to_owned(),
            fused: fused.iter().map(member).collect(),
            inputs: self.graph.inputs(id).map(|edge| self.input(edge)).collect(),
            makes_watermarks: knows_time || stamps(&id) || fused.iter().any(stamps),
            ..OperatorFacts::default()
        }
    }

    fn input(&self, edge: &Edge) -> InputFacts {
        let from = &self.plan.operators[edge.from as usize];
        let port = match (from.outputs.get(edge.port as usize), edge.port) {
            (Some(output), _) => output.name.clone(),
            (None, DEAD_LETTER) => "dead-letter".to_owned(),
            (None, LATE) => "late".to_owned(),
            (None, port) => format!("late {}", LATE.saturating_sub(port)),
        };
        InputFacts { from: self.place[&edge.from], port }
    }
}
