//! The reasons why a sink has nothing, in words.

use tidemill_core::explain::output::Reason;
use tidemill_core::explain::watermark::Standing;
use tidemill_core::explain::{Facts, Held, Member, OperatorFacts, Phase, SplitFacts};
use tidemill_core::{TIME_MIN, TimeMs};

use super::output::{keeps, plural};
use super::words;
use crate::moment;
use crate::report::grouped;

/// Why, behind what the sink has written.
pub(super) fn text(facts: &Facts, reason: &Reason) -> String {
    let who = |place: &usize| words::operator(facts, *place);
    let took = |place: &usize| plural(facts.operators[*place].records_in, "record");
    match reason {
        Reason::Failed { message } => format!("the job has failed: {}", message.lines().next().unwrap_or_default()),
        Reason::NotStarted => "the job has not begun to run yet".to_owned(),
        Reason::Busy { operator } => format!("a worker has been in {} for more than a second and has not come back", who(operator)),
        Reason::HeldBack { source } => {
            let slow = "what it has read has not reached the sinks, so one of them or an operator before is slow";
            format!("{} is held back: {slow}", who(source))
        }
        Reason::NoRecord { sources, ended } => no_record(facts, sources, *ended),
        Reason::NothingSelected { source } => format!("no record of {} is of a kind that the job reads", who(source)),
        Reason::Refused { operator } => refused(facts, *operator),
        Reason::Late { operator, watermark, newest } => late(facts, *operator, *watermark, newest.as_ref()),
        Reason::Filtered { operator, by } => filtered(facts, *operator, by),
        Reason::Unread { operator } => format!("all that {} emits leaves by ports that nobody reads", who(operator)),
        Reason::OtherPorts { operator } => format!("all that {} emits leaves by ports that do not lead here", who(operator)),
        Reason::NoTimestamps { operator, source } => {
            let (source, keeps) = (&facts.operators[*source].name, keeps(&facts.operators[*operator]));
            format!("no watermark: source `{source}` declares no timestamps, so {} waits until the input ends ({keeps})", who(operator))
        }
        Reason::Waiting { operator, short_ms, standing, until } => waits(facts, *operator, (*until, *short_ms), standing),
        Reason::WaitingForClock { operator, until } => {
            let left = until.saturating_sub(facts.taken_ms);
            format!("{} waits for the clock: {}, in {}", who(operator), moment::event_time(*until), words::span(left.max(0)))
        }
        Reason::WaitingForRecords { operator } => {
            let windows = plural(facts.operators[*operator].held().windows, "window");
            format!("{windows} of {} are open that no time closes: their trigger waits for records and has not fired", who(operator))
        }
        Reason::EmptySide { operator, from } => {
            format!("{} has had no record of one side: nothing has come out of {}", who(operator), who(from))
        }
        Reason::NoPartner { operator } => format!("no record of {} has found a partner", who(operator)),
        Reason::Silent { operator } => format!("{} took {} and emitted nothing", who(operator), took(operator)),
        Reason::Staged { sink } => staged(&facts.operators[*sink]),
        Reason::Quiet { source } => quiet(facts, *source),
        Reason::Flowing if facts.phase == Phase::Lost => "output was flowing".to_owned(),
        Reason::Flowing if facts.phase.is_over() => "the job has come to its end".to_owned(),
        Reason::Flowing => "output is flowing".to_owned(),
    }
}

fn refused(facts: &Facts, operator: usize) -> String {
    let OperatorFacts { records_in, skipped, dead_lettered, .. } = facts.operators[operator];
    let (all, who) = (plural(records_in, "record"), words::operator(facts, operator));
    format!("all {all} of {who} were refused, {} skipped and {} dead-lettered", grouped(skipped), grouped(dead_lettered))
}

fn filtered(facts: &Facts, operator: usize, by: &[Member]) -> String {
    let (took, who) = (plural(facts.operators[operator].records_in, "record"), words::operator(facts, operator));
    let members: Vec<String> = by.iter().map(|member| format!("{} `{}`", member.kind, member.name)).collect();
    match members.as_slice() {
        [] => format!("none of {took} passed {who}"),
        [one] if *one == who => format!("none of {took} passed {one}"),
        [one] => format!("none of {took} passed {one}, which runs as one with {who}"),
        [several @ .., last] => format!(
            "none of {took} passed {} and {last}, which run as one: `disable_chaining` tells which of them let none through",
            several.join(", ")
        ),
    }
}

fn staged(sink: &OperatorFacts) -> String {
    let staged = sink.staged.unwrap_or_default();
    let completed = match staged.completed {
        0 => "none has so far".to_owned(),
        completed => format!("the last of {completed} has covered none of it"),
    };
    let failed = if staged.failed > 0 { format!(", and {} failed", words::have(staged.failed)) } else { String::new() };
    format!("it shows what it has written with the next checkpoint that completes; {completed}{failed}")
}

fn waits(facts: &Facts, operator: usize, (until, short_ms): (TimeMs, Option<TimeMs>), standing: &Standing) -> String {
    let short = match short_ms {
        Some(short) => format!("the watermark is {} behind that", words::span(short)),
        None => "there is no watermark yet".to_owned(),
    };
    let what = waiting(&facts.operators[operator].held(), until);
    format!("{what} in {}; {short}, and {}", words::operator(facts, operator), words::waits(facts, standing))
}

