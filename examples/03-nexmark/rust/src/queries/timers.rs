//! Inactivity: a line `bidder,count,last` when a bidder has not bid for five seconds; their count then starts anew.
//!
//! Bids come out of order but are applied in the order of event time: each waits in state until the watermark has passed it.

use tidemill::prelude::*;

use crate::events::{bids, lines};

/// How long a bidder may be silent, in milliseconds. A bid at exactly this distance is still in time.
const SILENCE_MS: i64 = 5_000;

#[derive(Record)]
#[record(rename_all = "camelCase")]
struct Bid {
    bidder: i64,
    date_time: i64,
}

#[derive(Record)]
struct Silent {
    bidder: i64,
    count: i64,
    last: i64,
}

/// The bids of a bidder that have been applied.
#[derive(Clone, Record)]
struct Active {
    count: i64,
    last: i64,
}

struct Inactivity {
    /// How many bids wait at which time.
    pending: MapState<i64, i64>,
    active: Value<Active>,
    apply: Timer,
    silence: Timer,
}

impl Inactivity {
    fn new(declare: &mut Declare) -> Inactivity {
        Inactivity {
            pending: declare.map("pending"),
            active: declare.value("active"),
            apply: declare.event_timer("apply"),
            silence: declare.event_timer("silence"),
        }
    }

    fn end(&self, ctx: &mut Ctx<i64, Silent>) {
        if let Some(active) = ctx.state(&self.active).take() {
            ctx.emit(Silent { bidder: ctx.key(), count: active.count, last: active.last });
        }
    }
}

impl Process for Inactivity {
    type Key = i64;
    type In = Bid;
    type Out = Silent;

    fn on_record(&self, ctx: &mut Ctx<i64, Silent>, bid: Bid) -> Result {
        *ctx.state(&self.pending).or_insert(bid.date_time, 0) += 1;
        ctx.timer(&self.apply).add(bid.date_time);
        Ok(())
    }

    /// Either timer may come first where both are due at once, so each looks at the times itself.
    fn on_timer(&self, ctx: &mut Ctx<i64, Silent>, event: TimerEvent) -> Result {
        let active = ctx.state(&self.active).cloned().filter(|active| event.time() <= active.last + SILENCE_MS);
        if active.is_none() {
            self.end(ctx);
        }
        if event.is(&self.apply) {
            let bids = ctx.state(&self.pending).remove(&event.time()).unwrap_or_default();
            ctx.state(&self.active).set(Active { count: active.map_or(0, |active| active.count) + bids, last: event.time() });
            ctx.timer(&self.silence).replace(event.time() + SILENCE_MS + 1);
        }
        Ok(())
    }
}

pub(crate) fn query(job: &mut Job) -> Result {
    bids::<Bid>(job).key_by(Bid::BIDDER).process("inactivity", Inactivity::new).sink("results", lines());
    Ok(())
}
