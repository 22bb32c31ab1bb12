//! The three products that sold most in each minute, as `until,rank,product,amount`, in three ways that come to the same: `--arg way=…`.

use std::collections::BTreeMap;

use tidemill::prelude::*;

/// How many products a minute keeps.
const KEPT: usize = 3;
/// A minute in the time of the sales.
const MINUTE_MS: i64 = 60_000;

#[derive(Clone, Record)]
struct Sale {
    product: String,
    amount: i64,
    at: i64,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Total {
    until: i64,
    product: String,
    amount: i64,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Ranked {
    until: i64,
    rank: i64,
    product: String,
    amount: i64,
}

#[tidemill::job]
fn top_products(job: &mut Job) -> Result {
    let sales = job.source::<Sale>("sales", json().default("stdin:")).event_time(Sale::AT, out_of_order(seconds(5)));
    let top = match &*job.arg_or("way", "two-windows") {
        "two-windows" => by_two_windows(&sales),
        "one-window" => by_one_window(&sales),
        "timers" => by_timers(&sales),
        way => bail!("argument way={way:?}: the ways are two-windows, one-window and timers"),
    };
    top.sink("top", csv().default("stdout:"));
    Ok(())
}

/// A window that sums per product, then one over the sums of a minute.
fn by_two_windows(sales: &Stream<Sale>) -> Stream<Ranked> {
    let totals = sales.key_by(Sale::PRODUCT).window(tumbling(minutes(1))).aggregate("total", sum(Sale::AMOUNT), |w, amount| Total {
        until: w.end(),
        product: w.key(),
        amount,
    });
    // All totals of a minute have its last millisecond as event time, so that they meet in one window again.
    let minutes = totals.key_by(Total::UNTIL).window(tumbling(minutes(1)));
    (*minutes.process("rank", |_, totals, out| rank(totals.to_vec()).for_each(|ranked| out.emit(ranked)))).clone()
}

/// One window over all sales of a minute: the shortest, and the one that does not run in parallel.
fn by_one_window(sales: &Stream<Sale>) -> Stream<Ranked> {
    let minutes = sales.window_all(tumbling(minutes(1)));
    let top = minutes.process("rank-all", |w, sales: &[Sale], out| {
        let mut amounts = BTreeMap::new();
        sales.iter().for_each(|sale| *amounts.entry(sale.product.clone()).or_insert(0) += sale.amount);
        rank(totals(w.end(), &amounts)).for_each(|ranked| out.emit(ranked));
    });
    (*top).clone()
}

/// A process function that sums in a map and ranks when the minute is over.
fn by_timers(sales: &Stream<Sale>) -> Stream<Ranked> {
    let minutes = sales.key_by_fn("minute", |sale| sale.at.div_euclid(MINUTE_MS));
    (*minutes.process("rank-by-timer", |d| Rank { amounts: d.map("amounts"), over: d.event_timer("over") })).clone()
}

struct Rank {
    amounts: MapState<String, i64>,
    over: Timer,
}

impl Process for Rank {
    type Key = i64;
    type In = Sale;
    type Out = Ranked;

    fn on_record(&self, ctx: &mut Ctx<i64, Ranked>, sale: Sale) -> Result {
        // A window's results have its last millisecond as event time, and so do these.
        let last = (ctx.key() + 1) * MINUTE_MS - 1;
        if ctx.watermark() < last {
            *ctx.state(&self.amounts).or_insert(sale.product, 0) += sale.amount;
            ctx.timer(&self.over).add(last);
        }
        Ok(())
    }

    fn on_timer(&self, ctx: &mut Ctx<i64, Ranked>, event: TimerEvent) -> Result {
        let amounts = std::mem::take(&mut *ctx.state(&self.amounts).entries_mut());
        rank(totals(event.time() + 1, &amounts)).for_each(|ranked| ctx.emit(ranked));
        Ok(())
    }
}

fn totals(until: i64, amounts: &BTreeMap<String, i64>) -> Vec<Total> {
    amounts.iter().map(|(product, &amount)| Total { until, product: product.clone(), amount }).collect()
}

/// The greatest totals of a minute; of equal ones the first by name.
fn rank(mut totals: Vec<Total>) -> impl Iterator<Item = Ranked> {
    totals.sort_by(|a, b| b.amount.cmp(&a.amount).then_with(|| a.product.cmp(&b.product)));
    (1..).zip(totals.into_iter().take(KEPT)).map(|(rank, Total { until, product, amount })| Ranked { until, rank, product, amount })
}

#[cfg(test)]
mod tests {
    use tidemill::testing;

    use super::*;

    const WAYS: [&str; 3] = ["two-windows", "one-window", "timers"];

    #[test]
    fn a_tie_is_broken_by_name_and_the_fourth_is_left_out() {
        for way in WAYS {
            a_tie_is_broken(way);
        }
    }

    fn a_tie_is_broken(way: &str) {
        let mut test = testing::job(top_products).arg("way", way).start();
        for (product, amount) in [("tea", 5), ("milk", 7), ("bread", 5), ("eggs", 1)] {
            test.push("sales", Sale { product: product.to_owned(), amount, at: 1_000 });
        }
        test.finish();
        assert_eq!(test.sink_lines("top"), ["60000,1,milk,7", "60000,2,bread,5", "60000,3,tea,5"], "{way}");
    }

    #[test]
    fn the_three_ways_give_what_the_folder_says() {
        let mut expected: Vec<&str> = include_str!("../../expected.csv").lines().collect();
        expected.sort_unstable();
        for way in WAYS {
            let mut test = testing::job(top_products).arg("way", way).start();
            test.push_lines("sales", include_str!("../../input.jsonl"));
            test.finish();
            let mut top = test.sink_lines("top");
            top.sort_unstable();
            assert_eq!(top, expected, "{way}");
        }
    }
}
