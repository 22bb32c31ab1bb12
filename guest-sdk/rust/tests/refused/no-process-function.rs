//! A type that is no process function, and closures in place of one.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    sensor: String,
    celsius: f64,
}

struct Count {
    count: Value<i64>,
}

fn job(job: &mut Job) -> Result {
    let keyed = job.source::<Reading>("readings", json()).key_by(Reading::SENSOR);
    keyed.process("count", |d| Count { count: d.value("count") });
    keyed.process("closure", |ctx, reading| ctx.emit(reading));
    Ok(())
}

fn main() {}
