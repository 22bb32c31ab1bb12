//! One command per file; each declares its flags and wires the crates together.

pub(crate) mod build;
pub(crate) mod checkpoint;
pub(crate) mod completions;
pub(crate) mod datagen;
pub(crate) mod examine;
pub(crate) mod explain;
pub(crate) mod inspect;
pub(crate) mod new;
pub(crate) mod plan;
pub(crate) mod remote;
pub(crate) mod run;
pub(crate) mod savepoint;
pub(crate) mod serve;
pub(crate) mod stop;
pub(crate) mod test;
