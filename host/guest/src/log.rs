//! Log lines of guests: bounded, made printable, and handed to whoever keeps them.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::text::{Lines, printable};

/// Seconds of the allowed rate that a guest may write at once.
const BURST_S: usize = 8;

/// What a line costs beside its bytes, so that empty lines are no way around the rate.
const LINE_BYTES: usize = 32;

/// How much a line matters; the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// For the author, while looking for a bug.
    Trace,
    /// For the author.
    Debug,
    /// Worth knowing in normal operation.
    Info,
    /// Somebody should look at it some day.
    Warn,
    /// Somebody should look at it now.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        })
    }
}

/// Keeps the log lines of a job.
pub trait LogSink: Send + Sync {
    /// Takes one line. It has no control characters and at most 4 KiB; `operator` is a name of the plan, or `plan` while
    /// there is none yet. Called on the worker's thread: it must not block.
    fn log(&self, level: Level, operator: &str, message: &str);
}

/// A sink that keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl LogSink for Silent {
    fn log(&self, _: Level, _: &str, _: &str) {}
}

/// The log of one instance: a token bucket before a sink.
pub(crate) struct Log {
    sink: Arc<dyn LogSink>,
    bytes_per_s: usize,
    tokens: usize,
    filled: Instant,
    unreported: u64,
    dropped: u64,
}

impl Log {
    pub(crate) fn new(sink: Arc<dyn LogSink>, bytes_per_s: usize, now: Instant) -> Log {
        Log { sink, bytes_per_s, tokens: bytes_per_s.saturating_mul(BURST_S), filled: now, unreported: 0, dropped: 0 }
    }

    /// Passes a line on, or counts it when the guest writes faster than it may.
    pub(crate) fn write(&mut self, level: Level, operator: &str, message: &str, now: Instant) {
        let line = printable(message, Lines::One);
        self.fill(now);
        let Some(tokens) = self.tokens.checked_sub(line.len() + LINE_BYTES) else {
            self.unreported += 1;
            self.dropped += 1;
            return;
        };
        self.tokens = tokens;
        if self.unreported > 0 {
            let (lines, rate) = (self.unreported, self.bytes_per_s);
            self.sink.log(Level::Warn, operator, &format!("{lines} log lines over the limit of {rate} bytes per second were dropped"));
            self.unreported = 0;
        }
        self.sink.log(level, operator, &line);
    }

    /// Lines that were counted, not kept.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn fill(&mut self, now: Instant) {
        let ms = usize::try_from(now.saturating_duration_since(self.filled).as_millis()).unwrap_or(usize::MAX);
        let more = self.bytes_per_s.saturating_mul(ms) / 1000;
        if more > 0 {
            self.tokens = self.tokens.saturating_add(more).min(self.bytes_per_s.saturating_mul(BURST_S));
            self.filled = now;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<(Level, String)>>);

    impl LogSink for Kept {
        fn log(&self, level: Level, _: &str, message: &str) {
            self.0.lock().unwrap().push((level, message.to_owned()));
        }
    }

    #[test]
    fn a_flood_is_counted_and_the_count_is_told_once_there_is_room() {
        let kept = Arc::new(Kept::default());
        let start = Instant::now();
        let mut log = Log::new(kept.clone(), 1_000, start);
        let line = "x".repeat(100 - LINE_BYTES);
        (0..100).for_each(|_| log.write(Level::Info, "op", &line, start));
        assert_eq!((kept.0.lock().unwrap().len(), log.dropped()), (80, 20));
        log.write(Level::Error, "op", "after", start + Duration::from_secs(1));
        let lines = kept.0.lock().unwrap();
        assert_eq!(lines[80], (Level::Warn, "20 log lines over the limit of 1000 bytes per second were dropped".to_owned()));
        assert_eq!((&lines[81], log.dropped()), (&(Level::Error, "after".to_owned()), 20));
    }

    #[test]
    fn many_small_waits_fill_as_much_as_a_long_one() {
        let start = Instant::now();
        let mut log = Log::new(Arc::new(Silent), 100, start);
        log.tokens = 0;
        (1..=1000).for_each(|ms| log.fill(start + Duration::from_millis(ms)));
        assert_eq!(log.tokens, 100);
    }
}
