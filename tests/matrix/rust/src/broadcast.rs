//! Purchases of users and rules that come beside them: each rule finds the purchases it is about, those before it and those after it.
//!
//! In which order purchases and rules meet is not said, so every pair of them has to be found once in either order: a purchase looks
//! through the rules that are shared, a rule is applied to every user who has purchases.

use tidemill::broadcast::{BroadcastCtx, BroadcastMap, BroadcastProcess, BroadcastValue};
use tidemill::prelude::*;

const DAY_MS: i64 = 86_400_000;

#[derive(Record)]
struct Event {
    kind: String,
    name: String,
    cents: i64,
    at: i64,
}

#[derive(Record)]
struct Purchase {
    user: String,
    cents: i64,
    at: i64,
}

/// Is about purchases of so many cents and more.
#[derive(Record)]
struct Rule {
    name: String,
    least: i64,
}

#[derive(Record)]
struct Hit {
    user: String,
    rule: String,
    cents: i64,
}

struct Rules {
    seen: ListState<i64>,
    day: Timer,
    rules: BroadcastMap<String, i64>,
    count: BroadcastValue<i64>,
}

impl BroadcastProcess for Rules {
    type Key = String;
    type In = Purchase;
    type Broadcast = Rule;
    type Out = Hit;

    const APPLIES: bool = true;

    fn on_record(&self, ctx: &mut Ctx<String, Hit>, purchase: Purchase) -> Result {
        ctx.timer(&self.day).replace(purchase.at + DAY_MS);
        ctx.state(&self.seen).push(purchase.cents);
        for (rule, least) in ctx.shared(&self.rules).iter() {
            if purchase.cents >= *least {
                ctx.emit(Hit { user: purchase.user.clone(), rule: rule.clone(), cents: purchase.cents });
            }
        }
        Ok(())
    }

    fn on_broadcast(&self, ctx: &mut BroadcastCtx<Hit>, rule: Rule) -> Result {
        ctx.shared(&self.rules).insert(rule.name, rule.least);
        *ctx.shared(&self.count).or_default() += 1;
        Ok(())
    }

    fn on_key(&self, ctx: &mut Ctx<String, Hit>, rule: &Rule) -> Result {
        let least = ctx.shared(&self.rules)[&rule.name];
        let seen = ctx.state(&self.seen).get().clone();
        for cents in seen.into_iter().filter(|cents| *cents >= least) {
            ctx.emit(Hit { user: ctx.key(), rule: rule.name.clone(), cents });
        }
        Ok(())
    }

    /// Tells what a user has spent under how many rules.
    fn on_timer(&self, ctx: &mut Ctx<String, Hit>, _: TimerEvent) -> Result {
        let rules = ctx.shared(&self.count).map_or(0, |count| *count);
        let cents = ctx.state(&self.seen).get().iter().sum();
        ctx.emit(Hit { user: ctx.key(), rule: format!("{rules} rules"), cents });
        Ok(())
    }
}

pub(crate) fn case(job: &mut Job) -> Result {
    let events = job.source::<Event>("events", json()).event_time(Event::AT, monotonic());
    let purchases = events
        .filter("is-purchase", |event| event.kind == "purchase")
        .map("purchases", |Event { name, cents, at, .. }| Purchase { user: name, cents, at });
    let rules = events.filter("is-rule", |event| event.kind == "rule").map("rules", |event| Rule { name: event.name, least: event.cents });
    purchases
        .key_by(Purchase::USER)
        .connect_broadcast(&rules)
        .process("match", |declare| Rules {
            seen: declare.list("seen"),
            day: declare.event_timer("day"),
            rules: declare.broadcast_map("rules"),
            count: declare.broadcast_value("count"),
        })
        .sink("hits", json());
    Ok(())
}
