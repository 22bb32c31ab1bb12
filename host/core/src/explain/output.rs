//! Why a sink has nothing, or nothing more: the most probable reason.
//!
//! From the sink up to the first operator that has received something: it is where records end. What it has done with them (too late,
//! refused, filtered, kept until a time comes) is the reason; where it keeps them for event time, so is what holds the watermark.

use serde::{Serialize, Serializer};

use super::watermark::{self, Holder, Standing};
use super::{Facts, Held, Member, OperatorFacts, Pace, Phase, SplitFacts};
use crate::{TIME_MAX, TIME_MIN, TimeMs};

/// A source that has read nothing for so long, although there is something, is held back; for less it is only busy.
const HELD_BACK_MS: TimeMs = 1_000;

/// A sink, and why nothing comes to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Dry {
    /// The sink, by its place among the operators.
    pub sink: usize,
    /// The operators on the way to it, itself among them, each behind those it reads from.
    pub path: Vec<usize>,
    /// The most probable reason.
    pub reason: Reason,
}

/// Why nothing comes out. Operators are named by their places.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The job has failed.
    Failed {
        /// With these words.
        message: String,
    },
    /// Nothing has begun: the component is still being loaded.
    NotStarted,
    /// A worker is in an operator and does not come back.
    Busy {
        /// It.
        operator: usize,
    },
    /// Sources wait for what they have read to be worked off.
    HeldBack {
        /// One of them.
        source: usize,
    },
    /// No record has been read.
    NoRecord {
        /// The sources.
        sources: Vec<usize>,
        /// Their input has ended.
        ended: bool,
    },
    /// The records read belong to no port that is read.
    NothingSelected {
        /// The source.
        source: usize,
    },
    /// Every record was refused.
    Refused {
        /// By this operator.
        operator: usize,
    },
    /// Records were too late.
    Late {
        /// For this operator.
        operator: usize,
        /// The watermark that they came behind; where the input has ended, the last one before.
        #[serde(serialize_with = "time")]
        watermark: TimeMs,
        /// The split that is furthest ahead, and its source.
        #[serde(skip_serializing_if = "Option::is_none")]
        newest: Option<(usize, SplitFacts)>,
    },
    /// No record has passed.
    Filtered {
        /// This operator.
        operator: usize,
        /// What runs in it and may have let none through: of several that run as one nobody sees which.
        by: Vec<Member>,
    },
    /// What is emitted leaves by ports that nobody reads.
    Unread {
        /// The operator.
        operator: usize,
    },
    /// What is emitted leaves by ports that do not lead here.
    OtherPorts {
        /// The operator.
        operator: usize,
    },
    /// Something waits for event time, and a source on the way has none.
    NoTimestamps {
        /// What waits.
        operator: usize,
        /// The source.
        source: usize,
    },
    /// Something waits for event time.
    Waiting {
        /// What waits.
        operator: usize,
        /// For this time.
        until: TimeMs,
        /// How far the watermark is from it; none before the first.
        #[serde(skip_serializing_if = "Option::is_none")]
        short_ms: Option<TimeMs>,
        /// What the watermark waits for.
        standing: Box<Standing>,
    },
    /// Something waits for the clock.
    WaitingForClock {
        /// What waits.
        operator: usize,
        /// For this time.
        until: TimeMs,
    },
    /// Windows are open that only a record or the component can make fire.
    WaitingForRecords {
        /// The operator.
        operator: usize,
    },
    /// A side of a join has had no record.
    EmptySide {
        /// The join.
        operator: usize,
        /// What it would come from.
        from: usize,
    },
    /// No record has found a partner.
    NoPartner {
        /// The join.
        operator: usize,
    },
    /// User code took records and emitted nothing.
    Silent {
        /// The operator.
        operator: usize,
    },
    /// There is output; nothing new has been read since.
    Quiet {
        /// A source.
        source: usize,
    },
    /// There is output, and no checkpoint covers any of it: nobody can see it yet.
    Staged {
        /// The sink.
        sink: usize,
    },
    /// There is output.
    Flowing,
}

/// Each sink, and why nothing comes to it.
pub fn all(facts: &Facts) -> Vec<Dry> {
    let sinks = (0..facts.operators.len()).filter(|&place| facts.operators[place].is_sink());
    sinks.map(|sink| one(facts, sink)).collect()
}

