//! Write [Tidemill](https://github.com/tidemill/tidemill) streaming jobs in Rust.
//!
//! A job is a function that connects sources, operators and sinks; the host does everything that is hard: decoding,
//! partitioning, event time, windows, timers, state, checkpoints, recovery. The whole of a job:
//!
//! ```
//! use tidemill::prelude::*;
//!
//! #[derive(Record)]
//! struct Reading { sensor: String, celsius: f64, at: i64 }
//!
//! #[derive(Record)]
//! struct Average { sensor: String, celsius: f64, until: i64 }
//!
//! #[tidemill::job]
//! fn sensor_average(job: &mut Job) -> Result {
//!     job.source::<Reading>("readings", json().default("stdin:"))
//!         .event_time(Reading::AT, out_of_order(seconds(2)))
//!         .key_by(Reading::SENSOR)
//!         .window(tumbling(seconds(10)))
//!         .aggregate("average", mean(Reading::CELSIUS), |w, celsius| Average { sensor: w.key(), celsius, until: w.end() })
//!         .sink("averages", json().default("stdout:"));
//!     Ok(())
//! }
//! ```
//!
//! Compile it as a `cdylib` for `wasm32-unknown-unknown` and pack it with `tidemill build`. The same function runs in
//! `cargo test`: see the test kit, [`testing`].
//!
//! Where to look: [`stream`] for operators, [`process`] for state and timers, [`broadcast`] for what all keys share, [`window`], [`trigger`], [`evict`] and [`mod@aggregate`] for
//! windows, [`watermark`] for watermarks of the job's own, [`stream::join`] for joins, [`record`] for what can be in a record.

extern crate self as tidemill;

pub mod aggregate;
#[doc(hidden)]
pub mod block;
pub mod broadcast;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod component;
mod error;
pub mod evict;
mod heap;
mod job;
pub mod log;
mod plan;
pub mod process;
pub mod record;
#[doc(hidden)]
pub mod runtime;
pub mod schema;
pub mod state;
pub mod stream;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod time;
pub mod trigger;
pub mod watermark;
pub mod window;

pub use error::{Error, Result};
pub use job::Job;
pub use plan::OnError;
pub use tidemill_macros::{Record, job};

/// Everything a job names, for `use tidemill::prelude::*`.
pub mod prelude {
    pub use crate::aggregate::{Aggregate, count, max, mean, min, sum};
    pub use crate::process::{Ctx, Declare, Process, Process2, SideOutput, Timer, TimerEvent};
    pub use crate::record::{
        Bin, DeadLetter, Joined, Json, KeyCount, KeyValue, List, Maybe, Record, WindowCount, WindowRecord, WindowValue,
    };
    pub use crate::state::{AggregatingState, ExpiringList, ExpiringMap, ExpiringValue, ListState, MapState, ReducingState, Ttl, Value};
    pub use crate::stream::{Emit, KeyedStream, Stream, between, csv, json, text};
    pub use crate::time::{days, hours, millis, minutes, monotonic, out_of_order, seconds};
    pub use crate::watermark::{WatermarkGenerator, generator, periodic, punctuated};
    pub use crate::window::{Window, calendar_days, global, records, records_sliding, session, session_by, sliding, tumbling};
    pub use crate::{Error, Job, OnError, Record, Result, bail, log};
}
