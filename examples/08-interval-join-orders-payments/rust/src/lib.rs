//! Orders with the payments of the fifteen minutes behind them, and the orders that nobody paid for in time.

use tidemill::prelude::*;

#[derive(Clone, Debug, PartialEq, Record)]
struct Order {
    id: i64,
    customer: String,
    cents: i64,
    at: i64,
}

#[derive(Record)]
struct Payment {
    order: i64,
    cents: i64,
    at: i64,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Paid {
    order: i64,
    customer: String,
    cents: i64,
    of: i64,
    after_ms: i64,
}

#[tidemill::job]
fn orders_payments(job: &mut Job) -> Result {
    let disorder = out_of_order(seconds(5));
    let orders = job.source::<Order>("orders", json()).event_time(Order::AT, disorder).key_by(Order::ID);
    let payments = job.source::<Payment>("payments", json()).event_time(Payment::AT, disorder).key_by(Payment::ORDER);
    let paid = orders.side("order").join(&payments.side("payment")).within("in-time", between(millis(0), minutes(15)));
    paid.map("paid", |Joined { left: order, right: payment }| Paid {
        order: order.id,
        customer: order.customer,
        cents: payment.cents,
        of: order.cents,
        after_ms: payment.at - order.at,
    })
    .sink("payments-in-time", json().default("stdout:"));
    // Told when no payment can come in time any more.
    paid.unmatched::<Order>("order").sink("unpaid", json());
    Ok(())
}

#[cfg(test)]
mod tests {
    use tidemill::testing;

    use super::*;

    const QUARTER: i64 = 15 * 60_000;

    fn order(id: i64, at: i64) -> Order {
        Order { id, customer: "ada".to_owned(), cents: 900, at }
    }

    #[test]
    fn both_bounds_count_and_half_a_payment_is_one() {
        let mut test = testing::job(orders_payments).start();
        (1..=3).for_each(|id| test.push("orders", order(id, 1_000)));
        for (order, cents, at) in [(1, 400, 1_000), (1, 500, 1_000 + QUARTER), (2, 900, 1_001 + QUARTER), (3, 900, 999)] {
            test.push("payments", Payment { order, cents, at });
        }
        assert!(test.sink::<Order>("unpaid").is_empty(), "a payment may still be on its way");
        test.finish();
        let paid: Vec<(i64, i64)> = test.sink::<Paid>("payments-in-time").iter().map(|paid| (paid.cents, paid.after_ms)).collect();
        assert_eq!(paid, [(400, 0), (500, QUARTER)]);
        assert_eq!(test.sink::<Order>("unpaid"), [order(2, 1_000), order(3, 1_000)]);
    }
}
