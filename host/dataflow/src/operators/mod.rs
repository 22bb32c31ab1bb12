//! One operator per file; each is a [`crate::harness::Logic`], except the source, which has no input.

mod ahead;
mod broadcast;
pub(crate) mod chain;
pub(crate) mod generator;
pub(crate) mod guest_call;
pub(crate) mod join;
pub(crate) mod process;
mod rerun;
pub(crate) mod rolling;
pub(crate) mod sink;
pub(crate) mod source;
mod source_facts;
pub(crate) mod union;
pub(crate) mod watch;
pub(crate) mod window;
