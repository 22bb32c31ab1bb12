//! Benchmarks of Tidemill, one module each, with the figures of `RESULTS.md` as their output.
//!
//! Promise: every table names its command, the machine and the commit; every figure is a median of interleaved rounds; and
//! a figure is only shown for runs whose results were found equal. `compare` alone starts other engines.

// Tables on standard output are what a benchmark is for.
#![allow(clippy::print_stdout)]

pub mod compare;
pub mod guest_call;
pub mod native_vs_wasm;

mod child;
mod digest;
mod events;
mod inprocess;
mod machine;
mod median;
mod native;
mod place;
mod table;

/// The allocator of the `tidemill` binary, so that what runs in this process runs as it does there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
