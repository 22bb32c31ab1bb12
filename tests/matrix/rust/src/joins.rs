//! Orders and payments of an account: joined by their distance in time, where an order may go without, and in windows.

use tidemill::prelude::*;

#[derive(Record)]
struct Event {
    kind: String,
    account: String,
    item: Option<String>,
    cents: Option<i64>,
    note: Option<String>,
    at: i64,
}

#[derive(Clone, Record)]
struct Order {
    account: String,
    item: String,
    at: i64,
}

/// A payment without a note is another thing than no payment.
#[derive(Clone, Record)]
struct Payment {
    account: String,
    cents: i64,
    note: Option<String>,
    at: i64,
}

#[derive(Record)]
struct Paid {
    account: String,
    item: String,
    paid: bool,
    cents: Option<i64>,
    note: Option<String>,
}

#[derive(Record)]
struct Pair {
    account: String,
    start: i64,
    end: i64,
    item: String,
    cents: i64,
}

pub(crate) fn case(job: &mut Job) -> Result {
    let events = job.source::<Event>("events", json()).event_time(Event::AT, out_of_order(seconds(2)));
    let orders = events.flat_map("orders", |Event { account, item, at, .. }, out| {
        if let Some(item) = item {
            out.emit(Order { account, item, at });
        }
    });
    let payments = events.flat_map("payments", |Event { account, cents, note, at, .. }, out| {
        if let Some(cents) = cents {
            out.emit(Payment { account, cents, note, at });
        }
    });
    let (orders, payments) = (orders.key_by(Order::ACCOUNT), payments.key_by(Payment::ACCOUNT));
    let (order, payment) = (orders.side("order"), payments.side("payment"));

    let near = order.join(&payment.optional()).within("near", between(seconds(-2), seconds(5)).upper_exclusive());
    near.unmatched::<Payment>("payment").sink("orphans-out", json());
    near.map("paid", |Joined { left: order, right: payment }| {
        let paid = payment.is_some();
        let (cents, note) = payment.0.map_or((None, None), |payment| (Some(payment.cents), payment.note));
        Paid { account: order.account, item: order.item, paid, cents, note }
    })
    .sink("paid-out", json());

    let together = order.join(&payment).window(tumbling(seconds(10))).join("together");
    together
        .map("pair", |row| {
            let Joined { left: order, right: payment } = row.record;
            Pair { account: order.account, start: row.start, end: row.end, item: order.item, cents: payment.cents }
        })
        .sink("pairs-out", json());
    Ok(())
}
