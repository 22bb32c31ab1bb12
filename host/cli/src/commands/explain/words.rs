//! The words of a diagnosis: operators, times, and what holds a watermark.

use tidemill_core::explain::watermark::{Holder, Standing};
use tidemill_core::explain::{Facts, Pace, Phase, SplitFacts};
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};

use crate::moment;
use crate::report::grouped;

/// An operator with what it is, such as ``window `per-minute` ``.
pub(super) fn operator(facts: &Facts, place: usize) -> String {
    let operator = &facts.operators[place];
    format!("{} `{}`", operator.kind, operator.name)
}

/// An event time with its number, which is what stands in records.
pub(super) fn time(ms: TimeMs) -> String {
    match ms {
        TIME_MIN | TIME_MAX => moment::event_time(ms),
        ms => format!("{} ({ms})", moment::event_time(ms)),
    }
}

/// A span of time without what nobody reads: milliseconds behind seconds.
pub(super) fn span(ms: TimeMs) -> String {
    moment::span(if ms.abs() >= 1000 { ms / 1000 * 1000 } else { ms })
}

/// A number of things that have done something, with its verb.
pub(super) fn have(count: u64) -> String {
    if count == 1 { "1 has".to_owned() } else { format!("{} have", grouped(count)) }
}

/// How long ago something was.
pub(super) fn ago(facts: &Facts, at: TimeMs) -> String {
    let ago = span(facts.taken_ms.saturating_sub(at).max(0));
    match &facts.phase {
        Phase::Lost => format!("{ago} before that"),
        phase if phase.is_over() => format!("{ago} before the end"),
        _ => format!("{ago} ago"),
    }
}

/// What a split has come to.
pub(super) fn split(facts: &Facts, split: &SplitFacts) -> String {
    let read = split.read_ms.map(|read| format!(", read {}", ago(facts, read))).unwrap_or_default();
    let newest = match split.max_time {
        TIME_MIN => "no record with a time read yet".to_owned(),
        newest => format!("newest record of {}{read}", time(newest)),
    };
    format!("{newest}{}", generated(split))
}

/// What the component has made of a split, where it makes watermarks.
fn generated(split: &SplitFacts) -> String {
    match split.watermark {
        _ if !split.generated => String::new(),
        TIME_MIN => "; the component has made no watermark of it".to_owned(),
        watermark => format!("; the component's watermark of it is {}", time(watermark)),
    }
}

/// What holds a watermark, behind "held by" in a table.
pub(super) fn holder(facts: &Facts, holder: &Holder) -> String {
    let name = |place: usize| facts.operators[place].name.as_str();
    match holder {
        Holder::Ended => "nothing: the input has ended".to_owned(),
        Holder::AllIdle { source } => format!("nothing: `{}` is idle", name(*source)),
        Holder::NoTimestamps { source } => format!("`{}`, which declares no timestamps", name(*source)),
        Holder::Stamper { operator } => format!("the times that `{}` gives", name(*operator)),
        Holder::Split { source, worker, split: held, pace } => {
            let pace = if *pace == Pace::HeldBack { "; it waits for the sinks" } else { "" };
            format!("split {} of `{}` (worker {worker}): {}{pace}", held.name, name(*source), split(facts, held))
        }
        Holder::NothingRead { source, .. } => format!("`{}`, which has read nothing yet", name(*source)),
    }
}

/// What an operator's watermark is and what it waits for, as one sentence.
pub(super) fn standing(facts: &Facts, standing: &Standing) -> String {
    let who = operator(facts, standing.operator);
    let over = facts.phase.is_over();
    let stands = match standing.watermark {
        TIME_MIN => format!("{who} {} no watermark", if over { "had" } else { "has" }),
        TIME_MAX => return format!("{who} has come to the end of event time: its input has ended"),
        watermark => format!("{who} {} at {}", if over { "stood" } else { "stands" }, time(watermark)),
    };
    format!("{stands}; {}", waits(facts, standing))
}

/// What a watermark waits for.
pub(super) fn waits(facts: &Facts, standing: &Standing) -> String {
    let name = |place: usize| facts.operators[place].name.as_str();
    let waits = if facts.phase.is_over() { "it waited for" } else { "it waits for" };
    let waits = match &standing.holder {
        Holder::Ended => "what it waits for has ended".to_owned(),
        Holder::AllIdle { source } => format!("every split of source `{}` is idle, so it stays there until a record comes", name(*source)),
        Holder::NoTimestamps { source } => {
            format!("source `{}` declares no timestamps, so there is none before the input ends", name(*source))
        }
        Holder::Stamper { operator } => format!("it follows the times that `{}` gives its records", name(*operator)),
        Holder::Split { source, split, pace, .. } => {
            let read = split.read_ms.map(|read| format!(" and was read {}", ago(facts, read))).unwrap_or_default();
            let newest = match split.max_time {
                TIME_MIN => "from which no record has been read yet".to_owned(),
                newest => format!("whose newest record is of {}{read}", time(newest)),
            };
            let pace = if *pace == Pace::HeldBack { "; that source waits for what comes behind it" } else { "" };
            format!("{waits} split {} of source `{}`, {newest}{}{pace}", split.name, name(*source), generated(split))
        }
        Holder::NothingRead { source, .. } => format!("{waits} source `{}`, which has read nothing yet", name(*source)),
    };
    let under_way = standing.under_way.map(|way| {
        format!("; `{}` is {} ahead of what `{}` has heard: that is still under way", name(way.from), span(way.ahead_ms), name(way.to))
    });
    format!("{waits}{}", under_way.unwrap_or_default())
}

/// The splits that are not read, a line each: because nothing comes from them, so that they hold nobody, or because they are too far ahead.
pub(super) fn idle(facts: &Facts, places: impl Iterator<Item = usize>) -> Vec<String> {
    let mut lines = Vec::new();
    for place in places {
        let operator = &facts.operators[place];
        let sources = operator.workers.iter().filter_map(|worker| worker.source.as_ref().map(|source| (worker.worker, source)));
        for (worker, source) in sources {
            let why = |split: &SplitFacts| match (split.aligned, split.idle) {
                (true, _) => Some("held by alignment"),
                (false, true) => Some("idle"),
                (false, false) => None,
            };
            for (split, why) in source.splits.iter().filter_map(|split| Some((split, why(split)?))) {
                let split_is = self::split(facts, split);
                lines.push(format!("{why}: split {} of source `{}` (worker {worker}): {split_is}", split.name, operator.name));
            }
        }
    }
    lines
}

/// What stands above an answer out of what a job wrote down before it was lost, at this moment.
pub(super) fn lost(facts: &Facts, now: TimeMs) -> Option<String> {
    let age = span(now.saturating_sub(facts.taken_ms).max(0));
    let text = "does not run any more and has not said how it ended: it was killed, or its machine went down";
    (facts.phase == Phase::Lost).then(|| format!("job `{}` {text}. It last said this, {age} ago:", facts.job))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_job_says_so_with_the_age_of_what_is_known() {
        let facts = |phase| Facts { job: "counts".to_owned(), taken_ms: 100_000, phase, operators: Vec::new() };
        let words = "job `counts` does not run any more and has not said how it ended: it was killed, or its machine went down. \
                     It last said this, 1m ago:";
        assert_eq!(lost(&facts(Phase::Lost), 160_000).as_deref(), Some(words));
        assert_eq!(lost(&facts(Phase::Finished), 160_000), None);
        let ages = [Phase::Lost, Phase::Stopped, Phase::Running].map(|phase| ago(&facts(phase), 59_000));
        assert_eq!(ages, ["41s before that", "41s before the end", "41s ago"]);
    }
}
