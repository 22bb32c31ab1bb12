//! An event time that is no i64.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    at: f64,
}

fn job(job: &mut Job) -> Result {
    job.source::<Reading>("readings", json()).event_time(Reading::AT, monotonic()).sink("out", json());
    Ok(())
}

fn main() {}
