/** Orders and payments of an account: joined by their distance in time, where an order may go without, and in windows. */

import {
  bool,
  i64,
  jsonLines,
  optional,
  outOfOrder,
  record,
  seconds,
  string,
  tumbling,
  type JobFunction,
} from "tidemill";

const Event = record({
  kind: string,
  account: string,
  item: optional(string),
  cents: optional(i64),
  note: optional(string),
  at: i64,
});
const Order = record({ account: string, item: string, at: i64 });
/** A payment without a note is another thing than no payment. */
const Payment = record({
  account: string,
  cents: i64,
  note: optional(string),
  at: i64,
});
const Paid = record({
  account: string,
  item: string,
  paid: bool,
  cents: optional(i64),
  note: optional(string),
});
const Pair = record({
  account: string,
  start: i64,
  end: i64,
  item: string,
  cents: i64,
});

export const joins: JobFunction = (job) => {
  const events = job
    .source("events", Event, jsonLines())
    .eventTime("at", outOfOrder(seconds(2)));
  const order = events
    .flatMap("orders", Order, ({ account, item, at }) =>
      item === null ? [] : [{ account, item, at }],
    )
    .keyBy("account")
    .side("order");
  const payment = events
    .flatMap("payments", Payment, ({ account, cents, note, at }) =>
      cents === null ? [] : [{ account, cents, note, at }],
    )
    .keyBy("account")
    .side("payment");

  const near = order.join(payment.optional()).within("near", {
    from: -seconds(2),
    to: seconds(5),
    toExclusive: true,
  });
  near.unmatched("payment").sink("orphans-out", jsonLines());
  near
    .map("paid", Paid, ({ order: { account, item }, payment: found }) => ({
      account,
      item,
      paid: found !== null,
      cents: found === null ? null : found.cents,
      note: found === null ? null : found.note,
    }))
    .sink("paid-out", jsonLines());

  order
    .join(payment)
    .window(tumbling(seconds(10)))
    .join("together")
    .map("pair", Pair, ({ start, end, record: both }) => ({
      account: both.order.account,
      start,
      end,
      item: both.order.item,
      cents: both.payment.cents,
    }))
    .sink("pairs-out", jsonLines());
};
