//! Keeps `--arg bytes=N` for every key, in a process function and in the accumulators of windows and sessions, and tells a sum over
//! them: what comes out depends on every byte that was kept.

use tidemill::prelude::*;

/// What is kept when nothing else is said.
const BYTES: usize = 1_000;

#[derive(Clone, Record)]
struct Number {
    key: i64,
    n: i64,
    at: i64,
}

/// Text of so many bytes that no other key has.
fn text(key: i64, bytes: usize) -> String {
    (0..bytes as i64).map(|i| char::from(b'a' + ((key * 31 + i * 7) % 26) as u8)).collect()
}

/// Puts a record into the text.
fn put(text: &mut String, n: i64) {
    let at = (n * 7919) as usize % text.len();
    let letter = char::from(b'A' + (n % 26) as u8);
    text.replace_range(at..=at, letter.encode_utf8(&mut [0; 4]));
}

fn sum(text: &str) -> i64 {
    text.bytes().fold(17, |sum: i64, byte| sum.wrapping_mul(31).wrapping_add(i64::from(byte)))
}

struct Kept {
    bytes: usize,
    count: Value<i64>,
    text: Value<String>,
    quiet: Timer,
}

impl Process for Kept {
    type Key = i64;
    type In = Number;
    type Out = (i64, i64, i64);

    fn on_record(&self, ctx: &mut Ctx<'_, i64, Self::Out>, number: Number) -> Result {
        let key = ctx.key();
        *ctx.state(&self.count).or_default() += 1;
        let mut kept = ctx.state(&self.text).or_default();
        if kept.is_empty() {
            *kept = text(key, self.bytes);
        }
        put(&mut kept, number.n);
        drop(kept);
        ctx.timer(&self.quiet).replace(number.at + 20_000);
        Ok(())
    }

    fn on_timer(&self, ctx: &mut Ctx<'_, i64, Self::Out>, _: TimerEvent) -> Result {
        let count = ctx.state(&self.count).take().unwrap_or_default();
        let kept = ctx.state(&self.text).take().unwrap_or_default();
        ctx.emit((ctx.key(), count, sum(&kept)));
        Ok(())
    }
}

#[tidemill::job]
fn large(job: &mut Job) -> Result {
    let bytes: usize = job.arg_parse_or("bytes", BYTES)?;
    let numbers = job.source::<Number>("numbers", json().default("stdin:")).event_time(Number::AT, monotonic());
    let keyed = numbers.key_by(Number::KEY);
    let kept = |declare: &mut Declare| Kept {
        bytes,
        count: declare.value("count"),
        text: declare.value("text"),
        quiet: declare.event_timer("quiet"),
    };
    keyed.process("kept", kept).sink("known", csv().default("discard:"));
    let add = move |acc: &mut (i64, String), number: &Number| {
        if acc.1.is_empty() {
            acc.1 = text(number.key, bytes);
        }
        acc.0 += 1;
        put(&mut acc.1, number.n);
    };
    // Which of two panes was filled first is not told: letters of a record win over those of a key, and greater ones over smaller.
    let merge = |acc: &mut (i64, String), other: &(i64, String)| {
        acc.0 += other.0;
        let upper = |byte: &u8| byte.is_ascii_uppercase();
        let both = acc.1.bytes().zip(other.1.bytes()).map(|(a, b)| match (upper(&a), upper(&b)) {
            (true, true) => a.max(b),
            (false, true) => b,
            _ => a,
        });
        acc.1 = both.map(char::from).collect();
    };
    let tell = |w: &Window<'_, i64>, acc: &(i64, String)| (w.key(), w.end(), acc.0, sum(&acc.1));
    let start = || (0, String::new());
    keyed
        .window(sliding(millis(8_000), millis(4_000)))
        .fold("windows", start(), add, merge, tell)
        .sink("folded", csv().default("discard:"));
    keyed.window(session(millis(15_000))).fold("sessions", start(), add, merge, tell).sink("met", csv().default("discard:"));
    Ok(())
}
