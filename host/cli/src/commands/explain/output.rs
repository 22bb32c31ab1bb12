//! `tidemill explain why-no-output`: for each sink the most probable reason in a sentence, then what is on the way to it.

use serde_json::json;
use tidemill_core::explain::output::{Dry, all};
use tidemill_core::explain::{Facts, Held, OperatorFacts, Pace};
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};

use super::{reason, words};
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
pub(super) fn keeps(operator: &OperatorFacts) -> String {
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
    let drops = operator.droppers().iter().any(|member| matches!(member.kind.as_str(), "filter" | "flat_map"));
    if drops && held == Held::default() && operator.records_in > passed {
        parts.push(format!("{} filtered out", grouped(operator.records_in - passed)));
    }
    parts.extend(operator.workers.iter().filter_map(|worker| worker.source.as_ref()).find_map(|source| match source.pace {
        Pace::HeldBack => Some("held back: it waits for the sinks".to_owned()),
        Pace::NotStarted => Some("not started".to_owned()),
        Pace::Waiting => Some("nothing to read".to_owned()),
        Pace::Aligned => Some("held by alignment: it waits for slower ones".to_owned()),
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

pub(super) fn plural(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// The reason in a sentence, behind what the sink has.
fn sentence(facts: &Facts, dry: &Dry) -> String {
    let sink = &facts.operators[dry.sink];
    let unseen = sink.staged.map_or(0, |staged| staged.records).min(sink.records_out);
    let written = match sink.records_out {
        0 => "has written nothing".to_owned(),
        records if unseen == 0 => format!("has written {}", plural(records, "record")),
        records if unseen == records => format!("has written {}, none of which can be seen yet", plural(records, "record")),
        records => format!("has written {}, of which {} cannot be seen yet", plural(records, "record"), grouped(unseen)),
    };
    format!("sink `{}` {written}: {}", sink.name, reason::text(facts, &dry.reason))
}

#[cfg(test)]
mod tests {
    use tidemill_core::explain::output::Reason;
    use tidemill_core::explain::{Phase, Staged};

    use super::*;

    #[test]
    fn open_windows_say_how_far_the_watermark_is() {
        let held = Held { windows: 1, closes: Some(60_000), ..Held::default() };
        assert_eq!(
            open(&held, 48_000),
            "1 window open, the earliest closes at 1970-01-01T00:01:00.000Z (60000), 12s ahead of the watermark"
        );
        assert_eq!(open(&Held { windows: 2, ..Held::default() }, 48_000), "2 windows open, which no time closes");
    }

    #[test]
    fn what_a_sink_has_written_is_told_apart_from_what_can_be_seen() {
        let facts = |records_out, staged: Option<u64>| {
            let staged = staged.map(|records| Staged { records, completed: 1, failed: 0 });
            let sink = OperatorFacts { name: "out".to_owned(), kind: "sink".to_owned(), records_out, staged, ..OperatorFacts::default() };
            Facts { job: "counts".to_owned(), taken_ms: 100_000, phase: Phase::Running, operators: vec![sink] }
        };
        let dry = Dry { sink: 0, path: vec![0], reason: Reason::Flowing };
        let written = |records_out, staged| sentence(&facts(records_out, staged), &dry);
        assert_eq!(written(0, Some(0)), "sink `out` has written nothing: output is flowing");
        assert_eq!(written(9, None), "sink `out` has written 9 records: output is flowing");
        assert_eq!(written(9, Some(0)), "sink `out` has written 9 records: output is flowing");
        assert_eq!(written(9, Some(4)), "sink `out` has written 9 records, of which 4 cannot be seen yet: output is flowing");
        // A record on its way is counted as staged before it is as written.
        assert_eq!(written(9, Some(10)), "sink `out` has written 9 records, none of which can be seen yet: output is flowing");
    }
}
