//! Hands on every record as it came: what a call of a guest costs when its code does nothing.

use tidemill::prelude::*;

/// The size of a record that is usual in streams: three numbers and some text.
#[derive(Record)]
struct Reading {
    sensor: i64,
    value: i64,
    at: i64,
    note: String,
}

/// The job.
///
/// # Errors
/// None; the signature is that of every job.
#[tidemill::job]
pub fn identity(job: &mut Job) -> Result {
    job.source::<Reading>("readings", json().default("stdin:"))
        .map("identity", |reading| reading)
        .sink("results", json().default("stdout:"));
    Ok(())
}
