//! [`Group`] against what it says of itself, over any order in which its members speak.
#![allow(clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;
use tidemill_core::align::Group;
use tidemill_core::{TIME_MAX, TIME_MIN, TimeMs};

fn said() -> impl Strategy<Value = Option<TimeMs>> {
    prop_oneof![Just(None), Just(Some(TIME_MIN)), Just(Some(TIME_MAX)), (-50i64..50).prop_map(Some), any::<i64>().prop_map(Some)]
}

proptest! {
    #[test]
    fn the_slowest_that_counts_never_waits_and_who_waits_is_far_ahead(
        members in 1usize..5, says in vec((0usize..5, said()), 0..20), max_drift_ms in prop_oneof![1i64..100, Just(i64::MAX)],
    ) {
        let mut group = Group::new(members);
        let mut last = vec![Some(TIME_MIN); members];
        for (member, watermark) in says.into_iter().map(|(member, watermark)| (member % members, watermark)) {
            group.say(member, watermark);
            last[member] = watermark.filter(|watermark| *watermark < TIME_MAX);
            let limit = group.limit(max_drift_ms);
            let counts: Vec<TimeMs> = last.iter().flatten().copied().collect();
            for watermark in &counts {
                let ahead = counts.iter().map(|other| i128::from(*watermark) - i128::from(*other)).max().unwrap();
                prop_assert_eq!(*watermark > limit, ahead > i128::from(max_drift_ms), "{} of {:?}", watermark, counts);
            }
            prop_assert!(counts.is_empty() || counts.iter().any(|watermark| *watermark <= limit), "somebody goes on");
            prop_assert!(!counts.is_empty() || limit == TIME_MAX, "nobody is waited for");
        }
    }
}
