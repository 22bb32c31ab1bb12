/** What users bought: a value, a list, a map and a timer for each of them, all of which a savepoint has to hold. */

import {
  eventTimer,
  f64,
  hours,
  i64,
  jsonLines,
  listState,
  mapState,
  monotonic,
  record,
  string,
  valueState,
  type JobFunction,
} from "tidemill";

/** A basket is told after every fifth purchase of a user, and at the end. */
const EVERY = 5;
const DAY = hours(24);
const RECENT = 3;

const Purchase = record({ user: string, item: string, price: f64, at: i64 });
const Total = record({ count: i64, spent: f64 });
const Basket = record({
  user: string,
  count: i64,
  spent: f64,
  recent: string,
  favourite: string,
  items: i64,
});

export const state: JobFunction = (job) => {
  job
    .source("purchases", Purchase, jsonLines())
    .eventTime("at", monotonic())
    .keyBy("user")
    .process("basket", {
      out: Basket,
      state: {
        total: valueState(Total),
        recent: listState(string),
        counts: mapState(string, i64),
      },
      timers: { day: eventTimer() },

      onRecord(ctx, purchase) {
        ctx.timers.day.replace(purchase.at + DAY);
        const { counts, recent, total } = ctx.state;
        total.update((before) => ({
          count: (before?.count ?? 0) + 1,
          spent: (before?.spent ?? 0) + purchase.price,
        }));
        counts.update(purchase.item, (count) => (count ?? 0) + 1);
        recent.push(purchase.item);
        recent.set(recent.get().slice(-RECENT));
        if ((total.get()?.count ?? 0) % EVERY === 0) ctx.emit(basket(ctx));
      },

      onTimer(ctx) {
        ctx.emit(basket(ctx));
        ctx.state.total.clear();
        ctx.state.recent.clear();
        ctx.state.counts.clear();
      },
    })
    .sink("baskets", jsonLines());
};

/** What is told of a user. */
function basket(ctx: {
  readonly key: string;
  readonly state: {
    readonly total: {
      get(): { readonly count: number; readonly spent: number } | undefined;
    };
    readonly recent: { get(): readonly string[] };
    readonly counts: { entries(): readonly [string, number][] };
  };
}) {
  const counts = ctx.state.counts.entries();
  // Of items that were bought equally often, the first in the order of their names.
  const [favourite] = [...counts].sort(
    ([a, n], [b, m]) => m - n || (a < b ? -1 : 1),
  )[0] ?? [""];
  const total = ctx.state.total.get() ?? { count: 0, spent: 0 };
  return {
    user: ctx.key,
    count: total.count,
    spent: total.spent,
    recent: ctx.state.recent.get().join(","),
    favourite,
    items: counts.length,
  };
}
