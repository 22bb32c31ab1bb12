//! The average temperature of every sensor in windows of ten seconds.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    sensor: String,
    celsius: f64,
    at: i64,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Average {
    sensor: String,
    celsius: f64,
    until: i64,
}

#[tidemill::job]
fn sensor_averages(job: &mut Job) -> Result {
    job.source::<Reading>("readings", json().default("stdin:"))
        .event_time(Reading::AT, out_of_order(seconds(2)))
        .key_by(Reading::SENSOR)
        .window(tumbling(seconds(10)))
        .aggregate("average", mean(Reading::CELSIUS), |w, celsius| Average { sensor: w.key(), celsius, until: w.end() })
        .sink("averages", json().default("stdout:"));
    Ok(())
}
