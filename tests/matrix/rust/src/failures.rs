//! Ways to fail at one certain record, for `tests/e2e/tests/errors.rs`: what each says, and at which line, is compared over the languages.

use tidemill::prelude::*;

#[derive(Record)]
struct Number {
    sensor: String,
    n: i64,
}

/// Shorter than what is asked of it.
const WORDS: [&str; 3] = ["zero", "one", "two"];

fn thrown(number: Number) -> Number {
    if number.n == 13 {
        panic!("thirteen is bad luck");
    }
    number
}

fn fault(number: Number) -> Number {
    if number.n != 14 {
        return number;
    }
    let word = WORDS[number.n as usize]; // fourteen is beyond the words
    Number { sensor: word.to_owned(), ..number }
}

fn refused(number: Number) -> Result<Number> {
    if number.n == 15 {
        bail!("fifteen is refused");
    }
    Ok(number)
}

fn aside(number: Number) -> Result<Number> {
    if number.n == 16 {
        bail!("sixteen is put aside");
    }
    Ok(number)
}

struct Counting {
    seen: Value<i64>,
}

impl Process for Counting {
    type Key = String;
    type In = Number;
    type Out = Number;

    fn on_record(&self, ctx: &mut Ctx<String, Number>, number: Number) -> Result {
        let seen = ctx.state(&self.seen).take().unwrap_or(0) + 1;
        ctx.state(&self.seen).set(seen);
        if number.n == 17 {
            panic!("seventeen after {} of its key", seen - 1);
        }
        ctx.emit(number);
        Ok(())
    }
}

pub(crate) fn case(job: &mut Job) -> Result {
    let numbers = job.source::<Number>("numbers", json()).map("thrown", thrown).map("fault", fault).try_map("refused", refused);
    let kept = numbers.try_map("aside", aside).on_error(OnError::DeadLetter);
    kept.dead_letters().sink("letters", json());
    kept.key_by(Number::SENSOR).process("counting", |declare| Counting { seen: declare.value("seen") }).sink("results", json());
    Ok(())
}
