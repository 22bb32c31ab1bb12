//! Readings of meters in windows of ten seconds, by two rules of the job's own for event time: marks that some readings bring, and the
//! slowest meter, told by the clock.

use std::collections::BTreeMap;

use tidemill::prelude::*;

/// How many meters there are: none may be missing for the slowest to be known.
const METERS: usize = 3;

/// What a meter read. Some tell that nothing as old as `through` follows; each meter's own readings come in order, save late ones.
#[derive(Clone, Record)]
struct Reading {
    meter: String,
    units: i64,
    at: i64,
    through: Option<i64>,
}

#[derive(Clone, Default, Record)]
struct Sums {
    readings: i64,
    units: i64,
}

#[derive(Record)]
struct Total {
    by: String,
    meter: String,
    until: i64,
    readings: i64,
    units: i64,
}

/// The greatest time of each meter.
type Meters = BTreeMap<String, i64>;

pub(crate) fn case(job: &mut Job) -> Result {
    let readings = job.source::<Reading>("readings", json());

    let marked = readings.assign_event_time("marked", |reading| reading.at, punctuated(|reading: &Reading, _| reading.through));
    let marked = marked.key_by(Reading::METER).window(tumbling(seconds(10)));
    let marked = marked.fold("by-marks", Sums::default(), add, merge, |window, sums| total("marks", window, sums));
    marked.late().sink("late-by-marks-out", json());

    let clocked = readings.assign_event_time("clocked", |reading| reading.at, periodic(millis(10), see, slowest));
    let clocked = clocked.key_by(Reading::METER).window(tumbling(seconds(10)));
    let clocked = clocked.fold("by-clock", Sums::default(), add, merge, |window, sums| total("clock", window, sums));
    clocked.late().sink("late-by-clock-out", json());

    marked.union("totals", [&*clocked]).sink("totals-out", json());
    Ok(())
}

fn see(meters: &mut Meters, reading: &Reading, at: i64) {
    let greatest = meters.entry(reading.meter.clone()).or_insert(at);
    *greatest = at.max(*greatest);
}

fn slowest(meters: &Meters, _now: i64) -> Option<i64> {
    // Another reading of the same millisecond may follow.
    meters.values().min().filter(|_| meters.len() == METERS).map(|at| at - 1)
}

fn total(by: &str, window: &Window<'_, String>, sums: &Sums) -> Total {
    Total { by: by.to_owned(), meter: window.key(), until: window.end(), readings: sums.readings, units: sums.units }
}

fn add(sums: &mut Sums, reading: &Reading) {
    sums.readings += 1;
    sums.units += reading.units;
}

fn merge(sums: &mut Sums, other: &Sums) {
    sums.readings += other.readings;
    sums.units += other.units;
}
