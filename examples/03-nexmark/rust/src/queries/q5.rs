//! q5, hot items: the auctions with the most bids of the last ten seconds, every two seconds, as `windowEnd,auction,count`.
//!
//! The host counts; `--arg aggregate=guest` lets this component count instead, to compare the two. The counts of one window all
//! have the window's last millisecond as event time, so that tumbling windows of two seconds hold exactly those of
//! one sliding window.

use tidemill::prelude::*;

use crate::events::{bids, lines};

#[derive(Record)]
struct Bid {
    auction: i64,
}

/// How many bids an auction had in the window that ends at `window_end`.
#[derive(Clone, Record)]
struct Hot {
    window_end: i64,
    auction: i64,
    count: i64,
}

/// The greatest count of a window, and all auctions that have it.
struct Hottest;

impl Aggregate for Hottest {
    type In = Hot;
    type Acc = List<Hot>;
    type Out = List<Hot>;

    fn start(&self) -> List<Hot> {
        List(Vec::new())
    }

    fn add(&self, hottest: &mut List<Hot>, hot: &Hot) {
        match hottest.first().map(|first| hot.count.cmp(&first.count)) {
            Some(std::cmp::Ordering::Less) => return,
            Some(std::cmp::Ordering::Greater) => hottest.clear(),
            _ => {}
        }
        hottest.push(hot.clone());
    }

    fn merge(&self, into: &mut List<Hot>, from: &List<Hot>) {
        from.iter().for_each(|hot| self.add(into, hot));
    }

    fn finish(&self, hottest: &List<Hot>) -> List<Hot> {
        hottest.clone()
    }
}

pub(crate) fn query(job: &mut Job) -> Result {
    let by_auction = bids::<Bid>(job).key_by(Bid::AUCTION).window(sliding(seconds(10), seconds(2)));
    let counts = match job.arg_or("aggregate", "host").as_str() {
        "host" => by_auction.count("count").map("hot", |c| Hot { window_end: c.end, auction: c.key, count: c.count }),
        "guest" => by_auction.aggregate("count", count(), |w, count| Hot { window_end: w.end(), auction: w.key(), count }).clone(),
        other => bail!("aggregate is host or guest, not {other:?}"),
    };
    counts
        .key_by(Hot::WINDOW_END)
        .window(tumbling(seconds(2)))
        .aggregate_flat("hottest", Hottest, |_, hottest, out| hottest.0.into_iter().for_each(|hot| out.emit(hot)))
        .sink("results", lines());
    Ok(())
}
