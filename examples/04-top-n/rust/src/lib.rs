//! The three products that sold most in each minute, as `until,rank,product,amount`.

use tidemill::prelude::*;

/// How many products a minute keeps.
const KEPT: usize = 3;

#[derive(Record)]
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
    job.source::<Sale>("sales", json().default("stdin:"))
        .event_time(Sale::AT, out_of_order(seconds(5)))
        .key_by(Sale::PRODUCT)
        .window(tumbling(minutes(1)))
        .aggregate("total", sum(Sale::AMOUNT), |w, amount| Total { until: w.end(), product: w.key(), amount })
        // All totals of a minute have its last millisecond as event time, so that they meet in one window again.
        .key_by(Total::UNTIL)
        .window(tumbling(minutes(1)))
        .process("rank", |_, totals, out| {
            let mut totals = totals.to_vec();
            totals.sort_by(|a, b| b.amount.cmp(&a.amount).then_with(|| a.product.cmp(&b.product)));
            for (rank, total) in (1..).zip(totals.into_iter().take(KEPT)) {
                out.emit(Ranked { until: total.until, rank, product: total.product, amount: total.amount });
            }
        })
        .sink("top", csv().default("stdout:"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use tidemill::testing;

    use super::*;

    #[test]
    fn a_tie_is_broken_by_name_and_the_fourth_is_left_out() {
        let mut test = testing::job(top_products).start();
        for (product, amount) in [("tea", 5), ("milk", 7), ("bread", 5), ("eggs", 1)] {
            test.push("sales", Sale { product: product.to_owned(), amount, at: 1_000 });
        }
        test.finish();
        assert_eq!(test.sink_lines("top"), ["60000,1,milk,7", "60000,2,bread,5", "60000,3,tea,5"]);
    }
}
