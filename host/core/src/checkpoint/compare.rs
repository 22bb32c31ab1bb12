//! Whether a job can go on from a checkpoint: what it keeps today against what was saved (semantics.md #49).
//!
//! Operators are found by name. New operators and new columns begin empty. State that nobody takes is left behind only when that
//! was asked for; a column of another type, another key or another kind of operator is never guessed at. Of a piece of state whose columns
//! the component says it can turn into today's, nothing is dropped or refused (decisions/0008). When state was written is no part of what it
//! is: a time-to-live may come and go (decisions/0012).

use std::collections::HashMap;

use crate::plan::STAMPS;
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
    /// Columns that one piece of its state had and that its component turns into today's.
    pub migrates: Vec<Schema>,
}

/// What stands between a job and a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// State that nobody takes any more: an operator, or columns of it. May be left behind.
    Dropped(String),
    /// State that cannot be taken.
    Incompatible(String),
    /// State that the component turns into today's: nothing stands between, but it is said.
    Migrated(String),
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
    // Older checkpoints do not say of what columns a join was.
    let is_same = saved.kind == now.kind || now.kind.strip_prefix(&*saved.kind).is_some_and(|rest| rest.starts_with(" of "));
    if !is_same {
        problems.push(Problem::Incompatible(format!("operator {name:?} was a {} and is a {} now", saved.kind, now.kind)));
        return;
    }
    if saved.key != now.key {
        let text = |key: &Option<Schema>| key.as_ref().map_or_else(|| "none".to_owned(), Schema::to_string);
        problems.push(Problem::Incompatible(format!("operator {name:?} had the key {} and has {} now", text(&saved.key), text(&now.key))));
        return;
    }
    let (Some(before), Some(after)) = (&saved.state, &now.state) else { return };
    let migrated = migrated(before, after, &now.migrates);
    for piece in &migrated {
        let text = format!("state {piece:?} of operator {name:?}: its columns were {} and are {}", of(before, piece), of(after, piece));
        problems.push(Problem::Migrated(text));
    }
    for field in before.fields().iter().filter(|field| !migrated.contains(&piece(&field.name))) {
        match after.index_of(&field.name).map(|index| &after.fields()[index]) {
            Some(same) if same.ty == field.ty => {}
            Some(other) => problems.push(Problem::Incompatible(format!(
                "state {:?} of operator {name:?} was {} and is {} now: its state was {before} and is {after}",
                field.name,
                field.ty.name(),
                other.ty.name()
            ))),
            None if is_stamp(&field.name) && !of(after, piece(&field.name)).fields().is_empty() => {}
            None => problems.push(Problem::Dropped(format!("state {:?} of operator {name:?} is not in the plan any more", field.name))),
        }
    }
}

/// The pieces of state whose saved columns are not today's and stand among those that the component migrates.
pub fn migrated<'s>(saved: &'s Schema, now: &Schema, migrates: &[Schema]) -> Vec<&'s str> {
    let mut pieces: Vec<&str> = saved.fields().iter().map(|field| piece(&field.name)).collect();
    pieces.dedup();
    pieces.retain(|piece| {
        let before = of(saved, piece);
        before != of(now, piece) && migrates.contains(&before)
    });
    pieces
}

/// The piece of state that a column of an exported block belongs to: what stands before the first dot.
fn piece(column: &str) -> &str {
    column.split_once('.').map_or(column, |(piece, _)| piece)
}

/// Whether a column holds when state was written.
fn is_stamp(column: &str) -> bool {
    column.split_once('.').is_some_and(|(_, name)| STAMPS.contains(&name))
}

/// The columns of one piece, without those that say when it was written.
fn of(schema: &Schema, name: &str) -> Schema {
    let fields = schema.fields().iter().filter(|field| piece(&field.name) == name && !is_stamp(&field.name)).cloned();
    Schema::new(fields.collect()).expect("a part of a schema has unique names too")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn kept(name: &str, kind: &str, key: &str, state: &str) -> Kept {
        let (key, state) = (Some(key.parse().unwrap()), Some(state.parse().unwrap()));
        Kept { name: name.to_owned(), kind: kind.to_owned(), key, state, migrates: Vec::new() }
    }

    #[test]
    fn what_the_component_migrates_is_no_problem_and_everything_else_still_is() {
        let saved = [kept("a", "process", "k:i64", "n.x:i64?,n.y:i64?,m.z:string?")];
        let mut now = kept("a", "process", "k:i64", "n.sum:f64?,m.z:i64?");
        let text = |problem: &Problem| match problem {
            Problem::Dropped(text) => format!("dropped {text}"),
            Problem::Incompatible(text) => format!("incompatible {text}"),
            Problem::Migrated(text) => format!("migrated {text}"),
        };
        let texts = |now: &Kept| compare(&saved, std::slice::from_ref(now)).iter().map(text).collect::<Vec<_>>();
        // Another older version is not this one.
        now.migrates = vec!["n.x:i64?".parse().unwrap()];
        assert_eq!(texts(&now).iter().filter(|text| text.starts_with("migrated")).count(), 0, "{:?}", texts(&now));
        now.migrates.push("n.x:i64?,n.y:i64?".parse().unwrap());
        let found = texts(&now);
        assert!(
            matches!(found.as_slice(), [migrated, wrong]
            if migrated.starts_with("migrated") && migrated.contains("n.x:i64?,n.y:i64? and are n.sum:f64?") && wrong.contains("\"m.z\"")),
            "{found:?}"
        );
        // Nothing is asked of the component where the columns are today's.
        assert_eq!(migrated(now.state.as_ref().unwrap(), now.state.as_ref().unwrap(), &now.migrates), [""; 0]);
    }

    #[test]
    fn a_time_to_live_comes_and_goes() {
        let (forever, expiring) = ("n.x:i64?,m.y:string?", "n.x:i64?,n.$event:i64?,n.$processing:i64?,m.y:string?");
        for (before, after) in [(forever, expiring), (expiring, forever)] {
            assert_eq!(compare(&[kept("a", "process", "k:i64", before)], &[kept("a", "process", "k:i64", after)]), []);
        }
        let gone = compare(&[kept("a", "process", "k:i64", expiring)], &[kept("a", "process", "k:i64", "m.y:string?")]);
        assert!(matches!(gone.as_slice(), [Problem::Dropped(value), ..] if value.contains("n.x")), "{gone:?}");
        let older: Schema = "n.x:i64?".parse().unwrap();
        let (saved, now): (Schema, Schema) = (expiring.parse().unwrap(), "n.sum:f64?,n.$event:i64?,n.$processing:i64?".parse().unwrap());
        assert_eq!(migrated(&saved, &now, &[older]), ["n"], "stamps are no part of what is migrated");
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
    fn a_join_of_before_columns_were_noted_goes_on() {
        let saved = [kept("j", "interval_join", "k:i64", "")];
        assert_eq!(compare(&saved, &[kept("j", "interval_join of k:i64 and k:i64", "k:i64", "")]), []);
    }

    #[test]
    fn another_type_key_or_kind_is_never_guessed_at() {
        let saved = [kept("a", "process", "k:i64", "n.x:i64?")];
        for now in [
            kept("a", "process", "k:i64", "n.x:f64?"),
            kept("a", "process", "k:string", "n.x:i64?"),
            kept("a", "window", "k:i64", "n.x:i64?"),
            kept("a", "processing of k:i64", "k:i64", "n.x:i64?"),
        ] {
            let problems = compare(&saved, &[now]);
            assert!(matches!(problems.as_slice(), [Problem::Incompatible(_)]), "{problems:?}");
        }
    }
}
