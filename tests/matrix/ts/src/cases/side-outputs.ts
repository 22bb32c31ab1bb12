/** Bills of ten seconds: large orders leave by a side output, orders that come behind their bill by the late one. */

import {
  i64,
  jsonLines,
  monotonic,
  record,
  seconds,
  string,
  tumbling,
  valueState,
  type JobFunction,
} from "tidemill";

const LARGE = 1000;

const Order = record({ customer: string, amount: i64, at: i64 });
/** `number` is which of the customer's orders it is. */
const Large = record({ customer: string, amount: i64, number: i64 });
const Bill = record({ customer: string, until: i64, amounts: string });

export const sideOutputs: JobFunction = (job) => {
  const checked = job
    .source("orders", Order, jsonLines())
    .eventTime("at", monotonic())
    .keyBy("customer")
    .process("check", {
      out: Order,
      state: { orders: valueState(i64) },
      sides: { large: Large },

      onRecord(ctx, order) {
        const number = (ctx.state.orders.get() ?? 0) + 1;
        ctx.state.orders.set(number);
        if (order.amount >= LARGE)
          ctx.sides.large.emit({
            customer: ctx.key,
            amount: order.amount,
            number,
          });
        else ctx.emit(order);
      },
    });
  checked.sideOutput("large").sink("large-out", jsonLines());
  const bills = checked
    .keyBy("customer")
    .window(tumbling(seconds(10)))
    .process("bills", Bill, (window, orders) => [
      {
        customer: window.key,
        until: window.end,
        amounts: orders.map((order) => order.amount).join("+"),
      },
    ]);
  bills.late().sink("late-out", jsonLines());
  bills.sink("bills-out", jsonLines());
};
