//! From a checked plan to what runs: edges with ports resolved, parallelism with its origin, fused chains.

use std::collections::HashMap;
use std::fmt;

use super::check::INPUTS_MAX;
use super::{Chaining, Kind, Operator, PORT_DEAD_LETTER, Partition, Plan};
use crate::guest::OperatorId;
use crate::schema::Schema;

/// The number of a port: an index into the operator's outputs, or one of the two implied ports.
pub type Port = u32;
/// The implied port for late records of the first input; that of input `n` is so much less.
pub const LATE: Port = u32::MAX - 1;
/// The implied `dead-letter` port.
pub const DEAD_LETTER: Port = u32::MAX;

/// What the command line, the job file and the connectors say about a run.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `--parallelism`, or the job file's.
    pub parallelism: Option<usize>,
    /// Whether [`Settings::parallelism`] came from the job file.
    pub from_job_file: bool,
    /// The most workers a source or sink can use, by operator, with the reason.
    pub limits: Vec<(OperatorId, usize, String)>,
}

/// Where a parallelism came from, in the order of precedence (semantics.md #42, #43).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The connector or the operator's nature allows no more.
    Limit(String),
    /// The operator states it in the plan.
    Plan,
    /// `--parallelism`.
    Flag,
    /// The job file.
    JobFile,
    /// Nobody said anything: 1.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Limit(why) => write!(f, "limit: {why}"),
            Origin::Plan => f.write_str("set in the job"),
            Origin::Flag => f.write_str("--parallelism"),
            Origin::JobFile => f.write_str("job file"),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// How many workers run an operator, and who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parallelism {
    /// The number of workers.
    pub workers: usize,
    /// Who said so.
    pub origin: Origin,
}

/// An edge with everything resolved.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The sending operator.
    pub from: OperatorId,
    /// Its port.
    pub port: Port,
    /// The receiving operator.
    pub to: OperatorId,
    /// Its input.
    pub input: u32,
    /// How records are spread; never `Forward` between different parallelisms.
    pub partition: Partition,
    /// The records' schema.
    pub schema: Schema,
}

/// Operators of one component that run in one guest call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The head and the stateless operators behind it.
    pub members: Vec<OperatorId>,
}

/// A node of the graph as it runs.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its parallelism.
    pub parallelism: Parallelism,
    /// The chain it is a member of, when the guest computes it.
    pub chain: Option<u32>,
}

/// A plan ready to run.
#[derive(Clone, Debug)]
pub struct Graph {
    /// One per operator of the plan.
    pub nodes: Vec<Node>,
    /// All edges, also those inside chains.
    pub edges: Vec<Edge>,
    /// Fused chains; a chain's id is its index.
    pub chains: Vec<Chain>,
    /// Operators in an order in which every input comes before its reader.
    pub order: Vec<OperatorId>,
}

impl Graph {
    /// Resolves a plan that [`super::check`] has passed.
    pub fn resolve(plan: &Plan, settings: &Settings) -> Graph {
        let order = topological(plan).expect("a checked plan has no cycle");
        let mut parallelism: Vec<Parallelism> = (0..plan.operators.len()).map(|id| parallelism(plan, id, settings)).collect();
        keep_splits_together(plan, &mut parallelism);
        let mut edges = Vec::new();
        for (to, operator) in plan.operators.iter().enumerate() {
            for (input, spec) in operator.inputs.iter().enumerate() {
                let (from, port) = resolve_port(plan, &spec.from, &spec.port).expect("a checked plan has no dangling input");
                let schema = port_schema(plan, from, port).expect("a checked plan has no unknown port");
                let same = parallelism[from as usize].workers == parallelism[to].workers;
                let partition = match (&spec.partition, operator.key(input)) {
                    (_, Some([])) => Partition::Global,
                    (_, Some(_)) => Partition::Key,
                    (Partition::Forward, None) if !same => Partition::Rebalance,
                    (given, None) => given.clone(),
                };
                edges.push(Edge { from, port, to: to as u32, input: input as u32, partition, schema });
            }
        }
        let chains = chains(plan, &edges, &order);
        let mut nodes: Vec<Node> = parallelism.into_iter().map(|parallelism| Node { parallelism, chain: None }).collect();
        for (index, chain) in chains.iter().enumerate() {
            chain.members.iter().for_each(|&m| nodes[m as usize].chain = Some(index as u32));
        }
        Graph { nodes, edges, chains, order }
    }

    /// The number of timely workers: the largest parallelism.
    pub fn workers(&self) -> usize {
        self.nodes.iter().map(|n| n.parallelism.workers).max().unwrap_or(1)
    }

    /// The edges into an operator, by input.
    pub fn inputs(&self, operator: OperatorId) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(move |e| e.to == operator)
    }

    /// The edges out of a port.
    pub fn consumers(&self, operator: OperatorId, port: Port) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(move |e| e.from == operator && e.port == port)
    }
}

fn parallelism(plan: &Plan, id: usize, settings: &Settings) -> Parallelism {
    let operator = &plan.operators[id];
    let (workers, origin) = match (operator.parallelism, settings.parallelism) {
        (Some(n), _) => (n as usize, Origin::Plan),
        (None, Some(n)) if settings.from_job_file => (n, Origin::JobFile),
        (None, Some(n)) => (n, Origin::Flag),
        (None, None) => (1, Origin::Default),
    };
    if operator.key(0).is_some_and(<[String]>::is_empty) && workers > 1 {
        return Parallelism { workers: 1, origin: Origin::Limit("one window over all records".to_owned()) };
    }
    match settings.limits.iter().find(|(op, max, _)| *op as usize == id && *max < workers) {
        Some((_, max, why)) => Parallelism { workers: *max, origin: Origin::Limit(why.clone()) },
        None => Parallelism { workers, origin },
    }
}

