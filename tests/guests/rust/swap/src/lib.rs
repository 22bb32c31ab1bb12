//! Numbers counted by key, each with the count so far, in versions that a swap may meet: `--arg version=` is `same`, `extra` (one more
//! state), `other` (the state has another type), `migrated` (the same, made of what there was), `traps` (at the first record), `later` (after
//! `--arg after=`, 500 records), `import` (when it is given its state), `odd` (one count of one key is written as another) or `clock` (the
//! time is written instead of counts).

use std::cell::Cell;

use tidemill::block::{Error as BlockError, Writer};
use tidemill::prelude::*;
use tidemill::record::{Column, Cursor};

#[derive(Record)]
struct Number {
    k: i64,
}

#[derive(Record)]
struct Count {
    k: i64,
    count: i64,
}

/// The key of which `odd` miscounts, and where.
const ODD: Count = Count { k: 3, count: 1_995 };
/// Records after which `later` traps unless it is said.
const LATER: u32 = 500;

/// A count that is written and never read back.
#[derive(Clone)]
struct Unreadable(i64);

impl Record for Unreadable {
    const COLUMNS: usize = <i64 as Record>::COLUMNS;
    type Readers<'a> = <i64 as Record>::Readers<'a>;
    type Writers = <i64 as Record>::Writers;

    fn fields(fields: &mut Vec<Column>) {
        <i64 as Record>::fields(fields);
    }

    fn open<'a>(columns: &mut Cursor<'_, 'a>) -> std::result::Result<Self::Readers<'a>, BlockError> {
        <i64 as Record>::open(columns)
    }

    fn read(_: &Self::Readers<'_>, _: usize) -> Self {
        panic!("this version cannot read its state")
    }

    fn write(&self, writers: &mut Self::Writers) {
        Record::write(&self.0, writers);
    }

    fn each_writer(writers: &mut Self::Writers, each: &mut dyn FnMut(&mut dyn Writer)) {
        <i64 as Record>::each_writer(writers, each);
    }

    fn heap_len(writers: &Self::Writers) -> usize {
        <i64 as Record>::heap_len(writers)
    }
}

impl From<i64> for Unreadable {
    fn from(count: i64) -> Unreadable {
        Unreadable(count)
    }
}

impl From<Unreadable> for i64 {
    fn from(count: Unreadable) -> i64 {
        count.0
    }
}

struct Counting<C: Record + Clone> {
    count: Value<C>,
    last: Option<Value<i64>>,
    traps_after: Option<u32>,
    seen: Cell<u32>,
    written: Written,
}

/// What is written of a count.
#[derive(Clone, Copy, PartialEq)]
enum Written {
    Count,
    Odd,
    Clock,
}

impl<C: Record + Clone + From<i64> + Into<i64>> Process for Counting<C> {
    type Key = i64;
    type In = Number;
    type Out = Count;

    fn on_record(&self, ctx: &mut Ctx<i64, Count>, number: Number) -> Result {
        self.seen.set(self.seen.get() + 1);
        assert!(self.traps_after.is_none_or(|after| self.seen.get() <= after), "this version traps");
        let count = ctx.state(&self.count).get().map_or(0, |count| count.clone().into()) + 1;
        ctx.state(&self.count).set(count.into());
        if let Some(last) = &self.last {
            ctx.state(last).set(count);
        }
        let written = match self.written {
            Written::Odd if (number.k, count) == (ODD.k, ODD.count) => -count,
            Written::Clock => ctx.now(),
            Written::Count | Written::Odd => count,
        };
        ctx.emit(Count { k: number.k, count: written });
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
    let after = job.arg_parse_or("after", LATER)?;
    let traps_after = match version.as_str() {
        "traps" => Some(0),
        "later" => Some(after),
        "same" | "extra" | "other" | "migrated" | "import" | "odd" | "clock" => None,
        wrong => bail!("version={wrong:?} is no choice: same, extra, other, migrated, traps, later, import, odd or clock"),
    };
    let written = match version.as_str() {
        "odd" => Written::Odd,
        "clock" => Written::Clock,
        _ => Written::Count,
    };
    let seen = Cell::new(0);
    let counts = match version.as_str() {
        "other" => keyed.process("count", |declare| Other { count: declare.value("count") }),
        "migrated" => keyed.process("count", |declare| Other { count: declare.value("count").migrates_from(|count: i64| count as f64) }),
        "import" => keyed.process("count", |declare| Counting::<Unreadable> {
            count: declare.value("count"),
            last: None,
            traps_after,
            seen,
            written,
        }),
        version => keyed.process("count", |declare| Counting::<i64> {
            count: declare.value("count"),
            last: (version == "extra").then(|| declare.value("last")),
            traps_after,
            seen,
            written,
        }),
    };
    counts.sink("counts", json().default("stdout:"));
    Ok(())
}
