//! What `benches/measure.py languages` measures: a function over each record, without state and with it.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    sensor: String,
    celsius: f64,
    at: i64,
}

#[derive(Record)]
struct Fahrenheit {
    sensor: String,
    degrees: f64,
    at: i64,
}

#[derive(Record)]
struct Count {
    sensor: String,
    count: i64,
}

struct Counter(Value<i64>);

impl Process for Counter {
    type Key = String;
    type In = Reading;
    type Out = Count;

    fn on_record(&self, ctx: &mut Ctx<String, Count>, _: Reading) -> Result {
        let count = {
            let mut count = ctx.state(&self.0).or_default();
            *count += 1;
            *count
        };
        ctx.emit(Count { sensor: ctx.key(), count });
        Ok(())
    }
}

pub(crate) fn map(job: &mut Job) -> Result {
    job.source::<Reading>("rows", json())
        .map("work", |reading| Fahrenheit { sensor: reading.sensor, degrees: reading.celsius * 1.8 + 32.0, at: reading.at })
        .sink("out", json());
    Ok(())
}

pub(crate) fn keyed_count(job: &mut Job) -> Result {
    job.source::<Reading>("rows", json())
        .key_by(Reading::SENSOR)
        .process("work", |declare| Counter(declare.value("count")))
        .sink("out", json());
    Ok(())
}
