//! A union of streams with different records.

use tidemill::prelude::*;

fn job(job: &mut Job) -> Result {
    let numbers = job.source::<i64>("numbers", json());
    let words = job.source::<String>("words", text());
    numbers.union("both", [&*words]).sink("out", json());
    Ok(())
}

fn main() {}
