//! The guest host against components written as text: each well-behaved but for the one thing its test is about.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod cache;
mod calls;
mod cost;
mod emit;
mod limits;
mod load;
mod meter;
mod plan;
mod wat_guest;
