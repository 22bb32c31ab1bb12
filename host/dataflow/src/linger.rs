//! How a worker that is woken often rests: a moment's sleep in place of a park.
//!
//! At part of its speed a job is woken thousands of times a second, for a few records or a line of progress each; parking and unparking
//! threads then costs more than the work. A worker that has come to rest many times in a short while therefore sleeps for
//! [`REST`] before it looks again: what arrives meanwhile is worked off at once, and whoever sends it need not wake anybody. A
//! worker that is woken now and then parks, and answers as fast as the machine can.

use std::time::{Duration, Instant};

/// The least time between two looks of a worker that is woken often; a record meets a few such rests on its way through a job.
const REST: Duration = Duration::from_millis(1);
/// Parks in quick succession before rests begin: more than one record needs to get through a job and be acknowledged.
const FREE: u32 = 24;
/// How long a worker has to be left alone to park freely again.
const QUIET: Duration = Duration::from_millis(10);

/// See the module.
#[derive(Debug)]
pub(crate) struct Linger {
    /// When it last came to rest.
    last: Instant,
    /// Parks in succession, none of which was longer than [`QUIET`].
    parks: u32,
}

impl Linger {
    pub(crate) fn new(now: Instant) -> Linger {
        Linger { last: now, parks: 0 }
    }

    /// The worker has nothing to do at the moment: how long to sleep before it parks.
    pub(crate) fn idle(&mut self, now: Instant) -> Option<Duration> {
        let since = now.duration_since(self.last);
        self.last = now;
        if since >= QUIET {
            self.parks = 0;
        }
        self.parks = self.parks.saturating_add(1);
        let rest = REST.checked_sub(since).filter(|rest| self.parks > FREE && !rest.is_zero());
        self.last += rest.unwrap_or_default();
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICRO: Duration = Duration::from_micros(1);

    #[test]
    fn a_worker_that_is_woken_now_and_then_never_sleeps() {
        let start = Instant::now();
        let mut linger = Linger::new(start);
        assert!((1..1000).all(|i| linger.idle(start + QUIET * i).is_none()));
    }

    #[test]
    fn a_worker_that_is_woken_often_rests_a_fixed_time_from_look_to_look() {
        let start = Instant::now();
        let (mut linger, mut now, mut looks) = (Linger::new(start), start, 0);
        while now < start + 1000 * REST {
            now += 20 * MICRO;
            looks += 1;
            now += linger.idle(now).unwrap_or_default();
        }
        assert!((990..1100).contains(&looks), "{looks} looks in a thousand rests");
        assert!(linger.idle(now + QUIET).is_none(), "left alone for a while it parks again");
    }

    #[test]
    fn work_that_takes_longer_than_a_rest_is_not_delayed() {
        let start = Instant::now();
        let mut linger = Linger::new(start);
        assert!((1..1000).all(|i| linger.idle(start + (REST + MICRO) * i).is_none()));
    }
}
