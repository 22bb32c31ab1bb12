//! A job that is not what a job is.

use tidemill::prelude::*;

#[tidemill::job]
fn job(job: &mut Job) {
    job.source::<i64>("numbers", json()).sink("out", json());
}

#[tidemill::job]
fn nothing() -> Result {
    Ok(())
}

#[tidemill::job]
fn by_value(job: Job) -> Result {
    Ok(())
}

#[tidemill::job]
fn text(_: &mut Job) -> String {
    String::new()
}

fn main() {}
