//! When to begin a checkpoint: by interval, never two at once, never without a pause between them.
//!
//! Times are durations since any moment, from a clock that does not go back; whoever asks brings them.

use std::time::Duration;

/// The least wait before a failed checkpoint is tried again; doubled with each failure in a row, up to the interval.
pub const RETRY_MIN: Duration = Duration::from_millis(500);

/// How often to checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From one begin to the next.
    pub interval: Duration,
    /// At least this long from the end of one to the begin of the next, so that a job whose checkpoints take longer than the interval
    /// does something else too.
    pub pause: Duration,
    /// Failures in a row after which the job fails; none to go on for ever.
    pub failures_max: Option<u32>,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Begin.
    Now,
    /// Begin after this long.
    In(Duration),
    /// One is under way; ask again when it has ended.
    UnderWay,
}

/// What a failed checkpoint means for the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The job goes on; so many have failed in a row.
    GoOn(u32),
    /// So many have failed in a row that the job shall fail.
    FailJob(u32),
}

/// Decides when a checkpoint is due.
#[derive(Clone, Copy, Debug)]
pub struct Trigger {
    pace: Pace,
    begun: Duration,
    ended: Duration,
    under_way: bool,
    failures: u32,
}

impl Trigger {
    /// For a job that starts running now: the first checkpoint is due after one interval.
    pub fn new(pace: Pace, now: Duration) -> Trigger {
        Trigger { pace, begun: now, ended: now, under_way: false, failures: 0 }
    }

    /// Whether one is due.
    pub fn due(&self, now: Duration) -> Due {
        if self.under_way {
            return Due::UnderWay;
        }
        let at = match self.failures {
            0 => self.begun.saturating_add(self.pace.interval),
            failures => self.ended.saturating_add(retry_after(failures).min(self.pace.interval)),
        };
        match at.max(self.ended.saturating_add(self.pace.pause)).saturating_sub(now) {
            Duration::ZERO => Due::Now,
            wait => Due::In(wait),
        }
    }

    /// One has begun, due or asked for (a savepoint).
    pub fn begun(&mut self, now: Duration) {
        (self.begun, self.under_way) = (now, true);
    }

    /// It is complete.
    pub fn completed(&mut self, now: Duration) {
        (self.ended, self.under_way, self.failures) = (now, false, 0);
    }

    /// It has failed.
    pub fn failed(&mut self, now: Duration) -> Failure {
        (self.ended, self.under_way) = (now, false);
        self.failures = self.failures.saturating_add(1);
        match self.pace.failures_max {
            Some(most) if self.failures >= most => Failure::FailJob(self.failures),
            _ => Failure::GoOn(self.failures),
        }
    }
}

fn retry_after(failures: u32) -> Duration {
    RETRY_MIN.saturating_mul(2u32.saturating_pow(failures.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn trigger(interval: u64, pause: u64, failures_max: Option<u32>) -> Trigger {
        Trigger::new(Pace { interval: ms(interval), pause: ms(pause), failures_max }, ms(1_000))
    }

    #[test]
    fn begins_are_an_interval_apart() {
        let mut trigger = trigger(10_000, 0, None);
        assert_eq!(trigger.due(ms(1_000)), Due::In(ms(10_000)));
        assert_eq!(trigger.due(ms(10_999)), Due::In(ms(1)));
        assert_eq!(trigger.due(ms(11_000)), Due::Now);
        trigger.begun(ms(11_000));
        assert_eq!(trigger.due(ms(50_000)), Due::UnderWay);
        trigger.completed(ms(13_000));
        assert_eq!(trigger.due(ms(13_000)), Due::In(ms(8_000)));
    }

    #[test]
    fn a_pause_is_kept_when_checkpoints_take_longer_than_the_interval() {
        let mut trigger = trigger(1_000, 400, None);
        trigger.begun(ms(2_000));
        trigger.completed(ms(5_000));
        assert_eq!(trigger.due(ms(5_000)), Due::In(ms(400)));
        assert_eq!(trigger.due(ms(5_400)), Due::Now);
    }

    #[test]
    fn failures_are_tried_again_at_growing_distance_up_to_the_interval() {
        let mut trigger = trigger(1_500, 0, None);
        for (number, wait) in [(1, 500), (2, 1_000), (3, 1_500), (4, 1_500)] {
            trigger.begun(ms(3_000));
            assert_eq!(trigger.failed(ms(3_000)), Failure::GoOn(number));
            assert_eq!(trigger.due(ms(3_000)), Due::In(ms(wait)));
        }
        trigger.begun(ms(9_000));
        trigger.completed(ms(9_000));
        assert_eq!(trigger.due(ms(9_000)), Due::In(ms(1_500)), "a success ends the row");
    }

    #[test]
    fn the_job_fails_at_the_given_number_of_failures_in_a_row() {
        let mut trigger = trigger(1_000, 0, Some(2));
        assert_eq!(trigger.failed(ms(2_000)), Failure::GoOn(1));
        trigger.completed(ms(3_000));
        assert_eq!(trigger.failed(ms(4_000)), Failure::GoOn(1));
        assert_eq!(trigger.failed(ms(5_000)), Failure::FailJob(2));
    }

    #[test]
    fn no_number_of_failures_overflows() {
        let mut trigger = trigger(60_000, 0, None);
        trigger.failures = u32::MAX;
        assert_eq!(trigger.failed(ms(0)), Failure::GoOn(u32::MAX));
        assert_eq!(trigger.due(ms(0)), Due::In(ms(60_000)));
    }
}
