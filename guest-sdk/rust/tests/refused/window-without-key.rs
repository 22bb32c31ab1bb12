//! A window over a stream that has no key.

use tidemill::prelude::*;

fn job(job: &mut Job) -> Result {
    job.source::<i64>("numbers", json()).window(tumbling(seconds(1))).count("count").sink("out", json());
    Ok(())
}

fn main() {}
