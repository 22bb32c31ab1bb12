//! State and timers on a stream that has no key.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    sensor: String,
    celsius: f64,
}

struct Quiet {
    quiet: Timer,
}

impl Process for Quiet {
    type Key = String;
    type In = Reading;
    type Out = String;

    fn on_record(&self, ctx: &mut Ctx<String, String>, _: Reading) -> Result {
        ctx.timer(&self.quiet).replace(ctx.time() + minutes(1).ms());
        Ok(())
    }
}

fn job(job: &mut Job) -> Result {
    let readings = job.source::<Reading>("readings", json());
    readings.process("quiet", |d| Quiet { quiet: d.event_timer("quiet") }).sink("out", json());
    readings.count("count").sink("counts", json());
    Ok(())
}

fn main() {}
