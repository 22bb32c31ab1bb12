//! The engine: a plan run on timely dataflow.
//!
//! timely's timestamp is a *tick*, a short slice of processing; event time is data that travels as marks
//! beside blocks (`parcel`). Guests are reached only through `tidemill_core::guest`, sources and
//! sinks only through `tidemill_core::connect`: this crate knows neither wasmtime nor a file.
//!
//! Start at [`run`]; `build` turns the graph into timely operators; each file in `operators` is one operator,
//! written against `logic` and driven by `harness`, which merges watermarks and passes them on.

mod align;
mod barrier;
mod board;
mod build;
mod control;
mod facts;
mod harness;
mod in_flight;
mod keyed;
mod ledger;
mod linger;
mod logic;
mod offer;
mod operators;
mod parcel;
mod participants;
mod report;
mod restore;
mod route;
mod run;
mod switcher;
mod switching;
mod ticks;
mod timers;

pub use control::{Control, OperatorStats, Snapshot};
pub use facts::facts;
pub use offer::{SwitchError, Switched};
pub use participants::{Participant, participants};
pub use report::{Cause, Failure, Report};
pub use run::{Checkpoints, Clock, JobSpec, Log, Mode, Options, is_under_way, run};
