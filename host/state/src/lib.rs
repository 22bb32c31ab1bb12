//! Stored checkpoints: writing them while a job runs, choosing one, reading it back, and finding every byte that is wrong.

mod catalog;
mod coordinator;
mod directory;
mod discard;
mod error;
mod layers;
mod manifest;
#[cfg(test)]
#[path = "../tests/all/pages.rs"]
mod pages;
mod part;
mod record;
mod restore;
mod rows;
mod scratch;
mod store;
#[cfg(test)]
mod tests;

pub use catalog::{Catalog, Listed, Verified, Which, open};
pub use coordinator::{
    BOUNDARY_TIMEOUT, Base, Coordinator, Ending, Event, Expected, Granted, Hooks, Job, Last, Options, Purpose, RETAIN, Statistics, Wish,
    copy,
};
pub use directory::{Start, judge, start};
pub use discard::discard;
pub use error::Error;
pub use manifest::{Manifest, Operator, Part};
pub use part::{Summary, examine};
pub use record::Record;
pub use restore::Restore;
pub use scratch::Scratch;
pub use store::{Access, Backend, Entry, Fault, Faulty, Objects, Operation, Put, Settings, Store};
