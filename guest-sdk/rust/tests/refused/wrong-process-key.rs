//! A process function for another key than the stream's.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    sensor: String,
}

struct Count;

impl Process for Count {
    type Key = i64;
    type In = Reading;
    type Out = i64;

    fn on_record(&self, _: &mut Ctx<i64, i64>, _: Reading) -> Result {
        Ok(())
    }
}

fn job(job: &mut Job) -> Result {
    job.source::<Reading>("readings", json()).key_by(Reading::SENSOR).process("count", |_| Count).sink("out", json());
    Ok(())
}

fn main() {}