/// The operator and port that an input names.
pub(super) fn resolve_port(plan: &Plan, from: &str, port: &str) -> Option<(OperatorId, Port)> {
    let id = plan.operators.iter().position(|o| o.name == from)?;
    let operator = &plan.operators[id];
    let index = match operator.outputs.iter().position(|o| o.name == port) {
        Some(index) => index as Port,
        None if late_input(operator, port).is_some() => LATE - late_input(operator, port).unwrap_or_default(),
        None if port == PORT_DEAD_LETTER && operator.on_error == crate::connect::OnError::DeadLetter => DEAD_LETTER,
        None => return None,
    };
    Some((id as OperatorId, index))
}

/// The schema of a port, implied ports included.
pub(super) fn port_schema(plan: &Plan, operator: OperatorId, port: Port) -> Option<Schema> {
    match port {
        DEAD_LETTER => super::DEAD_LETTER_SCHEMA.parse().ok(),
        late if is_late(late) => late_schema(plan, &plan.operators[operator as usize], LATE - late),
        _ => plan.operators[operator as usize].outputs.get(port as usize).map(|o| o.schema.clone()),
    }
}

/// The input whose late records leave at a port.
fn late_input(operator: &Operator, port: &str) -> Option<u32> {
    let late = |input: &usize| operator.late_port(*input).is_some_and(|name| name == port);
    (0..operator.inputs.len()).find(late).map(|input| input as u32)
}

/// Whether a port is one for late records.
fn is_late(port: Port) -> bool {
    port <= LATE && LATE - port < INPUTS_MAX as u32
}

/// The schema of a port for late records: that of its input.
pub fn late_schema(plan: &Plan, operator: &Operator, input: u32) -> Option<Schema> {
    let input = operator.inputs.get(input as usize)?;
    let (from, port) = resolve_port(plan, &input.from, &input.port)?;
    // A window reads another window's late port at most as often as the plan is long: checked acyclic.
    port_schema(plan, from, port)
}

/// Event time is assigned where the splits are known (semantics.md #6): a `timestamps` operator, and what lies between it and
/// its source, runs on no more workers than the source.
fn keep_splits_together(plan: &Plan, parallelism: &mut [Parallelism]) {
    let index = |name: &str| plan.operators.iter().position(|o| o.name == name);
    for last in (0..plan.operators.len()).filter(|&id| matches!(plan.operators[id].kind, Kind::Timestamps(_))) {
        let back = |&id: &usize| plan.operators[id].inputs.first().and_then(|input| index(&input.from));
        let path: Vec<usize> = std::iter::successors(Some(last), back).take(plan.operators.len()).collect();
        let Some(&source) = path.last() else { continue };
        let workers = parallelism[source].workers;
        for &id in path.iter().filter(|&&id| id != source) {
            if parallelism[id].workers > workers {
                parallelism[id] =
                    Parallelism { workers, origin: Origin::Limit("event time is assigned on the workers of its source".to_owned()) };
            }
        }
    }
}

/// Kahn's algorithm; `None` when there is a cycle.
pub(super) fn topological(plan: &Plan) -> Option<Vec<OperatorId>> {
    let index: HashMap<&str, usize> = plan.operators.iter().enumerate().map(|(id, o)| (o.name.as_str(), id)).collect();
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); plan.operators.len()];
    let mut waiting = vec![0usize; plan.operators.len()];
    for (to, operator) in plan.operators.iter().enumerate() {
        for from in operator.inputs.iter().filter_map(|input| index.get(input.from.as_str())) {
            readers[*from].push(to);
            waiting[to] += 1;
        }
    }
    let mut ready: Vec<usize> = (0..waiting.len()).rev().filter(|&id| waiting[id] == 0).collect();
    let mut order = Vec::with_capacity(waiting.len());
    while let Some(next) = ready.pop() {
        order.push(next as OperatorId);
        for &to in &readers[next] {
            waiting[to] -= 1;
            if waiting[to] == 0 {
                ready.push(to);
            }
        }
    }
    (order.len() == plan.operators.len()).then_some(order)
}

/// Every guest operator in a chain: behind another when it is stateless, is that one's only reader over a
/// forward edge of port 0, watermarks are not made in between, and neither says otherwise.
fn chains(plan: &Plan, edges: &[Edge], order: &[OperatorId]) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    for &id in order {
        let operator = &plan.operators[id as usize];
        if !operator.is_guest() {
            continue;
        }
        let previous = edges.iter().find(|e| e.to == id).filter(|edge| {
            let from = &plan.operators[edge.from as usize];
            let only_reader = edges.iter().filter(|e| e.from == edge.from && e.port == 0).count() == 1;
            let one_input = edges.iter().filter(|e| e.to == id).count() == 1;
            plan.fuse
                && operator.is_stateless()
                && operator.chaining == Chaining::Fuse
                && from.chaining != Chaining::Never
                && one_input
                && only_reader
                && edge.port == 0
                && edge.partition == Partition::Forward
                && from.is_guest()
                && !matches!(from.kind, Kind::Timestamps(_))
        });
        let chain = previous.and_then(|edge| chains.iter_mut().find(|c| c.members.last() == Some(&edge.from)));
        match chain {
            Some(chain) => chain.members.push(id),
            None => chains.push(Chain { members: vec![id] }),
        }
    }
    chains
}
