//! An operator without a name.

use tidemill::prelude::*;

fn job(job: &mut Job) -> Result {
    job.source::<i64>("numbers", json()).map(|n| n + 1).sink("out", json());
    Ok(())
}

fn main() {}
