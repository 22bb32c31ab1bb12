//! What two versions of a job write over the same input, compared. Pure.
//!
//! Workers and timers make no promise about order, so what a sink wrote is a bag of records: it is equal where every record is there as
//! often. Where it is not, the first record of each side that the other does not have is what a person looks at first.

use std::collections::HashMap;
use std::hash::Hash;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::limits::SHADOW_RECORD_BYTES_MAX;

/// What came of a shadow run: both versions read the same records, and wrote nothing that anybody sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shadow {
    /// Records read by each version.
    pub records: u64,
    /// Whether input was left when each had read as many as were asked for; else all of it was read, and every window fired.
    pub cut: bool,
    /// The sinks of both versions.
    pub sinks: Vec<ShadowSink>,
}

/// What both versions wrote to a sink.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShadowSink {
    /// The operator.
    pub operator: String,
    /// Records of the version that runs.
    pub before: u64,
    /// Records of the new one.
    pub after: u64,
    /// How they differ; none where they are the same in some order.
    pub difference: Option<Difference>,
}

/// How two bags of records differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// Records that only the version that runs wrote.
    pub missing: u64,
    /// The first of them.
    pub first_missing: Option<String>,
    /// Records that only the new one wrote.
    pub surplus: u64,
    /// The first of them.
    pub first_surplus: Option<String>,
}

/// What one version wrote, as its process says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// Records read by all sources.
    pub records: u64,
    /// Whether a source had more than were asked for.
    pub cut: bool,
    /// The sinks, each with the folder below the run's that holds what it wrote.
    pub sinks: Vec<RanSink>,
}

/// A sink of a version that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RanSink {
    /// The operator.
    pub operator: String,
    /// The folder's name.
    pub folder: String,
}

impl Shadow {
    /// Whether some sink was given other records.
    pub fn differs(&self) -> bool {
        self.sinks.iter().any(|sink| sink.difference.is_some())
    }
}

/// Compares what both wrote to a sink. The difference is empty where every record is there as often on both sides.
pub fn compare<T: Eq + Hash + ToString>(before: &[T], after: &[T]) -> Option<Difference> {
    let (missing, first_missing) = only(before, after);
    let (surplus, first_surplus) = only(after, before);
    (missing + surplus > 0).then_some(Difference { missing, first_missing, surplus, first_surplus })
}

/// How many of these the others lack, and the first.
fn only<T: Eq + Hash + ToString>(these: &[T], others: &[T]) -> (u64, Option<String>) {
    let mut left: HashMap<&T, u64> = HashMap::new();
    for other in others {
        *left.entry(other).or_default() += 1;
    }
    let (mut count, mut first) = (0, None);
    for this in these {
        match left.get_mut(this).filter(|left| **left > 0) {
            Some(left) => *left -= 1,
            None => {
                count += 1;
                first.get_or_insert_with(|| shortened(this.to_string()));
            }
        }
    }
    (count, first)
}

/// Nobody reads a record of megabytes.
fn shortened(record: String) -> String {
    match record.len() > SHADOW_RECORD_BYTES_MAX {
        true => format!("{}...", &record[..record.floor_char_boundary(SHADOW_RECORD_BYTES_MAX)]),
        false => record,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(missing: &[&str], surplus: &[&str]) -> Option<Difference> {
        let first = |these: &[&str]| these.first().map(|record| (*record).to_owned());
        let count = |these: &[&str]| these.len() as u64;
        let (first_missing, first_surplus) = (first(missing), first(surplus));
        Some(Difference { missing: count(missing), first_missing, surplus: count(surplus), first_surplus })
    }

    #[test]
    fn order_makes_no_difference() {
        assert_eq!(compare(&["a", "b", "a"], &["a", "a", "b"]), None);
        assert_eq!(compare::<&str>(&[], &[]), None);
    }

    #[test]
    fn the_first_record_of_each_side_is_shown_in_the_order_it_was_written() {
        assert_eq!(compare(&["a", "c", "b"], &["a", "y", "x"]), difference(&["c", "b"], &["y", "x"]));
        assert_eq!(compare(&["a", "b"], &["b"]), difference(&["a"], &[]));
        assert_eq!(compare(&["a"], &["a", "b"]), difference(&[], &["b"]));
    }

    #[test]
    fn how_often_a_record_was_written_counts() {
        assert_eq!(compare(&["a", "a"], &["a"]), difference(&["a"], &[]));
        assert_eq!(compare(&["a"], &["a", "a", "a"]), difference(&[], &["a", "a"]));
    }

    #[test]
    fn a_long_record_is_cut() {
        let long = "水".repeat(SHADOW_RECORD_BYTES_MAX);
        let shown = compare(&[long.as_str()], &[]).unwrap().first_missing.unwrap();
        assert!(shown.len() <= SHADOW_RECORD_BYTES_MAX + 3 && shown.ends_with("水..."), "{}", shown.len());
    }

    #[test]
    fn one_sink_that_differs_is_a_difference() {
        let sink = |difference| ShadowSink { difference, ..ShadowSink::default() };
        assert!(!Shadow { sinks: vec![sink(None)], ..Shadow::default() }.differs());
        assert!(Shadow { sinks: vec![sink(None), sink(difference(&["a"], &[]))], ..Shadow::default() }.differs());
    }
}
