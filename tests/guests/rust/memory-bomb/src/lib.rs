//! Takes memory at the record 13 until it gets none: the host's limit has to hold, and to be named.

use tidemill::prelude::*;

/// Bytes taken at a time.
const BITE: usize = 1 << 20;

#[derive(Record)]
struct Number {
    n: i64,
}

#[tidemill::job]
fn memory_bomb(job: &mut Job) -> Result {
    job.source::<Number>("numbers", json().default("stdin:"))
        .map("eat", |number| {
            let mut taken: Vec<Vec<u8>> = Vec::new();
            while std::hint::black_box(number.n) == 13 {
                taken.push(std::hint::black_box(vec![1; BITE]));
            }
            number
        })
        .sink("results", json().default("stdout:"));
    Ok(())
}
