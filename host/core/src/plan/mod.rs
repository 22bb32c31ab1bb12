//! The plan: a job as data, written by a component's `plan` (`wit/…/plan.md`), checked here before anything runs.

mod align;
mod check;
mod contract;
mod graph;
mod join;
mod ttl;
mod watermarks;
mod window;
mod wire;

pub use align::{Align, stamped_source};
pub use check::{Error, INPUTS_MAX, NAME_BYTES_MAX, PARALLELISM_MAX, WINDOWS_PER_RECORD_MAX, check, host_output};
pub use contract::{Age, CONTRACTS, Contract, spoken};
pub use graph::{Chain, DEAD_LETTER, Edge, Graph, LATE, Node, Origin, Parallelism, Port, Settings, late_schema};
pub use join::{CoGroupSpec, IntervalJoinSpec, KeyedJoinSpec, PORT_LATE_SIDE, PORT_UNMATCHED, Side, TemporalJoinSpec, WindowJoinSpec};
pub use ttl::{STAMPS, Ttl};
pub use watermarks::Watermarks;
pub use window::{Assigner, Compute, Evict, Evictor, OrAfter, Trigger, TriggerSpec, WindowSpec};
pub use wire::{Part, Place, Wire, Wired, wire};

use serde::{Deserialize, Serialize};

use crate::connect::OnError;
use crate::schema::{Field, Schema};

/// Operators in one plan at most: a person writes tens; each costs a channel per worker.
pub const OPERATORS_MAX: usize = 1_000;
/// Bytes of a plan document at most.
pub const PLAN_BYTES_MAX: usize = 4 << 20;

/// A job as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of the contract the plan is written in.
    pub contract: String,
    /// A name for the job, unless the command line gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the component understands chains of more than one operator.
    #[serde(default = "yes")]
    pub fuse: bool,
    /// The operators; an operator's id is its index here.
    pub operators: Vec<Operator>,
}

/// One operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// Unique and stable across versions of the job: state is found by it.
    pub name: String,
    /// What it does.
    pub kind: Kind,
    /// Where its records come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Input>,
    /// Its ports; the first is the main one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Output>,
    /// Its own parallelism, which nothing overrides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<u32>,
    /// What to do with records that fail here.
    #[serde(default, rename = "on-error")]
    pub on_error: OnError,
    /// Whether it runs in one guest call with others. Since 0.2.0.
    #[serde(default, skip_serializing_if = "Chaining::is_usual")]
    pub chaining: Chaining,
}

/// Whether an operator that the component computes is fused with others into one guest call (semantics.md #40).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chaining {
    /// Wherever it can be.
    #[default]
    Fuse,
    /// Not with what stands before it: it begins a chain.
    Start,
    /// With nothing.
    Never,
}

impl Chaining {
    fn is_usual(&self) -> bool {
        *self == Chaining::Fuse
    }
}

/// An edge, seen from its receiving end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The name of the sending operator.
    pub from: String,
    /// Its port: one of its outputs, or the implied `late` and `dead-letter`.
    #[serde(default = "main_port")]
    pub port: String,
    /// How records are spread over workers. Keyed operators are always partitioned by their key.
    #[serde(default)]
    pub partition: Partition,
}

/// How the records of an edge are spread over the receiving workers (semantics.md #38).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Partition {
    /// Same worker; rebalance where the parallelism differs.
    #[default]
    Forward,
    /// By the key of the receiving operator.
    Key,
    /// Blocks in turn to all.
    Rebalance,
    /// Each record to a random worker.
    Shuffle,
    /// Blocks in turn to a local subset.
    Rescale,
    /// Every record to all.
    Broadcast,
    /// All to worker 0.
    Global,
    /// To the worker whose number, modulo parallelism, stands in this i32 or i64 field.
    Custom(String),
}

/// A port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Its name.
    #[serde(default = "main_port")]
    pub name: String,
    /// The columns of its records.
    pub schema: Schema,
    /// For a tagged source: the tag's value whose records leave here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// What an operator does. Guest code runs in `map` to `key-by`, `timestamps`, `process` and in windows
