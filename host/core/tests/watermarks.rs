//! [`Merge`] and [`of_splits`] against models that keep the whole history and look at it afresh at every step (semantics.md #1, #2).

use proptest::collection::vec;
use proptest::prelude::*;
use tidemill_core::connect::SplitTime;
use tidemill_core::plan::Watermarks;
use tidemill_core::watermark::{Advance, Merge, of_splits};
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};

/// What a sender says: a watermark, or `None` for "I am idle".
type Said = Option<TimeMs>;

/// Everything that was said, with the output before it was said.
#[derive(Default)]
struct History {
    said: Vec<(usize, Said, TimeMs)>,
}

impl History {
    fn of(&self, sender: usize) -> impl DoubleEndedIterator<Item = (Said, TimeMs)> + '_ {
        self.said.iter().filter(move |(s, ..)| *s == sender).map(|(_, said, output)| (*said, *output))
    }

    /// The greatest watermark that a sender ever said: falling ones do not count.
    fn watermark(&self, sender: usize) -> TimeMs {
        self.of(sender).filter_map(|(said, _)| said).max().unwrap_or(TIME_MIN)
    }

    fn idle(&self, sender: usize) -> bool {
        matches!(self.of(sender).last(), Some((None, _)))
    }

    /// Whether a sender takes part in the minimum: it has never been idle, or since it last was its watermark was
    /// at or past the output at the time.
    fn counts(&self, sender: usize) -> bool {
        let all: Vec<_> = self.of(sender).collect();
        let Some(idle_at) = all.iter().rposition(|(said, _)| said.is_none()) else { return true };
        (idle_at + 1..all.len()).any(|i| {
            let reached = all[..=i].iter().filter_map(|(said, _)| *said).max();
            reached.is_some_and(|w| w >= all[i].1)
        })
    }

    fn output(&self, senders: usize, before: TimeMs) -> TimeMs {
        let now = match (0..senders).all(|s| self.idle(s)) {
            true => (0..senders).map(|s| self.watermark(s)).max(),
            false => (0..senders).filter(|s| self.counts(*s)).map(|s| self.watermark(s)).min(),
        };
        now.map_or(before, |w| w.max(before))
    }
}

fn times() -> impl Strategy<Value = TimeMs> {
    prop_oneof![8 => -10i64..40, 1 => Just(TIME_MAX), 1 => Just(TIME_MIN)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn merging_is_the_minimum_over_active_senders(
        senders in 1usize..5, events in vec((0usize..5, prop_oneof![3 => times().prop_map(Some), 1 => Just(None)]), 0..60),
    ) {
        let (mut merge, mut history) = (Merge::new(senders), History::default());
        let (mut output, mut all_idle) = (TIME_MIN, false);
        for (sender, said) in events {
            let sender = sender % senders;
            let advance = match said {
                Some(watermark) => merge.watermark(sender, watermark),
                None => merge.idle(sender),
            };
            history.said.push((sender, said, output));
            let now = history.output(senders, output);
            let idle = (0..senders).all(|s| history.idle(s));
            let expected = match (idle, all_idle) {
                (true, false) => Advance::Idle(now),
                (false, true) => Advance::To(now),
                _ if now > output => Advance::To(now),
                _ => Advance::None,
            };
            prop_assert_eq!(advance, expected);
            prop_assert_eq!((merge.output(), merge.is_idle()), (now, idle));
            let shown: Vec<_> = merge.senders().map(|said| (said.watermark, said.counted)).collect();
            let model: Vec<_> = (0..senders).map(|s| (history.watermark(s), history.counts(s))).collect();
            prop_assert_eq!(shown, model);
            (output, all_idle) = (now, idle);
        }
    }

    #[test]
    fn a_worker_is_as_far_as_its_slowest_split_that_is_awake(
        splits in vec((times(), any::<bool>(), any::<bool>()), 1..6), bound in prop_oneof![Just(None), (0i64..20).prop_map(Some)],
    ) {
        let strategy = bound.map_or(Watermarks::Monotonic, |ms| Watermarks::Bounded { ms });
        let given: Vec<SplitTime> = splits.iter().map(|(max_time, ended, _)| SplitTime { max_time: *max_time, ended: *ended }).collect();
        let mut expected = Some(TIME_MAX);
        for (max_time, _, idle) in splits.iter().filter(|(_, ended, _)| !ended) {
            if expected == Some(TIME_MAX) {
                expected = None;
            }
            if !idle {
                let own = match *max_time {
                    TIME_MIN => i128::from(TIME_MIN),
                    time => i128::from(time) - i128::from(bound.unwrap_or(0)) - 1,
                };
                let own = own.max(i128::from(TIME_MIN)) as TimeMs;
                expected = Some(expected.map_or(own, |e| e.min(own)));
            }
        }
        prop_assert_eq!(of_splits(&given, |i| strategy.after(given[i].max_time), |i| splits[i].2), expected);
    }
}
