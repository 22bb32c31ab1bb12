//! Everything wasmtime, and nothing else: from the bytes of a component to a [`tidemill_core::guest::Guest`].
//!
//! A component is hostile until proven otherwise. What it can make the host allocate, wait for or print is bounded by
//! [`tidemill_core::guest::Limits`] and by the named constants of this crate, and nothing it does can panic the host: every
//! fault is a [`LoadError`] before it runs or a [`tidemill_core::guest::Error`] afterwards. The host links no WASI.
//!
//! ```text
//! Component::load(bytes)  ->  plan(args)  ->  core checks the plan  ->  factory(args, document, plan)  ->  instantiate()
//! ```
//!
//! Absences: no timely, no environment variables, no clock but the one that limits calls and log lines.

mod artifact;
mod bindings;
mod cache;
mod cold;
mod component;
mod contract;
mod engine;
mod error;
mod exports;
mod fault;
mod fuel;
mod instance;
mod limiter;
mod load;
mod log;
mod named;
mod outcome;
mod plan;
mod recycle;
mod shape;
mod state;
mod text;

pub use cache::Use as CacheUse;
pub use component::{Component, Description, LoadOptions, StateMemory};
pub use error::LoadError;
pub use fuel::Fuel;
pub use instance::Instance;
pub use load::COMPONENT_BYTES_MAX;
pub use log::{Level, LogSink, Silent};
