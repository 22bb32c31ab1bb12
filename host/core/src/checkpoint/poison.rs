//! A record at which user code traps again after every start: how it is found, and what becomes of it.
//!
//! A trap ends the instance, and with it all state since the last checkpoint, so the job is started again. It does not say at which
//! record of a block it came, unless the component could tell. Therefore the next runner feeds the suspected operator one record a call,
//! until it has passed the place: if it traps once more the record is the one in flight. At its **second trap** a record is set
//! aside or the job fails, as its operator chose. A passed **deadline** is never blamed on a record for good, since it depends on the
//! machine; after three at one record the job fails.
//!
//! A record is known by the operator that it came to, the input and its content. All records of one content share its fate while the
//! supervisor lives; what it knew is found out again by its successor.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::block::Block;
use crate::connect::OnError;
use crate::key;

/// Traps at one record after which it is set aside.
const TRAPS: u32 = 2;
/// Deadlines passed at one record after which the job fails.
const DEADLINES: u32 = 3;
/// Contents that are set aside at most: with more of them it is the function that is wrong, not the records. They travel in an
/// environment variable, which may have 128 KiB.
const CONDEMNED_MAX: usize = 64;
/// Bytes of a reason and of a shown record that are kept here.
const TEXT_MAX: usize = 512;

/// What ended the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The code trapped.
    Trap,
    /// It was stopped because it took too long.
    Deadline,
}

/// The call in which a runner ended, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// The operator that was given the record: the first of its chain.
    pub entry: String,
    /// The export that was called: `process`, `trigger`, `apply`, `on-timer` or `fire`.
    pub call: String,
    /// The input the record came on.
    pub input: u32,
    /// The record's [`content`], where it is known which one it was.
    pub content: Option<u64>,
    /// The member of the chain that trapped, as far as that is known.
    pub operator: String,
    /// What that member does with a bad record.
    pub on_error: OnError,
    /// What happened.
    pub kind: Kind,
    /// What was said.
    pub reason: String,
    /// The record in words.
    pub record: Option<String>,
    /// Records the entry had been given by then since the start.
    pub seen: u64,
}

impl Suspect {
    /// Whether another end may have come from the same record.
    fn may_be(&self, later: &Suspect) -> bool {
        (self.kind, &self.entry, &self.call, self.input) == (later.kind, &later.entry, &later.call, later.input)
            && (self.content.is_none() || self.content == later.content)
    }

    /// The record in words, for a message.
    fn shown(&self) -> String {
        let record = self.record.as_deref().map(|record| format!("\n  record: {record}")).unwrap_or_default();
        format!("operator {:?}: {}{record}", self.operator, self.reason)
    }
}

/// What a runner has to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watchlist {
    /// Where the last runner ended: its entry is fed one record a call until it has passed the place.
    pub suspect: Option<Suspect>,
    /// Records to set aside.
    pub condemned: Vec<Suspect>,
}

/// What an end means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Start again and watch.
    Watch,
    /// Start again: the record is known and will be set aside. This text says which.
    SetAside(String),
    /// The job fails, and this is why.
    Fail(String),
}

/// Looks for the record at which a job ends again and again.
#[derive(Debug, Default)]
pub struct Hunt {
    list: Watchlist,
    /// Ends that may have come from the suspect.
    ends: u32,
}

impl Hunt {
    /// What the next runner has to watch.
    pub fn watchlist(&self) -> &Watchlist {
        &self.list
    }

    /// A runner ended in a call of user code.
    pub fn ended(&mut self, mut suspect: Suspect) -> Verdict {
        suspect.reason = cut(suspect.reason);
        suspect.record = suspect.record.map(cut);
        self.ends = if self.list.suspect.as_ref().is_some_and(|before| before.may_be(&suspect)) { self.ends + 1 } else { 1 };
        let shown = suspect.shown();
        let known = suspect.content.is_some();
        match (suspect.kind, suspect.on_error) {
            (Kind::Deadline, _) if known && self.ends >= DEADLINES => {
                Verdict::Fail(format!("it was stopped {} times at the same record, {shown}", self.ends))
            }
            (Kind::Trap, _) if known && self.list.condemned.iter().any(|one| one.may_be(&suspect)) => {
                Verdict::Fail(format!("it trapped at a record that had been set aside: {shown}"))
            }
            (Kind::Trap, OnError::Fail) if known && self.ends >= TRAPS => {
                Verdict::Fail(format!("it trapped {} times at the same record, and its on-error is to fail: {shown}", self.ends))
            }
            (Kind::Trap, _) if known && self.ends >= TRAPS && self.list.condemned.len() >= CONDEMNED_MAX => Verdict::Fail(format!(
                "{CONDEMNED_MAX} records at which it traps have been set aside already, and there is another one, {shown}"
            )),
            (Kind::Trap, _) if known && self.ends >= TRAPS => {
                (self.ends, self.list.suspect) = (0, None);
                self.list.condemned.push(Suspect { record: None, ..suspect });
                Verdict::SetAside(shown)
            }
            _ => {
                self.list.suspect = Some(suspect);
                Verdict::Watch
            }
        }
    }
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT_MAX {
        text.truncate(text.floor_char_boundary(TEXT_MAX));
        text.push('…');
    }
    text
}

