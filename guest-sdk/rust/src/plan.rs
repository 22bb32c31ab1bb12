//! The plan document (`plan.md` of the contract), as the SDK writes it.
//!
//! Only what the fluent API can say is here; the host's reader is the authority.

use serde::Serialize;

use crate::schema::Schema;

/// The version of the contract this SDK speaks.
pub(crate) const CONTRACT: &str = "0.2.0";

#[derive(Debug, Serialize)]
pub(crate) struct Plan<'a> {
    pub(crate) contract: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'a str>,
    pub(crate) operators: Vec<&'a Operator>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Operator {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) inputs: Vec<Input>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) outputs: Vec<Output>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parallelism: Option<u32>,
    #[serde(skip_serializing_if = "OnError::is_fail")]
    pub(crate) on_error: OnError,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) chaining: Option<Chaining>,
}

/// Whether an operator shares its call with others, where it is not as the host likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Chaining {
    Start,
    Never,
}

/// What happens to a record that an operator refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// The job fails, naming the record.
    #[default]
    Fail,
    /// The record is counted and left out.
    Skip,
    /// The record goes to the operator's dead letters.
    DeadLetter,
}

impl OnError {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    fn is_fail(&self) -> bool {
        *self == OnError::Fail
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Input {
    pub(crate) from: String,
    #[serde(skip_serializing_if = "is_main")]
    pub(crate) port: String,
    #[serde(skip_serializing_if = "Partition::is_forward")]
    pub(crate) partition: Partition,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Partition {
    #[default]
    Forward,
    Rebalance,
    Shuffle,
    Rescale,
    Broadcast,
    Global,
    Custom(String),
}

impl Partition {
    fn is_forward(&self) -> bool {
        *self == Partition::Forward
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Output {
    #[serde(skip_serializing_if = "is_main")]
    pub(crate) name: String,
    #[serde(serialize_with = "text")]
    pub(crate) schema: Schema,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) variant: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Source(Source),
    Map,
    Filter,
    FlatMap,
    KeyBy,
    Timestamps(Watermarks),
    Process(Process),
    Window(Window),
    Rolling(Rolling),
    WindowJoin(WindowJoin),
    IntervalJoin(IntervalJoin),
    KeyedJoin(KeyedJoin),
    TemporalJoin(KeyedJoin),
    CoGroup(CoGroup),
    Union,
    Sink(Binding),
}

impl Kind {
    /// What the host's messages call it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Kind::Source(_) => "source",
            Kind::Map => "map",
            Kind::Filter => "filter",
            Kind::FlatMap => "flat_map",
            Kind::KeyBy => "key_by",
            Kind::Timestamps(_) => "timestamps",
            Kind::Process(_) => "process",
            Kind::Window(_) => "window",
            Kind::Rolling(_) => "rolling",
            Kind::WindowJoin(_) => "window-join",
            Kind::IntervalJoin(_) => "interval-join",
            Kind::KeyedJoin(_) => "keyed-join",
            Kind::TemporalJoin(_) => "temporal-join",
            Kind::CoGroup(_) => "co-group",
            Kind::Union => "union",
            Kind::Sink(_) => "sink",
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Source {
    #[serde(flatten)]
    pub(crate) binding: Binding,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) watermarks: Option<Watermarks>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) align: Option<Align>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Align {
    pub(crate) max_drift_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Binding {
    pub(crate) binding: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<String>,
    pub(crate) format: FormatName,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FormatName {
    Json,
    Csv,
    Text,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Watermarks {
    Monotonic,
    Bounded {
        ms: i64,
    },
    Guest {
        #[serde(rename = "every-ms", skip_serializing_if = "Option::is_none")]
        every_ms: Option<i64>,
    },
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Process {
    pub(crate) keys: Vec<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) state: Vec<State>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) timers: Vec<Timer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) broadcast: Option<Broadcast>,
}

/// What the inputs behind those with keys share.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Broadcast {
    pub(crate) state: Vec<State>,
    pub(crate) apply: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct State {
    pub(crate) name: String,
    pub(crate) kind: StateKind,
    #[serde(serialize_with = "text")]
    pub(crate) schema: Schema,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "texts")]
    pub(crate) migrates: Vec<Schema>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "ttl")]
    pub(crate) ttl: Option<crate::state::Ttl>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StateKind {
    Value,
    List,
    Map,
    Accumulator,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Timer {
    pub(crate) name: String,
    pub(crate) domain: Domain,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Domain {
    #[default]
    Event,
    Processing,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Window {
    #[serde(rename = "key")]
    pub(crate) key: Vec<String>,
    pub(crate) assigner: Assigner,
    pub(crate) domain: Domain,
    pub(crate) lateness_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trigger: Option<TriggerSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) evictor: Option<Evictor>,
    pub(crate) compute: Compute,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) state: Vec<State>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Assigner {
    Tumbling {
        size_ms: i64,
        offset_ms: i64,
    },
    Sliding {
        size_ms: i64,
        slide_ms: i64,
        offset_ms: i64,
    },
    Session {
        gap_ms: i64,
    },
    SessionBy {
        field: String,
    },
    Days {
        timezone: String,
        days: u32,
    },
    Count {
        records: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        slide: Option<u64>,
        #[serde(rename = "or-after", skip_serializing_if = "Option::is_none")]
        or_after: Option<OrAfter>,
    },
    Global,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct OrAfter {
    pub(crate) ms: i64,
    pub(crate) domain: Domain,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TriggerSpec {
    pub(crate) when: Trigger,
    pub(crate) purge: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Trigger {
    AtWatermark,
    LateEach,
    EarlyEvery { ms: i64, domain: Domain },
    After { ms: i64, domain: Domain },
    Count { records: u64 },
    Any(Vec<Trigger>),
    All(Vec<Trigger>),
    Guest,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Evictor {
    pub(crate) evict: Evict,
    pub(crate) after: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Evict {
    Count { records: u64 },
    Time { ms: i64 },
    Delta { field: String, threshold: f64 },
    Guest,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Compute {
    Guest,
    Host(Aggregate),
}

/// One input of a join.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Side {
    pub(crate) name: String,
    pub(crate) key: Vec<String>,
    #[serde(skip_serializing_if = "is_true")]
    pub(crate) required: bool,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct WindowJoin {
    pub(crate) sides: Vec<Side>,
    pub(crate) assigner: Assigner,
    pub(crate) domain: Domain,
    pub(crate) lateness_ms: i64,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct IntervalJoin {
    pub(crate) sides: Vec<Side>,
    pub(crate) lower_ms: i64,
    pub(crate) upper_ms: i64,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) lower_exclusive: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) upper_exclusive: bool,
}

/// Of a keyed join, and of a temporal one.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct KeyedJoin {
    pub(crate) sides: Vec<Side>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CoGroup {
    pub(crate) sides: Vec<Side>,
    pub(crate) assigner: Assigner,
    pub(crate) domain: Domain,
    pub(crate) lateness_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trigger: Option<TriggerSpec>,
    pub(crate) state: Vec<State>,
}

#[cfg(not(target_arch = "wasm32"))]
impl Kind {
    /// The sides of a join or co-group: for the test kit, which plays the host.
    pub(crate) fn sides(&self) -> &[Side] {
        match self {
            Kind::WindowJoin(join) => &join.sides,
            Kind::IntervalJoin(join) => &join.sides,
            Kind::KeyedJoin(join) | Kind::TemporalJoin(join) => &join.sides,
            Kind::CoGroup(group) => &group.sides,
            _ => &[],
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Rolling {
    pub(crate) key: Vec<String>,
    pub(crate) aggregate: Aggregate,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Aggregate {
    Count,
    Sum(String),
    Min(String),
    Max(String),
    MinBy(String),
    MaxBy(String),
}

/// The name of the port that every operator has.
pub(crate) const MAIN: &str = "out";
/// The implied port of windows for records that came too late.
pub(crate) const LATE: &str = "late";
/// The implied ports of joins for late records begin with it; the name of the side follows.
pub(crate) const LATE_SIDE: &str = "late-";
/// The ports of joins for records that found nobody begin with it.
pub(crate) const UNMATCHED: &str = "unmatched-";
/// The implied port of operators whose policy is [`OnError::DeadLetter`].
pub(crate) const DEAD_LETTER: &str = "dead-letter";

fn is_main(name: &str) -> bool {
    name == MAIN
}

fn texts<S: serde::Serializer>(schemas: &[Schema], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(schemas.iter().map(Schema::to_string))
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_true(flag: &bool) -> bool {
    *flag
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// The time-to-live of a piece of state.
fn ttl<S: serde::Serializer>(ttl: &Option<crate::state::Ttl>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Document {
        ms: i64,
        domain: Domain,
        #[serde(skip_serializing_if = "is_false")]
        on_read: bool,
    }
    ttl.map(|ttl| Document { ms: ttl.span.ms(), domain: ttl.domain, on_read: ttl.is_renewed_by_reads }).serialize(serializer)
}

fn text<S: serde::Serializer>(schema: &Schema, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(schema)
}
