//! A stream of something that is no record.

use tidemill::prelude::*;

struct Reading {
    celsius: f64,
}

fn job(job: &mut Job) -> Result {
    job.source::<Reading>("readings", json()).sink("out", json());
    Ok(())
}

fn main() {}