fn one(facts: &Facts, sink: usize) -> Dry {
    let path = path(facts, sink);
    let reason = whole(facts, &path).unwrap_or_else(|| {
        let at = dry_end(facts, sink);
        match &facts.operators[at] {
            operator if at == sink && is_unseen(operator) => Reason::Staged { sink },
            operator if at == sink && operator.records_in > 0 => present(facts, &path),
            operator if operator.is_source() && operator.records_in == 0 => no_record(facts, &path),
            _ => swallowed(facts, at),
        }
    });
    Dry { sink, path, reason }
}

/// All that a sink's records come from.
fn path(facts: &Facts, sink: usize) -> Vec<usize> {
    let mut on = vec![false; facts.operators.len()];
    let mut open = vec![sink];
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut on[at], true) {
            open.extend(facts.operators[at].inputs.iter().map(|input| input.from));
        }
    }
    (0..on.len()).filter(|&place| on[place]).collect()
}

/// What concerns the job as a whole.
fn whole(facts: &Facts, path: &[usize]) -> Option<Reason> {
    if let Phase::Failed(message) = &facts.phase {
        return Some(Reason::Failed { message: message.clone() });
    }
    let operators = || path.iter().map(|&place| (place, &facts.operators[place]));
    if let Some((operator, _)) = operators().find(|(_, operator)| operator.workers.iter().any(|worker| worker.at_work)) {
        return Some(Reason::Busy { operator });
    }
    let unheard = |operator: &OperatorFacts| operator.records_in == 0 && operator.workers.iter().all(|worker| worker.silent);
    if !facts.phase.is_over() && operators().all(|(_, operator)| unheard(operator)) {
        return Some(Reason::NotStarted);
    }
    let held_back = |operator: &OperatorFacts| {
        let sources = operator.workers.iter().filter_map(|worker| worker.source.as_ref());
        let long_ago = |read: TimeMs| facts.taken_ms.saturating_sub(read) >= HELD_BACK_MS;
        sources.into_iter().any(|source| source.pace == Pace::HeldBack && source.read_ms.is_some_and(long_ago))
    };
    operators().find(|(_, operator)| held_back(operator)).map(|(source, _)| Reason::HeldBack { source })
}

/// The first operator above a sink that has received something; a source where none has.
fn dry_end(facts: &Facts, sink: usize) -> usize {
    let mut at = sink;
    while facts.operators[at].records_in == 0 {
        let inputs = &facts.operators[at].inputs;
        let fed = inputs.iter().find(|input| facts.operators[input.from].records_in > 0);
        match fed.or_else(|| inputs.first()) {
            Some(input) => at = input.from,
            None => break,
        }
    }
    at
}

fn no_record(facts: &Facts, path: &[usize]) -> Reason {
    let sources: Vec<usize> = path.iter().copied().filter(|&place| facts.operators[place].is_source()).collect();
    let ended = |worker: &super::WorkerFacts| worker.source.as_ref().is_some_and(|source| source.pace == Pace::Ended);
    let ended = sources.iter().all(|&source| facts.operators[source].workers.iter().all(ended));
    Reason::NoRecord { sources, ended }
}

/// An operator has received records, and none of them has come further on the way to the sink.
fn swallowed(facts: &Facts, at: usize) -> Reason {
    let operator = &facts.operators[at];
    let OperatorFacts { records_in, records_out, late, skipped, dead_lettered, unread, .. } = *operator;
    let refused = skipped + dead_lettered;
    if late > 0 && late + refused >= records_in {
        return too_late(facts, at);
    }
    if refused > 0 && refused >= records_in {
        return Reason::Refused { operator: at };
    }
    if let Some(reason) = held(facts, at) {
        return reason;
    }
    if let Some(from) = empty_side(facts, at) {
        return Reason::EmptySide { operator: at, from };
    }
    match operator.kind.as_str() {
        _ if records_out > 0 => Reason::OtherPorts { operator: at },
        _ if unread > 0 => Reason::Unread { operator: at },
        "source" if operator.fused.is_empty() => Reason::NothingSelected { source: at },
        "interval-join" | "keyed-join" | "window-join" | "temporal-join" => Reason::NoPartner { operator: at },
        "process" | "window" | "co-group" if operator.droppers().len() == 1 => Reason::Silent { operator: at },
        _ => Reason::Filtered { operator: at, by: operator.droppers() },
    }
}

