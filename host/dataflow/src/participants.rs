//! Who hands over at a boundary: the operators that run as the engine's own, and what each keeps.

use tidemill_core::guest::OperatorId;
use tidemill_core::plan::{Aggregate, Compute as ComputeSpec, Domain, Graph, Kind, Operator, Plan, Watermarks, stamped_source};
use tidemill_core::schema::Schema;

use crate::in_flight;
use crate::keyed::{key_columns, key_schema};
use crate::operators::join;
use crate::operators::window::accumulators::Accumulators;

/// An operator that hands over at a boundary, once on every worker; or what is under way to one.
#[derive(Clone, Debug, PartialEq)]
pub struct Participant {
    /// How its handovers name it: an operator's id, or a greater number.
    pub operator: OperatorId,
    /// How it is found again in a checkpoint.
    pub name: String,
    /// What it is, e.g. `window`.
    pub kind: String,
    /// The fields of its key, where it keeps state by key.
    pub key: Option<Schema>,
    /// The columns of that state.
    pub state: Option<Schema>,
    /// Columns that pieces of it had and that the component turns into today's.
    pub migrates: Vec<Schema>,
}

/// Who hands over at a boundary, and what: what a keeper waits for, and what is compared with a checkpoint before a restore; with what is
/// under way to each operator or without ([`crate::Checkpoints::under_way`]).
pub fn participants(plan: &Plan, graph: &Graph, under_way: bool) -> Vec<Participant> {
    let heads = heads(plan, graph);
    let buffers = heads.iter().filter(|_| under_way).filter_map(|&operator| self::under_way(plan, graph, operator));
    heads.iter().map(|&operator| participant(plan, graph, operator)).chain(buffers).collect()
}

/// The operators that the engine runs as its own: not those inside a chain, and not those that a source runs.
pub(crate) fn heads(plan: &Plan, graph: &Graph) -> Vec<OperatorId> {
    let is_head = |id: OperatorId| match graph.nodes[id as usize].chain {
        None => true,
        Some(chain) => graph.chains[chain as usize].members[0] == id && stamped_source(plan, graph, id).is_none(),
    };
    (0..plan.operators.len() as OperatorId).filter(|&id| is_head(id)).collect()
}

/// What an operator keeps by key.
pub(crate) fn participant(plan: &Plan, graph: &Graph, id: OperatorId) -> Participant {
    let operator = &plan.operators[id as usize];
    let edge = graph.inputs(id).next();
    let host = |aggregate: &Aggregate| edge.map(|edge| Accumulators::new(aggregate, &edge.schema).state_schema());
    let state = match &operator.kind {
        Kind::Process(_) => Some(operator.state_schema()),
        Kind::Window(window) => match &window.compute {
            ComputeSpec::Guest => Some(operator.state_schema()),
            ComputeSpec::Host(aggregate) => host(aggregate),
        },
        Kind::Rolling(rolling) => host(&rolling.aggregate),
        Kind::CoGroup(_) => Some(operator.state_schema()),
        Kind::WindowJoin(join) => Some(join::state_schema(join.sides.iter().map(|side| side.name.as_str()))),
        Kind::IntervalJoin(_) | Kind::KeyedJoin(_) | Kind::TemporalJoin(_) => Some(Schema::default()),
        _ => None,
    };
    let key = edge.filter(|_| state.is_some()).map(|edge| key_schema(&edge.schema, &key_columns(operator, edge)));
    Participant { operator: id, name: operator.name.clone(), kind: kind(plan, graph, id), key, state, migrates: operator.migrates() }
}

/// What an operator is. A join keeps the records of its sides as they are, so other columns of a side make it another one.
fn kind(plan: &Plan, graph: &Graph, id: OperatorId) -> String {
    let operator = &plan.operators[id as usize];
    match &operator.kind {
        Kind::WindowJoin(_) | Kind::IntervalJoin(_) | Kind::KeyedJoin(_) | Kind::TemporalJoin(_) => {
            let columns: Vec<String> = graph.inputs(id).map(|edge| edge.schema.to_string()).collect();
            format!("{} of {}", operator.kind_name(), columns.join(" and "))
        }
        _ => operator.kind_name().to_owned(),
    }
}

/// What is under way to an operator; none for a source. Other columns of an input make it another kind.
pub(crate) fn under_way(plan: &Plan, graph: &Graph, id: OperatorId) -> Option<Participant> {
    let operator = &plan.operators[id as usize];
    if is_always_aligned(operator) {
        return None;
    }
    let columns: Vec<String> = graph.inputs(id).map(|edge| edge.schema.to_string()).collect();
    let kind = format!("buffer of {}", columns.join(" and "));
    let name = in_flight::operator(&operator.name);
    (!columns.is_empty()).then(|| Participant {
        operator: under_way_id(plan, id),
        name,
        kind,
        key: None,
        state: Some(in_flight::state()),
        migrates: Vec::new(),
    })
}

/// Whether an operator hands over only when all that is from before a boundary has come, in every mode: what it keeps is the same on
/// every worker then, so that one copy of it is enough for all.
pub(crate) fn is_always_aligned(operator: &Operator) -> bool {
    matches!(&operator.kind, Kind::Process(spec) if spec.broadcast.is_some())
}

/// How handovers name what is under way to an operator.
pub(crate) fn under_way_id(plan: &Plan, id: OperatorId) -> OperatorId {
    plan.operators.len() as OperatorId + id
}

/// Whether processing time has to travel with the records: where something behind the sources waits for it.
pub(crate) fn needs_clock(plan: &Plan, graph: &Graph) -> bool {
    // A source that runs a chain itself looks at the clock.
    let in_source = |id: OperatorId| {
        let chain = graph.nodes[id as usize].chain.map(|chain| graph.chains[chain as usize].members[0]);
        chain.is_some_and(|head| stamped_source(plan, graph, head).is_some())
    };
    (0..).zip(&plan.operators).any(|(id, operator)| match &operator.kind {
        Kind::Process(spec) => spec.timers.iter().any(|timer| timer.domain == Domain::Processing),
        Kind::Window(spec) => spec.needs_clock(),
        Kind::WindowJoin(spec) => spec.windows().needs_clock(),
        Kind::CoGroup(spec) => spec.windows().needs_clock(),
        Kind::Timestamps(Watermarks::Guest { every_ms }) => every_ms.is_some() && !in_source(id),
        _ => false,
    })
}
