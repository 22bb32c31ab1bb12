//! Panics at the record 13, in the middle of a chain and of a block.

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
    job.source::<Number>("numbers", json().default("stdin:"))
        .filter("all", |_| true)
        .map("unlucky", |number| Number { n: refuse_thirteen(number.n) })
        .sink("results", json().default("stdout:"));
    Ok(())
}
