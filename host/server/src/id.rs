//! Names that come from outside and end up in paths: checked once, here, and only then used.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Characters of a job's name or id at most: with a suffix it still is a label everywhere.
const NAME_MAX: usize = 63;

/// Why a text is no name, id or digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

/// Declares a text that is checked when it is made and when it is read.
macro_rules! checked {
    ($(#[$doc:meta])* $name:ident, $example:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String, example = $example)]
        pub struct $name(String);

        impl $name {
            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<$name, Invalid> {
                let check: fn(&str) -> Result<(), String> = $check;
                check(text).map(|()| $name(text.to_owned())).map_err(Invalid)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<$name, Invalid> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked!(
    /// The id of a job: given by the server, never used again.
    JobId, "j0197a3f2c1d40b2e", |text| {
        let digits = text.strip_prefix('j').unwrap_or_default();
        let good = digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        good.then_some(()).ok_or_else(|| format!("{} is no id of a job", shown(text)))
    }
);

checked!(
    /// What people call a job: small letters, digits and `-`.
    Name, "sensor-averages", |text| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let good = text.len() <= NAME_MAX
            && text.bytes().next().is_some_and(inner)
            && text.bytes().all(|b| inner(b) || b == b'-');
        good.then_some(()).ok_or_else(|| {
            format!("{} is no name of a job: up to {NAME_MAX} small letters, digits and -, not beginning with -", shown(text))
        })
    }
);

checked!(
    /// The SHA-256 of a component, in hexadecimal digits.
    Digest, "b1946ac92492d2347c6235b4d2611184b1946ac92492d2347c6235b4d2611184", |text| {
        let good = text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        good.then_some(()).ok_or_else(|| format!("{} is no SHA-256: 64 hexadecimal digits in small letters", shown(text)))
    }
);

/// The text in quotes, cut where nobody reads on.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(80).collect();
    format!("{cut:?}{}", if cut.len() < text.len() { "…" } else { "" })
}

impl JobId {
    /// The id of a job made now, by the clock and a number that differs between jobs of one millisecond.
    pub(crate) fn new(now_ms: u64, number: u16) -> JobId {
        JobId(format!("j{:012x}{number:04x}", now_ms & 0xffff_ffff_ffff))
    }
}

impl Digest {
    /// Of these bytes, as SHA-256 gave them.
    pub(crate) fn of(hash: &[u8]) -> Digest {
        Digest(hash.iter().map(|b| format!("{b:02x}")).collect())
    }

    /// Its first digits, for people.
    pub(crate) fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl Name {
    /// The nearest name to a text such as a file's, if any of its characters can be used.
    pub fn from_text(text: &str) -> Option<Name> {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let name: String = text.chars().map(plain).collect();
        let name = name.trim_matches('-');
        name[..name.len().min(NAME_MAX)].parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_a_folder_are_none() {
        let long = "a".repeat(NAME_MAX + 1);
        for text in ["", "..", "../a", "a/b", "/etc", "a\0b", "A", "ü", "a.b", "-a", "a b", "%2e%2e", "con:", "a\n", long.as_str()] {
            assert!(text.parse::<Name>().is_err(), "{text:?}");
            assert!(text.parse::<JobId>().is_err(), "{text:?}");
            assert!(text == long || text.parse::<Digest>().is_err(), "{text:?}");
        }
        assert!("a".repeat(NAME_MAX).parse::<Name>().is_ok());
        assert!("0-a".parse::<Name>().is_ok());
    }

    #[test]
    fn ids_read_back_and_sort_by_time() {
        let (first, second) = (JobId::new(1_700_000_000_000, 9), JobId::new(1_700_000_000_001, 0));
        assert_eq!(first.as_str().parse(), Ok(first.clone()));
        assert!(first < second);
    }

    #[test]
    fn what_is_wrong_is_refused_when_it_is_read_too() {
        assert!(serde_json::from_str::<Name>("\"../a\"").is_err());
        assert_eq!(serde_json::from_str::<Name>("\"a-1\"").unwrap().as_str(), "a-1");
    }

    #[test]
    fn a_file_name_becomes_a_name() {
        assert_eq!(Name::from_text("Word_Count v2").unwrap().as_str(), "word-count-v2");
        assert_eq!(Name::from_text("__"), None);
        assert_eq!(Name::from_text(&"x".repeat(500)).unwrap().as_str().len(), NAME_MAX);
    }
}
