//! An aggregate of a field that the stream does not have.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    sensor: String,
    celsius: f64,
}

#[derive(Record)]
struct Other {
    weight: f64,
}

fn job(job: &mut Job) -> Result {
    let windows = job.source::<Reading>("readings", json()).key_by(Reading::SENSOR).window(tumbling(seconds(10)));
    windows.aggregate("mean", mean(Other::WEIGHT), |_, mean| mean).sink("out", json());
    Ok(())
}

fn main() {}
