//! What a plan may not be, said in the words of the plan.
//!
//! [`check`] reports every problem, one line each, with the operator's name, what is wrong and what to do. It is the
//! gate in front of [`super::Graph`]: what passes resolves without a panic. The plan comes from a component, so
//! nothing here may take long or recurse without a bound.

mod columns;
mod joins;
mod kinds;
mod time;
mod windows;

use std::collections::HashMap;
use std::fmt::Display;

pub use columns::host_output;

use super::{Age, Chaining, Contract, Input, Kind, OPERATORS_MAX, Operator, PORT_DEAD_LETTER, PORT_LATE, Plan, spoken};
use crate::connect::OnError;
use crate::schema::Schema;

/// The most workers an operator may ask for: far above one machine's cores, each costs a thread.
pub const PARALLELISM_MAX: u32 = 1_024;
/// Bytes of a name at most: names become file names, metric labels and table columns.
pub const NAME_BYTES_MAX: usize = 100;
/// Inputs of one operator at most.
pub const INPUTS_MAX: usize = 100;
/// Windows that one record may be in: each costs a step at every record or firing.
pub const WINDOWS_PER_RECORD_MAX: i64 = 100_000;
/// Problems reported at most; the rest is counted.
const PROBLEMS_MAX: usize = 100;

/// Everything that is wrong with a plan, one line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Error(pub Vec<String>);

/// Checks a plan; every problem is reported, not only the first.
pub fn check(plan: &Plan) -> Result<(), Error> {
    // Nothing else in a plan of another contract can be judged.
    let contract = contract_of(&plan.contract).map_err(|problem| Error(vec![problem]))?;
    if plan.operators.len() > OPERATORS_MAX {
        let count = plan.operators.len();
        return Err(Error(vec![format!("the job has {count} operators, more than {OPERATORS_MAX}: split it into several jobs")]));
    }
    let mut check = Check::new(plan, contract);
    check.job();
    for operator in &plan.operators {
        check.names(operator);
        check.ports(operator);
        check.kind(operator);
        check.columns(operator);
    }
    check.unread();
    check.cycles();
    check.time();
    check.alignment();
    check.finish()
}

/// A plan under examination.
struct Check<'a> {
    plan: &'a Plan,
    contract: Contract,
    /// The first operator of each name.
    index: HashMap<&'a str, usize>,
    problems: Vec<String>,
    more: usize,
}

impl<'a> Check<'a> {
    fn new(plan: &'a Plan, contract: Contract) -> Check<'a> {
        let mut index = HashMap::new();
        for (id, operator) in plan.operators.iter().enumerate() {
            index.entry(operator.name.as_str()).or_insert(id);
        }
        Check { plan, contract, index, problems: Vec::new(), more: 0 }
    }

    fn finish(mut self) -> Result<(), Error> {
        if self.more > 0 {
            self.problems.push(format!("and {} more", self.more));
        }
        if self.problems.is_empty() { Ok(()) } else { Err(Error(self.problems)) }
    }

    fn report(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        } else {
            self.more += 1;
        }
    }

    fn at(&mut self, operator: &Operator, problem: impl Display) {
        self.report(format!("{} {:?} {problem}", operator.kind_name(), operator.name));
    }

    fn job(&mut self) {
        let plan = self.plan;
        if let Some(problem) = plan.name.as_deref().and_then(bad_name) {
            self.report(format!("the name of the job, {:?}, {problem}", plan.name.as_deref().unwrap_or_default()));
        }
        if !plan.operators.iter().any(|o| matches!(o.kind, Kind::Source(_))) {
            self.report("the job has no source: nothing would ever arrive".to_owned());
        }
        if !plan.operators.iter().any(|o| matches!(o.kind, Kind::Sink(_))) {
            self.report("the job has no sink: nothing would ever leave it".to_owned());
        }
    }

    fn names(&mut self, operator: &'a Operator) {
        if let Some(problem) = bad_name(&operator.name) {
            self.at(operator, format!("has a name that {problem}"));
        }
        let same = |o: &Operator| o.name == operator.name;
        if !std::ptr::eq(&self.plan.operators[self.index[operator.name.as_str()]], operator) {
            let count = self.plan.operators.iter().filter(|o| same(o)).count();
            let last = self.plan.operators.iter().rfind(|o| same(o)).is_some_and(|o| std::ptr::eq(o, operator));
            if last {
                self.at(operator, format!("has the name of {} other operator(s): state is found by name, give each its own", count - 1));
            }
        }
        if operator.parallelism.is_some_and(|p| p == 0 || p > PARALLELISM_MAX) {
            let given = operator.parallelism.unwrap_or_default();
            self.at(operator, format!("has parallelism {given}: it must be from 1 to {PARALLELISM_MAX}"));
        }
        if operator.chaining != Chaining::Fuse {
            self.since(operator, Contract::V2, "chaining");
            if !operator.is_guest() {
                self.at(operator, "says how it is chained, but the component does not compute it: it is in no chain".to_owned());
            }
        }
        for (i, output) in operator.outputs.iter().enumerate() {
            if let Some(problem) = bad_name(&output.name) {
                self.at(operator, format!("has output {:?}, a name that {problem}", output.name));
            }
            if operator.outputs[..i].iter().any(|o| o.name == output.name) {
                self.at(operator, format!("has two outputs named {:?}: rename one", output.name));
            }
            if [PORT_LATE, PORT_DEAD_LETTER].contains(&output.name.as_str()) {
                self.at(operator, format!("lists output {:?}, which exists by itself where it applies: remove or rename it", output.name));
            }
        }
    }

