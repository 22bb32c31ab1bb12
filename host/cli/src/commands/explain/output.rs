//! `tidemill explain why-no-output`: for each sink the most probable reason in a sentence, then what is on the way to it.

use serde_json::json;
use tidemill_core::explain::output::{Dry, Reason, all};
use tidemill_core::explain::{Facts, Held, OperatorFacts, Pace, Phase, SplitFacts};
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};

use super::words;
use crate::commands::checkpoint::table;
use crate::moment;
use crate::report::grouped;

/// For people.
pub(super) fn text(facts: &Facts) -> String {
    let sinks = all(facts);
    if sinks.is_empty() {
        return "the job has no sinks\n".to_owned();
    }
    sinks.iter().map(|dry| one(facts, dry)).collect::<Vec<_>>().join("\n")
}

fn one(facts: &Facts, dry: &Dry) -> String {
    let mut rows = vec![["OPERATOR", "KIND", "IN", "OUT", "LATE", "REFUSED", "KEEPS"].map(str::to_owned).to_vec()];
    rows.extend(dry.path.iter().map(|&place| row(&facts.operators[place])));
    let idle: String = words::idle(facts, dry.path.iter().copied()).into_iter().map(|line| format!("{line}\n")).collect();
    format!("{}\n\n{}{idle}", sentence(facts, dry), table(&rows))
}

/// For programs.
pub(super) fn json(facts: &Facts) -> serde_json::Value {
    let sinks: Vec<_> = all(facts)
        .into_iter()
        .map(|dry| json!({"answer": sentence(facts, &dry), "sink": dry.sink, "path": dry.path, "reason": dry.reason}))
        .collect();
    json!({"sinks": sinks, "facts": facts})
}

fn row(operator: &OperatorFacts) -> Vec<String> {
    let refused = operator.skipped + operator.dead_lettered;
    let counts = [operator.records_in, operator.records_out, operator.late, refused].map(grouped);
    let [records_in, records_out, late, refused] = counts;
    vec![operator.name.clone(), operator.kind.clone(), records_in, records_out, late, refused, keeps(operator)]
}

/// What an operator keeps, drops or does, in one cell.
fn keeps(operator: &OperatorFacts) -> String {
    let held = operator.held();
    let mut parts = Vec::new();
    if held.windows > 0 {
        parts.push(open(&held, operator.watermark()));
    }
    if held.timers > 0 {
        let next = earliest(held.timer, held.timer_by_clock, operator.watermark());
        parts.push(format!("{} set{}", plural(held.timers, "timer"), next.map(|at| format!(", the next at {at}")).unwrap_or_default()));
    }
    if held.records > 0 {
        parts.push(format!("{} waiting for others", plural(held.records, "record")));
    }
    if operator.unread > 0 {
        parts.push(format!("{} left by ports that nobody reads", grouped(operator.unread)));
    }
    let passed = operator.records_out + operator.unread + operator.skipped + operator.dead_lettered;
    let drops = operator.kind == "filter" || operator.fused.iter().any(|_| operator.kind != "source");
    if drops && held == Held::default() && operator.records_in > passed {
        parts.push(format!("{} filtered out", grouped(operator.records_in - passed)));
    }
    parts.extend(operator.workers.iter().filter_map(|worker| worker.source.as_ref()).find_map(|source| match source.pace {
        Pace::HeldBack => Some("held back: it waits for the sinks".to_owned()),
        Pace::NotStarted => Some("not started".to_owned()),
        Pace::Waiting => Some("nothing to read".to_owned()),
        Pace::Reading | Pace::Ended => None,
    }));
    if operator.workers.iter().any(|worker| worker.silent) {
        parts.push("has not answered".to_owned());
    }
    if parts.is_empty() { "-".to_owned() } else { parts.join("; ") }
}

/// Open windows and when the first of them fires.
fn open(held: &Held, watermark: TimeMs) -> String {
    let many = format!("{} open", plural(held.windows, "window"));
    match earliest(held.closes, held.closes_by_clock, watermark) {
        Some(first) => format!("{many}, the earliest closes at {first}"),
        None => format!("{many}, which no time closes"),
    }
}

fn earliest(event: Option<TimeMs>, clock: Option<TimeMs>, watermark: TimeMs) -> Option<String> {
    let event = event.map(|at| match watermark {
        TIME_MIN | TIME_MAX => words::time(at),
        watermark => format!("{}, {} ahead of the watermark", words::time(at), words::span(at.saturating_sub(watermark))),
    });
    event.or_else(|| clock.map(|at| format!("{} by the clock", moment::event_time(at))))
}

