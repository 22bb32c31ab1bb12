//! `?rate=N`: holds a source to N records a second over all its workers.
//!
//! Record i is due at start + i/N. A poll is granted the records that are due; when none is, the reader says so and an alarm calls
//! its waker. Nothing sleeps in a poll. Alarms ring at most every [`ALARM_STEP`], so that a high rate does not become a storm
//! of wake-ups.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tidemill_core::TimeMs;
use tidemill_core::connect::{Error, Polled, Reader, Source, SplitTime, Waker};

/// The granularity of pacing: alarms ring at multiples of it, for all workers together, unless the next record is due later. Fewer wake-ups
/// make larger blocks.
const ALARM_STEP: Duration = Duration::from_millis(8);

/// A clock with alarms.
pub(crate) trait Clock: Send + Sync {
    /// The time since some beginning.
    fn now(&self) -> Duration;
    /// Calls the waker at that time or soon after it.
    fn wake_at(&self, due: Duration, waker: Waker);
}

/// What the readers of a paced source share: how many records have been granted since when.
struct Pacer {
    per_second: u64,
    granted: Mutex<Granted>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Granted {
    start: Option<Duration>,
    records: u64,
}

impl Pacer {
    /// Grants up to `rows` records, or tells when the next is due.
    fn grant(&self, rows: usize) -> Result<usize, Duration> {
        let now = self.clock.now();
        let mut granted = self.granted();
        let start = *granted.start.get_or_insert(now);
        let elapsed = now.saturating_sub(start).as_nanos();
        // Record 0 is due at the start, so of n whole intervals passed n + 1 are due.
        let due = elapsed * u128::from(self.per_second) / 1_000_000_000 + 1;
        let free = due.saturating_sub(u128::from(granted.records)).min(rows as u128) as u64;
        if free == 0 {
            let next = (u128::from(granted.records) * 1_000_000_000).div_ceil(u128::from(self.per_second));
            let next = start + Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX));
            return Err(next.max(step_behind(start, now)));
        }
        granted.records += free;
        Ok(free as usize)
    }

    /// Gives back what was granted but not used.
    fn refund(&self, records: u64) {
        self.granted().records -= records;
    }

    fn granted(&self) -> MutexGuard<'_, Granted> {
        self.granted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next time at which alarms ring.
fn step_behind(start: Duration, now: Duration) -> Duration {
    let steps = now.saturating_sub(start).as_nanos() / ALARM_STEP.as_nanos() + 1;
    start + ALARM_STEP * u32::try_from(steps).unwrap_or(u32::MAX)
}

struct PacedSource {
    inner: Arc<dyn Source>,
    pacer: Arc<Pacer>,
}

/// Holds `inner` to `per_second` records a second.
pub(crate) fn pace(inner: Arc<dyn Source>, per_second: u64, clock: Arc<dyn Clock>) -> Arc<dyn Source> {
    Arc::new(PacedSource { inner, pacer: Arc::new(Pacer { per_second, granted: Mutex::default(), clock }) })
}

impl Source for PacedSource {
    fn reader(&self, worker: usize, peers: usize, waker: Waker) -> Result<Box<dyn Reader>, Error> {
        let inner = self.inner.reader(worker, peers, waker.clone())?;
        Ok(Box::new(PacedReader { inner, pacer: self.pacer.clone(), waker }))
    }

    fn bounded(&self) -> bool {
        self.inner.bounded()
    }

    fn parallelism_max(&self) -> Option<usize> {
        self.inner.parallelism_max()
    }

    fn restore(&self, positions: &[String]) -> Result<(), Error> {
        self.inner.restore(positions)
    }

    fn replayable(&self) -> bool {
        self.inner.replayable()
    }
}

struct PacedReader {
    inner: Box<dyn Reader>,
    pacer: Arc<Pacer>,
    waker: Waker,
}

impl Reader for PacedReader {
    fn poll(&mut self, rows: usize) -> Result<Polled, Error> {
        let granted = match self.pacer.grant(rows.max(1)) {
            Ok(granted) => granted,
            Err(due) => {
                self.pacer.clock.wake_at(due, self.waker.clone());
                return Ok(Polled::Pending);
            }
        };
        let polled = self.inner.poll(granted);
        let used = match &polled {
            Ok(Polled::Batch(batch)) => batch.records,
            _ => 0,
        };
        self.pacer.refund((granted as u64).saturating_sub(used));
        polled
    }

    fn splits(&self) -> &[SplitTime] {
        self.inner.splits()
    }

    fn split_name(&self, split: usize) -> Option<String> {
        self.inner.split_name(split)
    }

    fn position(&mut self, boundary: Option<u64>) -> Result<Option<String>, Error> {
        self.inner.position(boundary)
    }

    fn observe(&mut self, split: usize, max_time: TimeMs) {
        self.inner.observe(split, max_time);
    }

    fn hold(&mut self, held: &[bool]) {
        self.inner.hold(held);
    }
}

/// The machine's clock; one thread rings all its alarms and ends with it.
pub(crate) struct SystemClock {
    start: Instant,
    alarms: Arc<Alarms>,
}

#[derive(Default)]
struct Alarms {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Due time and place in `wakers`.
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
    closed: bool,
}

impl SystemClock {
    /// Starts the clock and its thread.
    pub(crate) fn start() -> Result<SystemClock, Error> {
        let alarms = Arc::new(Alarms::default());
        let theirs = alarms.clone();
        let ring = move || theirs.ring();
        thread::Builder::new()
            .name("pace".to_owned())
            .spawn(ring)
            .map_err(|e| Error::Io(format!("cannot start the thread that paces a source: {e}")))?;
        Ok(SystemClock { start: Instant::now(), alarms })
    }
}

