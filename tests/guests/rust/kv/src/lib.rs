//! Counts and sums by key; every eighth update of a key is reported. What checkpoints are measured with: as many keys as the input has.

use tidemill::prelude::*;

/// How often a key is reported: at every update of which this is a divisor.
const REPORTED: i64 = 8;

#[derive(Record)]
struct Update {
    key: i64,
    value: i64,
}

#[derive(Record)]
struct Sum {
    key: i64,
    count: i64,
    sum: i64,
}

struct Sums {
    so_far: Value<(i64, i64)>,
}

impl Process for Sums {
    type Key = i64;
    type In = Update;
    type Out = Sum;

    fn on_record(&self, ctx: &mut Ctx<i64, Sum>, update: Update) -> Result {
        let (count, sum) = {
            let mut so_far = ctx.state(&self.so_far).or_default();
            *so_far = (so_far.0 + 1, so_far.1 + update.value);
            *so_far
        };
        if count % REPORTED == 0 {
            ctx.emit(Sum { key: update.key, count, sum });
        }
        Ok(())
    }
}

/// The job.
///
/// # Errors
/// None; the signature is that of every job.
#[tidemill::job]
pub fn kv(job: &mut Job) -> Result {
    job.source::<Update>("updates", json().default("stdin:"))
        .key_by(Update::KEY)
        .process("sums", |declare| Sums { so_far: declare.value("so_far") })
        .sink("results", csv().default("stdout:"));
    Ok(())
}
