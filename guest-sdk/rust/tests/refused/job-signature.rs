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

fn main() {}
