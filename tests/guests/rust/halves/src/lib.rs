//! One job, whole or one half of it: `--arg part=` is `whole`, `first` or `second`. Two components of it that are wired have to give what
//! the whole gives. Both halves keep state: the first what it has seen, the second its windows.
//!
//! `--arg unlucky=N` panics at that number, in the first half; `--arg heard=N` logs it.

use std::ops::Deref;

use tidemill::prelude::*;

/// Width of a window.
const WINDOW_S: i64 = 1;
/// How late a number may come.
const BOUND_S: i64 = 5;

#[derive(Record)]
struct Number {
    k: i64,
    n: i64,
    at: i64,
}

#[derive(Record)]
struct Total {
    k: i64,
    sum: i64,
    until: i64,
}

/// Hands on the first record of each key.
struct Once {
    seen: Value<bool>,
}

impl Process for Once {
    type Key = i64;
    type In = Number;
    type Out = Number;

    fn on_record(&self, ctx: &mut Ctx<i64, Number>, number: Number) -> Result {
        if ctx.state(&self.seen).get().is_none() {
            ctx.state(&self.seen).set(true);
            ctx.emit(number);
        }
        Ok(())
    }
}

fn first(numbers: &Stream<Number>, unlucky: i64, heard: i64) -> impl Deref<Target = Stream<Number>> {
    let double = move |number: Number| {
        assert_ne!(number.n, unlucky, "bad luck");
        if number.n == heard {
            tidemill::log::warn!("{heard} is here");
        }
        Number { n: number.n * 2, ..number }
    };
    numbers.map("double", double).key_by(Number::N).process("once", |declare| Once { seen: declare.value("seen") })
}

fn second(numbers: &Stream<Number>) -> impl Deref<Target = Stream<Total>> {
    numbers.filter("some", |number| number.n % 3 != 0).key_by(Number::K).window(tumbling(seconds(WINDOW_S))).aggregate(
        "total",
        sum(Number::N),
        |window, sum| Total { k: window.key(), sum, until: window.end() },
    )
}

/// The job.
///
/// # Errors
/// An argument that is none of those above.
#[tidemill::job]
pub fn halves(job: &mut Job) -> Result {
    let part = job.arg_or("part", "whole");
    let number = |job: &mut Job, name: &str| job.arg_or(name, "-1").parse::<i64>();
    let (unlucky, heard) = (number(job, "unlucky")?, number(job, "heard")?);
    let source = |job: &mut Job, name: &str| job.source::<Number>(name, json()).event_time(Number::AT, out_of_order(seconds(BOUND_S)));
    match part.as_str() {
        "whole" => second(&first(&source(job, "numbers"), unlucky, heard)).sink("totals", json()),
        "first" => first(&source(job, "numbers"), unlucky, heard).sink("once-each", json()),
        "second" => second(&source(job, "once-each")).sink("totals", json()),
        other => bail!("part={other:?} is no choice: whole, first or second"),
    }
    Ok(())
}
