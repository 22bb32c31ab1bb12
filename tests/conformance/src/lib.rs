//! Conformance: what each row of semantics.md means, as jobs that are data.
//!
//! A case is a folder in `cases/`: `case.toml` (a plan, and what the guest's operators do), `in.jsonl` (records interleaved with
//! watermarks, processing time, idleness and restarts), `expected.jsonl` (what comes out, and after which of those marks) or `error.txt`
//! (what the refusal says). `README.md` beside them is the reference. Nothing here has to be changed to add one.
//!
//! A case runs at parallelism 1, 2 and 4 through the real engine. Its input is given one line at a time, and the next one only when all
//! that the line before led to has passed the sinks: what comes out is therefore a function of the input alone, also where records
//! are late, and can be told by marks.

pub mod case;
mod guest;
mod keep;
mod program;
pub mod record;
pub mod refusals;
pub mod rows;
mod run;
mod script;
mod sink;

pub use case::Case;
pub use run::{PARALLELISMS, run};
