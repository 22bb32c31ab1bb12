//! A closure where an aggregate belongs.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    sensor: String,
    celsius: f64,
}

fn job(job: &mut Job) -> Result {
    let windows = job.source::<Reading>("readings", json()).key_by(Reading::SENSOR).window(tumbling(seconds(10)));
    windows.aggregate("sum", |sum: f64, reading: &Reading| sum + reading.celsius, |_, sum| sum).sink("out", json());
    Ok(())
}

fn main() {}
