//! Dead letters of a source, of a stateless function and of one with state, which forgets what it did for a record that it refuses.

use tidemill::prelude::*;

#[derive(Record)]
struct Reading {
    sensor: String,
    text: String,
}

#[derive(Record)]
struct Number {
    sensor: String,
    value: i64,
}

#[derive(Record)]
struct Step {
    sensor: String,
    value: i64,
    seen: i64,
}

/// A dead letter without its place, which depends on how blocks are cut.
#[derive(Record)]
struct Refused {
    operator: String,
    reason: String,
    record: String,
}

struct Rising {
    last: Value<i64>,
    seen: ListState<i64>,
}

impl Process for Rising {
    type Key = String;
    type In = Number;
    type Out = Step;

    fn on_record(&self, ctx: &mut Ctx<String, Step>, number: Number) -> Result {
        let last = ctx.state(&self.last).take().unwrap_or(0);
        ctx.state(&self.last).set(number.value);
        ctx.state(&self.seen).push(number.value);
        let seen = ctx.state(&self.seen).len() as i64;
        ctx.emit(Step { sensor: ctx.key(), value: number.value, seen });
        if number.value < last {
            bail!("{} falls below {last}", number.value);
        }
        Ok(())
    }
}

pub(crate) fn case(job: &mut Job) -> Result {
    let readings = job.source::<Reading>("readings", json()).on_error(OnError::DeadLetter);
    readings.dead_letters().sink("unread", json());
    let numbers = readings.try_map("numbers", |reading| match reading.text.parse() {
        Ok(value) => Ok(Number { sensor: reading.sensor, value }),
        Err(_) => Err(format!("'{}' is no number", reading.text)),
    });
    let rising =
        numbers.key_by(Number::SENSOR).process("rising", |declare| Rising { last: declare.value("last"), seen: declare.list("seen") });
    numbers
        .dead_letters()
        .union("letters", [&rising.dead_letters()])
        .map("refused", |letter| Refused { operator: letter.operator, reason: letter.reason, record: letter.record })
        .sink("refused-out", json());
    rising.sink("steps", json());
    Ok(())
}
