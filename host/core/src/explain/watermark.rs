//! Who holds a watermark back: from an operator up to the split, source or operator that decides.
//!
//! A watermark is the least of what counts, so there is one way up: the worker that is furthest behind, the sender that it has heard
//! least of, and so on to a source, whose least split it is. The way ends before that where an operator makes watermarks itself.

use serde::Serialize;

use super::{Facts, OperatorFacts, Pace, SplitFacts, WorkerFacts};
use crate::{TIME_MAX, TIME_MIN, TimeMs};

/// What an operator's watermark waits for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Standing {
    /// The operator, by its place among the operators.
    pub operator: usize,
    /// Its watermark, the least over its workers.
    #[serde(serialize_with = "super::output::time")]
    pub watermark: TimeMs,
    /// For how long it has stood there, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<TimeMs>,
    /// The operators between it and what holds it back, from it upwards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<usize>,
    /// Something on the way has come further than what it has told is known behind it: those records are still under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub under_way: Option<UnderWay>,
    /// What holds it.
    pub holder: Holder,
}

/// A watermark that has been told and not yet been heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct UnderWay {
    /// Who told it.
    pub from: usize,
    /// Who has not heard it.
    pub to: usize,
    /// How far that is ahead, in milliseconds.
    pub ahead_ms: TimeMs,
}

/// What holds a watermark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// Nothing: everything before it has ended.
    Ended,
    /// Everything before it is idle.
    AllIdle {
        /// A source of it.
        source: usize,
    },
    /// The source makes no watermarks, so that there is none before its end.
    NoTimestamps {
        /// It.
        source: usize,
    },
    /// An operator that gives records their time.
    Stamper {
        /// It.
        operator: usize,
    },
    /// A split.
    Split {
        /// The source.
        source: usize,
        /// The worker that reads it.
        worker: usize,
        /// The split.
        split: SplitFacts,
        /// Whether the source reads.
        pace: Pace,
    },
    /// The source has no split yet, or has not read one.
    NothingRead {
        /// It.
        source: usize,
        /// Whether it reads.
        pace: Pace,
    },
}

/// What the watermark of each operator waits for, in the order of the operators.
pub fn all(facts: &Facts) -> Vec<Standing> {
    (0..facts.operators.len()).map(|operator| one(facts, operator)).collect()
}

/// What the watermark of an operator waits for.
pub fn one(facts: &Facts, operator: usize) -> Standing {
    let at = &facts.operators[operator];
    let slowest = at.slowest();
    let mut standing = Standing {
        operator,
        watermark: at.watermark(),
        age_ms: slowest.and_then(|worker| worker.rose_ms).map(|rose| facts.taken_ms.saturating_sub(rose).max(0)),
        path: Vec::new(),
        under_way: None,
        holder: Holder::Ended,
    };
    standing.holder = match slowest {
        Some(worker) if worker.watermark != TIME_MAX => follow(facts, operator, worker, &mut standing),
        _ => Holder::Ended,
    };
    standing
}

/// The operator that people ask about first: the one that keeps something until an event time comes, and is furthest behind; else the
/// sink that is.
pub fn foremost(facts: &Facts) -> Option<usize> {
    let behind = |waits: &dyn Fn(&OperatorFacts) -> bool| {
        let found = facts.operators.iter().enumerate().filter(|(_, operator)| waits(operator));
        found.min_by_key(|(_, operator)| operator.watermark()).map(|(place, _)| place)
    };
    let timed = ["window", "window-join", "co-group", "interval-join", "temporal-join"];
    behind(&|operator| operator.held().next_event().is_some())
        .or_else(|| behind(&|operator| timed.contains(&operator.kind.as_str())))
        .or_else(|| behind(&OperatorFacts::is_sink))
        .or_else(|| facts.operators.len().checked_sub(1))
}

/// Goes up from an operator on a worker.
fn follow(facts: &Facts, operator: usize, worker: &WorkerFacts, standing: &mut Standing) -> Holder {
    let (mut at, mut on) = (operator, worker);
    // No way up is longer than there are operators.
    for _ in 0..=facts.operators.len() {
        let operator = &facts.operators[at];
        if let Some(holder) = source(at, operator, on) {
            return holder;
        }
        let heard = on.senders.iter().filter(|sender| sender.worker.is_some()).min_by_key(|sender| sender.watermark);
        let (Some(heard), true) = (heard, !on.senders.is_empty()) else { return all_idle(facts, at) };
        let Some(input) = operator.inputs.get(heard.input) else { return Holder::Ended };
        let from = &facts.operators[input.from];
        let told = from.workers.iter().find(|worker| Some(worker.worker) == heard.worker);
        let Some(told) = told else { return Holder::NothingRead { source: input.from, pace: Pace::NotStarted } };
        standing.path.push(input.from);
        let has = if from.makes_watermarks && !from.is_source() { told.made } else { told.watermark };
        if has > heard.watermark && heard.watermark != TIME_MIN && has != TIME_MAX && standing.under_way.is_none() {
            standing.under_way = Some(UnderWay { from: input.from, to: at, ahead_ms: has.saturating_sub(heard.watermark) });
        }
        if from.makes_watermarks && !from.is_source() && told.watermark != TIME_MAX {
            return Holder::Stamper { operator: input.from };
        }
        (at, on) = (input.from, told);
    }
    Holder::Ended
}

fn all_idle(facts: &Facts, from: usize) -> Holder {
    let mut at = from;
    while let Some(input) = facts.operators[at].inputs.first() {
        at = input.from;
    }
    Holder::AllIdle { source: at }
}

/// What holds the watermark of a source on a worker; nothing for another operator.
fn source(at: usize, operator: &OperatorFacts, on: &WorkerFacts) -> Option<Holder> {
    if !operator.is_source() {
        return None;
    }
    if on.watermark == TIME_MAX {
        return Some(Holder::Ended);
    }
    if !operator.makes_watermarks {
        return Some(Holder::NoTimestamps { source: at });
    }
    let Some(source) = &on.source else { return Some(Holder::NothingRead { source: at, pace: Pace::NotStarted }) };
    if source.open > 0 && source.idle == source.open {
        return Some(Holder::AllIdle { source: at });
    }
    let open = source.splits.iter().filter(|split| !split.ended && !split.idle).min_by_key(|split| (split.watermark, split.max_time));
    Some(match open {
        Some(split) => Holder::Split { source: at, worker: on.worker, split: split.clone(), pace: source.pace },
        None if source.ended > 0 && source.open == 0 => Holder::Ended,
        None => Holder::NothingRead { source: at, pace: source.pace },
    })
}

#[cfg(test)]
mod tests;
