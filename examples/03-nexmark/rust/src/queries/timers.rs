//! Inactivity: a line `bidder,count,last` when a bidder has not bid for five seconds; their count then starts anew.
//!
//! Bids come out of order but are applied in the order of event time: they wait in state until the watermark has passed them. A
//! timer is called with the watermark that released it, so one timer per bidder, for the earliest bid that
//! waits, applies all bids that are due.

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
    /// The times of bids that wait, the earliest first, the others in any order.
    pending: ListState<i64>,
    active: Value<Active>,
    apply: Timer,
    silence: Timer,
}

impl Inactivity {
    fn new(declare: &mut Declare) -> Inactivity {
        Inactivity {
            pending: declare.list("pending"),
            active: declare.value("active"),
            apply: declare.event_timer("apply"),
            silence: declare.event_timer("silence"),
        }
    }

    /// Applies the bids up to `time` in order; returns the earliest one that still waits.
    fn apply(&self, ctx: &mut Ctx<i64, Silent>, time: i64) -> Option<i64> {
        let mut waiting = ctx.state(&self.pending).take();
        waiting.sort_unstable();
        let later = waiting.split_off(waiting.partition_point(|bid| *bid <= time));
        let mut active = ctx.state(&self.active).take();
        for bid in waiting {
            match &mut active {
                Some(a) if bid <= a.last + SILENCE_MS => (a.count, a.last) = (a.count + 1, bid),
                _ => {
                    self.end(ctx, active.replace(Active { count: 1, last: bid }));
                }
            }
        }
        if active.as_ref().is_some_and(|a| a.last + SILENCE_MS < time) {
            self.end(ctx, active.take());
        }
        if let Some(active) = active {
            ctx.timer(&self.silence).replace(active.last + SILENCE_MS + 1);
            ctx.state(&self.active).set(active);
        }
        let next = later.first().copied();
        if next.is_some() {
            ctx.state(&self.pending).set(later);
        }
        next
    }

    fn end(&self, ctx: &mut Ctx<i64, Silent>, active: Option<Active>) {
        if let Some(active) = active {
            ctx.emit(Silent { bidder: ctx.key(), count: active.count, last: active.last });
        }
    }
}

impl Process for Inactivity {
    type Key = i64;
    type In = Bid;
    type Out = Silent;

    fn on_record(&self, ctx: &mut Ctx<i64, Silent>, bid: Bid) -> Result {
        let mut pending = ctx.state(&self.pending).get_mut();
        pending.push(bid.date_time);
        let last = pending.len() - 1;
        let earliest = last == 0 || bid.date_time < pending[0];
        if earliest {
            pending.swap(0, last);
        }
        drop(pending);
        if earliest {
            ctx.timer(&self.apply).replace(bid.date_time);
        }
        Ok(())
    }

    fn on_timer(&self, ctx: &mut Ctx<i64, Silent>, _: TimerEvent) -> Result {
        if let Some(next) = self.apply(ctx, ctx.watermark()) {
            ctx.timer(&self.apply).replace(next);
        }
        Ok(())
    }
}

pub(crate) fn query(job: &mut Job) -> Result {
    bids::<Bid>(job).key_by(Bid::BIDDER).process("inactivity", Inactivity::new).sink("results", lines());
    Ok(())
}
