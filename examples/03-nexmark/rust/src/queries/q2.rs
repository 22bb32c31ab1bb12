//! q2, selection: the bids on some auctions as `auction,price`.

use tidemill::prelude::*;

use crate::events::{bids, lines};

#[derive(Record)]
struct Bid {
    auction: i64,
    price: i64,
}

pub(crate) fn query(job: &mut Job) -> Result {
    bids::<Bid>(job).filter("some-auctions", |bid| bid.auction % 123 == 0).sink("results", lines());
    Ok(())
}
