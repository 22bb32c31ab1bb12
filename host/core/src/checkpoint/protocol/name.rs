//! The names in a checkpoint directory: built here, parsed here, nowhere else.
//!
//! | name | what |
//! |---|---|
//! | `log/00000000000000000007` | line 7 of the log |
//! | `parts/g7-c12-HASH` | a part, written by generation 7 for its checkpoint 12; HASH is the SHA-256 of its content |
//! | `savepoints/NAME` | a copy of the record of a checkpoint that is kept until somebody deletes it |
//!
//! A name says which attempt made a part, so that clean-up can tell by names alone what a running attempt may still need: whatever
//! bears a later stamp than the last completed checkpoint. Two attempts never write the same name, therefore a part that an old
//! runner deletes is never one that a new runner has just found to be there already.
//!
//! Parsing accepts what building makes and nothing else; other files in the directory are nobody's business.

use std::fmt;
use std::str::FromStr;

use crate::checkpoint::{CheckpointId, Generation};

/// The folder of the log.
pub const LOG: &str = "log/";
/// The folder of parts.
pub const PARTS: &str = "parts/";
/// The folder of savepoints.
pub const SAVEPOINTS: &str = "savepoints/";

/// The greatest line of a log: one a nanosecond for 292 years. A file that claims to be a later one is none of ours, and the line
/// after it can always be counted.
pub const LINE_MAX: u64 = i64::MAX as u64;

/// The longest name of a savepoint, in bytes; fits into a file name on every system.
pub const SAVEPOINT_BYTES_MAX: usize = 63;

/// A name that does not have the form it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no name of {what}")]
pub struct Malformed {
    name: String,
    what: &'static str,
}

/// A place in the log, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Line(pub u64);

impl Line {
    /// Where every log begins.
    pub const FIRST: Line = Line(1);

    /// The line after it.
    #[must_use]
    pub fn next(self) -> Line {
        Line(self.0 + 1)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which attempt made something. Ordered as attempts follow each other in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Stamp {
    /// The runner.
    pub generation: Generation,
    /// Its attempt.
    pub checkpoint: CheckpointId,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "g{}-c{}", self.generation, self.checkpoint)
    }
}

impl FromStr for Stamp {
    type Err = Malformed;

    fn from_str(name: &str) -> Result<Stamp, Malformed> {
        let malformed = || Malformed { name: name.to_owned(), what: "an attempt" };
        let (generation, checkpoint) = name.strip_prefix('g').and_then(|rest| rest.split_once("-c")).ok_or_else(malformed)?;
        let number = |text: &str| text.parse().ok().filter(|number: &u64| number.to_string() == text).ok_or_else(malformed);
        Ok(Stamp { generation: Generation(number(generation)?), checkpoint: CheckpointId(number(checkpoint)?) })
    }
}

/// A part of a checkpoint: bytes that never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Part {
    /// The attempt that wrote it; later checkpoints may refer to it.
    pub stamp: Stamp,
    /// The SHA-256 of its content.
    pub hash: [u8; 32],
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.stamp)?;
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Part {
    type Err = Malformed;

    fn from_str(name: &str) -> Result<Part, Malformed> {
        let malformed = || Malformed { name: name.to_owned(), what: "a part" };
        let (stamp, hex) = name.rsplit_once('-').ok_or_else(malformed)?;
        let lower = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        if hex.len() != 64 || !hex.bytes().all(|digit| lower(&digit)) {
            return Err(malformed());
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let pair = str::from_utf8(pair).expect("hexadecimal digits are ASCII");
            *byte = u8::from_str_radix(pair, 16).expect("two hexadecimal digits are a byte");
        }
        Ok(Part { stamp: stamp.parse()?, hash })
    }
}

/// The name of a savepoint: what a user types, and safe as a file name everywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Savepoint(String);

impl fmt::Display for Savepoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Savepoint {
    type Err = Malformed;

    /// Lower-case letters, digits and `-`, beginning with a letter or digit, at most [`SAVEPOINT_BYTES_MAX`] bytes.
    fn from_str(name: &str) -> Result<Savepoint, Malformed> {
        let allowed = |byte: u8| byte == b'-' || byte.is_ascii_digit() || byte.is_ascii_lowercase();
        if name.is_empty() || name.len() > SAVEPOINT_BYTES_MAX || name.starts_with('-') || !name.bytes().all(allowed) {
            return Err(Malformed { name: name.to_owned(), what: "a savepoint: small letters, digits and - are allowed" });
        }
        Ok(Savepoint(name.to_owned()))
    }
}

