//! Joins as a plan describes them (semantics.md #35-#37). Since 0.2.0.

use serde::{Deserialize, Serialize};

use super::{Aggregate, Assigner, Compute, Domain, State, TriggerSpec, WindowSpec};
use crate::TimeMs;

/// One side of a join: the input of the same index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Side {
    /// Unique in the operator; results have its fields as `NAME.FIELD`.
    pub name: String,
    /// The key fields; their types agree over sides.
    pub key: Vec<String>,
    /// Nothing is joined where this side has nothing. A side that is not required is absent there.
    #[serde(default = "yes")]
    pub required: bool,
}

/// Records of all sides with one key and window, each with each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowJoinSpec {
    /// Two or more.
    pub sides: Vec<Side>,
    /// Which windows a record belongs to.
    pub assigner: Assigner,
    /// What drives them.
    #[serde(default)]
    pub domain: Domain,
    /// How long after its end a window still takes records and fires again, in milliseconds.
    #[serde(default, rename = "lateness-ms")]
    pub lateness_ms: TimeMs,
}

/// Records of two sides with one key whose times are close: `left + lower <= right <= left + upper`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntervalJoinSpec {
    /// The left side and the right one.
    pub sides: Vec<Side>,
    /// How much later than the left record the right one is at least; may be negative.
    #[serde(rename = "lower-ms")]
    pub lower_ms: TimeMs,
    /// How much later it is at most.
    #[serde(rename = "upper-ms")]
    pub upper_ms: TimeMs,
    /// The lower bound itself is out.
    #[serde(default, rename = "lower-exclusive")]
    pub lower_exclusive: bool,
    /// The upper bound itself is out.
    #[serde(default, rename = "upper-exclusive")]
    pub upper_exclusive: bool,
}

/// The last record of each side, whenever one comes: a table by key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyedJoinSpec {
    /// Two or more.
    pub sides: Vec<Side>,
}

/// Records of the first side, each with the record of the second that was valid at its time: the last one until then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemporalJoinSpec {
    /// The records and the versions.
    pub sides: Vec<Side>,
}

/// Windows over several inputs, which the component computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoGroupSpec {
    /// Two or more; `required` says nothing here.
    pub sides: Vec<Side>,
    /// Which windows a record belongs to.
    pub assigner: Assigner,
    /// What drives them.
    #[serde(default)]
    pub domain: Domain,
    /// How long after its end a window still takes records and fires again, in milliseconds.
    #[serde(default, rename = "lateness-ms")]
    pub lateness_ms: TimeMs,
    /// When a window fires, unless at its end and at each late record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerSpec>,
    /// What it gathers.
    #[serde(default)]
    pub state: Vec<State>,
}

impl IntervalJoinSpec {
    /// The bounds in milliseconds, both included.
    pub fn bounds(&self) -> (TimeMs, TimeMs) {
        (self.lower_ms.saturating_add(TimeMs::from(self.lower_exclusive)), self.upper_ms.saturating_sub(TimeMs::from(self.upper_exclusive)))
    }
}

impl WindowJoinSpec {
    /// Its windows, for whoever keeps them; what is computed in them is not meant.
    pub fn windows(&self) -> WindowSpec {
        WindowSpec { compute: Compute::Host(Aggregate::Count), ..windows(&self.sides, &self.assigner, self.domain, self.lateness_ms) }
    }
}

impl CoGroupSpec {
    /// Its windows, for whoever keeps them; what is computed in them is not meant.
    pub fn windows(&self) -> WindowSpec {
        WindowSpec { trigger: self.trigger.clone(), ..windows(&self.sides, &self.assigner, self.domain, self.lateness_ms) }
    }
}

fn windows(sides: &[Side], assigner: &Assigner, domain: Domain, lateness_ms: TimeMs) -> WindowSpec {
    WindowSpec {
        key: sides.first().map(|side| side.key.clone()).unwrap_or_default(),
        assigner: assigner.clone(),
        domain,
        lateness_ms,
        trigger: None,
        evictor: None,
        compute: Compute::Guest,
        state: Vec::new(),
    }
}

fn yes() -> bool {
    true
}

/// The port of the records of a side that found nobody.
pub const PORT_UNMATCHED: &str = "unmatched-";
/// The port of the late records of a side.
pub const PORT_LATE_SIDE: &str = "late-";
