//! The source that all queries read, and the sink that they write.
//!
//! Every line is one JSON object; its field `type` says whether it is a person, an auction or a bid. Events come up to four seconds
//! late.

use tidemill::prelude::*;
use tidemill::stream::{Format, TaggedSource};

/// How late an event may come.
const LATENESS_S: i64 = 4;

/// The source of events.
pub(crate) fn events(job: &mut Job) -> TaggedSource {
    job.tagged_source("events", json().tag("type").default("stdin:")).event_time_field("dateTime", out_of_order(seconds(LATENESS_S)))
}

/// Only the bids.
pub(crate) fn bids<T: Record>(job: &mut Job) -> Stream<T> {
    events(job).variant("bid")
}

/// The format of results: a line of values separated by commas.
pub(crate) fn lines() -> Format {
    csv().default("stdout:")
}
