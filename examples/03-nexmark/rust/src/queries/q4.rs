//! q4, average price per category: `windowEnd,category,average,n` over the winning bids of auctions that expire in ten seconds.
//!
//! The winning bid is the highest one between the auction's beginning and its end, both inclusive. It is known when
//! the watermark reaches `expires`. Bids may come before their auction: they are kept until the watermark has passed them, for
//! an auction that comes later than that begins later too.

use tidemill::prelude::*;

use crate::events::{events, lines};

#[derive(Clone, Record)]
#[record(rename_all = "camelCase")]
struct Auction {
    id: i64,
    category: i64,
    date_time: i64,
    expires: i64,
}

#[derive(Clone, Record)]
#[record(rename_all = "camelCase")]
struct Bid {
    auction: i64,
    price: i64,
    date_time: i64,
}

#[derive(Record)]
struct Sale {
    category: i64,
    price: i64,
}

#[derive(Record)]
struct Average {
    window_end: i64,
    category: i64,
    price: i64,
    sales: i64,
}

struct Winning {
    auction: Value<Auction>,
    best: Value<i64>,
    /// Bids that came before their auction.
    early: ListState<Bid>,
    expires: Timer,
    forget: Timer,
}

impl Winning {
    fn new(declare: &mut Declare) -> Winning {
        Winning {
            auction: declare.value("auction"),
            best: declare.value("best"),
            early: declare.list("early"),
            expires: declare.event_timer("expires"),
            forget: declare.event_timer("forget"),
        }
    }

    fn bid(&self, ctx: &Ctx<i64, Sale>, auction: &Auction, bid: &Bid) {
        let best = ctx.state(&self.best);
        if (auction.date_time..=auction.expires).contains(&bid.date_time) && best.cloned().is_none_or(|best| bid.price > best) {
            best.set(bid.price);
        }
    }
}

impl Process2 for Winning {
    type Key = i64;
    type First = Auction;
    type Second = Bid;
    type Out = Sale;

    fn on_first(&self, ctx: &mut Ctx<i64, Sale>, auction: Auction) -> Result {
        for bid in ctx.state(&self.early).take() {
            self.bid(ctx, &auction, &bid);
        }
        ctx.timer(&self.expires).add(auction.expires);
        ctx.state(&self.auction).set(auction);
        Ok(())
    }

    fn on_second(&self, ctx: &mut Ctx<i64, Sale>, bid: Bid) -> Result {
        match ctx.state(&self.auction).get() {
            Some(auction) => self.bid(ctx, &auction, &bid),
            None => {
                ctx.timer(&self.forget).add(bid.date_time);
                ctx.state(&self.early).push(bid);
            }
        }
        Ok(())
    }

    fn on_timer(&self, ctx: &mut Ctx<i64, Sale>, event: TimerEvent) -> Result {
        if event.is(&self.forget) {
            ctx.state(&self.early).retain(|bid| bid.date_time > event.time());
            return Ok(());
        }
        if let (Some(auction), Some(price)) = (ctx.state(&self.auction).take(), ctx.state(&self.best).take()) {
            ctx.emit(Sale { category: auction.category, price });
        }
        Ok(())
    }
}

pub(crate) fn query(job: &mut Job) -> Result {
    let events = events(job);
    let auctions = events.variant::<Auction>("auction").key_by(Auction::ID);
    let bids = events.variant::<Bid>("bid").key_by(Bid::AUCTION);
    auctions
        .connect(&bids)
        .process("winning-bid", Winning::new)
        .key_by(Sale::CATEGORY)
        .window(tumbling(seconds(10)))
        .fold(
            "average",
            (0, 0),
            |(sum, n), sale| (*sum, *n) = (*sum + sale.price, *n + 1),
            |(sum, n), (more, m)| (*sum, *n) = (*sum + more, *n + m),
            |window, (sum, n): &(i64, i64)| Average { window_end: window.end(), category: window.key(), price: sum / n, sales: *n },
        )
        .sink("results", lines());
    Ok(())
}
