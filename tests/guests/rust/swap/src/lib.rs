//! Numbers counted by key, each with the count so far, in versions that a swap may meet: `--arg version=` is `same`, `extra` (one more
//! state), `other` (the state has another type), `migrated` (the same, made of what there was), `traps` (at the first record) or `later` (at the 500th).

use std::cell::Cell;

use tidemill::prelude::*;

#[derive(Record)]
struct Number {
    k: i64,
}

#[derive(Record)]
struct Count {
    k: i64,
    count: i64,
}

/// Records after which `later` traps.
const LATER: u32 = 500;

struct Counting {
    count: Value<i64>,
    last: Option<Value<i64>>,
    traps_after: Option<u32>,
    seen: Cell<u32>,
}

impl Process for Counting {
    type Key = i64;
    type In = Number;
    type Out = Count;

    fn on_record(&self, ctx: &mut Ctx<i64, Count>, number: Number) -> Result {
        self.seen.set(self.seen.get() + 1);
        assert!(self.traps_after.is_none_or(|after| self.seen.get() <= after), "this version traps");
        let count = ctx.state(&self.count).get().map_or(0, |count| *count) + 1;
        ctx.state(&self.count).set(count);
        if let Some(last) = &self.last {
            ctx.state(last).set(count);
        }
        ctx.emit(Count { k: number.k, count });
        Ok(())
    }
}

/// The same with a count that is no whole number.
struct Other {
    count: Value<f64>,
}

impl Process for Other {
    type Key = i64;
    type In = Number;
    type Out = Count;

    fn on_record(&self, ctx: &mut Ctx<i64, Count>, number: Number) -> Result {
        let count = ctx.state(&self.count).get().map_or(0.0, |count| *count) + 1.0;
        ctx.state(&self.count).set(count);
        ctx.emit(Count { k: number.k, count: count as i64 });
        Ok(())
    }
}

#[tidemill::job]
fn swap(job: &mut Job) -> Result {
    let version = job.arg_or("version", "same");
    let keyed = job.source::<Number>("numbers", json().default("stdin:")).key_by(Number::K);
    let traps_after = match version.as_str() {
        "traps" => Some(0),
        "later" => Some(LATER),
        "same" | "extra" | "other" | "migrated" => None,
        wrong => bail!("version={wrong:?} is no choice: same, extra, other, migrated, traps or later"),
    };
    let counts = if version == "other" {
        keyed.process("count", |declare| Other { count: declare.value("count") })
    } else if version == "migrated" {
        keyed.process("count", |declare| Other { count: declare.value("count").migrates_from(|count: i64| count as f64) })
    } else {
        keyed.process("count", |declare| Counting {
            count: declare.value("count"),
            last: (version == "extra").then(|| declare.value("last")),
            traps_after,
            seen: Cell::new(0),
        })
    };
    counts.sink("counts", json().default("stdout:"));
    Ok(())
}
