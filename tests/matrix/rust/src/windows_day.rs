//! Rides by calendar days and weeks of a time zone, over the nights in which its clocks are changed.

use tidemill::prelude::*;

#[derive(Record)]
struct Ride {
    line: String,
    metres: i64,
    at: i64,
}

#[derive(Clone, Default, Record)]
struct Sums {
    rides: i64,
    metres: i64,
}

#[derive(Record)]
struct Week {
    line: String,
    from: i64,
    hours: i64,
    rides: i64,
    metres: i64,
}

const HOUR_MS: i64 = 3_600_000;

pub(crate) fn case(job: &mut Job) -> Result {
    let rides = job.source::<Ride>("rides", json()).event_time(Ride::AT, out_of_order(hours(2))).key_by(Ride::LINE);
    rides.window(calendar_days("Europe/Berlin")).count("daily").sink("days-out", json());
    rides
        .window(calendar_days("Europe/Berlin").every(7))
        .fold("weekly", Sums::default(), add, merge, |window, sums| Week {
            line: window.key(),
            from: window.start(),
            hours: (window.end() - window.start()) / HOUR_MS,
            rides: sums.rides,
            metres: sums.metres,
        })
        .sink("weeks-out", json());
    Ok(())
}

fn add(sums: &mut Sums, ride: &Ride) {
    sums.rides += 1;
    sums.metres += ride.metres;
}

fn merge(sums: &mut Sums, other: &Sums) {
    sums.rides += other.rides;
    sums.metres += other.metres;
}
