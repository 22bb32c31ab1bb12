//! Hits of pages, so many at a time: in threes, the last four of them at every second one, and in fives that need not be full.

use tidemill::prelude::*;

#[derive(Clone, Record)]
struct Hit {
    page: String,
    bytes: i64,
    at: i64,
}

#[derive(Record)]
struct Batch {
    page: String,
    start: i64,
    end: i64,
    bytes: String,
}

#[derive(Clone, Default, Record)]
struct Sums {
    hits: i64,
    bytes: i64,
}

#[derive(Record)]
struct Figure {
    page: String,
    until: i64,
    hits: i64,
    bytes: i64,
}

pub(crate) fn case(job: &mut Job) -> Result {
    let hits = job.source::<Hit>("hits", csv()).event_time(Hit::AT, monotonic()).key_by(Hit::PAGE);
    hits.window(records(3))
        .process("threes", |window, hits, out| {
            let bytes: Vec<String> = hits.iter().map(|hit| hit.bytes.to_string()).collect();
            out.emit(Batch { page: window.key(), start: window.start(), end: window.end(), bytes: bytes.join("+") });
        })
        .sink("threes-out", json());
    hits.window(records_sliding(4, 2)).sum("moving", Hit::BYTES).sink("moving-out", json());
    // What is not full fires when the input ends.
    hits.window(records(5).or_after_event_time(days(1)))
        .fold("fives", Sums::default(), add, merge, |window, sums| Figure {
            page: window.key(),
            until: window.end(),
            hits: sums.hits,
            bytes: sums.bytes,
        })
        .sink("fives-out", json());
    Ok(())
}

fn add(sums: &mut Sums, hit: &Hit) {
    sums.hits += 1;
    sums.bytes += hit.bytes;
}

fn merge(sums: &mut Sums, other: &Sums) {
    sums.hits += other.hits;
    sums.bytes += other.bytes;
}