/// that compute `guest`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Reads a binding.
    Source(SourceSpec),
    /// One record to one.
    Map,
    /// Some records.
    Filter,
    /// One record to any number.
    FlatMap,
    /// A record to itself with key columns behind it.
    KeyBy,
    /// Gives records an event time; watermarks are made behind it.
    Timestamps(Watermarks),
    /// Keyed state and timers.
    Process(ProcessSpec),
    /// Keyed windows.
    Window(WindowSpec),
    /// A running aggregate per key, computed by the host.
    Rolling(RollingSpec),
    /// Windows over several inputs, joined by the host. Since 0.2.0.
    WindowJoin(WindowJoinSpec),
    /// Two inputs whose times are close, joined by the host. Since 0.2.0.
    IntervalJoin(IntervalJoinSpec),
    /// The last record of each input, joined by the host. Since 0.2.0.
    KeyedJoin(KeyedJoinSpec),
    /// Records with the version of another input at their time, joined by the host. Since 0.2.0.
    TemporalJoin(TemporalJoinSpec),
    /// Windows over several inputs, computed by the component. Since 0.2.0.
    CoGroup(CoGroupSpec),
    /// Several inputs of one schema as one.
    Union,
    /// Writes a binding.
    Sink(SinkSpec),
}

/// How bytes become records and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// Comma-separated values; sources read a header line.
    Csv,
    /// A line as one string field.
    Text,
}

/// A source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSpec {
    /// The name by which `--bind` replaces the default.
    pub binding: String,
    /// The URL used when nothing is bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The format unless the URL says another.
    pub format: Format,
    /// The string field whose value chooses the output port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The i64 field that holds the event time in milliseconds, in every variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// How watermarks follow from `time`. Required with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermarks: Option<Watermarks>,
    /// How far its splits may drift apart, and from other sources. Since 0.2.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub align: Option<Align>,
}

/// A keyed process function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessSpec {
    /// For each input the key fields; their types agree over inputs. Broadcast inputs stand behind these and have none.
    pub keys: Vec<Vec<String>>,
    /// The state it keeps per key.
    #[serde(default)]
    pub state: Vec<State>,
    /// The names of its timers.
    #[serde(default)]
    pub timers: Vec<Timer>,
    /// What its broadcast inputs have to do with it. Since 0.2.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broadcast: Option<BroadcastSpec>,
}

/// State that is the same on every worker, since every record of a broadcast input comes to all (semantics.md #28).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BroadcastSpec {
    /// What it keeps, once for all keys.
    #[serde(default)]
    pub state: Vec<State>,
    /// Whether each record of a broadcast input is applied to every key that has state.
    #[serde(default)]
    pub apply: bool,
}

impl ProcessSpec {
    /// Whether records of an input come to every worker.
    pub fn is_broadcast(&self, input: usize) -> bool {
        self.broadcast.is_some() && input >= self.keys.len()
    }

    /// Whether records have no key: only beside broadcast inputs.
    pub fn is_unkeyed(&self) -> bool {
        self.broadcast.is_some() && self.keys.iter().all(Vec::is_empty)
    }
}

/// The time domain of a timer or window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Domain {
    /// Driven by watermarks.
    #[default]
    Event,
    /// Driven by the host's clock.
    Processing,
}

/// A named timer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timer {
    /// Unique in the operator.
    pub name: String,
    /// What drives it.
    #[serde(default)]
    pub domain: Domain,
}

/// One declared piece of state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Unique in the operator and stable across versions.
    pub name: String,
    /// value, list, map or accumulator: what the columns mean.
    pub kind: StateKind,
    /// The columns of the value or accumulator; of a list or map one bytes column.
    #[serde(default)]
    pub schema: Schema,
    /// The columns of earlier versions that the component can turn into these; of a value only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub migrates: Vec<Schema>,
    /// How long it lives after it was written; the component sees to it. Since 0.2.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Ttl>,
}

/// The shape of a piece of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateKind {
    /// One record or none.
    Value,
    /// Records in order: one bytes column holding a block.
    List,
    /// Records by key: one bytes column holding a block.
    Map,
    /// The accumulator of a window.
    Accumulator,
}

/// A running aggregate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollingSpec {
    /// The key fields.
    pub key: Vec<String>,
    /// What to compute.
    pub aggregate: Aggregate,
}

/// What the host computes without a guest (semantics.md #32).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregate {
    /// Number of records; output field `count: i64`.
    Count,
    /// Sum of a numeric field; output field of the same name (i32 sums to i64).
    Sum(String),
    /// Least value; output field of the same name and type.
    Min(String),
    /// Greatest value.
    Max(String),
    /// The record with the least value, the first of equals.
    MinBy(String),
    /// The record with the greatest value, the first of equals.
    MaxBy(String),
}

/// A sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkSpec {
    /// The name by which `--bind` replaces the default.
    pub binding: String,
    /// The URL used when nothing is bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The format unless the URL says another.
    pub format: Format,
}

