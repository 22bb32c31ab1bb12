//! Counts by key in windows of a shape that is asked for, or pairs of updates that are close: what windows and joins are measured with.

use tidemill::prelude::*;

#[derive(Clone, Record)]
struct Update {
    key: i64,
    at: i64,
}

#[derive(Record)]
struct Pair {
    key: i64,
    apart_ms: i64,
}

/// The job: `--arg shape=tumbling|sliding|session|interval`, `--arg size-ms=`, and for sliding windows `--arg slide-ms=`.
///
/// # Errors
/// Another shape, or a number that is none.
#[tidemill::job]
pub fn shapes(job: &mut Job) -> Result {
    let (shape, size, slide) = (job.arg("shape")?, millis(job.arg_parse("size-ms")?), millis(job.arg_parse_or("slide-ms", 1000)?));
    let updates = job.source::<Update>("updates", json().default("stdin:")).event_time(Update::AT, monotonic());
    let keyed = updates.key_by(Update::KEY);
    match shape.as_str() {
        "tumbling" => keyed.window(tumbling(size)).count("counts").sink("results", csv()),
        "sliding" => keyed.window(sliding(size, slide)).count("counts").sink("results", csv()),
        "session" => keyed.window(session(size)).count("counts").sink("results", csv()),
        "interval" => {
            let early = updates.filter("early", |update| update.at / 100 % 2 == 0).key_by(Update::KEY);
            let late = updates.filter("late", |update| update.at / 100 % 2 == 1).key_by(Update::KEY);
            let close = early.side("early").join(&late.side("late")).within("close", between(-size, size));
            let apart = |Joined { left, right }: Joined<Update, Update>| Pair { key: left.key, apart_ms: right.at - left.at };
            close.map("apart", apart).sink("results", csv());
        }
        other => bail!("shape={other:?} is no choice: tumbling, sliding, session or interval"),
    }
    Ok(())
}
