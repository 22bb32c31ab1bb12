//! The job being built: its arguments, its sources, and the graph that streams add operators to.

use std::any::TypeId;
use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::plan::{self, OnError};
use crate::record::Record;
use crate::runtime::{Call, Operator};
use crate::stream::{Format, Source, TaggedSource};

/// Builds a job: what `#[tidemill::job]` functions are given.
pub struct Job {
    graph: SharedGraph,
    name: Option<String>,
    arguments: Vec<(String, String)>,
    asked: RefCell<Vec<String>>,
}

pub(crate) type SharedGraph = Rc<RefCell<Graph>>;

/// The operators so far; an operator's id is its index.
pub(crate) struct Graph {
    pub(crate) call: Rc<Call>,
    pub(crate) nodes: Vec<Node>,
    /// What is wrong with the job, found while it was built.
    pub(crate) errors: Vec<String>,
}

pub(crate) struct Node {
    pub(crate) plan: plan::Operator,
    /// What computes it, where the component does.
    pub(crate) guest: Option<Box<dyn Operator>>,
    /// The record types of its outputs.
    pub(crate) records: Vec<TypeId>,
}

impl Job {
    pub(crate) fn new(arguments: Vec<(String, String)>, call: Rc<Call>) -> Job {
        let graph = Graph { call, nodes: Vec::new(), errors: Vec::new() };
        Job { graph: Rc::new(RefCell::new(graph)), name: None, arguments, asked: RefCell::default() }
    }

    /// Names the job, unless the command line does.
    pub fn name(&mut self, name: &str) {
        self.name = Some(name.to_owned());
    }

    /// The value of `--arg name=value`; an error that names it when it is missing.
    pub fn arg(&self, name: &str) -> Result<String> {
        self.arg_opt(name).ok_or_else(|| Error::new(format!("missing argument {name:?}: give it as --arg {name}=VALUE")))
    }

    /// The value of `--arg name=value`, or `default`.
    pub fn arg_or(&self, name: &str, default: &str) -> String {
        self.arg_opt(name).unwrap_or_else(|| default.to_owned())
    }

    /// The value of `--arg name=value`, if it is given.
    pub fn arg_opt(&self, name: &str) -> Option<String> {
        self.asked.borrow_mut().push(name.to_owned());
        self.arguments.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
    }

    /// The value of `--arg name=value` as another type; an error when it is missing or cannot be read.
    pub fn arg_parse<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T> {
        parse(name, &self.arg(name)?)
    }

    /// The value of `--arg name=value` as another type, or `default`; an error when it cannot be read.
    pub fn arg_parse_or<T: FromStr<Err: Display>>(&self, name: &str, default: T) -> Result<T> {
        self.arg_opt(name).map_or(Ok(default), |text| parse(name, &text))
    }

    /// A source of records of one type. Its name is also the name of its binding: `--bind NAME=URL` replaces
    /// the default.
    pub fn source<T: Record>(&mut self, name: &str, format: Format) -> Source<T> {
        Source::new(&self.graph, name, format)
    }

    /// A source whose records are of several types, told apart by a field: see [`Format::tag`].
    pub fn tagged_source(&mut self, name: &str, format: Format) -> TaggedSource {
        TaggedSource::new(&self.graph, name, format)
    }

    /// Checks what only the whole job shows and writes the plan.
    pub(crate) fn finish(self) -> Result<(Graph, String), String> {
        let empty = Graph { call: self.graph.borrow().call.clone(), nodes: Vec::new(), errors: Vec::new() };
        let graph = self.graph.replace(empty);
        let mut errors = graph.errors.clone();
        self.check_arguments(&mut errors);
        graph.check_names(&mut errors);
        graph.check_state(&mut errors);
        if !errors.is_empty() {
            return Err(errors.join("\n"));
        }
        let plan = plan::Plan {
            contract: plan::CONTRACT,
            name: self.name.as_deref(),
            operators: graph.nodes.iter().map(|node| &node.plan).collect(),
        };
        let document = serde_json::to_string(&plan).map_err(|error| error.to_string())?;
        Ok((graph, document))
    }

    fn check_arguments(&self, errors: &mut Vec<String>) {
        let mut known = self.asked.take();
        known.sort();
        known.dedup();
        for (name, _) in self.arguments.iter().filter(|(name, _)| !known.contains(name)) {
            errors.push(match known.as_slice() {
                [] => format!("unknown argument {name:?}: this job takes none"),
                known => format!("unknown argument {name:?}: this job takes {}", known.join(", ")),
            });
        }
    }
}

fn parse<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T> {
    text.parse().map_err(|error| Error::new(format!("argument {name}={text:?}: {error}")))
}

impl Graph {
    /// The id that the next operator will have.
    pub(crate) fn next_id(&self) -> u32 {
        self.nodes.len() as u32
    }

    pub(crate) fn add(&mut self, node: Node) -> u32 {
        self.nodes.push(node);
        self.next_id() - 1
    }

    pub(crate) fn node(&mut self, id: u32) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    // What follows the host would say as well, in these words. It is said here for tests of a job, which no host sees.

    fn check_names(&self, errors: &mut Vec<String>) {
        for (i, node) in self.nodes.iter().enumerate() {
            let is_same = |other: &&Node| other.plan.name == node.plan.name;
            let others = self.nodes[..i].iter().filter(is_same).count();
            if others > 0 && !self.nodes[i + 1..].iter().any(|other| is_same(&other)) {
                errors.push(node.says(&format!("has the name of {others} other operator(s): state is found by name, give each its own")));
            }
        }
    }

    fn check_state(&self, errors: &mut Vec<String>) {
        for node in &self.nodes {
            let plan::Kind::Process(spec) = &node.plan.kind else { continue };
            let mut seen = Vec::new();
            for state in spec.state.iter().chain(spec.broadcast.iter().flat_map(|broadcast| &broadcast.state)) {
                let name = &state.name;
                if seen.contains(&name) {
                    errors.push(node.says(&format!("declares state {name:?} twice: rename one")));
                }
                seen.push(name);
                if let Some(ms) = state.ttl.map(|ttl| ttl.span.ms()).filter(|ms| *ms <= 0) {
                    errors.push(node.says(&format!(
                        "lets state {name:?} live for {ms} ms: a time-to-live is positive, remove it for state that stays"
                    )));
                }
            }
        }
    }
}

impl Node {
    /// A problem of the operator in the host's form: its kind, its name, what is wrong.
    fn says(&self, problem: &str) -> String {
        format!("{} {:?} {problem}", self.plan.kind.name(), self.plan.name)
    }

    /// A node with defaults where streams may say more later.
    pub(crate) fn new(name: &str, kind: plan::Kind, inputs: Vec<plan::Input>, outputs: Vec<plan::Output>) -> Node {
        let plan =
            plan::Operator { name: name.to_owned(), kind, inputs, outputs, parallelism: None, on_error: OnError::Fail, chaining: None };
        Node { plan, guest: None, records: Vec::new() }
    }
}
