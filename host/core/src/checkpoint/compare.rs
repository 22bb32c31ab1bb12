//! Whether a job can go on from a checkpoint: what it keeps today against what was saved (semantics.md #49).
//!
//! Operators are found by name. New operators and new columns begin empty. State that nobody takes is left behind only when that
//! was asked for; a column of another type, another key or another kind of operator is never guessed at.

use std::collections::HashMap;

use crate::schema::Schema;

/// What an operator keeps, then or now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The operator's name.
    pub name: String,
    /// What it is, e.g. `window`.
    pub kind: String,
    /// The fields of its key.
    pub key: Option<Schema>,
    /// The columns of its keyed state.
    pub state: Option<Schema>,
}

/// What stands between a job and a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// State that nobody takes any more: an operator, or columns of it. May be left behind.
    Dropped(String),
    /// State that cannot be taken.
    Incompatible(String),
}

/// Compares; empty when the job can go on.
pub fn compare(saved: &[Kept], now: &[Kept]) -> Vec<Problem> {
    let by_name: HashMap<&str, &Kept> = now.iter().map(|kept| (kept.name.as_str(), kept)).collect();
    let mut problems = Vec::new();
    for saved in saved.iter().filter(|saved| saved.state.is_some()) {
        match by_name.get(saved.name.as_str()) {
            Some(now) => operator(saved, now, &mut problems),
            None => problems.push(Problem::Dropped(format!("operator {:?} ({}) is not in the plan any more", saved.name, saved.kind))),
        }
    }
    problems
}

fn operator(saved: &Kept, now: &Kept, problems: &mut Vec<Problem>) {
    let name = &saved.name;
    if saved.kind != now.kind {
        problems.push(Problem::Incompatible(format!("operator {name:?} was a {} and is a {} now", saved.kind, now.kind)));
        return;
    }
    if saved.key != now.key {
        let text = |key: &Option<Schema>| key.as_ref().map_or_else(|| "none".to_owned(), Schema::to_string);
        problems.push(Problem::Incompatible(format!("operator {name:?} had the key {} and has {} now", text(&saved.key), text(&now.key))));
        return;
    }
    let (Some(before), Some(after)) = (&saved.state, &now.state) else { return };
    for field in before.fields() {
        match after.index_of(&field.name).map(|index| &after.fields()[index]) {
            Some(same) if same.ty == field.ty => {}
            Some(other) => problems.push(Problem::Incompatible(format!(
                "state {:?} of operator {name:?} was {} and is {} now: its state was {before} and is {after}",
                field.name,
                field.ty.name(),
                other.ty.name()
            ))),
            None => problems.push(Problem::Dropped(format!("state {:?} of operator {name:?} is not in the plan any more", field.name))),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn kept(name: &str, kind: &str, key: &str, state: &str) -> Kept {
        Kept { name: name.to_owned(), kind: kind.to_owned(), key: Some(key.parse().unwrap()), state: Some(state.parse().unwrap()) }
    }

    #[test]
    fn new_operators_and_columns_begin_empty() {
        let saved = [kept("a", "process", "k:i64", "n.x:i64?")];
        let now = [kept("a", "process", "k:i64", "n.x:i64?,m.y:string?"), kept("b", "window", "k:i64", "acc.n:i64?")];
        assert_eq!(compare(&saved, &now), []);
    }

    #[test]
    fn what_nobody_takes_is_named() {
        let saved = [kept("a", "process", "k:i64", "n.x:i64?,m.y:i64?"), kept("gone", "window", "k:i64", "acc.n:i64?")];
        let problems = compare(&saved, &[kept("a", "process", "k:i64", "n.x:i64?")]);
        assert!(
            matches!(problems.as_slice(), [Problem::Dropped(column), Problem::Dropped(operator)]
            if column.contains("m.y") && operator.contains("gone")),
            "{problems:?}"
        );
    }

    #[test]
    fn another_type_key_or_kind_is_never_guessed_at() {
        let saved = [kept("a", "process", "k:i64", "n.x:i64?")];
        for now in [
            kept("a", "process", "k:i64", "n.x:f64?"),
            kept("a", "process", "k:string", "n.x:i64?"),
            kept("a", "window", "k:i64", "n.x:i64?"),
        ] {
            let problems = compare(&saved, &[now]);
            assert!(matches!(problems.as_slice(), [Problem::Incompatible(_)]), "{problems:?}");
        }
    }
}
