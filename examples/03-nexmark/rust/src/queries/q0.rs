//! q0, pass through: every bid as `auction,bidder,price,dateTime,extra`.
//!
//! Nothing is computed, so no code of this component runs: the host decodes and writes.

use tidemill::prelude::*;

use crate::events::{bids, lines};

#[derive(Record)]
#[record(rename_all = "camelCase")]
struct Bid {
    auction: i64,
    bidder: i64,
    price: i64,
    date_time: i64,
    extra: String,
}

pub(crate) fn query(job: &mut Job) -> Result {
    bids::<Bid>(job).sink("results", lines());
    Ok(())
}
