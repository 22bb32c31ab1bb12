//! How two versions of a job differ: operators, and the state that the new one would go on from. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemill_core::checkpoint::compare::{self, Problem};
use utoipa::ToSchema;

use crate::error::{Code, Error};
use crate::examined::{Keeps, Planned};

/// How the versions differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Comparison {
    /// Operators of both.
    pub kept: Vec<String>,
    /// Operators of the new one only.
    pub added: Vec<String>,
    /// Operators of the old one only.
    pub removed: Vec<String>,
    /// Operators that keep state, in either.
    pub state: Vec<StateChange>,
}

/// What becomes of the state of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StateChange {
    /// The operator.
    pub operator: String,
    /// What becomes of it.
    pub verdict: StateVerdict,
    /// Key and columns before, e.g. `key id:i64 state n:i64`.
    pub before: Option<String>,
    /// Key and columns after.
    pub after: Option<String>,
    /// What does not fit, one line each.
    pub problems: Vec<String>,
}

/// What becomes of state, the more troublesome later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StateVerdict {
    /// It is taken over as it is.
    Same,
    /// It is taken over; columns or whole operators that are new begin empty.
    Compatible,
    /// It is taken over, and the new version turns some of it into what it keeps today.
    Migrated,
    /// Some of it has no place in the new version and is left behind where that is allowed.
    Dropped,
    /// It cannot be taken over.
    Refused,
}

/// Compares two versions.
pub(crate) fn compare(before: &Planned, after: &Planned) -> Comparison {
    let operators = |planned: &Planned| planned.operators.iter().map(|o| (o.name.clone(), o.kind.clone())).collect::<BTreeMap<_, _>>();
    let (old, new) = (operators(before), operators(after));
    let names = |these: &BTreeMap<String, String>, held: &dyn Fn(&str) -> bool| {
        these.keys().filter(|name| held(name)).cloned().collect::<Vec<String>>()
    };
    let state =
        |planned: &Planned| planned.keeps.iter().filter(|keeps| keeps.state.is_some()).map(|k| (k.name.clone(), k.clone())).collect();
    let (was, is): (BTreeMap<String, Keeps>, BTreeMap<String, Keeps>) = (state(before), state(after));
    let all: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    Comparison {
        kept: names(&new, &|name| old.contains_key(name)),
        added: names(&new, &|name| !old.contains_key(name)),
        removed: names(&old, &|name| !new.contains_key(name)),
        state: all.into_iter().map(|name| change(name, was.get(name), is.get(name))).collect(),
    }
}

fn change(operator: &str, before: Option<&Keeps>, after: Option<&Keeps>) -> StateChange {
    let kept = |keeps: Option<&Keeps>| keeps.and_then(Keeps::kept).into_iter().collect::<Vec<_>>();
    // What the new version could migrate makes no difference to what it keeps.
    let columns = |keeps: Option<&Keeps>| keeps.map(|keeps| (keeps.kind.clone(), keeps.key.clone(), keeps.state.clone()));
    let same = columns(before) == columns(after);
    let (mut problems, mut verdict) = (Vec::new(), if same { StateVerdict::Same } else { StateVerdict::Compatible });
    for problem in compare::compare(&kept(before), &kept(after)) {
        let (text, of) = match problem {
            Problem::Migrated(text) => (text, StateVerdict::Migrated),
            Problem::Dropped(text) => (text, StateVerdict::Dropped),
            Problem::Incompatible(text) => (text, StateVerdict::Refused),
        };
        problems.push(text);
        verdict = verdict.max(of);
    }
    StateChange { operator: operator.to_owned(), verdict, before: before.map(shown), after: after.map(shown), problems }
}

fn shown(keeps: &Keeps) -> String {
    let part = |word: &str, text: &Option<String>| text.as_ref().map(|text| format!(" {word} {text}")).unwrap_or_default();
    format!("{}{}{}", keeps.kind, part("key", &keeps.key), part("state", &keeps.state))
}

impl Comparison {
    /// Whether state of the old version can be read by the new one and the other way round, without a loss.
    pub(crate) fn is_same_state(&self) -> bool {
        self.state.iter().all(|change| change.verdict == StateVerdict::Same)
    }

