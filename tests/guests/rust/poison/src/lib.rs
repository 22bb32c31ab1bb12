//! Traps at the number 13, in the operator that `--arg at=` names: `stamp`, `chain`, `process`, `timer`, `window` or `fire`. `--arg how=`
//! says in which way (`panic` tells the host where it is, `abort` tells nothing, `spin` does not return), `--arg on-bad=` what the
//! operators do with a bad record.

use tidemill::prelude::*;

/// Width of windows, and how long after its time a poisonous timer is due.
const SPAN_MS: i64 = 100;
const POISON: i64 = 13;
/// More than all other numbers of a window together.
const MARK: i64 = 1_000_000;

#[derive(Clone, Record)]
struct Number {
    key: i64,
    n: i64,
    at: i64,
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    Panic,
    Abort,
    Spin,
}

impl How {
    /// Does not come back.
    fn strike(self) {
        match self {
            How::Panic => panic!("thirteen is bad luck"),
            #[expect(clippy::disallowed_methods, reason = "a trap without a word is what this guest is for")]
            How::Abort => std::process::abort(),
            How::Spin => {
                let mut turns = 0_u64;
                while std::hint::black_box(true) {
                    turns = std::hint::black_box(turns.wrapping_add(1));
                }
            }
        }
    }
}

/// Tells count and sum of the records that a key had in a span, at its end: it does not matter how far event time is when one comes.
struct Sums {
    sums: MapState<i64, i64>,
    counts: MapState<i64, i64>,
    told: Timer,
    poisonous: Timer,
    in_record: Option<How>,
    in_timer: Option<How>,
}

impl Process for Sums {
    type Key = i64;
    type In = Number;
    type Out = (i64, i64, i64, i64);

    fn on_record(&self, ctx: &mut Ctx<'_, i64, Self::Out>, number: Number) -> Result {
        if number.n == POISON {
            if let Some(how) = self.in_record {
                how.strike();
            }
            if self.in_timer.is_some() {
                ctx.timer(&self.poisonous).add(number.at + SPAN_MS);
            }
            return Ok(());
        }
        let end = (number.at / SPAN_MS + 1) * SPAN_MS;
        *ctx.state(&self.sums).or_insert(end, 0) += number.n;
        *ctx.state(&self.counts).or_insert(end, 0) += 1;
        ctx.timer(&self.told).add(end);
        Ok(())
    }

    fn on_timer(&self, ctx: &mut Ctx<'_, i64, Self::Out>, event: TimerEvent) -> Result {
        if event.is(&self.poisonous) {
            self.in_timer.unwrap_or(How::Panic).strike();
        }
        let sum = ctx.state(&self.sums).remove(&event.time()).unwrap_or_default();
        let count = ctx.state(&self.counts).remove(&event.time()).unwrap_or_default();
        ctx.emit((ctx.key(), event.time(), count, sum));
        Ok(())
    }
}

#[tidemill::job]
fn poison(job: &mut Job) -> Result {
    let how = match job.arg_or("how", "panic").as_str() {
        "panic" => How::Panic,
        "abort" => How::Abort,
        "spin" => How::Spin,
        other => bail!("how={other:?} is no choice: panic, abort or spin"),
    };
    let at = job.arg_or("at", "chain");
    let on_bad = job.arg_or("on-bad", "fail");
    let in_ = |place: &str| (at == place).then_some(how);
    if !["stamp", "chain", "process", "timer", "window", "fire"].contains(&at.as_str()) {
        bail!("at={at:?} is no choice: stamp, chain, process, timer, window or fire");
    }

    let (in_stamp, in_chain) = (in_("stamp"), in_("chain"));
    let stamp = move |number: &Number| {
        if let Some(how) = in_stamp.filter(|_| number.n == POISON) {
            how.strike();
        }
        number.at
    };
    let stamped = job.source::<Number>("numbers", json().default("stdin:")).assign_event_time("stamped", stamp, monotonic());
    let numbers = stamped.filter("all", |_| true).map("checked", move |number| {
        if let Some(how) = in_chain.filter(|_| number.n == POISON) {
            how.strike();
        }
        number
    });
    let keyed = numbers.key_by(Number::KEY);
    let sums = keyed.process("sums", |declare| Sums {
        sums: declare.map("sums"),
        counts: declare.map("counts"),
        told: declare.event_timer("told"),
        poisonous: declare.event_timer("poisonous"),
        in_record: in_("process"),
        in_timer: in_("timer"),
    });
    let (in_window, in_fire) = (in_("window"), in_("fire"));
    let add = move |acc: &mut (i64, i64), number: &Number| {
        if let Some(how) = in_window.filter(|_| number.n == POISON) {
            how.strike();
        }
        match number.n {
            POISON if in_fire.is_none() => {}
            POISON => *acc = (acc.0 + 1, acc.1 + MARK),
            n => *acc = (acc.0 + 1, acc.1 + n),
        }
    };
    let folded = keyed.window(sliding(millis(2 * SPAN_MS), millis(SPAN_MS))).fold(
        "windows",
        (0, 0),
        add,
        |acc, other| *acc = (acc.0 + other.0, acc.1 + other.1),
        move |w, acc| {
            if let Some(how) = in_fire.filter(|_| acc.1 >= MARK) {
                how.strike();
            }
            (w.key(), w.end(), acc.0, acc.1)
        },
    );
    let letters = [letters(&stamped, &on_bad)?, letters(&numbers, &on_bad)?, letters(&sums, &on_bad)?, letters(&folded, &on_bad)?];
    let letters: Vec<_> = letters.into_iter().flatten().collect();
    if let [first, others @ ..] = letters.as_slice() {
        first.union("letters", others).sink("bad", json().default("discard:"));
    }
    sums.sink("known", csv().default("discard:"));
    folded.sink("folded", csv().default("discard:"));
    Ok(())
}

/// Sets what the operator of a stream does with bad records; answers those that are handed on.
fn letters<T: Record>(stream: &Stream<T>, on_bad: &str) -> Result<Option<Stream<DeadLetter>>> {
    match on_bad {
        "fail" => Ok(None),
        "skip" => {
            let _ = stream.on_error(OnError::Skip);
            Ok(None)
        }
        "dead-letter" => Ok(Some(stream.dead_letters())),
        other => bail!("on-bad={other:?} is no choice: fail, skip or dead-letter"),
    }
}
