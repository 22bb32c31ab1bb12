//! Queries of the Nexmark benchmark over an auction house: persons open auctions, others bid.
//!
//! `--arg query=q5` chooses one. Each stands in a module of its own with what it computes; the events are in [`events`]. A query
//! declares only the fields that it reads, since the host decodes no others.

mod events;
mod queries;

use queries::{q0, q1, q2, q3, q4, q5, q7, q8, q11, timers, wordcount};
use tidemill::prelude::*;

/// The queries, by name.
const QUERIES: [(&str, fn(&mut Job) -> Result); 11] = [
    ("q0", q0::query),
    ("q1", q1::query),
    ("q2", q2::query),
    ("q3", q3::query),
    ("q4", q4::query),
    ("q5", q5::query),
    ("q7", q7::query),
    ("q8", q8::query),
    ("q11", q11::query),
    ("wordcount", wordcount::query),
    ("timers", timers::query),
];

/// The job: one query.
#[tidemill::job]
pub fn nexmark(job: &mut Job) -> Result {
    let name = job.arg_or("query", "q5");
    match QUERIES.iter().find(|(query, _)| *query == name) {
        Some((_, build)) => build(job),
        None => bail!("unknown query {name:?}: there are {}", QUERIES.map(|(query, _)| query).join(", ")),
    }
}

#[cfg(test)]
mod tests;
