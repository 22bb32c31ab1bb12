//! Orders with their payments and, where there is one, their parcel: three streams joined by order, in sessions.

use tidemill::prelude::*;

#[derive(Clone, Debug, PartialEq, Record)]
struct Order {
    id: i64,
    item: String,
    at: i64,
}

#[derive(Record)]
struct Payment {
    order: i64,
    cents: i64,
    at: i64,
}

#[derive(Record)]
struct Parcel {
    order: i64,
    place: String,
    at: i64,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Status {
    order: i64,
    item: String,
    cents: i64,
    place: Option<String>,
}

#[tidemill::job]
fn three_stream_join(job: &mut Job) -> Result {
    let disorder = out_of_order(seconds(10));
    let orders = job.source::<Order>("orders", json()).event_time(Order::AT, disorder).key_by(Order::ID);
    let payments = job.source::<Payment>("payments", json()).event_time(Payment::AT, disorder).key_by(Payment::ORDER);
    let parcels = job.source::<Parcel>("parcels", json()).event_time(Parcel::AT, disorder).key_by(Parcel::ORDER);
    // What is said of an order lies at most half an hour apart; then the session is over and the order is told once.
    let joined = orders
        .side("order")
        .join(&payments.side("payment"))
        .join(&parcels.side("parcel").optional())
        .window(session(minutes(30)))
        .join("of-one-order");
    joined
        .map("status", |session| {
            let Joined { left: Joined { left: order, right: payment }, right: parcel } = session.record;
            Status { order: order.id, item: order.item, cents: payment.cents, place: parcel.0.map(|parcel| parcel.place) }
        })
        .sink("statuses", json().default("stdout:"));
    joined.unmatched::<Order>("order").sink("unpaid", json());
    Ok(())
}

#[cfg(test)]
mod tests {
    use tidemill::testing;

    use super::*;

    const HALF_AN_HOUR: i64 = 30 * 60_000;

    fn order(id: i64, at: i64) -> Order {
        Order { id, item: format!("item {id}"), at }
    }

    #[test]
    fn a_parcel_may_be_missing_a_payment_may_not() {
        let mut test = testing::job(three_stream_join).start();
        (1..=3).for_each(|id| test.push("orders", order(id, id)));
        test.push("payments", Payment { order: 1, cents: 500, at: 10 });
        test.push("payments", Payment { order: 2, cents: 700, at: HALF_AN_HOUR });
        test.push("parcels", Parcel { order: 2, place: "Turin".to_owned(), at: 2 * HALF_AN_HOUR - 1 });
        test.push("parcels", Parcel { order: 1, place: "Oslo".to_owned(), at: 2 * HALF_AN_HOUR });
        test.finish();
        let status = |order: i64, cents, place: Option<&str>| Status {
            order,
            item: format!("item {order}"),
            cents,
            place: place.map(str::to_owned),
        };
        assert_eq!(test.sink::<Status>("statuses"), [status(1, 500, None), status(2, 700, Some("Turin"))]);
        assert_eq!(test.sink::<Order>("unpaid"), [order(3, 3)]);
    }
}
