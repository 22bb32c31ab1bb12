//! The crate from outside: a scripted engine, storage that fails, and directories that are damaged.

#![allow(clippy::unwrap_used)]

mod checkpoints;
mod damage;
mod engine;
mod faults;
mod golden;
mod local;
mod pages;
mod savepoints;
mod starts;
