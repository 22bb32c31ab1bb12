//! Ways from an operator up to what holds its watermark, each over a job of a few operators.

use super::*;
use crate::explain::testing::{NOW, job, operator, source};
use crate::explain::{Held, Phase};

fn holder_of(facts: &Facts, operator: usize) -> Holder {
    one(facts, operator).holder
}

#[test]
fn the_split_that_is_furthest_behind_holds_everything_behind_it() {
    let bids = source("bids", 10, &[("a.jsonl", 9_000), ("b.jsonl", 5_000)]);
    let facts = job(vec![bids, operator("window", &[(0, 4_999)], (10, 0)), operator("sink", &[(1, 4_999)], (0, 0))]);
    let standing = one(&facts, 2);
    assert_eq!((standing.watermark, standing.age_ms, standing.path), (4_999, Some(5_000), vec![1, 0]));
    assert!(matches!(standing.holder, Holder::Split { source: 0, worker: 0, split, .. } if split.name == "b.jsonl"));
    assert_eq!(standing.under_way, None);
}

#[test]
fn of_several_inputs_the_one_least_heard_of_is_followed() {
    let sources = [source("left", 1, &[("l", 9_000)]), source("right", 0, &[("r", TIME_MIN)])];
    let facts = job([&sources[..], &[operator("union", &[(0, 8_999), (1, TIME_MIN)], (1, 1))]].concat());
    assert!(matches!(holder_of(&facts, 2), Holder::Split { source: 1, split, .. } if split.name == "r"));
}

#[test]
fn idle_and_ended_splits_hold_nobody() {
    let read = |change: fn(&mut crate::explain::SourceFacts)| {
        let facts = job(vec![source("s", 5, &[("a", 1_000), ("b", 2_000)]).reading(change), operator("sink", &[(0, 999)], (0, 0))]);
        holder_of(&facts, 1)
    };
    let holds_b = |holder: Holder| matches!(holder, Holder::Split { split, .. } if split.name == "b");
    assert!(holds_b(read(|source| (source.splits[0].idle, source.idle) = (true, 1))));
    assert!(holds_b(read(|source| (source.splits[0].ended, source.ended, source.open) = (true, 1, 1))));
    assert_eq!(read(|source| source.idle = 2), Holder::AllIdle { source: 0 });
    assert_eq!(read(|source| (source.open, source.ended, source.splits) = (0, 2, Vec::new())), Holder::Ended);
    assert_eq!(
        read(|source| (source.open, source.splits) = (0, Vec::new())),
        Holder::NothingRead { source: 0, pace: crate::explain::Pace::Waiting }
    );
}

#[test]
fn idle_senders_are_passed_over() {
    let sources = [source("left", 1, &[("l", 9_000)]), source("right", 0, &[("r", TIME_MIN)])];
    let mut union = operator("union", &[(0, 8_999), (1, TIME_MIN)], (1, 1));
    (union.workers[0].senders[1].worker, union.workers[0].watermark) = (None, 8_999);
    let facts = job([&sources[..], &[union.clone()]].concat());
    assert!(matches!(holder_of(&facts, 2), Holder::Split { source: 0, .. }));
    union.workers[0].senders[0].worker = None;
    let facts = job([&sources[..], &[union]].concat());
    assert_eq!(holder_of(&facts, 2), Holder::AllIdle { source: 0 });
}

#[test]
fn a_source_without_times_is_named_before_its_end_and_not_after() {
    let silent = source("s", 5, &[]).with(|source| source.makes_watermarks = false);
    let mut facts = job(vec![silent, operator("window", &[(0, TIME_MIN)], (5, 0))]);
    assert_eq!(holder_of(&facts, 1), Holder::NoTimestamps { source: 0 });
    facts.operators.iter_mut().for_each(|operator| operator.workers[0].watermark = TIME_MAX);
    assert_eq!(holder_of(&facts, 1), Holder::Ended);
}

#[test]
fn what_gives_times_ends_the_way_up() {
    let silent = source("s", 5, &[]).with(|source| source.makes_watermarks = false);
    let stamp = operator("map", &[(0, TIME_MIN)], (5, 5)).with(|map| {
        map.makes_watermarks = true;
        map.workers[0].made = 700;
    });
    let facts = job(vec![silent, stamp, operator("window", &[(1, 500)], (5, 0))]);
    let standing = one(&facts, 2);
    assert_eq!(standing.holder, Holder::Stamper { operator: 1 });
    assert_eq!(standing.under_way, Some(UnderWay { from: 1, to: 2, ahead_ms: 200 }));
}

#[test]
fn of_several_workers_the_slowest_is_followed_to_the_sender_it_waits_for() {
    let mut bids = source("bids", 10, &[("fast", 9_000)]);
    let slow = source("bids", 0, &[("slow", 3_000)]).workers.remove(0);
    bids.workers.push(WorkerFacts { worker: 1, ..slow });
    let mut window = operator("window", &[(0, 8_999)], (10, 0));
    let mut behind = window.workers[0].clone();
    (behind.worker, behind.watermark, behind.senders[0].worker, behind.senders[0].watermark) = (1, 2_999, Some(1), 2_999);
    window.workers.push(behind);
    let facts = job(vec![bids, window]);
    assert!(matches!(holder_of(&facts, 1), Holder::Split { worker: 1, split, .. } if split.name == "slow"));
}

#[test]
fn people_ask_first_about_what_waits() {
    let waiting = Held { windows: 1, closes: Some(9), ..Held::default() };
    let chain = |held: Held| {
        job(vec![
            source("s", 5, &[("a", 5)]),
            operator("map", &[(0, 4)], (5, 5)),
            operator("process", &[(1, 4)], (5, 5)).holding(held),
            operator("sink", &[(2, 4)], (0, 0)),
        ])
    };
    assert_eq!(foremost(&chain(waiting)), Some(2));
    assert_eq!(foremost(&chain(Held::default())), Some(3), "nothing waits: the sink");
    let mut facts = chain(waiting);
    facts.operators.clear();
    facts.phase = Phase::Finished;
    assert_eq!(foremost(&facts), None);
}

#[test]
fn of_several_that_wait_the_one_furthest_behind_is_asked_about_first() {
    let open = Held { windows: 1, closes: Some(9_999), ..Held::default() };
    let window = |watermark| operator("window", &[(0, watermark)], (10, 4)).holding(open);
    let facts = job(vec![source("events", 10, &[("e", 8_000)]), window(7_999), window(5_000), window(6_000)]);
    assert_eq!(foremost(&facts), Some(2));
}

#[test]
fn a_watermark_that_rose_by_a_clock_ahead_of_this_one_is_not_younger_than_now() {
    let ahead = operator("map", &[(0, 7_999)], (10, 10)).with(|map| map.workers[0].rose_ms = Some(NOW + 5_000));
    let facts = job(vec![source("events", 10, &[("e", 8_000)]), ahead]);
    assert_eq!(one(&facts, 1).age_ms, Some(0));
}
