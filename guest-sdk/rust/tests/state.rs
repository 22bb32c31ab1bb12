//! State lends what it holds for the time of one access: what may be held at once, and what a function is told that holds on to a
//! piece while it changes it.
#![allow(clippy::unwrap_used, missing_docs)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use tidemill::prelude::*;
use tidemill::testing;

/// Runs a function over state that a record has been put into.
struct Held {
    value: Value<i64>,
    list: ListState<i64>,
    map: MapState<i64, i64>,
    run: fn(&Held, &Ctx<i64, i64>),
}

impl Process for Held {
    type Key = i64;
    type In = i64;
    type Out = i64;

    fn on_record(&self, ctx: &mut Ctx<'_, i64, i64>, record: i64) -> Result {
        ctx.state(&self.value).set(record);
        ctx.state(&self.list).push(record);
        ctx.state(&self.map).insert(record, record);
        (self.run)(self, ctx);
        ctx.emit(ctx.state(&self.value).cloned().unwrap());
        Ok(())
    }
}

/// What comes out for one record, or the words of the panic.
fn run(run: fn(&Held, &Ctx<i64, i64>)) -> std::result::Result<Vec<i64>, String> {
    let job = move |job: &mut Job| {
        let keyed = job.source::<i64>("numbers", json()).key_by_fn("itself", |n| *n);
        let held = move |d: &mut Declare| Held { value: d.value("value"), list: d.list("list"), map: d.map("map"), run };
        keyed.process("held", held).sink("out", json());
        Ok(())
    };
    let mut test = testing::job(job).start();
    let pushed = catch_unwind(AssertUnwindSafe(|| test.push("numbers", 5i64)));
    let words = |panic: Box<dyn std::any::Any + Send>| *panic.downcast::<String>().unwrap();
    pushed.map(|()| test.sink::<i64>("out")).map_err(words)
}

#[test]
fn pieces_are_held_side_by_side_and_read_any_number_of_times() {
    let out = run(|held, ctx| {
        let (value, again) = (ctx.state(&held.value).get().unwrap(), ctx.state(&held.value).get().unwrap());
        let mut list = ctx.state(&held.list).get_mut();
        let mut entry = ctx.state(&held.map).or_insert(6, 0);
        list.push(*value);
        *entry += *again;
    });
    assert_eq!(out, Ok(vec![5]));
    let out = run(|held, ctx| {
        let before = ctx.state(&held.value).get().map_or(0, |value| *value);
        ctx.state(&held.value).set(before + 1);
        *ctx.state(&held.value).or_default() += 1;
        if let Some(mut value) = ctx.state(&held.value).get_mut() {
            *value *= 2;
        }
    });
    assert_eq!(out, Ok(vec![14]));
}

#[test]
fn a_change_of_what_is_held_panics_with_what_to_do() {
    let cases: [fn(&Held, &Ctx<i64, i64>); 6] = [
        |held, ctx| {
            let value = ctx.state(&held.value).get().unwrap();
            ctx.state(&held.value).set(*value + 1);
        },
        |held, ctx| {
            let value = ctx.state(&held.value).or_default();
            assert_eq!(ctx.state(&held.value).cloned(), Some(*value));
        },
        |held, ctx| {
            let list = ctx.state(&held.list).get();
            list.iter().for_each(|n| ctx.state(&held.list).push(*n));
        },
        |held, ctx| {
            let list = ctx.state(&held.list).get_mut();
            assert_eq!(ctx.state(&held.list).len(), list.len());
        },
        |held, ctx| {
            let entries = ctx.state(&held.map).entries();
            entries.keys().for_each(|key| assert!(ctx.state(&held.map).remove(key).is_some()));
        },
        |held, ctx| {
            let first = ctx.state(&held.map).get(&5).unwrap();
            ctx.state(&held.map).insert(6, *first);
        },
    ];
    for (number, case) in cases.into_iter().enumerate() {
        let words = run(case).unwrap_err();
        let asked = "this piece of state is in use: drop what `get`, `get_mut` or `or_insert` gave of it before it is used again";
        assert!(words.starts_with(asked), "case {number}: {words}");
    }
}

/// Says with each number the greatest so far and the mean, and begins anew at zero.
struct Folds {
    greatest: ReducingState<i64>,
    mean: AggregatingState<MeanOf>,
}

/// The mean of numbers, kept as their sum and count.
struct MeanOf;

impl Aggregate for MeanOf {
    type In = i64;
    type Acc = (i64, i64);
    type Out = i64;

    fn start(&self) -> (i64, i64) {
        (0, 0)
    }

    fn add(&self, acc: &mut (i64, i64), record: &i64) {
        *acc = (acc.0 + record, acc.1 + 1);
    }

    fn merge(&self, into: &mut (i64, i64), from: &(i64, i64)) {
        *into = (into.0 + from.0, into.1 + from.1);
    }

    fn finish(&self, acc: &(i64, i64)) -> i64 {
        acc.0 / acc.1
    }
}

impl Process for Folds {
    type Key = i64;
    type In = i64;
    type Out = (i64, i64);

    fn on_record(&self, ctx: &mut Ctx<'_, i64, (i64, i64)>, record: i64) -> Result {
        if record == 0 {
            ctx.state(&self.greatest).clear();
            ctx.state(&self.mean).clear();
            assert!(ctx.state(&self.greatest).get().is_none() && ctx.state(&self.mean).get().is_none(), "nothing is left");
            return Ok(());
        }
        ctx.state(&self.greatest).add(record);
        ctx.state(&self.mean).add(&record);
        if record == 13 {
            bail!("thirteen is bad luck");
        }
        ctx.emit((ctx.state(&self.greatest).cloned().unwrap(), ctx.state(&self.mean).get().unwrap()));
        Ok(())
    }
}

#[test]
fn state_that_folds_keeps_what_it_came_to_and_takes_back_what_was_refused() {
    let job = |job: &mut Job| {
        let keyed = job.source::<i64>("numbers", json()).key_by_fn("parity", |n| n.rem_euclid(1));
        let folds =
            |d: &mut Declare| Folds { greatest: d.reducing("greatest", |a: &i64, b| *a.max(b)), mean: d.aggregating("mean", MeanOf) };
        keyed.process("folds", folds).on_error(OnError::Skip).sink("out", json());
        Ok(())
    };
    let mut test = testing::job(job).start();
    [4i64, 10, 13, 4, 0, -2].into_iter().for_each(|n| test.push("numbers", n));
    assert_eq!(test.sink::<(i64, i64)>("out"), [(4, 4), (10, 7), (10, 6), (-2, -2)]);
}
