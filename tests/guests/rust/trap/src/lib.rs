//! Traps at the record 13, in the middle of a chain and of a block; `--arg how=` says in which way: `panic` tells the host
//! which record it is, `abort` tells nothing, `after-seven` is an abort that only comes when a 7 has been seen before.

use std::cell::Cell;

use tidemill::prelude::*;

#[derive(Record)]
struct Number {
    n: i64,
}

/// A function of its own, so that the backtrace has a name to show.
#[inline(never)]
fn refuse_thirteen(n: i64) -> i64 {
    assert_ne!(n, 13, "thirteen is bad luck");
    n
}

#[tidemill::job]
fn trap(job: &mut Job) -> Result {
    let (abort, after_seven) = match job.arg_or("how", "panic").as_str() {
        "panic" => (false, false),
        "abort" => (true, false),
        "after-seven" => (true, true),
        other => bail!("how={other:?} is no choice: panic, abort or after-seven"),
    };
    let seen_seven = Cell::new(!after_seven);
    let unlucky = move |number: Number| {
        seen_seven.set(seen_seven.get() || number.n == 7);
        if !abort {
            return Number { n: refuse_thirteen(number.n) };
        }
        if number.n == 13 && seen_seven.get() {
            #[expect(clippy::disallowed_methods, reason = "a trap without a word is what this guest is for")]
            std::process::abort();
        }
        number
    };
    job.source::<Number>("numbers", json().default("stdin:"))
        .filter("all", |_| true)
        .map("unlucky", unlucky)
        .map("same", |number| number)
        .sink("results", json().default("stdout:"));
    Ok(())
}
