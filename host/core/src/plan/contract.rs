//! The contracts this host speaks, and how the version that a component or plan states relates to them.

use std::cmp::Ordering;
use std::fmt;

/// A contract: a folder of `wit/`. Versions that differ in the patch alone are the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contract {
    /// 0.1.0.
    V1,
    /// 0.2.0: triggers, joins, broadcast.
    V2,
}

/// All contracts this host speaks, oldest first.
pub const CONTRACTS: [Contract; 2] = [Contract::V1, Contract::V2];

/// How a version relates to [`CONTRACTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// It is one of them.
    Spoken(Contract),
    /// The host is too old.
    Newer,
    /// The component is too old.
    Older,
}

impl Contract {
    /// Its version.
    pub fn version(self) -> &'static str {
        match self {
            Contract::V1 => "0.1.0",
            Contract::V2 => "0.2.0",
        }
    }

    /// How a version relates to those spoken here; `None` where it is none.
    pub fn age(version: &str) -> Option<Age> {
        let given = generation(version)?;
        let mut age = Age::Newer;
        for contract in CONTRACTS {
            match given.cmp(&generation(contract.version())?) {
                Ordering::Equal => return Some(Age::Spoken(contract)),
                Ordering::Less if age == Age::Newer => age = Age::Older,
                _ => {}
            }
        }
        Some(age)
    }

    /// The contract of a version, where it is spoken.
    pub fn of(version: &str) -> Option<Contract> {
        match Contract::age(version) {
            Some(Age::Spoken(contract)) => Some(contract),
            _ => None,
        }
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.version())
    }
}

/// The contracts spoken, for a sentence: `0.1.0 and 0.2.0`.
pub fn spoken() -> String {
    CONTRACTS.map(|contract| contract.version()).join(" and ")
}

/// What must be equal for two versions to fit, by the rules of semantic versions.
fn generation(version: &str) -> Option<(u64, u64)> {
    let mut numbers = version.split(['.', '-', '+']).map(|part| part.parse::<u64>().ok());
    let (major, minor) = (numbers.next()??, numbers.next()??);
    Some(if major == 0 { (0, minor) } else { (major, 0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_fit_and_generations_do_not() {
        let ages = ["0.1.0", "0.1.9", "0.2.0-rc.1", "0.3.0", "1.0.0", "0.0.9", "next", "0"].map(Contract::age);
        let (first, second) = (Some(Age::Spoken(Contract::V1)), Some(Age::Spoken(Contract::V2)));
        let (newer, older) = (Some(Age::Newer), Some(Age::Older));
        assert_eq!(ages, [first, first, second, newer, newer, older, None, None]);
        assert_eq!(spoken(), "0.1.0 and 0.2.0");
    }
}
