//! Windows whose size has no unit, and a size in place of windows.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    sensor: String,
    celsius: f64,
}

fn job(job: &mut Job) -> Result {
    let keyed = job.source::<Reading>("readings", json()).key_by(Reading::SENSOR);
    keyed.window(tumbling(10)).count("by-number").sink("out", json());
    keyed.window(seconds(10)).count("by-span").sink("out2", json());
    Ok(())
}

fn main() {}
