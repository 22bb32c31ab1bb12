//! Visits of users: clicks that lie at most half a minute apart, which come out of order.

use tidemill::prelude::*;

#[derive(Record)]
struct Click {
    user: String,
    bytes: i64,
    at: i64,
}

#[derive(Clone, Default, Record)]
struct Sums {
    clicks: i64,
    bytes: i64,
}

#[derive(Record)]
struct Visit {
    user: String,
    start: i64,
    end: i64,
    clicks: i64,
    bytes: i64,
}

pub(crate) fn case(job: &mut Job) -> Result {
    job.source::<Click>("clicks", json())
        .event_time(Click::AT, out_of_order(seconds(5)))
        .key_by(Click::USER)
        .window(session(seconds(30)))
        .fold("visits", Sums::default(), add, merge, |window, sums| Visit {
            user: window.key(),
            start: window.start(),
            end: window.end(),
            clicks: sums.clicks,
            bytes: sums.bytes,
        })
        .sink("visits-out", json());
    Ok(())
}

fn add(sums: &mut Sums, click: &Click) {
    sums.clicks += 1;
    sums.bytes += click.bytes;
}

fn merge(sums: &mut Sums, other: &Sums) {
    sums.clicks += other.clicks;
    sums.bytes += other.bytes;
}
