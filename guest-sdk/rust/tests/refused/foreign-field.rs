//! A key that is a field of another record.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    sensor: String,
}

#[derive(Record)]
struct Other {
    id: i64,
}

fn job(job: &mut Job) -> Result {
    job.source::<Reading>("readings", json()).key_by(Other::ID).count("count").sink("out", json());
    Ok(())
}

fn main() {}
