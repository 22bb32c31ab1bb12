//! Leaves memory behind with every record, as some language runtimes do with every call: `--arg leak=BYTES`. What comes out does
//! not depend on it: state of every kind, timers and windows have to survive the exchange of instances.

use tidemill::prelude::*;

#[derive(Clone, Record)]
struct Number {
    key: i64,
    at: i64,
}

/// Emits what it knows of a key when nothing has come for it for a while.
struct Known {
    count: Value<i64>,
    last: ListState<i64>,
    residues: MapState<i64, i64>,
    quiet: Timer,
}

impl Process for Known {
    type Key = i64;
    type In = Number;
    type Out = (i64, i64, i64, i64);

    fn on_record(&self, ctx: &mut Ctx<'_, i64, Self::Out>, number: Number) -> Result {
        *ctx.state(&self.count).or_default() += 1;
        ctx.state(&self.last).push(number.at);
        ctx.state(&self.last).get_mut().truncate(3);
        *ctx.state(&self.residues).or_insert(number.at % 5, 0) += 1;
        ctx.timer(&self.quiet).replace(number.at + 500);
        Ok(())
    }

    fn on_timer(&self, ctx: &mut Ctx<'_, i64, Self::Out>, _: TimerEvent) -> Result {
        let first = ctx.state(&self.last).take().iter().sum();
        let greatest = ctx.state(&self.residues).entries().values().copied().max().unwrap_or_default();
        let count = ctx.state(&self.count).take().unwrap_or_default();
        ctx.state(&self.residues).clear();
        ctx.emit((ctx.key(), count, first, greatest));
        Ok(())
    }
}

#[tidemill::job]
fn leak(job: &mut Job) -> Result {
    let bytes: usize = job.arg_parse_or("leak", 0)?;
    let numbers =
        job.source::<Number>("numbers", json().default("stdin:")).event_time(Number::AT, monotonic()).map("leak", move |number| {
            #[expect(clippy::disallowed_methods, reason = "leaking is what this guest is for")]
            std::mem::forget(std::hint::black_box(vec![1u8; bytes]));
            number
        });
    let keyed = numbers.key_by(Number::KEY);
    let known = |declare: &mut Declare| Known {
        count: declare.value("count"),
        last: declare.list("last"),
        residues: declare.map("residues"),
        quiet: declare.event_timer("quiet"),
    };
    keyed.process("quiet", known).sink("known", csv().default("discard:"));
    let sum = |a: &Number, b: &Number| Number { key: a.key, at: a.at + b.at };
    keyed.window(sliding(millis(400), millis(100))).reduce("sum", sum).sink("windows", csv().default("discard:"));
    keyed
        .window(session(millis(30)))
        .process("length", |w, records, out| out.emit((w.key(), records.len() as i64, w.end())))
        .sink("sessions", csv().default("discard:"));
    Ok(())
}
