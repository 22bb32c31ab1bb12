//! What becomes of a job whose runner has ended: started again after a delay, or not.
//!
//! Only a failure is answered by a start. A runner that was superseded is not started again: its successor has the job, and two
//! supervisors would take it from each other for ever. A job that was refused would be refused again.

use std::time::Duration;

/// How a runner ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The job came to its end, or was stopped.
    Done,
    /// It failed, was killed or panicked.
    Failed,
    /// Another runner has the job.
    Superseded,
    /// It could not begin as it was asked to: usage, plan, damaged checkpoints.
    Refused,
}

/// How long to wait before a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// Always as long.
    Fixed(Duration),
    /// Twice as long with each failure in a row, up to a longest.
    Exponential {
        /// After the first failure.
        first: Duration,
        /// Never longer than this.
        longest: Duration,
    },
}

/// Whether and when to start a job again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The wait before a start.
    pub delay: Delay,
    /// Starts in a row after which it is given up; 0 for no restarts, none for no end.
    pub starts_max: Option<u32>,
    /// A runner that ran this long ends the row: delay and budget begin anew.
    pub reset_after: Duration,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Start it after this long; it is the so-manieth start in a row.
    Start {
        /// The wait.
        after: Duration,
        /// From 1.
        number: u32,
    },
    /// The budget is used up, after so many starts in a row.
    GiveUp(u32),
    /// It ended in a way that a start would not mend.
    Leave,
}

/// Counts the starts of one job.
#[derive(Clone, Copy, Debug)]
pub struct Restarts {
    policy: Policy,
    in_a_row: u32,
}

impl Restarts {
    /// None so far.
    pub fn new(policy: Policy) -> Restarts {
        Restarts { policy, in_a_row: 0 }
    }

    /// What failed is known and will not come again: delay and budget begin anew.
    pub fn found(&mut self) {
        self.in_a_row = 0;
    }

    /// Decides after an end of a runner that ran for so long.
    pub fn ended(&mut self, end: End, ran: Duration) -> Next {
        if end != End::Failed {
            return Next::Leave;
        }
        if ran >= self.policy.reset_after {
            self.in_a_row = 0;
        }
        if self.policy.starts_max.is_some_and(|most| self.in_a_row >= most) {
            return Next::GiveUp(self.in_a_row);
        }
        let after = match self.policy.delay {
            Delay::Fixed(delay) => delay,
            Delay::Exponential { first, longest } => first.saturating_mul(2u32.saturating_pow(self.in_a_row)).min(longest),
        };
        self.in_a_row = self.in_a_row.saturating_add(1);
        Next::Start { after, number: self.in_a_row }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_secs(1);
    const LONG: Duration = Duration::from_secs(60);

    fn restarts(delay: Delay, starts_max: Option<u32>) -> Restarts {
        Restarts::new(Policy { delay, starts_max, reset_after: LONG })
    }

    fn waits(restarts: &mut Restarts, count: usize) -> Vec<u64> {
        let mut wait = || match restarts.ended(End::Failed, SHORT) {
            Next::Start { after, .. } => after.as_secs(),
            other => panic!("{other:?}"),
        };
        (0..count).map(|_| wait()).collect()
    }

    #[test]
    fn an_exponential_delay_grows_to_the_longest_and_falls_back_after_a_long_run() {
        let delay = Delay::Exponential { first: Duration::from_secs(1), longest: Duration::from_secs(10) };
        let mut restarts = restarts(delay, None);
        assert_eq!(waits(&mut restarts, 6), [1, 2, 4, 8, 10, 10]);
        assert_eq!(restarts.ended(End::Failed, LONG), Next::Start { after: Duration::from_secs(1), number: 1 });
        restarts.in_a_row = u32::MAX;
        assert_eq!(restarts.ended(End::Failed, SHORT), Next::Start { after: Duration::from_secs(10), number: u32::MAX });
    }

    #[test]
    fn the_budget_counts_starts_in_a_row() {
        let mut restarts = restarts(Delay::Fixed(Duration::from_secs(3)), Some(2));
        assert_eq!(waits(&mut restarts, 2), [3, 3]);
        assert_eq!(restarts.ended(End::Failed, LONG - SHORT), Next::GiveUp(2));
        assert_eq!(restarts.ended(End::Failed, LONG), Next::Start { after: Duration::from_secs(3), number: 1 });
    }

    #[test]
    fn a_cause_that_was_found_begins_the_count_anew() {
        let mut restarts = restarts(Delay::Fixed(SHORT), Some(1));
        assert_eq!(waits(&mut restarts, 1), [1]);
        restarts.found();
        assert_eq!(waits(&mut restarts, 1), [1]);
        assert_eq!(restarts.ended(End::Failed, SHORT), Next::GiveUp(1));
        let mut none = Restarts::new(Policy { delay: Delay::Fixed(SHORT), starts_max: Some(0), reset_after: LONG });
        none.found();
        assert_eq!(none.ended(End::Failed, SHORT), Next::GiveUp(0), "without restarts there is none for this either");
    }

    #[test]
    fn no_budget_is_no_restart() {
        let mut restarts = restarts(Delay::Fixed(SHORT), Some(0));
        assert_eq!(restarts.ended(End::Failed, LONG), Next::GiveUp(0));
    }

    #[test]
    fn only_a_failure_is_answered_by_a_start() {
        let mut restarts = restarts(Delay::Fixed(SHORT), None);
        for end in [End::Done, End::Superseded, End::Refused] {
            assert_eq!(restarts.ended(end, SHORT), Next::Leave);
        }
        assert_eq!(restarts.ended(End::Failed, SHORT), Next::Start { after: SHORT, number: 1 });
    }
}
