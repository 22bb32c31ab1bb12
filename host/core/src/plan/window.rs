//! Windows as a plan describes them: which windows a record belongs to, when they fire, what is left out, who computes.

use serde::{Deserialize, Serialize};

use super::{Aggregate, Domain, State};
use crate::TimeMs;

/// A keyed window operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowSpec {
    /// The key fields; none for one window over all records.
    pub key: Vec<String>,
    /// Which windows a record belongs to.
    pub assigner: Assigner,
    /// What drives them.
    #[serde(default)]
    pub domain: Domain,
    /// How long after its end a window still takes records and fires again, in milliseconds (semantics.md #7).
    #[serde(default, rename = "lateness-ms")]
    pub lateness_ms: i64,
    /// When a window fires, unless at its end and at each late record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerSpec>,
    /// What a window leaves out when it fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evictor: Option<Evictor>,
    /// Who computes.
    pub compute: Compute,
    /// The accumulator, when the guest computes.
    #[serde(default)]
    pub state: Vec<State>,
}

/// Which windows a record belongs to (semantics.md #9-#16).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Assigner {
    /// Every record in one window of this size.
    Tumbling {
        /// Length in milliseconds.
        size_ms: TimeMs,
        /// Shift from the epoch in milliseconds.
        #[serde(default)]
        offset_ms: TimeMs,
    },
    /// A window begins every `slide_ms`.
    Sliding {
        /// Length in milliseconds.
        size_ms: TimeMs,
        /// Distance of beginnings in milliseconds.
        slide_ms: TimeMs,
        /// Shift from the epoch in milliseconds.
        #[serde(default)]
        offset_ms: TimeMs,
    },
    /// Records closer than the gap share a window.
    Session {
        /// The gap in milliseconds.
        gap_ms: TimeMs,
    },
    /// As `session`, with a gap of its own for each record. Since 0.2.0.
    SessionBy {
        /// The i64 field that holds the gap in milliseconds.
        field: String,
    },
    /// Calendar days of a time zone, which are not all equally long. Since 0.2.0.
    Days {
        /// The zone by its IANA name, for example `Asia/Shanghai`.
        timezone: String,
        /// Days in one window, counted from 1970-01-01.
        #[serde(default = "one")]
        days: u32,
    },
    /// So many records of a key, whenever they come. Since 0.2.0.
    Count {
        /// Records in one window.
        records: u64,
        /// A window fires every so many records, with the last `records` of them; by default `records`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slide: Option<u64>,
        /// A window that is not full fires all the same so long after its first record.
        #[serde(default, rename = "or-after", skip_serializing_if = "Option::is_none")]
        or_after: Option<OrAfter>,
    },
    /// One window for ever: refused without a trigger (semantics.md #15).
    Global,
}

/// A length of time in one of the two domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrAfter {
    /// In milliseconds.
    pub ms: TimeMs,
    /// By records' event times and the watermark, or by the host's clock.
    #[serde(default = "processing")]
    pub domain: Domain,
}

/// When a window fires. Since 0.2.0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerSpec {
    /// What makes it fire. It replaces the usual `any` of `at-watermark` and `late-each` (semantics.md #19).
    pub when: Trigger,
    /// A window that has fired is empty; it goes on all the same.
    #[serde(default)]
    pub purge: bool,
}

/// What makes a window fire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Trigger {
    /// Time, in the domain of the windows, has come to the window's last millisecond; once.
    AtWatermark,
    /// Each record that comes behind that.
    LateEach,
    /// Until then every so many milliseconds, at multiples of it, when a record has come since the last firing.
    EarlyEvery {
        /// The distance.
        ms: TimeMs,
        /// Which time is meant.
        #[serde(default = "processing")]
        domain: Domain,
    },
    /// So long after the first record since the last firing.
    After {
        /// The length.
        ms: TimeMs,
        /// Which time is meant.
        #[serde(default = "processing")]
        domain: Domain,
    },
    /// So many records since this fired last.
    Count {
        /// The number.
        records: u64,
    },
    /// One of these.
    Any(Vec<Trigger>),
    /// Each of these has, since all had.
    All(Vec<Trigger>),
    /// The component decides: `trigger`. It stands alone.
    Guest,
}

/// What a window leaves out when it fires (semantics.md #20). Since 0.2.0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evictor {
    /// What goes.
    pub evict: Evict,
    /// It goes behind the function rather than in front of it.
    #[serde(default)]
    pub after: bool,
}

/// What an evictor takes out of a window. The component does it, since it has the records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Evict {
    /// All but the last so many.
    Count {
        /// The number that stays.
        records: u64,
    },
    /// What is older than so long before the latest.
    Time {
        /// The length in milliseconds.
        ms: TimeMs,
    },
    /// What differs from the last record by so much or more.
    Delta {
        /// The field that is compared, a number.
        field: String,
        /// The difference.
        threshold: f64,
    },
    /// What a function of the component says.
    Guest,
}

/// Who computes a window's result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compute {
    /// The component: `process` adds, `fire` finishes.
    Guest,
    /// The host.
    Host(Aggregate),
}

impl WindowSpec {
    /// Whether anything of it is driven by processing time.
    pub fn needs_clock(&self) -> bool {
        let or_after = match &self.assigner {
            Assigner::Count { or_after, .. } => or_after.is_some_and(|after| after.domain == Domain::Processing),
            _ => false,
        };
        self.domain == Domain::Processing || or_after || self.trigger.as_ref().is_some_and(|trigger| trigger.when.needs(Domain::Processing))
    }

    /// Whether anything of it is driven by event time.
    pub fn needs_event_time(&self) -> bool {
        let assigned = match &self.assigner {
            Assigner::Count { or_after, .. } => or_after.is_some_and(|after| after.domain == Domain::Event),
            Assigner::Global => self.trigger.as_ref().is_some_and(|trigger| trigger.when.needs(Domain::Event)),
            _ => true,
        };
        self.domain == Domain::Event && assigned
    }

    /// Whether windows have an end in time, behind which a record can be late.
    pub fn has_late(&self) -> bool {
        self.domain == Domain::Event && !matches!(self.assigner, Assigner::Count { .. } | Assigner::Global)
    }
}

impl Trigger {
    /// Whether a domain drives it, in windows in event time. What the component decides may ask for either.
    fn needs(&self, wanted: Domain) -> bool {
        match self {
            Trigger::AtWatermark | Trigger::LateEach => wanted == Domain::Event,
            Trigger::EarlyEvery { domain, .. } | Trigger::After { domain, .. } => *domain == wanted,
            Trigger::Count { .. } => false,
            Trigger::Any(of) | Trigger::All(of) => of.iter().any(|one| one.needs(wanted)),
            Trigger::Guest => wanted == Domain::Processing,
        }
    }
}

fn one() -> u32 {
    1
}

fn processing() -> Domain {
    Domain::Processing
}
