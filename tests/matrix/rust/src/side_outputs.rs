//! Bills of ten seconds: large orders leave by a side output, orders that come behind their bill by the late one.

use tidemill::prelude::*;

const LARGE: i64 = 1000;

#[derive(Clone, Record)]
struct Order {
    customer: String,
    amount: i64,
    at: i64,
}

#[derive(Record)]
struct Large {
    customer: String,
    amount: i64,
    /// Which of the customer's orders it is.
    number: i64,
}

#[derive(Record)]
struct Bill {
    customer: String,
    until: i64,
    amounts: String,
}

struct Check {
    orders: Value<i64>,
    large: SideOutput<Large>,
}

impl Process for Check {
    type Key = String;
    type In = Order;
    type Out = Order;

    fn on_record(&self, ctx: &mut Ctx<String, Order>, order: Order) -> Result {
        let number = {
            let mut orders = ctx.state(&self.orders).or_default();
            *orders += 1;
            *orders
        };
        if order.amount >= LARGE {
            ctx.emit_to(&self.large, Large { customer: ctx.key(), amount: order.amount, number });
        } else {
            ctx.emit(order);
        }
        Ok(())
    }
}

pub(crate) fn case(job: &mut Job) -> Result {
    let checked = job
        .source::<Order>("orders", json())
        .event_time(Order::AT, monotonic())
        .key_by(Order::CUSTOMER)
        .process("check", |declare| Check { orders: declare.value("orders"), large: declare.side_output("large") });
    checked.side_output::<Large>("large").sink("large-out", json());
    let bills = checked.key_by(Order::CUSTOMER).window(tumbling(seconds(10))).process("bills", |window, orders, out| {
        let amounts: Vec<String> = orders.iter().map(|order| order.amount.to_string()).collect();
        out.emit(Bill { customer: window.key(), until: window.end(), amounts: amounts.join("+") });
    });
    bills.late().sink("late-out", json());
    bills.sink("bills-out", json());
    Ok(())
}
