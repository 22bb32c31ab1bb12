//! Windows of contract 0.2.0 in the test kit: counts, triggers, trigger functions, evictors.
#![allow(clippy::unwrap_used, missing_docs)]

use tidemill::prelude::*;
use tidemill::trigger::{self, Action, Decide, TriggerFunction};
use tidemill::{evict, testing};

#[derive(Clone, Debug, PartialEq, Record)]
struct Click {
    user: String,
    n: i64,
    gap: i64,
    at: i64,
}

type Seen = (String, i32, String);

fn click(user: &str, n: i64, at: i64) -> Click {
    Click { user: user.to_owned(), n, gap: 5, at }
}

/// Gathers the numbers of each window into a text.
fn gather(window: &Window<'_, String>, clicks: &[Click], out: &mut Emit<'_, Seen>) {
    let numbers: Vec<String> = clicks.iter().map(|click| click.n.to_string()).collect();
    out.emit((window.key(), window.firing(), numbers.join(" ")));
}

/// What a job gives for these clicks; the watermark comes to each click's time less 1.
fn run(job: fn(&mut Job) -> Result, clicks: &[Click]) -> Vec<(i32, String)> {
    let mut test = testing::job(job).start();
    clicks.iter().for_each(|click| test.push("clicks", click.clone()));
    test.restart();
    test.finish();
    test.sink::<Seen>("seen").into_iter().map(|(_, firing, numbers)| (firing, numbers)).collect()
}

fn clicks(job: &mut Job) -> KeyedStream<String, Click> {
    job.source::<Click>("clicks", json()).event_time(Click::AT, monotonic()).key_by(Click::USER)
}

fn seen(firings: &[(i32, &str)]) -> Vec<(i32, String)> {
    firings.iter().map(|(firing, numbers)| (*firing, (*numbers).to_owned())).collect()
}

#[test]
fn windows_of_a_number_of_records() {
    let tumbling = |job: &mut Job| {
        clicks(job).window(records(2)).process("w", gather).sink("seen", json());
        Ok(())
    };
    let input: Vec<Click> = (1..=5).map(|n| click("a", n, n)).collect();
    assert_eq!(run(tumbling, &input), seen(&[(0, "1 2"), (0, "3 4")]), "the last one is not full");
    let sliding = |job: &mut Job| {
        clicks(job).window(records_sliding(3, 2)).process("w", gather).sink("seen", json());
        Ok(())
    };
    assert_eq!(run(sliding, &input), seen(&[(0, "1 2"), (0, "2 3 4")]));
    let cut_short = |job: &mut Job| {
        clicks(job).window(records(3).or_after_event_time(millis(10))).process("w", gather).sink("seen", json());
        Ok(())
    };
    assert_eq!(run(cut_short, &[click("a", 1, 1), click("a", 2, 2), click("b", 3, 20)]), seen(&[(0, "1 2"), (0, "3")]));
}

#[test]
fn declared_triggers() {
    let early = |job: &mut Job| {
        let trigger = trigger::any([trigger::at_end(), trigger::every_records(2)]);
        clicks(job).window(tumbling(millis(10))).trigger(trigger).process("w", gather).sink("seen", json());
        Ok(())
    };
    let input = [click("a", 1, 1), click("a", 2, 2), click("a", 3, 3), click("a", 4, 15)];
    assert_eq!(run(early, &input), seen(&[(0, "1 2"), (1, "1 2 3"), (0, "4")]));
    let purging = |job: &mut Job| {
        clicks(job).window(global()).trigger(trigger::every_records(2).purging()).process("w", gather).sink("seen", json());
        Ok(())
    };
    assert_eq!(run(purging, &input), seen(&[(0, "1 2"), (1, "3 4")]));
    let all = |job: &mut Job| {
        let trigger = trigger::all([trigger::at_end(), trigger::every_records(3)]);
        clicks(job).window(tumbling(millis(10))).allowed_lateness(millis(100)).trigger(trigger).process("w", gather).sink("seen", json());
        Ok(())
    };
    let late = [click("a", 1, 1), click("a", 2, 2), click("a", 3, 15), click("a", 4, 4)];
    assert_eq!(run(all, &late), seen(&[(0, "1 2 4")]));
}

