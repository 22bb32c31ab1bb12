//! A closure that borrows what does not live as long as the job.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    sensor: String,
    celsius: f64,
}

fn job(job: &mut Job) -> Result {
    let limit: f64 = job.arg_parse_or("limit", 30.0)?;
    job.source::<Reading>("readings", json()).filter("hot", |reading| reading.celsius > limit).sink("out", json());
    Ok(())
}

fn main() {}
