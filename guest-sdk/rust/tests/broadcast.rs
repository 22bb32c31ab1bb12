//! Broadcast state in the test kit.
#![allow(clippy::unwrap_used, missing_docs)]

use tidemill::broadcast::{BroadcastCtx, BroadcastMap, BroadcastProcess};
use tidemill::prelude::*;
use tidemill::testing;

#[derive(Clone, Debug, PartialEq, Record)]
struct Sale {
    shop: String,
    item: String,
    at: i64,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Rule {
    item: String,
    most: i64,
    at: i64,
}

/// Tells each sale above what its item's rule allows a shop, and what a new rule finds.
struct Watch {
    rules: BroadcastMap<String, i64>,
    sold: MapState<String, i64>,
    end: Timer,
}

type Told = (String, String, i64);

impl BroadcastProcess for Watch {
    type Key = String;
    type In = Sale;
    type Broadcast = Rule;
    type Out = Told;

    const APPLIES: bool = true;

    fn on_record(&self, ctx: &mut Ctx<String, Told>, sale: Sale) -> Result {
        let sold = {
            let mut sold = ctx.state(&self.sold).or_insert(sale.item.clone(), 0);
            *sold += 1;
            *sold
        };
        if ctx.shared(&self.rules).get(&sale.item).is_some_and(|most| sold > *most) {
            ctx.emit((ctx.key(), sale.item, sold));
        }
        ctx.timer(&self.end).replace(i64::MAX);
        Ok(())
    }

    fn on_broadcast(&self, ctx: &mut BroadcastCtx<Told>, rule: Rule) -> Result {
        if rule.most < 0 {
            bail!("a rule of {}", rule.most);
        }
        ctx.shared(&self.rules).insert(rule.item, rule.most);
        Ok(())
    }

    fn on_key(&self, ctx: &mut Ctx<String, Told>, rule: &Rule) -> Result {
        let sold = ctx.state(&self.sold).get(&rule.item).map_or(0, |sold| *sold);
        if sold > rule.most {
            ctx.emit((ctx.key(), format!("{} already", rule.item), sold));
        }
        Ok(())
    }

    fn on_timer(&self, ctx: &mut Ctx<String, Told>, _: TimerEvent) -> Result {
        ctx.emit((ctx.key(), "rules".to_owned(), ctx.shared(&self.rules).len() as i64));
        Ok(())
    }
}

fn sale(shop: &str, item: &str) -> Sale {
    Sale { shop: shop.to_owned(), item: item.to_owned(), at: 1 }
}

fn rule(item: &str, most: i64) -> Rule {
    Rule { item: item.to_owned(), most, at: 1 }
}

fn job(job: &mut Job) -> Result {
    let rules = job.source::<Rule>("rules", json()).event_time(Rule::AT, monotonic());
    let sales = job.source::<Sale>("sales", json()).event_time(Sale::AT, monotonic());
    sales
        .key_by(Sale::SHOP)
        .connect_broadcast(&rules)
        .process("watch", |d| Watch { rules: d.broadcast_map("rules"), sold: d.map("sold"), end: d.event_timer("end") })
        .on_error(OnError::Skip)
        .sink("told", json());
    Ok(())
}

fn told(shop: &str, what: &str, n: i64) -> Told {
    (shop.to_owned(), what.to_owned(), n)
}

#[test]
fn every_key_reads_what_is_shared_and_a_rule_is_applied_to_each() {
    let mut test = testing::job(job).start();
    ["a", "b", "b"].into_iter().for_each(|shop| test.push("sales", sale(shop, "tea")));
    test.push("rules", rule("tea", 1));
    assert_eq!(test.sink::<Told>("told"), [told("b", "tea already", 2)]);
    test.restart();
    test.push("sales", sale("a", "tea"));
    test.push("sales", sale("a", "milk"));
    assert_eq!(test.sink::<Told>("told"), [told("a", "tea", 2)]);
    test.push("rules", rule("tea", -1));
    assert_eq!(test.refused(), ["a rule of -1"]);
    test.push("rules", rule("milk", 5));
    test.finish();
    assert_eq!(test.sink::<Told>("told"), [told("a", "rules", 2), told("b", "rules", 2)]);
}

/// Numbers sales by the greatest rule so far.
struct Unkeyed(tidemill::broadcast::BroadcastValue<i64>);

impl BroadcastProcess for Unkeyed {
    type Key = ();
    type In = Sale;
    type Broadcast = Rule;
    type Out = (String, i64);

    fn on_record(&self, ctx: &mut Ctx<(), (String, i64)>, sale: Sale) -> Result {
        let most = ctx.shared(&self.0).map_or(0, |most| *most);
        ctx.emit((sale.item, most));
        Ok(())
    }

    fn on_broadcast(&self, ctx: &mut BroadcastCtx<(String, i64)>, rule: Rule) -> Result {
        let most = ctx.shared(&self.0).cloned().unwrap_or_default();
        ctx.shared(&self.0).set(most.max(rule.most));
        Ok(())
    }
}

#[test]
fn records_without_a_key_read_it_too() {
    let job = |job: &mut Job| {
        let rules = job.source::<Rule>("rules", json()).event_time(Rule::AT, monotonic());
        let sales = job.source::<Sale>("sales", json()).event_time(Sale::AT, monotonic());
        sales.connect_broadcast(&rules).process("number", |d| Unkeyed(d.broadcast_value("most"))).sink("told", json());
        Ok(())
    };
    let mut test = testing::job(job).start();
    test.push("sales", sale("a", "tea"));
    test.push("rules", rule("tea", 7));
    test.push("rules", rule("tea", 3));
    test.restart();
    test.push("sales", sale("b", "milk"));
    assert_eq!(test.sink::<(String, i64)>("told"), [("tea".to_owned(), 0), ("milk".to_owned(), 7)]);
}