impl Drop for SystemClock {
    fn drop(&mut self) {
        self.alarms.queue().closed = true;
        self.alarms.changed.notify_one();
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn wake_at(&self, due: Duration, waker: Waker) {
        let mut queue = self.alarms.queue();
        let place = match queue.free.pop() {
            Some(place) => place,
            None => {
                queue.wakers.push(None);
                queue.wakers.len() - 1
            }
        };
        queue.wakers[place] = Some(waker);
        let due = self.start + due;
        let is_next = queue.due.peek().is_none_or(|Reverse((next, _))| due < *next);
        queue.due.push(Reverse((due, place)));
        drop(queue);
        // Else the thread wakes before it, by another alarm, and a wake-up for nothing is the dearest part of an alarm.
        if is_next {
            self.alarms.changed.notify_one();
        }
    }
}

impl Alarms {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        let mut queue = self.queue();
        while !queue.closed {
            let Some(&Reverse((due, place))) = queue.due.peek() else {
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let now = Instant::now();
            if now < due {
                queue = self.changed.wait_timeout(queue, due - now).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            queue.due.pop();
            queue.free.push(place);
            let waker = queue.wakers[place].take();
            drop(queue);
            if let Some(waker) = waker {
                waker();
            }
            queue = self.queue();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::testing;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    /// A clock that stands until it is moved, and rings what has become due.
    #[derive(Default)]
    struct ByHand {
        now: Mutex<Duration>,
        alarms: Mutex<Vec<(Duration, Waker)>>,
    }

    impl ByHand {
        fn advance(&self, by: Duration) {
            let now = *self.now.lock().unwrap() + by;
            *self.now.lock().unwrap() = now;
            let (due, later) = std::mem::take(&mut *self.alarms.lock().unwrap()).into_iter().partition(|(at, _)| *at <= now);
            *self.alarms.lock().unwrap() = later;
            let due: Vec<(Duration, Waker)> = due;
            due.iter().for_each(|(_, waker)| waker());
        }
    }

    impl Clock for ByHand {
        fn now(&self) -> Duration {
            *self.now.lock().unwrap()
        }

        fn wake_at(&self, due: Duration, waker: Waker) {
            self.alarms.lock().unwrap().push((due, waker));
        }
    }

    fn records(reader: &mut dyn Reader, rows: usize) -> Option<u64> {
        match reader.poll(rows).unwrap() {
            Polled::Batch(batch) => Some(batch.records),
            Polled::Pending => None,
            Polled::Ended => panic!("the source has no end"),
        }
    }

    fn paced(per_second: u64, clock: &Arc<ByHand>) -> Arc<dyn Source> {
        let inner = crate::open_source("datagen:rows", &testing::source("n:i64", "json", "", "fail")).unwrap();
        pace(inner, per_second, clock.clone())
    }

    #[test]
    fn records_come_when_they_are_due() {
        let clock = Arc::new(ByHand::default());
        let woken = Arc::new(AtomicUsize::new(0));
        let count = woken.clone();
        let source = paced(125, &clock);
        let mut reader = source
            .reader(
                0,
                1,
                Arc::new(move || {
                    count.fetch_add(1, Ordering::SeqCst);
                }),
            )
            .unwrap();
        assert_eq!(records(&mut *reader, 50), Some(1), "record 0 is due at the start");
        assert_eq!(records(&mut *reader, 50), None);
        clock.advance(Duration::from_micros(7_999));
        assert_eq!((woken.load(Ordering::SeqCst), records(&mut *reader, 50)), (0, None));
        clock.advance(Duration::from_micros(1_001));
        assert_eq!(woken.load(Ordering::SeqCst), 2);
        assert_eq!(records(&mut *reader, 50), Some(1));
        clock.advance(Duration::from_secs(1));
        assert_eq!(records(&mut *reader, 50), Some(50), "after a pause no more than asked for");
        assert_eq!(records(&mut *reader, 500), Some(75));
        assert_eq!(records(&mut *reader, 500), None);
    }

    #[test]
    fn the_rate_is_that_of_all_workers() {
        let clock = Arc::new(ByHand::default());
        let source = paced(1_000_000, &clock);
        let mut readers: Vec<_> = (0..3).map(|w| source.reader(w, 3, Arc::new(|| {})).unwrap()).collect();
        let mut total = 0;
        for step in 0..300 {
            // Runs of a worker end before a grant does, so refunds matter.
            total += records(&mut *readers[step % 3], 700).unwrap_or(0);
            clock.advance(Duration::from_micros(100));
        }
        while let Some(more) = records(&mut *readers[0], 700) {
            total += more;
        }
        assert_eq!(total, 30_001);
    }

    #[test]
    fn a_high_rate_wakes_no_more_than_once_a_step() {
        let clock = Arc::new(ByHand::default());
        let source = paced(10_000_000, &clock);
        let mut reader = source.reader(0, 1, Arc::new(|| {})).unwrap();
        while records(&mut *reader, 100).is_some() {}
        assert_eq!(clock.alarms.lock().unwrap()[0].0, ALARM_STEP);
    }

    #[test]
    fn the_system_clock_rings_in_order() {
        let clock = SystemClock::start().unwrap();
        let (send, receive) = mpsc::channel();
        for (due, name) in [(30, "last"), (1, "first"), (10, "middle")] {
            let send = send.clone();
            clock.wake_at(Duration::from_millis(due), Arc::new(move || send.send(name).unwrap()));
        }
        assert_eq!(receive.iter().take(3).collect::<Vec<_>>(), ["first", "middle", "last"]);
        assert!(clock.now() >= Duration::from_millis(30));
    }
}