#[test]
fn sessions_with_a_gap_of_each_record() {
    let job = |job: &mut Job| {
        clicks(job).window(session_by(Click::GAP)).process("w", gather).sink("seen", json());
        Ok(())
    };
    let input = [click("a", 1, 0), Click { gap: 50, ..click("a", 2, 5) }, click("a", 3, 55), click("a", 4, 100)];
    assert_eq!(run(job, &input), seen(&[(0, "1 2 3"), (0, "4")]));
}

/// Fires when the numbers of a window come to ten, and in the first ten milliseconds at time 8.
struct Ten;

impl TriggerFunction<Click> for Ten {
    type State = (i64,);

    fn on_record(&self, window: &mut Decide<'_, (i64,)>, click: &Click) -> Action {
        window.state().0 += click.n;
        if window.end() == 10 {
            window.at_event_time(8);
        }
        if window.state().0 < 10 {
            return Action::Continue;
        }
        window.state().0 = 0;
        Action::FireAndPurge
    }

    fn on_event_time(&self, window: &mut Decide<'_, (i64,)>) -> Action {
        if window.state().0 > 0 { Action::Fire } else { Action::Continue }
    }

    fn merge(&self, state: &mut (i64,), other: &(i64,)) {
        state.0 += other.0;
    }
}

#[test]
fn a_trigger_function_has_state_of_each_window() {
    let job = |job: &mut Job| {
        clicks(job).window(tumbling(millis(10))).trigger_function(Ten).process("w", gather).sink("seen", json());
        Ok(())
    };
    let input = [click("a", 4, 1), click("b", 9, 1), click("a", 6, 2), click("a", 3, 3), click("b", 0, 30)];
    assert_eq!(run(job, &input), seen(&[(0, "4 6"), (1, "3"), (0, "9")]));
    let merged = |job: &mut Job| {
        let windows = clicks(job).window(session(millis(5))).allowed_lateness(millis(100));
        windows.trigger_function(Ten).process("w", gather).sink("seen", json());
        Ok(())
    };
    let sessions = [click("a", 4, 100), click("a", 5, 108), click("a", 1, 104)];
    assert_eq!(run(merged, &sessions), seen(&[(0, "4 5 1")]), "4 and 5 are of two sessions until 1 comes");
}

#[test]
fn evictors_take_records_out() {
    let last = |job: &mut Job| {
        clicks(job).window(tumbling(millis(10))).evictor(evict::all_but_last(2)).process("w", gather).sink("seen", json());
        Ok(())
    };
    let input = [click("a", 1, 1), click("a", 20, 2), click("a", 3, 9)];
    assert_eq!(run(last, &input), seen(&[(0, "20 3")]));
    let recent = |job: &mut Job| {
        clicks(job).window(tumbling(millis(10))).evictor(evict::older_than(millis(7))).process("w", gather).sink("seen", json());
        Ok(())
    };
    assert_eq!(run(recent, &input), seen(&[(0, "20 3")]));
    let near = |job: &mut Job| {
        clicks(job).window(tumbling(millis(10))).evictor(evict::differing_by(Click::N, 5.0)).process("w", gather).sink("seen", json());
        Ok(())
    };
    assert_eq!(run(near, &input), seen(&[(0, "1 3")]));
    let after = |job: &mut Job| {
        let evictor = evict::by(|_: &[i64], clicks: &[Click]| (0..clicks.len() - 1).collect()).after();
        let windows = clicks(job).window(tumbling(millis(10))).trigger(trigger::every_records(2));
        windows.evictor(evictor).process("w", gather).sink("seen", json());
        Ok(())
    };
    let four = [click("a", 1, 1), click("a", 2, 2), click("a", 3, 3), click("a", 4, 4)];
    assert_eq!(run(after, &four), seen(&[(0, "1 2"), (1, "2 3 4")]));
}

#[test]
fn the_kit_says_that_it_knows_no_time_zones() {
    let job = |job: &mut Job| {
        clicks(job).window(calendar_days("Asia/Shanghai")).process("days", gather).sink("seen", json());
        Ok(())
    };
    let message = testing::job(job).error().unwrap();
    assert!(message.contains("\"days\"") && message.contains("tidemill test"), "{message}");
}
