//! Never returns from the record 13, which it tells before: the host has to stop it.

use tidemill::prelude::*;

#[derive(Record)]
struct Number {
    n: i64,
}

#[tidemill::job]
fn endless(job: &mut Job) -> Result {
    job.source::<Number>("numbers", json().default("stdin:"))
        .map("spin", |number| {
            if number.n == 13 {
                log::info!("spinning");
            }
            let mut turns = 0_u64;
            while std::hint::black_box(number.n) == 13 {
                turns = std::hint::black_box(turns.wrapping_add(1));
            }
            number
        })
        .sink("results", json().default("stdout:"));
    Ok(())
}