    /// Refuses what cannot go on.
    pub(crate) fn judge(&self, allow_dropped: bool) -> Result<(), Error> {
        let of = |verdict: StateVerdict| self.state.iter().filter(move |change| change.verdict == verdict);
        let (refused, dropped) = (of(StateVerdict::Refused).count(), of(StateVerdict::Dropped).count());
        if refused == 0 && (dropped == 0 || allow_dropped) {
            return Ok(());
        }
        let hint = match refused {
            0 => "--allow-dropped-state leaves it behind",
            _ => "keep operator names, keys and column types, let the new version migrate the state, or submit it as another job",
        };
        let lines = of(StateVerdict::Refused).chain(of(StateVerdict::Dropped).filter(|_| !allow_dropped)).flat_map(|change| {
            let side = |sign: &str, text: &Option<String>| text.as_ref().map(|text| format!("{sign} {}: {text}", change.operator));
            change.problems.iter().cloned().chain(side("-", &change.before)).chain(side("+", &change.after))
        });
        let error = Error::new(Code::SwapRefused, "the state of the job does not fit the new version").hint(hint);
        Err(lines.fold(error, Error::because))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examined::Operator;

    fn planned(operators: &[(&str, Option<&str>)]) -> Planned {
        let kind = || "process".to_owned();
        let keeps = |(name, state): &(&str, Option<&str>)| Keeps {
            name: (*name).to_owned(),
            kind: kind(),
            key: Some("id:i64".to_owned()),
            state: state.map(str::to_owned),
            migrates: vec![],
        };
        Planned {
            name: None,
            workers: 1,
            bindings: vec![],
            operators: operators.iter().map(|(name, _)| Operator { name: (*name).to_owned(), kind: kind() }).collect(),
            keeps: operators.iter().map(keeps).collect(),
            plan: serde_json::Value::Null,
            text: String::new(),
            mermaid: String::new(),
        }
    }

    fn verdicts(before: &[(&str, Option<&str>)], after: &[(&str, Option<&str>)]) -> Vec<StateVerdict> {
        compare(&planned(before), &planned(after)).state.iter().map(|change| change.verdict).collect()
    }

    #[test]
    fn operators_are_kept_added_and_removed_by_name() {
        let compared = compare(&planned(&[("a", None), ("b", None)]), &planned(&[("b", None), ("c", None)]));
        assert_eq!((compared.kept, compared.added, compared.removed), (vec!["b".to_owned()], vec!["c".to_owned()], vec!["a".to_owned()]));
    }

    #[test]
    fn state_is_the_same_or_fits_or_is_dropped_or_is_refused() {
        let before = [("a", Some("n.x:i64?"))];
        assert_eq!(verdicts(&before, &before), [StateVerdict::Same]);
        assert_eq!(verdicts(&before, &[("a", Some("n.x:i64?,m.y:i64?"))]), [StateVerdict::Compatible]);
        assert_eq!(verdicts(&[], &before), [StateVerdict::Compatible]);
        assert_eq!(verdicts(&before, &[("a", Some("m.y:i64?"))]), [StateVerdict::Dropped]);
        assert_eq!(verdicts(&before, &[("b", None)]), [StateVerdict::Dropped]);
        assert_eq!(verdicts(&before, &[("a", Some("n.x:f64?"))]), [StateVerdict::Refused]);
    }

    #[test]
    fn what_the_new_version_migrates_is_taken_over() {
        let before = planned(&[("a", Some("n.x:i64?"))]);
        let mut after = planned(&[("a", Some("n.x:f64?"))]);
        after.keeps[0].migrates.push("n.x:i64?".to_owned());
        let compared = compare(&before, &after);
        assert_eq!(compared.state[0].verdict, StateVerdict::Migrated);
        assert!(compared.judge(false).is_ok() && !compared.is_same_state());
        assert_eq!(compare(&after, &planned(&[("a", Some("n.x:f64?"))])).state[0].verdict, StateVerdict::Same);
    }

    #[test]
    fn a_refusal_shows_the_difference() {
        let compared = compare(&planned(&[("a", Some("n.x:i64?"))]), &planned(&[("a", Some("n.x:f64?"))]));
        let error = compared.judge(true).unwrap_err();
        assert_eq!(error.code, Code::SwapRefused);
        assert!(error.causes.contains(&"- a: process key id:i64 state n.x:i64?".to_owned()), "{error:?}");
        assert!(error.causes.contains(&"+ a: process key id:i64 state n.x:f64?".to_owned()), "{error:?}");
        let dropped = compare(&planned(&[("a", Some("n.x:i64?"))]), &planned(&[]));
        assert!(dropped.judge(false).is_err() && dropped.judge(true).is_ok());
    }
}