/// How a type that is stored by its name goes into a record and comes back.
macro_rules! stored_by_name {
    ($($name:ty),*) => {$(
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = Malformed;

            fn try_from(name: String) -> Result<$name, Malformed> {
                name.parse()
            }
        }
    )*};
}

stored_by_name!(Stamp, Part, Savepoint);

/// Something in a checkpoint directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// A line of the log.
    Record(Line),
    /// A part.
    Part(Part),
    /// A savepoint.
    Savepoint(Savepoint),
}

impl Object {
    /// Its path below the checkpoint directory.
    pub fn path(&self) -> String {
        match self {
            Object::Record(line) => format!("{LOG}{:020}", line.0),
            Object::Part(part) => format!("{PARTS}{part}"),
            Object::Savepoint(name) => format!("{SAVEPOINTS}{name}"),
        }
    }

    /// The object of a path below the checkpoint directory; none for a file that is not of the protocol.
    pub fn parse(path: &str) -> Option<Object> {
        if let Some(digits) = path.strip_prefix(LOG) {
            let line = digits.parse().ok().filter(|line| (Line::FIRST.0..=LINE_MAX).contains(line))?;
            let object = Object::Record(Line(line));
            return (object.path() == path).then_some(object);
        }
        if let Some(name) = path.strip_prefix(PARTS) {
            return name.parse().ok().map(Object::Part);
        }
        path.strip_prefix(SAVEPOINTS)?.parse().ok().map(Object::Savepoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(generation: u64, checkpoint: u64) -> Stamp {
        Stamp { generation: Generation(generation), checkpoint: CheckpointId(checkpoint) }
    }

    #[test]
    fn every_name_reads_back_as_what_it_was_made_of() {
        let hash: [u8; 32] = std::array::from_fn(|i| (i * 37) as u8);
        let objects = [
            (Object::Record(Line(7)), "log/00000000000000000007"),
            (Object::Record(Line(LINE_MAX)), "log/09223372036854775807"),
            (
                Object::Part(Part { stamp: stamp(7, 12), hash }),
                "parts/g7-c12-00254a6f94b9de03284d7297bce1062b50759abfe4092e53789dc2e70c31567b",
            ),
            (Object::Savepoint("before-2-0".parse().unwrap()), "savepoints/before-2-0"),
        ];
        for (object, path) in objects {
            assert_eq!(object.path(), path);
            assert_eq!(Object::parse(path), Some(object));
        }
    }

    #[test]
    fn what_no_builder_makes_is_not_ours() {
        let part = |stamp: &str, digit: &str| format!("parts/{stamp}-{}", digit.repeat(64));
        assert!(Object::parse(&part("g1-c2", "a")).is_some());
        for path in [
            "log/7",
            "log/00000000000000000000",
            "log/09223372036854775808",
            "log/000000000000000000007",
            "log/+0000000000000000007",
            "log/00000000000000000007.tmp",
            "other/00000000000000000007",
            "parts/g1-c2-abc",
            "savepoints/",
            "savepoints/Big",
            "savepoints/-x",
            "savepoints/a/b",
            "savepoints/..",
            "manifest",
            &part("g1-c2", "A"),
            &part("g01-c2", "a"),
            &part("g1-c+2", "a"),
            &part("g1", "a"),
            &part("c2-g1", "a"),
        ] {
            assert_eq!(Object::parse(path), None, "{path}");
        }
    }

    #[test]
    fn a_savepoint_name_ends_at_the_limit() {
        assert!("x".repeat(SAVEPOINT_BYTES_MAX).parse::<Savepoint>().is_ok());
        assert!("x".repeat(SAVEPOINT_BYTES_MAX + 1).parse::<Savepoint>().is_err());
    }

    #[test]
    fn the_last_line_has_a_next_one() {
        assert_eq!(Line(LINE_MAX).next().0, LINE_MAX + 1);
        assert_eq!(Object::parse(&Object::Record(Line(LINE_MAX).next()).path()), None);
    }

    #[test]
    fn attempts_are_ordered_by_generation_first() {
        assert!(stamp(1, 9) < stamp(2, 1) && stamp(2, 1) < stamp(2, 2));
    }

    #[test]
    fn names_are_stored_as_text() {
        let part = Part { stamp: stamp(1, 2), hash: [0xab; 32] };
        let text = serde_json::to_string(&part).unwrap();
        assert_eq!(text, format!("\"g1-c2-{}\"", "ab".repeat(32)));
        assert_eq!(serde_json::from_str::<Part>(&text).unwrap(), part);
        assert!(serde_json::from_str::<Part>("\"g1-c2-ab\"").is_err());
    }
}
