//! `tidemill serve`: jobs that are uploaded, each run in a process of its own, over HTTP.
//!
//! Promise: nothing uploaded is ever compiled or run in this process; what is known of a job is on disk before it is done; a server
//! that is killed and started again finds every job, takes over the runners that live, and starts those that died from their last
//! checkpoints. Never do two runners have one job: each holds the lock of its job's folder for as long as it lives.
//!
//! ```text
//! upload -> components/SHA256.wasm -> examined in a child -> submit: planned in a child, admitted or refused -> jobs/ID/ -> runner
//! ```
//!
//! Absences: no wasmtime, no timely, no environment variables. The programs it starts are given by whoever starts it.

mod admission;
mod api;
mod audit;
mod beside;
mod bindings;
mod child;
mod components;
pub mod control;
pub mod durable;
mod error;
mod events;
pub mod examined;
mod explain;
mod id;
mod job;
mod jobs;
pub mod limits;
mod listen;
pub mod lock;
pub mod logs;
mod metrics;
mod operate;
mod options;
mod parts;
mod process;
pub mod shadow;
mod swap;
pub mod view;

pub use api::openapi;
pub use error::Error;
pub use id::{Digest, JobId, Name};
pub use listen::{StartError, serve};
pub use options::{Capacity, Options};

#[cfg(test)]
mod testing;
