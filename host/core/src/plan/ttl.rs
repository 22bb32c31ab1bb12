//! How long state lives: declared in the plan, seen to by the component (decisions/0012).

use serde::{Deserialize, Serialize};

use super::Domain;

/// The time-to-live of a piece of state (semantics.md #27).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Ttl {
    /// How long, in milliseconds.
    pub ms: i64,
    /// In which time.
    #[serde(default)]
    pub domain: Domain,
    /// Whether reading does what writing does.
    #[serde(default)]
    pub on_read: bool,
}

/// The columns of a state that lives for a time in which stands when it was written.
pub const STAMPS: [&str; 2] = ["$event", "$processing"];
