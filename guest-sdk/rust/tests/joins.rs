//! Joins and co-groups in the test kit: what a job that joins says of itself, and what it gives.
#![allow(clippy::unwrap_used, missing_docs)]

use tidemill::prelude::*;
use tidemill::testing;

#[derive(Clone, Debug, PartialEq, Record)]
struct Left {
    key: String,
    n: i64,
    at: i64,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Right {
    key: String,
    text: String,
    at: i64,
}

type Pairs = Vec<(i64, String)>;

fn sources(job: &mut Job) -> (KeyedStream<String, Left>, KeyedStream<String, Right>) {
    let left = job.source::<Left>("left", json()).event_time(Left::AT, out_of_order(millis(100)));
    let right = job.source::<Right>("right", json()).event_time(Right::AT, out_of_order(millis(100)));
    (left.key_by(Left::KEY), right.key_by(Right::KEY))
}

fn shown(pair: &Joined<Maybe<Left>, Maybe<Right>>) -> (i64, String) {
    (pair.left.as_ref().map_or(0, |left| left.n), pair.right.as_ref().map_or("-".to_owned(), |right| right.text.clone()))
}

/// What a job gives at a sink `pairs` for rows of both sides.
fn run(job: fn(&mut Job) -> Result, left: &[(i64, i64)], right: &[(&str, i64)]) -> (Pairs, testing::JobTest) {
    let mut test = testing::job(job).start();
    left.iter().for_each(|&(n, at)| test.push("left", Left { key: "k".to_owned(), n, at }));
    right.iter().for_each(|&(text, at)| test.push("right", Right { key: "k".to_owned(), text: text.to_owned(), at }));
    test.restart();
    test.finish();
    (test.sink("pairs"), test)
}

fn pairs(expected: &[(i64, &str)]) -> Pairs {
    expected.iter().map(|(n, text)| (*n, (*text).to_owned())).collect()
}

#[test]
fn within_some_time() {
    let job = |job: &mut Job| {
        let (left, right) = sources(job);
        let joined = left.side("l").join(&right.side("r")).within("j", between(-millis(2), millis(5)).upper_exclusive());
        joined.map("m", |pair| (pair.left.n, pair.right.text)).sink("pairs", json());
        joined.unmatched::<Left>("l").sink("alone", json());
        joined.late::<Right>("r").sink("late", json());
        Ok(())
    };
    let (found, mut test) = run(job, &[(1, 10), (2, 50)], &[("a", 8), ("b", 14), ("c", 15), ("d", 7)]);
    assert_eq!(found, pairs(&[(1, "a"), (1, "b")]));
    assert_eq!(test.sink::<Left>("alone").iter().map(|left| left.n).collect::<Vec<_>>(), [2]);
    assert!(test.sink::<Right>("late").is_empty());
}

#[test]
fn a_full_join_within_some_time() {
    let job = |job: &mut Job| {
        let (left, right) = sources(job);
        let joined = left.side("l").optional().join(&right.side("r").optional()).within("j", between(millis(0), millis(5)));
        joined.filter("f", |_| true).map("m", |pair| shown(&pair)).sink("pairs", json());
        Ok(())
    };
    let (found, _) = run(job, &[(1, 10), (2, 20)], &[("a", 12), ("b", 30)]);
    assert_eq!(found, pairs(&[(1, "a"), (2, "-"), (0, "b")]));
}

#[test]
fn the_last_of_each() {
    let job = |job: &mut Job| {
        let (left, right) = sources(job);
        let table = left.side("l").join(&right.side("r")).join(&right.side("other").optional()).latest("j");
        table.map("m", |row| (row.left.left.n, format!("{}{}", row.left.right.text, row.right.is_some()))).sink("pairs", json());
        Ok(())
    };
    let (found, _) = run(job, &[(1, 10), (2, 5)], &[("a", 12), ("b", 3)]);
    assert_eq!(found, pairs(&[(2, "afalse"), (2, "atrue"), (2, "btrue"), (2, "btrue")]));
}

#[test]
fn the_version_of_a_time() {
    let job = |job: &mut Job| {
        let (left, right) = sources(job);
        let joined = left.side("l").join(&right.side("r").optional()).as_of("j");
        joined.map("m", |pair| (pair.left.n, pair.right.0.map_or("-".to_owned(), |right| right.text))).sink("pairs", json());
        Ok(())
    };
    let (found, _) = run(job, &[(1, 10), (2, 25), (3, 19)], &[("a", 12), ("b", 20)]);
    assert_eq!(found, pairs(&[(1, "-"), (3, "a"), (2, "b")]), "in order of time");
}

#[test]
fn each_with_each_of_a_window() {
    let job = |job: &mut Job| {
        let (left, right) = sources(job);
        let joined = left.side("l").join(&right.side("r")).window(tumbling(millis(10))).allowed_lateness(millis(5)).join("j");
        joined.map("m", |w| (w.record.left.n + w.start, w.record.right.text)).sink("pairs", json());
        joined.unmatched::<Right>("r").sink("alone", json());
        Ok(())
    };
    let (found, mut test) = run(job, &[(1, 11), (2, 12), (3, 33)], &[("a", 13), ("b", 19), ("c", 20)]);
    assert_eq!(found, pairs(&[(11, "a"), (11, "b"), (12, "a"), (12, "b")]));
    assert_eq!(test.sink::<Right>("alone").iter().map(|right| &*right.text).collect::<Vec<_>>(), ["c"]);
}

#[test]
fn a_window_of_two_streams_at_once() {
    let job = |job: &mut Job| {
        let (left, right) = sources(job);
        let group = left.co_group(&right, session(millis(10))).process("g", |window, left, right, out| {
            let texts: Vec<&str> = right.iter().map(|right| &*right.text).collect();
            out.emit((left.iter().map(|left| left.n).sum::<i64>(), format!("{}..{} {}", window.start(), window.end(), texts.join(" "))));
        });
        group.sink("pairs", json());
        group.late_second().sink("late", json());
        Ok(())
    };
    let (found, _) = run(job, &[(1, 1), (2, 20)], &[("a", 11), ("b", 60)]);
    assert_eq!(found, pairs(&[(3, "1..30 a"), (0, "60..70 b")]), "a record of the other stream makes one session of two");
}

#[test]
fn what_is_wrong_with_a_join_is_said() {
    let error = |job: fn(&mut Job) -> Result| testing::job(job).error().unwrap_or_default();
    let computed = error(|job| {
        let (left, _) = sources(job);
        let right = job.source::<Right>("more", json()).key_by_fn("k", |right| right.key.clone());
        left.side("l").join(&right.side("r")).latest("j").sink("pairs", json());
        Ok(())
    });
    assert!(computed.contains("side \"r\" has a key that is computed"), "{computed}");
    let sides = error(|job| {
        let (left, right) = sources(job);
        let joined = left.side("l").join(&right.side("r")).latest("j");
        joined.unmatched::<Left>("r").sink("a", json());
        joined.late::<Right>("x").sink("b", json());
        Ok(())
    });
    for part in ["side \"r\" of join \"j\" has other records than", "join \"j\" has no side \"x\"", "where nothing is late"] {
        assert!(sides.contains(part), "{part}: {sides}");
    }
}
