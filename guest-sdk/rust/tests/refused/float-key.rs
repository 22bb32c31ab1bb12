//! A key that is a number with a fraction.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    celsius: f64,
}

fn job(job: &mut Job) -> Result {
    job.source::<Reading>("readings", json()).key_by(Reading::CELSIUS).count("count").sink("out", json());
    Ok(())
}

fn main() {}
