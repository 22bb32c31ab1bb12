//! q1, currency conversion: every bid as `auction,bidder,price,dateTime,extra` with the price in euros.

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
    bids::<Bid>(job).map("to-euros", |bid| Bid { price: bid.price * 908 / 1000, ..bid }).sink("results", lines());
    Ok(())
}
