//! Calls of callers in windows that fire when their triggers say so: early, some time after the first record, at late ones, by number.

use tidemill::prelude::*;
use tidemill::trigger::{after, all, any, at_end, early_every, every_records, late_each};

#[derive(Clone, Record)]
struct Call {
    caller: String,
    cents: i64,
    at: i64,
}

#[derive(Clone, Default, Record)]
struct Sums {
    calls: i64,
    cents: i64,
}

#[derive(Record)]
struct Figure {
    what: String,
    caller: String,
    until: i64,
    firing: i32,
    calls: i64,
    cents: i64,
}

#[derive(Record)]
struct Listed {
    caller: String,
    firing: i32,
    cents: String,
}

/// Who calls late, and is not seen where late records are left out.
const LATE: &str = "ivy";

pub(crate) fn case(job: &mut Job) -> Result {
    let calls = job.source::<Call>("calls", json()).event_time(Call::AT, monotonic());
    let keyed = calls.key_by(Call::CALLER);
    let punctual = calls.filter("punctual", |call| call.caller != LATE).key_by(Call::CALLER);

    let early = any([at_end(), early_every(seconds(4)).event_time(), late_each()]);
    let early = keyed.window(tumbling(seconds(10))).trigger(early).allowed_lateness(minutes(1)).fold(
        "early",
        Sums::default(),
        add,
        merge,
        |window, sums| figure("early", window, sums),
    );
    let delayed = punctual.window(tumbling(seconds(10))).trigger(any([at_end(), after(seconds(4)).event_time()])).fold(
        "after",
        Sums::default(),
        add,
        merge,
        |window, sums| figure("after", window, sums),
    );
    early.union("figures", [&*delayed]).sink("figures-out", json());

    punctual
        .window(tumbling(seconds(10)))
        .trigger(any([at_end(), every_records(2)]).purging())
        .process("purged", |window, calls, out| out.emit(listed(window, calls)))
        .sink("purged-out", json());
    punctual.window(tumbling(seconds(10))).trigger(all([at_end(), every_records(2)])).count("both").sink("both-out", json());
    punctual
        .window(global())
        .trigger(every_records(3))
        .process("global", |window, calls, out| out.emit(listed(window, calls)))
        .sink("global-out", json());
    Ok(())
}

fn figure(what: &str, window: &Window<'_, String>, sums: &Sums) -> Figure {
    let (calls, cents) = (sums.calls, sums.cents);
    Figure { what: what.to_owned(), caller: window.key(), until: window.end(), firing: window.firing(), calls, cents }
}

fn listed(window: &Window<'_, String>, calls: &[Call]) -> Listed {
    let cents: Vec<String> = calls.iter().map(|call| call.cents.to_string()).collect();
    Listed { caller: window.key(), firing: window.firing(), cents: cents.join("+") }
}

fn add(sums: &mut Sums, call: &Call) {
    sums.calls += 1;
    sums.cents += call.cents;
}

fn merge(sums: &mut Sums, other: &Sums) {
    sums.calls += other.calls;
    sums.cents += other.cents;
}
