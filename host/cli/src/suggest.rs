//! "Did you mean": the nearest of the names that exist.

/// Edits that still count as a slip of the finger, by the length of the name.
fn edits_max(name: &str) -> usize {
    (name.chars().count() / 3).max(1)
}

/// The nearest of `known`, when it is near.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= edits_max(name))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The hint for a name that does not exist.
pub(crate) fn hint<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|near| format!("did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        assert_eq!(nearest("reedings", ["readings", "averages"]), Some("readings"));
        assert_eq!(nearest("Results", ["events", "results"]), Some("results"));
        assert_eq!(nearest("q", ["readings", "averages"]), None);
        assert_eq!(nearest("in", Vec::<&str>::new()), None);
    }
}
