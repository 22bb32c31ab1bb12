//! A closure that is told the window, but not the aggregate.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    sensor: String,
    celsius: f64,
}

fn job(job: &mut Job) -> Result {
    let windows = job.source::<Reading>("readings", json()).key_by(Reading::SENSOR).window(tumbling(seconds(10)));
    windows.aggregate("mean", mean(Reading::CELSIUS), |w| w.end()).sink("out", json());
    Ok(())
}

fn main() {}
