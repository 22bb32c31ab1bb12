//! Event time: who gives it, and who needs it.

use std::collections::HashSet;

use super::Check;
use crate::plan::align::without_watermarks;
use crate::plan::{Domain, Graph, Kind, Operator, Partition, Settings};

impl<'a> Check<'a> {
    pub(super) fn time(&mut self) {
        for operator in &self.plan.operators {
            let needs = match &operator.kind {
                Kind::Timestamps(_) => {
                    self.timestamps(operator);
                    continue;
                }
                Kind::Window(spec) if spec.needs_event_time() => "counts in event time",
                Kind::Process(spec) if spec.timers.iter().any(|t| t.domain == Domain::Event) => "has timers in event time",
                _ => match super::joins::needs_event_time(operator) {
                    Some(needs) => needs,
                    None => continue,
                },
            };
            for source in self.sources_without_time(operator) {
                let problem = format!(
                    "{needs}, but source {:?} gives none: set \"time\" and \"watermarks\" there or put a timestamps operator behind it",
                    source.name
                );
                self.at(operator, problem);
            }
        }
    }

    /// The sources whose records reach an operator without ever having been given an event time, in order of the plan.
    fn sources_without_time(&self, operator: &Operator) -> Vec<&'a Operator> {
        let (mut seen, mut todo) = (HashSet::new(), self.senders(operator));
        let mut found = Vec::new();
        while let Some(id) = todo.pop() {
            let operator = &self.plan.operators[id];
            if !seen.insert(id) {
                continue;
            }
            match &operator.kind {
                Kind::Source(spec) if spec.time.is_none() && spec.watermarks.is_none() => found.push(id),
                Kind::Source(_) | Kind::Timestamps(_) => {}
                _ => todo.extend(self.senders(operator)),
            }
        }
        found.sort_unstable();
        found.into_iter().map(|id| &self.plan.operators[id]).collect()
    }

    /// Only a source that knows how far its splits have come can hold some of them back.
    pub(super) fn alignment(&mut self) {
        // Chains are known of a plan that is right.
        let aligned = |operator: &Operator| matches!(&operator.kind, Kind::Source(source) if source.align.is_some());
        if !self.problems.is_empty() || !self.plan.operators.iter().any(aligned) {
            return;
        }
        let graph = Graph::resolve(self.plan, &Settings::default());
        for id in without_watermarks(self.plan, &graph) {
            let why = "set \"time\" and \"watermarks\" there, or let one timestamps operator alone read it, in one chain";
            self.at(&self.plan.operators[id as usize], format!("is aligned, but the watermarks of its splits are not known there: {why}"));
        }
    }

    /// Watermarks are kept per split of a source, so nothing between it and `timestamps` may mix or move records.
    fn timestamps(&mut self, operator: &'a Operator) {
        let mut at = operator;
        for _ in 0..self.plan.operators.len() {
            let [input] = at.inputs.as_slice() else { return };
            let Some(from) = self.sender(input) else { return };
            let moved = match &input.partition {
                Partition::Forward => from.parallelism != at.parallelism,
                _ => true,
            };
            let problem = match &from.kind {
                _ if moved => {
                    format!("is reached over an edge from {:?} to {:?} that moves records between workers", from.name, at.name)
                }
                Kind::Source(spec) if spec.time.is_some() => {
                    format!("follows source {:?}, which gives event time already: remove one of the two", from.name)
                }
                Kind::Source(_) => return,
                Kind::Map | Kind::Filter | Kind::FlatMap | Kind::KeyBy => {
                    at = from;
                    continue;
                }
                _ => format!("is reached through {} {:?}", from.kind_name(), from.name),
            };
            let why = "watermarks follow the splits of one source: put it behind the source, over forward edges and stateless operators";
            let why = if matches!(from.kind, Kind::Source(_)) && !moved { String::new() } else { format!("; {why}") };
            return self.at(operator, format!("{problem}{why}"));
        }
    }
}
