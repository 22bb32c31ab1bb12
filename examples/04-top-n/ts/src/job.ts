/** The three products that sold most in each minute, as `until,rank,product,amount`. */

import {
  csv,
  defineJob,
  i64,
  jsonLines,
  minutes,
  outOfOrder,
  record,
  seconds,
  string,
  sum,
  tumbling,
  type Infer,
} from "tidemill";

/** How many products a minute keeps. */
const KEPT = 3;

const Sale = record({ product: string, amount: i64, at: i64 });

const Total = record({ until: i64, product: string, amount: i64 });
type Total = Infer<typeof Total>;

const Ranked = record({ until: i64, rank: i64, product: string, amount: i64 });

/** The greatest amount first, equal ones by name. */
const better = (a: Total, b: Total): number =>
  b.amount - a.amount || (a.product < b.product ? -1 : 1);

export default defineJob((job) => {
  job
    .source("sales", Sale, jsonLines().default("stdin:"))
    .eventTime("at", outOfOrder(seconds(5)))
    .keyBy("product")
    .window(tumbling(minutes(1)))
    .aggregate("total", sum("amount"), Total, (window, amount) => ({
      until: window.end,
      product: window.key,
      amount,
    }))
    // All totals of a minute have its last millisecond as event time, so that they meet in one window again.
    .keyBy("until")
    .window(tumbling(minutes(1)))
    .process("rank", Ranked, (_window, totals) =>
      totals
        .toSorted(better)
        .slice(0, KEPT)
        .map(({ until, product, amount }, index) => ({
          until,
          rank: index + 1,
          product,
          amount,
        })),
    )
    .sink("top", csv().default("stdout:"));
});