    /// What came with a later contract may not stand in a plan of an earlier one.
    fn since(&mut self, operator: &Operator, contract: Contract, what: &str) {
        if self.contract < contract {
            let problem = format!(
                "has {what}, which came with contract {contract}: build the job with an SDK of it (its plan says {})",
                self.contract
            );
            self.at(operator, problem);
        }
    }

    /// Every input names an operator and one of its ports.
    fn ports(&mut self, operator: &'a Operator) {
        if operator.inputs.len() > INPUTS_MAX {
            return self.at(operator, format!("has {} inputs, more than {INPUTS_MAX}: union some of them first", operator.inputs.len()));
        }
        for input in &operator.inputs {
            let Some(from) = self.sender(input) else {
                if self.problems.len() < PROBLEMS_MAX {
                    let hint = did_you_mean(&input.from, self.plan.operators.iter().map(|o| o.name.as_str()));
                    self.at(operator, format!("reads from {:?}, which is no operator of this job{hint}", input.from));
                }
                continue;
            };
            if from.outputs.iter().any(|o| o.name == input.port) || implied_ports(from).contains(&input.port) {
                continue;
            }
            let problem = match input.port.as_str() {
                PORT_DEAD_LETTER => format!(
                    "reads port \"dead-letter\" of {:?}, which has one only with \"on-error\": \"dead-letter\": set that there",
                    from.name
                ),
                PORT_LATE => format!("reads port \"late\" of {:?}, but only windows in event time have late records", from.name),
                port => format!("reads port {port:?} of {:?}, which has {}", from.name, ports_of(from)),
            };
            self.at(operator, problem);
        }
    }

    /// Every operator but a sink is read by another.
    fn unread(&mut self) {
        let mut read = vec![false; self.plan.operators.len()];
        for input in self.plan.operators.iter().flat_map(|o| &o.inputs) {
            if let Some(&id) = self.index.get(input.from.as_str()) {
                read[id] = true;
            }
        }
        for (operator, read) in self.plan.operators.iter().zip(read) {
            let duplicate = !std::ptr::eq(&self.plan.operators[self.index[operator.name.as_str()]], operator);
            if !read && !duplicate && !matches!(operator.kind, Kind::Sink(_)) {
                self.at(operator, "leads nowhere: connect it to a sink or remove it");
            }
        }
    }

    /// No operator feeds itself; each loop is named once, in the direction of the records.
    fn cycles(&mut self) {
        let senders: Vec<Vec<usize>> = self.plan.operators.iter().map(|o| self.senders(o)).collect();
        // 0: not seen, 1: on the path being walked, 2: done.
        let mut state = vec![0u8; senders.len()];
        for start in 0..senders.len() {
            let mut path: Vec<(usize, usize)> = Vec::new();
            if state[start] == 0 {
                state[start] = 1;
                path.push((start, 0));
            }
            while let Some((at, next)) = path.last_mut() {
                let Some(&sender) = senders[*at].get(*next) else {
                    state[*at] = 2;
                    path.pop();
                    continue;
                };
                *next += 1;
                match state[sender] {
                    0 => {
                        state[sender] = 1;
                        path.push((sender, 0));
                    }
                    1 => self.name_loop(sender, &path),
                    _ => {}
                }
            }
        }
    }

    fn name_loop(&mut self, sender: usize, path: &[(usize, usize)]) {
        let operators = &self.plan.operators;
        let begin = path.iter().position(|(id, _)| *id == sender).unwrap_or_default();
        if begin + 1 == path.len() {
            return self.at(&operators[sender], "reads its own output: a job may have no loops");
        }
        let names = path[begin..].iter().rev().map(|(id, _)| operators[*id].name.as_str());
        let round: Vec<&str> = std::iter::once(operators[sender].name.as_str()).chain(names).collect();
        self.report(format!("the operators {} form a loop: a job may have none", round.join(" -> ")));
    }

    /// The operator that an input names.
    fn sender(&self, input: &Input) -> Option<&'a Operator> {
        self.index.get(input.from.as_str()).map(|&id| &self.plan.operators[id])
    }

    fn senders(&self, operator: &Operator) -> Vec<usize> {
        operator.inputs.iter().filter_map(|i| self.index.get(i.from.as_str()).copied()).collect()
    }

    /// The schema of an input, unless it is unknown or part of a loop (which is reported elsewhere).
    fn schema(&self, input: &Input) -> Option<Schema> {
        let mut input = input;
        for _ in 0..=self.plan.operators.len() {
            let from = self.sender(input)?;
            if let Some(output) = from.outputs.iter().find(|o| o.name == input.port) {
                return Some(output.schema.clone());
            }
            match input.port.as_str() {
                PORT_DEAD_LETTER => return super::DEAD_LETTER_SCHEMA.parse().ok(),
                // What is late has the schema of what came in.
                port => input = from.inputs.iter().enumerate().find(|(at, _)| from.late_port(*at).as_deref() == Some(port))?.1,
            }
        }
        None
    }
}