impl Operator {
    /// The key fields of an input, for operators that have keys.
    pub fn key(&self, input: usize) -> Option<&[String]> {
        match &self.kind {
            Kind::Process(spec) if spec.is_unkeyed() => None,
            Kind::Process(spec) => spec.keys.get(input).map(Vec::as_slice),
            Kind::Window(spec) => Some(&spec.key),
            Kind::Rolling(spec) => Some(&spec.key),
            _ => self.sides()?.get(input).map(|side| side.key.as_slice()),
        }
    }

    /// The sides of a join or co-group.
    pub fn sides(&self) -> Option<&[Side]> {
        match &self.kind {
            Kind::WindowJoin(spec) => Some(&spec.sides),
            Kind::IntervalJoin(spec) => Some(&spec.sides),
            Kind::KeyedJoin(spec) => Some(&spec.sides),
            Kind::TemporalJoin(spec) => Some(&spec.sides),
            Kind::CoGroup(spec) => Some(&spec.sides),
            _ => None,
        }
    }

    /// Whether records of an input can be too late here, so that there is a port for them.
    pub fn has_late(&self, input: usize) -> bool {
        match &self.kind {
            Kind::Window(spec) => input == 0 && spec.has_late(),
            Kind::WindowJoin(spec) => spec.windows().has_late(),
            Kind::CoGroup(spec) => spec.windows().has_late(),
            Kind::IntervalJoin(_) => true,
            Kind::TemporalJoin(_) => input == 0,
            _ => false,
        }
    }

    /// The name of the port for late records of an input.
    pub fn late_port(&self, input: usize) -> Option<String> {
        match self.sides() {
            _ if !self.has_late(input) => None,
            None => Some(PORT_LATE.to_owned()),
            Some(sides) => sides.get(input).map(|side| format!("{PORT_LATE_SIDE}{}", side.name)),
        }
    }

    /// Whether the component computes here.
    pub fn is_guest(&self) -> bool {
        match &self.kind {
            Kind::Window(spec) => spec.compute == Compute::Guest,
            Kind::Source(_) | Kind::Sink(_) | Kind::Union | Kind::Rolling(_) => false,
            Kind::WindowJoin(_) | Kind::IntervalJoin(_) | Kind::KeyedJoin(_) | Kind::TemporalJoin(_) => false,
            _ => true,
        }
    }

    /// Whether the operator keeps nothing between records.
    pub fn is_stateless(&self) -> bool {
        matches!(self.kind, Kind::Map | Kind::Filter | Kind::FlatMap | Kind::KeyBy | Kind::Timestamps(_))
    }

    /// The word for its kind in `tidemill plan`.
    pub fn kind_name(&self) -> &'static str {
        match &self.kind {
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

    /// The schema of the state of one slot as `export-state` writes it: the columns of all pieces in order, named `piece.column` and
    /// optional, since what was never touched is absent.
    pub fn state_schema(&self) -> Schema {
        let fields = self.states().flat_map(|state| state.fields(&state.schema));
        Schema::new(fields.collect()).expect("plan::check has found the names of states and their columns unique")
    }

    /// The columns of earlier versions that the component can turn into today's, named as in an exported block.
    pub fn migrates(&self) -> Vec<Schema> {
        let of = |state: &State| {
            let named = |older| Schema::new(state.fields(older).collect()).expect("a schema's own names are unique");
            state.migrates.iter().map(named).collect::<Vec<_>>()
        };
        self.states().flat_map(of).collect()
    }

    fn states(&self) -> impl Iterator<Item = &State> {
        let mut shared: &[State] = &[];
        let own: &[State] = match &self.kind {
            Kind::Process(spec) => {
                shared = spec.broadcast.as_ref().map_or(&[], |broadcast| &broadcast.state);
                &spec.state
            }
            Kind::Window(spec) => &spec.state,
            Kind::CoGroup(spec) => &spec.state,
            _ => &[],
        };
        own.iter().chain(shared)
    }
}

impl State {
    /// Columns of the state, today's or earlier ones, as they stand in an exported block.
    fn fields(&self, of: &Schema) -> impl Iterator<Item = Field> {
        let field = move |f: &Field| Field { name: format!("{}.{}", self.name, f.name), ty: f.ty, optional: true };
        of.fields().iter().map(field)
    }
}

fn yes() -> bool {
    true
}

fn main_port() -> String {
    "out".to_owned()
}

/// The port that takes records too late for their window; every event-time window has it.
pub const PORT_LATE: &str = "late";
/// The port that takes records refused under the policy dead-letter; every operator with that policy has it.
pub const PORT_DEAD_LETTER: &str = "dead-letter";
/// The schema of [`PORT_DEAD_LETTER`].
pub const DEAD_LETTER_SCHEMA: &str = "operator:string,place:string,reason:string,record:string";