fn too_late(facts: &Facts, at: usize) -> Reason {
    let operator = &facts.operators[at];
    let watermark = match operator.watermark() {
        TIME_MAX => operator.workers.iter().map(|worker| worker.before_end).max().unwrap_or(TIME_MIN),
        watermark => watermark,
    };
    let sources = path(facts, at).into_iter().filter(|&place| facts.operators[place].is_source());
    let splits = |source: usize| {
        let workers = facts.operators[source].workers.iter().filter_map(|worker| worker.source.as_ref());
        workers.flat_map(|source| &source.splits).map(move |split| (source, split.clone()))
    };
    let newest = sources.flat_map(splits).filter(|(_, split)| split.max_time != TIME_MIN).max_by_key(|(_, split)| split.max_time);
    Reason::Late { operator: at, watermark, newest }
}

/// What an operator keeps, and until when.
fn held(facts: &Facts, at: usize) -> Option<Reason> {
    let operator = &facts.operators[at];
    let held: Held = operator.held();
    if held.records > 0 && matches!(operator.kind.as_str(), "interval-join" | "keyed-join") {
        let empty = empty_side(facts, at).map(|from| Reason::EmptySide { operator: at, from });
        return Some(empty.unwrap_or(Reason::NoPartner { operator: at }));
    }
    if let Some(until) = held.next_event() {
        let standing = watermark::one(facts, at);
        if let Holder::NoTimestamps { source } = standing.holder {
            return Some(Reason::NoTimestamps { operator: at, source });
        }
        let short_ms = (standing.watermark != TIME_MIN).then(|| until.saturating_sub(standing.watermark));
        return Some(Reason::Waiting { operator: at, until, short_ms, standing: Box::new(standing) });
    }
    if let Some(until) = held.next_by_clock() {
        return Some(Reason::WaitingForClock { operator: at, until });
    }
    (held.windows > 0).then_some(Reason::WaitingForRecords { operator: at })
}

/// What a side of an operator of several inputs would come from, where it has had nothing.
fn empty_side(facts: &Facts, at: usize) -> Option<usize> {
    let operator = &facts.operators[at];
    let several = operator.inputs.len() > 1 && operator.kind != "union";
    let empty = operator.inputs.iter().map(|input| input.from).find(|&from| facts.operators[from].records_out == 0);
    empty.filter(|_| several)
}

/// Whether a sink has written, and nobody can see any of it.
fn is_unseen(sink: &OperatorFacts) -> bool {
    sink.records_out > 0 && sink.staged.is_some_and(|staged| staged.records >= sink.records_out)
}

/// There is output: why there is no more.
fn present(facts: &Facts, path: &[usize]) -> Reason {
    let mostly_late = |&&place: &&usize| {
        let operator = &facts.operators[place];
        operator.late > 0 && operator.late.saturating_mul(2) >= operator.records_in
    };
    if let Some(&operator) = path.iter().find(mostly_late) {
        return too_late(facts, operator);
    }
    if facts.phase == Phase::Finished {
        return Reason::Flowing;
    }
    if let Some(reason) = path.iter().rev().find_map(|&place| held(facts, place)) {
        return reason;
    }
    let quiet = |&place: &usize| {
        let mut sources = facts.operators[place].workers.iter().filter_map(|worker| worker.source.as_ref());
        facts.operators[place].is_source() && sources.all(|source| matches!(source.pace, Pace::Waiting | Pace::Ended))
    };
    let mut sources = path.iter().copied().filter(|&place| facts.operators[place].is_source());
    match sources.clone().all(|place| quiet(&place)) {
        true => sources.next().map_or(Reason::Flowing, |source| Reason::Quiet { source }),
        false => Reason::Flowing,
    }
}

/// An event time, or a word for none yet and for the end.
pub(super) fn time<S: Serializer>(time: &TimeMs, to: S) -> Result<S::Ok, S::Error> {
    super::facts::event_time::serialize(time, to)
}

#[cfg(test)]
mod tests;
