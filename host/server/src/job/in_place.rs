//! Whether a version can take the place of another while the job runs, as far as the server can tell. The runner looks at the plans.

use super::record::{Next, Record, Version};

/// What keeps the version that waits from that; none where it may be tried.
pub(super) fn obstacle(record: &Record, next: &Next) -> Option<&'static str> {
    let (now, new) = (&record.version, &next.version);
    if now.bindings != new.bindings {
        return Some("its bindings differ");
    }
    if now.components.keys().ne(new.components.keys()) || now.wires != new.wires {
        return Some("its components or their wires differ");
    }
    if (now.parallelism, now.workers) != (new.parallelism, new.workers) {
        return Some("its parallelism differs");
    }
    if new.hold_ms > 0 {
        return Some("its state differs");
    }
    let limits = |version: &Version| (version.instance_bytes, version.meter, version.batch, version.idle_timeout_ms);
    if limits(now) != limits(new) || now.checkpoint_interval_ms != new.checkpoint_interval_ms {
        return Some("its limits differ");
    }
    (record.probation.is_some() && now.hold_ms > 0).then_some("the version before is on probation and takes no checkpoint")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::record::Probation;
    use super::super::record::tests::{record, version};
    use super::*;
    use crate::id::Digest;

    fn next(change: impl FnOnce(&mut Version)) -> Next {
        let mut version = version(2, 1);
        change(&mut version);
        Next { version, probation_ms: 0, errors_max: None }
    }

    #[test]
    fn other_code_and_other_arguments_are_exchanged() {
        let other: Digest = "b".repeat(64).parse().unwrap();
        assert_eq!(obstacle(&record(), &next(|version| version.component = other)), None);
        assert_eq!(obstacle(&record(), &next(|version| version.args = BTreeMap::from([("a".to_owned(), "1".to_owned())]))), None);
        assert_eq!(obstacle(&record(), &next(|version| version.allow_dropped_state = true)), None);
    }

    #[test]
    fn what_a_process_is_begun_with_is_not() {
        let of = |change: fn(&mut Version)| obstacle(&record(), &next(change));
        assert_eq!(of(|version| drop(version.bindings.insert("in".to_owned(), "file:a".to_owned()))), Some("its bindings differ"));
        assert_eq!(of(|version| version.workers = 2), Some("its parallelism differs"));
        let wires = "its components or their wires differ";
        assert_eq!(of(|version| drop(version.components.insert("a".to_owned(), version.component.clone()))), Some(wires));
        assert_eq!(of(|version| drop(version.wires.insert("b.in".to_owned(), "a.out".to_owned()))), Some(wires));
        assert_eq!(of(|version| version.parallelism = None), Some("its parallelism differs"));
        assert_eq!(of(|version| version.hold_ms = 1), Some("its state differs"));
        for change in [
            (|version| version.instance_bytes += 1) as fn(&mut Version),
            |version| version.meter = true,
            |version| version.batch = true,
            |version| version.idle_timeout_ms = Some(1),
            |version| version.checkpoint_interval_ms += 1,
        ] {
            assert_eq!(of(change), Some("its limits differ"));
        }
    }

    #[test]
    fn a_version_that_takes_no_checkpoint_is_not_left_at_one() {
        let mut held = record();
        held.version.hold_ms = 5;
        assert_eq!(obstacle(&held, &next(|_| {})), None, "its probation is over");
        held.probation = Some(Probation { until_ms: 9, before: Box::new(version(1, 1)), errors_max: None, lost_before: 0 });
        assert!(obstacle(&held, &next(|_| {})).is_some());
    }
}
