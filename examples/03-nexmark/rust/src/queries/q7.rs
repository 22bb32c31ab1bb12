//! q7, highest bid: the bids with the highest price of every ten seconds as `windowEnd,auction,bidder,price,dateTime`.
//!
//! In two stages, so that all workers take part: the highest bids of each share of the auctions, then the highest of these.

use tidemill::prelude::*;

use crate::events::{bids, lines};

#[derive(Clone, Record)]
#[record(rename_all = "camelCase")]
struct Bid {
    auction: i64,
    bidder: i64,
    price: i64,
    date_time: i64,
}

#[derive(Record)]
struct Highest {
    window_end: i64,
    auction: i64,
    bidder: i64,
    price: i64,
    date_time: i64,
}

/// Into how many shares the first stage cuts the auctions: more than any sensible parallelism, few enough that the second
/// stage has next to nothing to do.
const SHARES: i64 = 64;

/// The bids with the highest price.
struct HighestBids;

impl Aggregate for HighestBids {
    type In = Bid;
    type Acc = List<Bid>;
    type Out = List<Bid>;

    fn start(&self) -> List<Bid> {
        List(Vec::new())
    }

    fn add(&self, highest: &mut List<Bid>, bid: &Bid) {
        match highest.first().map(|first| bid.price.cmp(&first.price)) {
            Some(std::cmp::Ordering::Less) => return,
            Some(std::cmp::Ordering::Greater) => highest.clear(),
            _ => {}
        }
        highest.push(bid.clone());
    }

    fn merge(&self, into: &mut List<Bid>, from: &List<Bid>) {
        from.iter().for_each(|bid| self.add(into, bid));
    }

    fn finish(&self, highest: &List<Bid>) -> List<Bid> {
        highest.clone()
    }
}

fn highest(window_end: i64, bid: Bid) -> Highest {
    Highest { window_end, auction: bid.auction, bidder: bid.bidder, price: bid.price, date_time: bid.date_time }
}

pub(crate) fn query(job: &mut Job) -> Result {
    bids::<Bid>(job)
        .key_by_fn("share", |bid| bid.auction % SHARES)
        .window(tumbling(seconds(10)))
        .aggregate_flat("highest-of-share", HighestBids, |_, bids, out| bids.0.into_iter().for_each(|bid| out.emit(bid)))
        .window_all(tumbling(seconds(10)))
        .aggregate_flat("highest", HighestBids, |w, bids, out| bids.0.into_iter().for_each(|bid| out.emit(highest(w.end(), bid))))
        .sink("results", lines());
    Ok(())
}
