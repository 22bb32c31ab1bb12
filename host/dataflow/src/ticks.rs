//! Ticks and credits: how far sources may run ahead of the sinks.
//!
//! All sources of a process share one tick counter, which goes on every few milliseconds. timely's queues are unbounded,
//! so a source may only read while the oldest tick that has not yet passed all sinks is close to the
//! current one, and while what it has emitted since then fits its share of the byte budget. A
//! slow sink therefore stops its sources within one tick of reading.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use crate::harness::Tick;

/// The common clock of the sources of a process.
#[derive(Debug)]
pub(crate) struct Ticks {
    start: Instant,
    tick_ms: u64,
    current: AtomicU64,
}

impl Ticks {
    pub(crate) fn new(tick_ms: u64) -> Ticks {
        Ticks { start: Instant::now(), tick_ms: tick_ms.max(1), current: AtomicU64::new(0) }
    }

    /// The tick it is now.
    pub(crate) fn now(&self) -> Tick {
        let by_clock = self.start.elapsed().as_millis() as u64 / self.tick_ms;
        self.current.fetch_max(by_clock, Relaxed).max(by_clock)
    }
}

/// What one source of one worker has under way.
#[derive(Debug)]
pub(crate) struct Credits {
    ticks_max: u64,
    bytes_max: usize,
    sent: VecDeque<(Tick, usize)>,
    bytes: usize,
}

impl Credits {
    pub(crate) fn new(ticks_max: u64, bytes_max: usize) -> Credits {
        Credits { ticks_max: ticks_max.max(1), bytes_max: bytes_max.max(1), sent: VecDeque::new(), bytes: 0 }
    }

    /// Whether the source may read on at tick `now` when every tick before `done` has passed all sinks.
    pub(crate) fn may_read(&mut self, now: Tick, done: Tick) -> bool {
        while let Some(&(tick, bytes)) = self.sent.front() {
            if tick >= done {
                break;
            }
            self.sent.pop_front();
            self.bytes -= bytes;
        }
        let ahead = self.sent.front().map_or(0, |(oldest, _)| now - oldest);
        ahead < self.ticks_max && self.bytes < self.bytes_max
    }

    /// The source emitted `bytes` at tick `now`.
    pub(crate) fn spend(&mut self, now: Tick, bytes: usize) {
        self.bytes += bytes;
        match self.sent.back_mut() {
            Some((tick, sum)) if *tick == now => *sum += bytes,
            _ => self.sent.push_back((now, bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_comes_back_as_ticks_pass_the_sinks() {
        let mut credits = Credits::new(3, 100);
        assert!(credits.may_read(0, 0));
        credits.spend(0, 60);
        assert!(credits.may_read(1, 0));
        credits.spend(1, 60);
        assert!(!credits.may_read(1, 0), "120 bytes of 100 under way");
        assert!(credits.may_read(2, 1), "tick 0 has passed");
        assert!(!credits.may_read(4, 1), "three ticks ahead of tick 1");
        assert!(credits.may_read(4, 2));
    }
}
