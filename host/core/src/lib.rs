//! The pure heart of Tidemill: what a record, a block, a key, a plan, a window and a watermark are, and the
//! traits through which the other crates meet.
//!
//! Nothing here knows wasmtime, timely, files, sockets, clocks or threads; whatever is decided here
//! can be tested with values alone.

pub mod align;
pub mod block;
pub mod checkpoint;
pub mod connect;
pub mod explain;
pub mod guest;
pub mod key;
pub mod plan;
pub mod schema;
pub mod several;
pub mod spill;
pub mod trigger;
pub mod watermark;
pub mod window;

/// Milliseconds since the epoch, in event time or processing time.
pub type TimeMs = i64;

/// "Before everything": the watermark of an operator that has heard nothing yet.
pub const TIME_MIN: TimeMs = i64::MIN;

/// "After everything": the watermark of an input that has ended.
pub const TIME_MAX: TimeMs = i64::MAX;