fn late(facts: &Facts, operator: usize, watermark: TimeMs, newest: Option<&(usize, SplitFacts)>) -> String {
    let OperatorFacts { late, records_in, .. } = facts.operators[operator];
    let of_all = match late >= records_in {
        true => format!("all {}", plural(late, "record")),
        false => format!("{} of {}", grouped(late), plural(records_in, "record")),
    };
    let behind = if watermark == TIME_MIN { String::new() } else { format!(", behind a watermark of {}", words::time(watermark)) };
    let newest = newest.map(|(source, split)| {
        let source = &facts.operators[*source].name;
        format!(": split {} of source `{source}` had a record of {}", split.name, words::time(split.max_time))
    });
    format!("{of_all} came too late for {}{behind}{}", words::operator(facts, operator), newest.unwrap_or_default())
}

fn quiet(facts: &Facts, source: usize) -> String {
    let read = facts.operators[source].workers.iter().filter_map(|worker| worker.source.as_ref()?.read_ms).max();
    let read = read.map(|read| format!(", the last record was read {}", words::ago(facts, read))).unwrap_or_default();
    format!("all that was read has been written; {} has had nothing new{read}", words::operator(facts, source))
}

fn no_record(facts: &Facts, sources: &[usize], ended: bool) -> String {
    let names: Vec<String> = sources.iter().map(|&source| format!("`{}`", facts.operators[source].name)).collect();
    let of = format!("{} {}", if names.len() == 1 { "source" } else { "sources" }, names.join(", "));
    match ended {
        true => format!("no record arrived: the input of {of} ended without one"),
        false => format!("no record has arrived at {of}"),
    }
}

/// What is held until an event time, with that time.
fn waiting(held: &Held, until: TimeMs) -> String {
    let at = words::time(until);
    if held.closes == Some(until) {
        return format!(
            "{} open and the earliest closes at {at}",
            if held.windows == 1 { "1 window is".to_owned() } else { format!("{} windows are", grouped(held.windows)) }
        );
    }
    if held.timer == Some(until) {
        return format!(
            "{} set and the next is due at {at}",
            if held.timers == 1 { "1 timer is".to_owned() } else { format!("{} timers are", grouped(held.timers)) }
        );
    }
    format!("{} for {at}", if held.records == 1 { "1 record waits".to_owned() } else { format!("{} records wait", grouped(held.records)) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tidemill_core::explain::Staged;

    use super::*;

    fn member(name: &str, kind: &str) -> Member {
        Member { name: name.to_owned(), kind: kind.to_owned() }
    }

    fn job(reason_of: &Reason) -> String {
        let operator = |name: &str, kind: &str, records_in, late| OperatorFacts {
            name: name.to_owned(),
            kind: kind.to_owned(),
            records_in,
            late,
            ..OperatorFacts::default()
        };
        let mut operators = vec![operator("events", "source", 5_000, 0), operator("x", "window", 5_000, 4_000)];
        operators[0].staged = Some(Staged { records: 9, completed: 0, failed: 2 });
        operators[1].staged = Some(Staged { records: 9, completed: 3, failed: 0 });
        let facts = Facts { job: "counts".to_owned(), taken_ms: 100_000, phase: Phase::Running, operators };
        text(&facts, reason_of)
    }

    #[test]
    fn reasons_have_words() {
        let cases = [
            (Reason::NoRecord { sources: vec![0], ended: false }, "no record has arrived at source `events`"),
            (Reason::NoRecord { sources: vec![0], ended: true }, "no record arrived: the input of source `events` ended without one"),
            (Reason::Filtered { operator: 1, by: vec![] }, "none of 5,000 records passed window `x`"),
            (Reason::Filtered { operator: 1, by: vec![member("x", "window")] }, "none of 5,000 records passed window `x`"),
            (
                Reason::Filtered { operator: 1, by: vec![member("f", "filter")] },
                "none of 5,000 records passed filter `f`, which runs as one with window `x`",
            ),
            (
                Reason::Filtered { operator: 1, by: vec![member("x", "window"), member("f", "filter")] },
                "none of 5,000 records passed window `x` and filter `f`, which run as one: `disable_chaining` tells which of them let \
                 none through",
            ),
            (
                Reason::Staged { sink: 0 },
                "it shows what it has written with the next checkpoint that completes; none has so far, and 2 have failed",
            ),
            (
                Reason::Staged { sink: 1 },
                "it shows what it has written with the next checkpoint that completes; the last of 3 has covered none of it",
            ),
            (
                Reason::NoTimestamps { operator: 1, source: 0 },
                "no watermark: source `events` declares no timestamps, so window `x` waits until the input ends (-)",
            ),
            (Reason::WaitingForClock { operator: 1, until: 160_000 }, "window `x` waits for the clock: 1970-01-01T00:02:40.000Z, in 1m"),
            (Reason::Late { operator: 1, watermark: TIME_MIN, newest: None }, "4,000 of 5,000 records came too late for window `x`"),
            (Reason::Failed { message: "no disk\nat all".to_owned() }, "the job has failed: no disk"),
            (
                Reason::EmptySide { operator: 1, from: 0 },
                "window `x` has had no record of one side: nothing has come out of source `events`",
            ),
        ];
        for (reason, words) in cases {
            assert_eq!(job(&reason), words);
        }
    }
}