/// The content of a record as a number: its event time and all its values, in the encoding that keys have. The same in every release
/// and on every machine.
pub fn content(block: &Block, row: usize) -> u64 {
    let mut bytes = block.time(row).to_le_bytes().to_vec();
    for index in 0..block.columns() {
        key::encode(block.column(index).value(row), true, &mut bytes);
    }
    xxh3_64(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suspect(content: Option<u64>, on_error: OnError) -> Suspect {
        Suspect {
            entry: "sums".to_owned(),
            call: "process".to_owned(),
            input: 0,
            content,
            operator: "sums".to_owned(),
            on_error,
            kind: Kind::Trap,
            reason: "unreachable".to_owned(),
            record: content.map(|n| format!("n={n}")),
            seen: 7,
        }
    }

    #[test]
    fn a_record_is_set_aside_at_its_second_trap() {
        for first in [None, Some(13)] {
            let mut hunt = Hunt::default();
            assert_eq!(hunt.ended(suspect(first, OnError::DeadLetter)), Verdict::Watch);
            assert_eq!(hunt.watchlist().suspect, Some(suspect(first, OnError::DeadLetter)));
            let said = hunt.ended(suspect(Some(13), OnError::DeadLetter));
            assert_eq!(said, Verdict::SetAside("operator \"sums\": unreachable\n  record: n=13".to_owned()));
            let condemned = Suspect { record: None, ..suspect(Some(13), OnError::DeadLetter) };
            assert_eq!(*hunt.watchlist(), Watchlist { suspect: None, condemned: vec![condemned] });
        }
    }

    #[test]
    fn a_record_that_was_set_aside_and_came_all_the_same_ends_the_job() {
        let mut hunt = Hunt::default();
        assert_eq!(hunt.ended(suspect(Some(13), OnError::DeadLetter)), Verdict::Watch);
        assert!(matches!(hunt.ended(suspect(Some(13), OnError::DeadLetter)), Verdict::SetAside(_)));
        let Verdict::Fail(text) = hunt.ended(suspect(Some(13), OnError::DeadLetter)) else { panic!("it fails") };
        assert!(text.contains("had been set aside") && text.ends_with("record: n=13"), "{text}");
    }

    #[test]
    fn what_trapped_once_is_not_what_trapped_twice() {
        let mut hunt = Hunt::default();
        for content in [Some(1), Some(2), Some(1), None, None] {
            assert_eq!(hunt.ended(suspect(content, OnError::Skip)), Verdict::Watch, "{content:?}");
        }
        assert!(hunt.watchlist().condemned.is_empty());
        let elsewhere = |change: fn(&mut Suspect)| {
            let mut other = suspect(Some(1), OnError::Skip);
            change(&mut other);
            other
        };
        let changes: [fn(&mut Suspect); 4] =
            [|s| s.input = 1, |s| s.entry = "b".to_owned(), |s| s.call = "fire".to_owned(), |s| s.kind = Kind::Deadline];
        for change in changes {
            let mut hunt = Hunt::default();
            assert_eq!(hunt.ended(suspect(Some(1), OnError::Fail)), Verdict::Watch);
            assert_eq!(hunt.ended(elsewhere(change)), Verdict::Watch);
        }
    }

    #[test]
    fn where_the_operator_fails_the_job_does_and_names_the_record() {
        let mut hunt = Hunt::default();
        assert_eq!(hunt.ended(suspect(Some(13), OnError::Fail)), Verdict::Watch);
        let Verdict::Fail(text) = hunt.ended(suspect(Some(13), OnError::Fail)) else { panic!("it fails") };
        assert!(text.contains("trapped 2 times") && text.ends_with("record: n=13"), "{text}");
    }

    #[test]
    fn a_deadline_is_tried_three_times_and_never_sets_aside() {
        let slow = |content| Suspect { kind: Kind::Deadline, ..suspect(content, OnError::Skip) };
        let mut hunt = Hunt::default();
        assert_eq!([hunt.ended(slow(None)), hunt.ended(slow(Some(13)))], [Verdict::Watch, Verdict::Watch]);
        let Verdict::Fail(text) = hunt.ended(slow(Some(13))) else { panic!("it fails") };
        assert!(text.contains("stopped 3 times"), "{text}");
        assert!(hunt.watchlist().condemned.is_empty());
    }

    #[test]
    fn there_is_an_end_to_setting_aside() {
        let mut hunt = Hunt::default();
        let long = |n: u64| Suspect { reason: "\"".repeat(2 * TEXT_MAX), ..suspect(Some(n), OnError::Skip) };
        for n in 0..CONDEMNED_MAX as u64 {
            assert_eq!(hunt.ended(long(n)), Verdict::Watch);
            assert!(matches!(hunt.ended(long(n)), Verdict::SetAside(_)));
        }
        assert!(serde_json::to_string(hunt.watchlist()).expect("a list is JSON").len() < 120 << 10, "it fits a variable");
        assert_eq!(hunt.ended(long(1000)), Verdict::Watch);
        assert!(matches!(hunt.ended(long(1000)), Verdict::Fail(_)));
    }

    #[test]
    fn contents_are_equal_when_times_and_values_are() {
        let schema = "n:i64?,s:string".parse().expect("a schema");
        let mut builder = crate::block::Builder::new(&schema);
        for (time, n, s) in [(1, Some(2), "a"), (1, Some(2), "a"), (2, Some(2), "a"), (1, None, "a"), (1, Some(2), "b")] {
            builder.push_time(time);
            match n {
                Some(n) => builder.column(0).push_i64(n),
                None => builder.column(0).push_absent(),
            }
            builder.column(1).push_str(s);
        }
        let block = builder.finish().expect("rows");
        let contents: Vec<u64> = (0..block.rows()).map(|row| content(&block, row)).collect();
        assert_eq!(contents[0], contents[1]);
        assert!(contents[2..].iter().all(|other| *other != contents[0]), "{contents:?}");
        assert_eq!(contents[0], 5_332_388_674_017_419_657, "the number of today is that of every release");
    }
}
