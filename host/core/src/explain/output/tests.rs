//! Every reason in a table of small jobs, one that differs in a single fact for each.

use super::*;
use crate::explain::testing::{NOW, job, operator, source};
use crate::explain::{Held, WorkerFacts};

/// A source, an operator and a sink that has nothing.
fn through(source: OperatorFacts, middle: OperatorFacts) -> Facts {
    job(vec![source, middle, operator("sink", &[(1, TIME_MIN)], (0, 0))])
}

fn events(records: u64) -> OperatorFacts {
    source("events", records, &[("events.jsonl", 8_000)])
}

fn window(held: Held) -> OperatorFacts {
    operator("window", &[(0, 7_999)], (10, 0)).holding(held)
}

fn reason(facts: &Facts) -> Reason {
    let mut all = all(facts);
    assert_eq!(all.len(), 1);
    all.remove(0).reason
}

#[test]
fn every_reason_that_swallows_records_is_found() {
    let map = |change: fn(&mut OperatorFacts)| through(events(10), operator("map", &[(0, 7_999)], (10, 0)).with(change));
    let of = |kind: &str, records| through(events(10), operator(kind, &[(0, 7_999)], records));
    let cases = [
        ("filtered", map(|_| {}), Reason::Filtered { operator: 1 }),
        ("skipped", map(|map| map.skipped = 10), Reason::Refused { operator: 1 }),
        ("lettered", map(|map| (map.skipped, map.dead_lettered) = (4, 6)), Reason::Refused { operator: 1 }),
        ("some refused", map(|map| map.skipped = 4), Reason::Filtered { operator: 1 }),
        ("unread", map(|map| map.unread = 3), Reason::Unread { operator: 1 }),
        ("another port", map(|map| map.records_out = 3), Reason::OtherPorts { operator: 1 }),
        ("silent", of("process", (10, 0)), Reason::Silent { operator: 1 }),
        ("no window gave anything", of("window", (10, 0)), Reason::Silent { operator: 1 }),
        ("no partner", of("interval-join", (10, 0)), Reason::NoPartner { operator: 1 }),
        (
            "of no variant",
            through(events(10).with(|source| source.records_out = 0), operator("map", &[(0, 7_999)], (0, 0))),
            Reason::NothingSelected { source: 0 },
        ),
        (
            "read, and lost in what runs inside the source",
            through(
                events(10).with(|source| (source.records_out, source.fused) = (0, vec!["parse".to_owned()])),
                operator("map", &[(0, 7_999)], (0, 0)),
            ),
            Reason::Filtered { operator: 0 },
        ),
    ];
    for (name, facts, expected) in cases {
        assert_eq!(reason(&facts), expected, "{name}");
    }
}

#[test]
fn a_job_without_records_names_its_sources_and_whether_they_have_ended() {
    let sources = vec![source("a", 0, &[]), source("b", 0, &[])];
    let tail = [operator("union", &[(0, TIME_MIN), (1, TIME_MIN)], (0, 0)), operator("sink", &[(2, TIME_MIN)], (0, 0))];
    let mut facts = job([sources, tail.to_vec()].concat());
    assert_eq!(reason(&facts), Reason::NoRecord { sources: vec![0, 1], ended: false });
    for source in &mut facts.operators[..2] {
        *source = source.clone().reading(|source| source.pace = Pace::Ended);
    }
    assert_eq!(reason(&facts), Reason::NoRecord { sources: vec![0, 1], ended: true });
}

#[test]
fn all_late_records_name_the_watermark_and_what_pushed_it() {
    let late = |middle: OperatorFacts| through(source("events", 10, &[("a", 8_000), ("b", 9_000)]), middle.with(|window| window.late = 10));
    let found = |facts: &Facts| match reason(facts) {
        Reason::Late { operator: 1, watermark, newest: Some((0, split)) } => (watermark, split.name),
        other => panic!("{other:?}"),
    };
    assert_eq!(found(&late(window(Held::default()))), (7_999, "b".to_owned()));
    let ended = window(Held::default()).with(|window| (window.workers[0].watermark, window.workers[0].before_end) = (TIME_MAX, 6_000));
    assert_eq!(found(&late(ended)), (6_000, "b".to_owned()));
}

#[test]
fn what_is_held_says_until_when_and_who_holds_the_watermark() {
    let open = Held { windows: 3, closes: Some(9_999), closes_by_clock: Some(NOW), ..Held::default() };
    match reason(&through(events(10), window(open))) {
        Reason::Waiting { operator: 1, until: 9_999, short_ms: Some(2_000), standing } => {
            assert!(matches!(standing.holder, Holder::Split { source: 0, .. }), "{standing:?}");
        }
        other => panic!("{other:?}"),
    }
    let timer = Held { timers: 1, timer: Some(8_500), ..Held::default() };
    assert!(matches!(reason(&through(events(10), window(timer))), Reason::Waiting { until: 8_500, .. }));
    let waiting = Held { records: 2, settles: Some(8_200), ..Held::default() };
    assert!(matches!(reason(&through(events(10), window(waiting))), Reason::Waiting { until: 8_200, .. }));
    let by_clock = Held { windows: 3, closes_by_clock: Some(NOW + 5), ..Held::default() };
    assert_eq!(reason(&through(events(10), window(by_clock))), Reason::WaitingForClock { operator: 1, until: NOW + 5 });
    let untimed = Held { windows: 3, untimed: 3, ..Held::default() };
    assert_eq!(reason(&through(events(10), window(untimed))), Reason::WaitingForRecords { operator: 1 });
}

