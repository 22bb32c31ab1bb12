//! A key given as Flink takes it, and as text.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    sensor: String,
    celsius: f64,
}

fn job(job: &mut Job) -> Result {
    let readings = job.source::<Reading>("readings", json());
    readings.key_by(|reading: &Reading| reading.sensor.clone()).count("count").sink("out", json());
    readings.key_by("sensor").count("by-name").sink("by-name-out", json());
    Ok(())
}

fn main() {}