/// The contract of a plan, or what is wrong with it.
fn contract_of(version: &str) -> Result<Contract, String> {
    let advice = match Contract::age(version) {
        Some(Age::Spoken(contract)) => return Ok(contract),
        Some(Age::Older) => "is older: build it with a newer SDK",
        Some(Age::Newer) => "is newer: it needs a newer tidemill",
        None => "is no version like it",
    };
    Err(format!("this tidemill speaks contract {}, the component's {version:?} {advice}", spoken()))
}

/// What is wrong with a name, as the end of a sentence.
pub(super) fn bad_name(name: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match name {
        "" => Some("is empty".to_owned()),
        _ if name.len() > NAME_BYTES_MAX => Some(format!("is longer than {NAME_BYTES_MAX} bytes")),
        _ if !name.chars().all(legal) => Some("may only hold letters, digits, \"-\", \"_\" and \".\"".to_owned()),
        _ if name.starts_with('.') => Some("may not begin with \".\"".to_owned()),
        _ => None,
    }
}

fn implied_ports(operator: &Operator) -> Vec<String> {
    let late = (0..operator.inputs.len()).filter_map(|input| operator.late_port(input));
    let dead_letter = operator.on_error == OnError::DeadLetter;
    late.chain(dead_letter.then(|| PORT_DEAD_LETTER.to_owned())).collect()
}

fn ports_of(operator: &Operator) -> String {
    let ports: Vec<String> = operator.outputs.iter().map(|o| o.name.clone()).chain(implied_ports(operator)).collect();
    if ports.is_empty() { "none".to_owned() } else { ports.join(", ") }
}

/// "; did you mean …?" when some name differs by a letter or two.
pub(super) fn did_you_mean<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let near = known.map(|k| (distance(name, k), k)).filter(|(d, k)| *d <= 2 && *d < k.len()).min();
    near.map_or_else(String::new, |(_, k)| format!("; did you mean {k:?}?"))
}

/// Levenshtein's distance; more than 2 where the lengths already say so.
fn distance(a: &str, b: &str) -> usize {
    if a.len().abs_diff(b.len()) > 2 || a.len() > NAME_BYTES_MAX {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let cost = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Format, Output, SinkSpec, SourceSpec};

    // The rules themselves are tested by `vectors/plans.json`; here are those that need a large plan.

    fn source(name: &str) -> Operator {
        let spec = SourceSpec {
            binding: "b".to_owned(),
            default: None,
            format: Format::Json,
            tag: None,
            time: None,
            watermarks: None,
            align: None,
        };
        let output = Output { name: "out".to_owned(), schema: Schema::default(), variant: None };
        let (inputs, outputs) = (Vec::new(), vec![output]);
        Operator {
            name: name.to_owned(),
            kind: Kind::Source(spec),
            inputs,
            outputs,
            parallelism: None,
            on_error: OnError::Fail,
            chaining: Chaining::Fuse,
        }
    }

    fn plan(operators: Vec<Operator>) -> Plan {
        Plan { contract: "0.1.0".to_owned(), name: None, fuse: true, operators }
    }

    #[test]
    fn too_many_operators_are_counted_not_examined() {
        let operators = (0..=OPERATORS_MAX).map(|i| source(&i.to_string())).collect();
        let Err(Error(problems)) = check(&plan(operators)) else { panic!("passed") };
        assert_eq!(problems, ["the job has 1001 operators, more than 1000: split it into several jobs"]);
    }

    #[test]
    fn the_first_hundred_problems_are_shown_and_the_rest_is_counted() {
        let spec = SinkSpec { binding: "b".to_owned(), default: None, format: Format::Json };
        let mut operators: Vec<Operator> = (0..150).map(|i| source(&i.to_string())).collect();
        operators.push(Operator { name: "out".to_owned(), kind: Kind::Sink(spec), outputs: Vec::new(), ..source("") });
        let Err(Error(problems)) = check(&plan(operators)) else { panic!("passed") };
        assert_eq!((problems.len(), problems[100].as_str()), (101, "and 51 more"), "150 lead nowhere, one sink has no input");
    }

    #[test]
    fn names_that_differ_by_two_letters_are_near() {
        assert_eq!((distance("", ""), distance("kitten", "sitting"), distance("at", "att"), distance("ab", "ba")), (0, 3, 1, 2));
        assert_eq!(did_you_mean("sensr", ["celsius", "sensor"].into_iter()), "; did you mean \"sensor\"?");
        assert_eq!(did_you_mean("x", ["y", "zz"].into_iter()), "", "short names are near to everything");
    }
}
