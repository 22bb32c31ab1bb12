//! What users bought: a value, a list, a map and a timer for each of them, all of which a savepoint has to hold.

use tidemill::prelude::*;

/// A basket is told after every fifth purchase of a user, and at the end.
const EVERY: i64 = 5;
const DAY_MS: i64 = 86_400_000;
const RECENT: usize = 3;

#[derive(Record)]
struct Purchase {
    user: String,
    item: String,
    price: f64,
    at: i64,
}

#[derive(Clone, Default, Record)]
struct Total {
    count: i64,
    spent: f64,
}

#[derive(Record)]
struct Basket {
    user: String,
    count: i64,
    spent: f64,
    recent: String,
    favourite: String,
    items: i64,
}

struct Baskets {
    total: Value<Total>,
    recent: ListState<String>,
    counts: MapState<String, i64>,
    day: Timer,
}

impl Process for Baskets {
    type Key = String;
    type In = Purchase;
    type Out = Basket;

    fn on_record(&self, ctx: &mut Ctx<String, Basket>, purchase: Purchase) -> Result {
        ctx.timer(&self.day).replace(purchase.at + DAY_MS);
        let count = {
            let mut total = ctx.state(&self.total).or_default();
            total.count += 1;
            total.spent += purchase.price;
            total.count
        };
        *ctx.state(&self.counts).or_insert(purchase.item.clone(), 0) += 1;
        let mut recent = ctx.state(&self.recent).take();
        recent.push(purchase.item);
        if recent.len() > RECENT {
            recent.remove(0);
        }
        ctx.state(&self.recent).set(recent);
        if count % EVERY == 0 {
            self.tell(ctx);
        }
        Ok(())
    }

    fn on_timer(&self, ctx: &mut Ctx<String, Basket>, _: TimerEvent) -> Result {
        self.tell(ctx);
        ctx.state(&self.total).clear();
        ctx.state(&self.recent).clear();
        ctx.state(&self.counts).clear();
        Ok(())
    }
}

impl Baskets {
    fn tell(&self, ctx: &mut Ctx<String, Basket>) {
        let total = ctx.state(&self.total).cloned().unwrap_or_default();
        let recent = ctx.state(&self.recent).get().join(",");
        let (favourite, items) = {
            let counts = ctx.state(&self.counts);
            let counts = counts.entries();
            // Of items that were bought equally often, the first in the order of their names.
            let most = counts.iter().rev().max_by_key(|(_, count)| **count);
            (most.map(|(item, _)| item.clone()).unwrap_or_default(), counts.len() as i64)
        };
        ctx.emit(Basket { user: ctx.key(), count: total.count, spent: total.spent, recent, favourite, items });
    }
}

pub(crate) fn case(job: &mut Job) -> Result {
    job.source::<Purchase>("purchases", json())
        .event_time(Purchase::AT, monotonic())
        .key_by(Purchase::USER)
        .process("basket", |declare| Baskets {
            total: declare.value("total"),
            recent: declare.list("recent"),
            counts: declare.map("counts"),
            day: declare.event_timer("day"),
        })
        .sink("baskets", json());
    Ok(())
}