fn plural(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// The reason in a sentence, behind what the sink has.
fn sentence(facts: &Facts, dry: &Dry) -> String {
    let sink = &facts.operators[dry.sink];
    let written = match sink.records_out {
        0 => "has written nothing".to_owned(),
        records => format!("has written {}", plural(records, "record")),
    };
    format!("sink `{}` {written}: {}", sink.name, reason(facts, &dry.reason))
}

/// Why.
fn reason(facts: &Facts, reason: &Reason) -> String {
    let who = |place: &usize| words::operator(facts, *place);
    let of = |place: &usize| &facts.operators[*place];
    match reason {
        Reason::Failed { message } => format!("the job has failed: {}", message.lines().next().unwrap_or_default()),
        Reason::NotStarted => "the job has not begun to run yet".to_owned(),
        Reason::Busy { operator } => format!("a worker has been in {} for more than a second and has not come back", who(operator)),
        Reason::HeldBack { source } => {
            format!(
                "{} is held back: what it has read has not reached the sinks, so one of them or an operator before is slow",
                who(source)
            )
        }
        Reason::NoRecord { sources, ended } => no_record(facts, sources, *ended),
        Reason::NothingSelected { source } => {
            format!("no record of {} is of a kind that the job reads", who(source))
        }
        Reason::Refused { operator } => {
            let OperatorFacts { records_in, skipped, dead_lettered, .. } = *of(operator);
            let all = plural(records_in, "record");
            format!(
                "all {all} of {} were refused, {} skipped and {} dead-lettered",
                who(operator),
                grouped(skipped),
                grouped(dead_lettered)
            )
        }
        Reason::Late { operator, watermark, newest } => late(facts, *operator, *watermark, newest.as_ref()),
        Reason::Filtered { operator } => format!("none of {} passed {}", plural(of(operator).records_in, "record"), who(operator)),
        Reason::Unread { operator } => format!("all that {} emits leaves by ports that nobody reads", who(operator)),
        Reason::OtherPorts { operator } => format!("all that {} emits leaves by ports that do not lead here", who(operator)),
        Reason::NoTimestamps { operator, source } => {
            let source = &facts.operators[*source].name;
            format!(
                "no watermark: source `{source}` declares no timestamps, so {} waits until the input ends ({})",
                who(operator),
                keeps(of(operator))
            )
        }
        Reason::Waiting { operator, short_ms, standing, until } => {
            let short = match short_ms {
                Some(short) => format!("the watermark is {} behind that", words::span(*short)),
                None => "there is no watermark yet".to_owned(),
            };
            let what = waiting(&of(operator).held(), *until);
            format!("{what} in {}; {short}, and {}", who(operator), words::waits(facts, standing))
        }
        Reason::WaitingForClock { operator, until } => {
            let left = until.saturating_sub(facts.taken_ms);
            let at = moment::event_time(*until);
            format!("{} waits for the clock: {at}, in {}", who(operator), words::span(left.max(0)))
        }
        Reason::WaitingForRecords { operator } => {
            let windows = plural(of(operator).held().windows, "window");
            format!("{windows} of {} are open that no time closes: their trigger waits for records and has not fired", who(operator))
        }
        Reason::EmptySide { operator, from } => {
            format!("{} has had no record of one side: nothing has come out of {}", who(operator), who(from))
        }
        Reason::NoPartner { operator } => format!("no record of {} has found a partner", who(operator)),
        Reason::Silent { operator } => format!("{} took {} and emitted nothing", who(operator), plural(of(operator).records_in, "record")),
        Reason::Quiet { source } => quiet(facts, *source),
        Reason::Flowing if facts.phase == Phase::Lost => "output was flowing".to_owned(),
        Reason::Flowing if facts.phase.is_over() => "the job has come to its end".to_owned(),
        Reason::Flowing => "output is flowing".to_owned(),
    }
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
    use super::*;

    fn job(reason_of: &Reason) -> String {
        let operator = |name: &str, kind: &str, records_in, late| OperatorFacts {
            name: name.to_owned(),
            kind: kind.to_owned(),
            records_in,
            late,
            ..OperatorFacts::default()
        };
        let operators = vec![operator("events", "source", 5_000, 0), operator("x", "window", 5_000, 4_000)];
        let facts = Facts { job: "counts".to_owned(), taken_ms: 100_000, phase: tidemill_core::explain::Phase::Running, operators };
        reason(&facts, reason_of)
    }

    #[test]
    fn reasons_have_words() {
        let cases = [
            (Reason::NoRecord { sources: vec![0], ended: false }, "no record has arrived at source `events`"),
            (Reason::NoRecord { sources: vec![0], ended: true }, "no record arrived: the input of source `events` ended without one"),
            (Reason::Filtered { operator: 1 }, "none of 5,000 records passed window `x`"),
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

    #[test]
    fn open_windows_say_how_far_the_watermark_is() {
        let held = Held { windows: 1, closes: Some(60_000), ..Held::default() };
        assert_eq!(
            open(&held, 48_000),
            "1 window open, the earliest closes at 1970-01-01T00:01:00.000Z (60000), 12s ahead of the watermark"
        );
        assert_eq!(open(&Held { windows: 2, ..Held::default() }, 48_000), "2 windows open, which no time closes");
    }
}
