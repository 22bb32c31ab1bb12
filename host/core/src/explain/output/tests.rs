//! Every reason in a table of small jobs, one that differs in a single fact for each.

use super::*;
use crate::explain::testing::{NOW, job, operator, source};
use crate::explain::{Held, Staged, WorkerFacts};

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

fn member(name: &str, kind: &str) -> Member {
    Member { name: name.to_owned(), kind: kind.to_owned() }
}

/// What stands behind the first of a chain: a map, and a filter.
fn chain() -> Vec<Member> {
    vec![member("parse", "map"), member("large", "filter")]
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
        ("nothing", map(|_| {}), Reason::Filtered { operator: 1, by: vec![] }),
        ("filtered", of("filter", (10, 0)), Reason::Filtered { operator: 1, by: vec![member("filter", "filter")] }),
        ("made none", of("flat_map", (10, 0)), Reason::Filtered { operator: 1, by: vec![member("flat_map", "flat_map")] }),
        ("filtered behind a map", map(|map| map.fused = chain()), Reason::Filtered { operator: 1, by: vec![member("large", "filter")] }),
        (
            "one of several",
            map(|map| map.fused = [chain(), vec![member("split", "flat_map")]].concat()),
            Reason::Filtered { operator: 1, by: vec![member("large", "filter"), member("split", "flat_map")] },
        ),
        (
            "behind a function",
            through(events(10), operator("process", &[(0, 7_999)], (10, 0)).with(|process| process.fused = chain())),
            Reason::Filtered { operator: 1, by: vec![member("process", "process"), member("large", "filter")] },
        ),
        (
            "a function and what passes all",
            through(events(10), operator("process", &[(0, 7_999)], (10, 0)).with(|process| process.fused = vec![member("m", "map")])),
            Reason::Silent { operator: 1 },
        ),
        ("skipped", map(|map| map.skipped = 10), Reason::Refused { operator: 1 }),
        ("lettered", map(|map| (map.skipped, map.dead_lettered) = (4, 6)), Reason::Refused { operator: 1 }),
        ("some refused", map(|map| map.skipped = 4), Reason::Filtered { operator: 1, by: vec![] }),
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
            through(events(10).with(|source| (source.records_out, source.fused) = (0, chain())), operator("map", &[(0, 7_999)], (0, 0))),
            Reason::Filtered { operator: 0, by: vec![member("large", "filter")] },
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

#[test]
fn what_nobody_can_see_yet_comes_before_what_is_open() {
    let open = Held { windows: 3, closes: Some(9_999), ..Held::default() };
    let facts = |written, staged: Option<u64>| {
        let window = window(open).with(|window| window.records_out = 4);
        let staged = staged.map(|records| Staged { records, completed: 0, failed: 0 });
        let sink = operator("sink", &[(1, 7_999)], (4, written)).with(|sink| sink.staged = staged);
        reason(&job(vec![events(10), window, sink]))
    };
    assert_eq!(facts(4, Some(4)), Reason::Staged { sink: 2 });
    assert_eq!(facts(4, Some(5)), Reason::Staged { sink: 2 }, "one is on its way");
    for (written, staged) in [(4, Some(3)), (4, Some(0)), (4, None), (0, Some(0))] {
        assert!(matches!(facts(written, staged), Reason::Waiting { .. }), "{written} written, {staged:?} staged");
    }
}

#[test]
fn late_and_refused_records_are_all_of_them_together_or_not_the_reason() {
    let counts = |late, skipped, dead_lettered| {
        let window = window(Held::default());
        reason(&through(events(10), window.with(|w| (w.late, w.skipped, w.dead_lettered) = (late, skipped, dead_lettered))))
    };
    assert!(matches!(counts(10, 0, 0), Reason::Late { operator: 1, .. }));
    assert!(matches!(counts(4, 3, 3), Reason::Late { operator: 1, .. }), "with those that were refused they are all");
    assert_eq!(counts(4, 3, 2), Reason::Silent { operator: 1 }, "one was neither");
    assert_eq!(counts(0, 6, 4), Reason::Refused { operator: 1 });
    assert_eq!(counts(0, 6, 3), Reason::Silent { operator: 1 });
}

#[test]
fn half_of_the_records_are_most_of_them() {
    let late = |late| {
        let window = window(Held::default()).with(|window| (window.records_out, window.late) = (4, late));
        reason(&job(vec![events(10), window, operator("sink", &[(1, 7_999)], (4, 4))]))
    };
    assert!(matches!(late(5), Reason::Late { operator: 1, .. }));
    assert_eq!(late(4), Reason::Quiet { source: 0 });
    let none = job(vec![events(10), operator("sink", &[(0, 7_999)], (0, 0)).with(|sink| sink.records_in = 4)]);
    assert_eq!(reason(&none), Reason::Quiet { source: 0 }, "no record at all is late");
}

#[test]
fn a_source_is_held_back_from_a_second_on_and_only_where_it_has_read() {
    let held_back = |read_ms: Option<TimeMs>, pace| {
        let source = events(10).reading(|source| (source.pace, source.read_ms) = (pace, read_ms));
        reason(&through(source, window(Held::default())))
    };
    assert_eq!(held_back(Some(NOW - HELD_BACK_MS), Pace::HeldBack), Reason::HeldBack { source: 0 });
    let others = [(Some(NOW - HELD_BACK_MS + 1), Pace::HeldBack), (None, Pace::HeldBack), (Some(NOW - 60_000), Pace::Reading)];
    for (read_ms, pace) in others {
        assert_eq!(held_back(read_ms, pace), Reason::Silent { operator: 1 }, "{read_ms:?} {pace:?}");
    }
}

#[test]
fn a_job_has_not_begun_where_nobody_has_answered_or_read_and_it_is_not_over() {
    let silent = |operator: OperatorFacts| operator.with(|operator| operator.workers[0].silent = true);
    let unheard = through(silent(source("events", 0, &[])), silent(operator("map", &[(0, TIME_MIN)], (0, 0))));
    let mut unheard = Facts { operators: unheard.operators.into_iter().map(silent).collect(), ..unheard };
    assert_eq!(reason(&unheard), Reason::NotStarted);
    for phase in [Phase::Lost, Phase::Finished, Phase::Stopped] {
        let over = Facts { phase, ..unheard.clone() };
        assert_eq!(reason(&over), Reason::NoRecord { sources: vec![0], ended: false });
    }
    unheard.operators[1].workers[0].silent = false;
    assert_eq!(reason(&unheard), Reason::NoRecord { sources: vec![0], ended: false }, "one has answered");
    unheard.operators[1].workers[0].silent = true;
    unheard.operators[0].records_in = 3;
    assert_eq!(reason(&unheard), Reason::NothingSelected { source: 0 }, "records have been read");
}

#[test]
fn records_end_at_the_first_operator_that_has_had_any_on_whichever_side() {
    let union = |left, right| {
        let union = operator("union", &[(0, 0), (1, 0)], (0, 0));
        let map = operator("map", &[(2, 0)], (0, 0));
        let sources = [source("a", left, &[]), source("b", right, &[])].map(|source| source.with(|source| source.records_out = 0));
        reason(&job([sources.to_vec(), vec![union, map, operator("sink", &[(3, 0)], (0, 0))]].concat()))
    };
    assert_eq!(union(0, 5), Reason::NothingSelected { source: 1 });
    assert_eq!(union(5, 0), Reason::NothingSelected { source: 0 });
    assert_eq!(union(0, 0), Reason::NoRecord { sources: vec![0, 1], ended: false });
}

#[test]
fn a_union_has_no_sides_and_an_operator_of_one_input_neither() {
    let of = |kind: &str, from: &[(usize, TimeMs)]| {
        let sink = operator("sink", &[(2, 0)], (0, 0));
        reason(&job(vec![events(10), source("other", 0, &[]), operator(kind, from, (10, 0)), sink]))
    };
    assert_eq!(of("co-group", &[(0, 7_999), (1, 7_999)]), Reason::EmptySide { operator: 2, from: 1 });
    assert_eq!(of("union", &[(0, 7_999), (1, 7_999)]), Reason::Filtered { operator: 2, by: vec![member("union", "union")] });
    assert_eq!(of("process", &[(0, 7_999)]), Reason::Silent { operator: 2 });
}

#[test]
fn output_dries_up_where_every_source_is_quiet_and_not_before() {
    let paces = |paces: [Pace; 2]| {
        let sources = paces.map(|pace| events(10).reading(|source| source.pace = pace));
        let tail = vec![operator("union", &[(0, 0), (1, 0)], (20, 20)), operator("sink", &[(2, 0)], (20, 20))];
        reason(&job([sources.to_vec(), tail].concat()))
    };
    assert_eq!(paces([Pace::Waiting, Pace::Ended]), Reason::Quiet { source: 0 });
    assert_eq!(paces([Pace::Waiting, Pace::Reading]), Reason::Flowing);
    assert_eq!(paces([Pace::Reading, Pace::Ended]), Reason::Flowing);
}

#[test]
fn the_last_that_keeps_something_is_the_one_that_is_waited_for() {
    let open = |closes| Held { windows: 1, closes: Some(closes), ..Held::default() };
    let first = window(open(8_500)).with(|window| window.records_out = 4);
    let second = operator("window", &[(1, 7_999)], (4, 2)).holding(open(9_500));
    let facts = job(vec![events(10), first, second, operator("sink", &[(2, 7_999)], (2, 2))]);
    assert!(matches!(reason(&facts), Reason::Waiting { operator: 2, until: 9_500, short_ms: Some(1_501), .. }), "{:?}", reason(&facts));
}

#[test]
fn where_there_is_no_watermark_nothing_says_how_far_it_is() {
    let open = Held { windows: 3, closes: Some(9_999), ..Held::default() };
    let unread = events(10).with(|source| source.workers[0].watermark = TIME_MIN);
    let facts = through(unread, operator("window", &[(0, TIME_MIN)], (10, 0)).holding(open));
    assert!(matches!(reason(&facts), Reason::Waiting { operator: 1, until: 9_999, short_ms: None, .. }), "{:?}", reason(&facts));
}

#[test]
fn a_side_without_records_is_neither_late_nor_the_reason_where_there_is_output() {
    let tail = vec![operator("union", &[(0, 7_999), (1, 7_999)], (10, 10)), operator("sink", &[(2, 7_999)], (10, 10))];
    let facts = job([vec![events(10), source("other", 0, &[])], tail].concat());
    assert_eq!(reason(&facts), Reason::Quiet { source: 0 });
}

#[test]
fn what_was_under_way_before_a_restart_came_from_no_side_that_is_empty() {
    let restarted = through(events(10).with(|source| source.records_out = 0), operator("process", &[(0, 7_999)], (10, 0)));
    assert_eq!(reason(&restarted), Reason::Silent { operator: 1 });
}

#[test]
fn a_timer_by_the_clock_is_waited_for() {
    let held = Held { windows: 1, closes_by_clock: Some(NOW + 9), timers: 1, timer_by_clock: Some(NOW + 5), ..Held::default() };
    assert_eq!(reason(&through(events(10), window(held))), Reason::WaitingForClock { operator: 1, until: NOW + 5 });
}