#[test]
fn windows_over_a_source_without_times_never_close() {
    let open = Held { windows: 3, closes: Some(9_999), ..Held::default() };
    let untimed = events(10).with(|source| {
        source.makes_watermarks = false;
        source.workers[0].watermark = TIME_MIN;
    });
    let window = operator("window", &[(0, TIME_MIN)], (10, 0)).holding(open);
    assert_eq!(reason(&through(untimed, window)), Reason::NoTimestamps { operator: 1, source: 0 });
}

#[test]
fn joins_name_the_side_that_is_empty() {
    let join = |kind: &str, right: u64, held: Held| {
        let join = operator(kind, &[(0, 7_999), (1, 7_999)], (10, 0)).holding(held);
        reason(&job(vec![events(10), source("orders", right, &[("o", 8_000)]), join, operator("sink", &[(2, 0)], (0, 0))]))
    };
    let waiting = Held { records: 10, settles: Some(9_000), ..Held::default() };
    assert_eq!(join("interval-join", 0, waiting), Reason::EmptySide { operator: 2, from: 1 });
    assert_eq!(join("interval-join", 4, waiting), Reason::NoPartner { operator: 2 });
    assert_eq!(join("keyed-join", 0, Held::default()), Reason::EmptySide { operator: 2, from: 1 });
    assert!(matches!(join("temporal-join", 4, waiting), Reason::Waiting { operator: 2, until: 9_000, .. }));
}

#[test]
fn what_concerns_the_whole_job_comes_first() {
    let open = Held { windows: 3, closes: Some(9_999), ..Held::default() };
    let facts = through(events(10), window(open));
    let failed = Facts { phase: Phase::Failed("no disk".to_owned()), ..facts.clone() };
    assert_eq!(reason(&failed), Reason::Failed { message: "no disk".to_owned() });
    let mut busy = facts.clone();
    busy.operators[1].workers[0].at_work = true;
    assert_eq!(reason(&busy), Reason::Busy { operator: 1 });
    let held_back = |read_ms| {
        let source = events(10).reading(|source| (source.pace, source.read_ms) = (Pace::HeldBack, Some(read_ms)));
        reason(&through(source, window(open)))
    };
    assert_eq!(held_back(NOW - 60_000), Reason::HeldBack { source: 0 });
    assert!(matches!(held_back(NOW - 10), Reason::Waiting { .. }), "a busy source is not one that is held back");
    let mut unheard = through(source("events", 0, &[]), operator("map", &[(0, TIME_MIN)], (0, 0)));
    for operator in &mut unheard.operators {
        operator.workers = vec![WorkerFacts { silent: true, ..WorkerFacts::default() }];
    }
    assert_eq!(reason(&unheard), Reason::NotStarted);
}

#[test]
fn where_there_is_output_it_says_why_there_is_no_more() {
    let written = |held: Held, pace: Pace| {
        let window = window(held).with(|window| window.records_out = 4);
        let source = events(10).reading(|source| source.pace = pace);
        job(vec![source, window, operator("sink", &[(1, 7_999)], (4, 4))])
    };
    let open = Held { windows: 3, closes: Some(9_999), ..Held::default() };
    assert!(matches!(reason(&written(open, Pace::Reading)), Reason::Waiting { operator: 1, .. }));
    assert_eq!(reason(&written(Held::default(), Pace::Waiting)), Reason::Quiet { source: 0 });
    assert_eq!(reason(&written(Held::default(), Pace::Reading)), Reason::Flowing);
    let finished = Facts { phase: Phase::Finished, ..written(Held::default(), Pace::Ended) };
    assert_eq!(reason(&finished), Reason::Flowing);
    let mut late = written(open, Pace::Reading);
    late.operators[1].late = 6;
    assert!(matches!(reason(&late), Reason::Late { operator: 1, .. }), "most records were late");
}

#[test]
fn the_way_to_a_sink_leaves_out_what_does_not_lead_there() {
    let facts =
        job(vec![events(10), source("other", 10, &[("o", 1)]), operator("sink", &[(1, 0)], (10, 10)), operator("sink", &[(0, 0)], (0, 0))]);
    let paths: Vec<Vec<usize>> = all(&facts).into_iter().map(|dry| dry.path).collect();
    assert_eq!(paths, [vec![1, 2], vec![0, 3]]);
}
