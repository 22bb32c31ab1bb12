//! A result that is no record.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    sensor: String,
    celsius: f64,
}

struct Kelvin(f64);

fn job(job: &mut Job) -> Result {
    job.source::<Reading>("readings", json()).map("kelvin", |reading| Kelvin(reading.celsius + 273.15)).sink("out", json());
    Ok(())
}

fn main() {}
