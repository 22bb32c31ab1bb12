/**
 * Purchases of users and rules that come beside them: each rule finds the purchases it is about, those before it and those after it.
 *
 * In which order purchases and rules meet is not said, so every pair of them has to be found once in either order: a purchase looks
 * through the rules that are shared, a rule is applied to every user who has purchases.
 */

import {
  eventTimer,
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

const DAY = hours(24);

const Event = record({ kind: string, name: string, cents: i64, at: i64 });
const Purchase = record({ user: string, cents: i64, at: i64 });
/** Is about purchases of so many cents and more. */
const Rule = record({ name: string, least: i64 });
const Hit = record({ user: string, rule: string, cents: i64 });

export const broadcast: JobFunction = (job) => {
  const events = job
    .source("events", Event, jsonLines())
    .eventTime("at", monotonic());
  const rules = events
    .filter("is-rule", ({ kind }) => kind === "rule")
    .map("rules", Rule, ({ name, cents }) => ({ name, least: cents }));
  events
    .filter("is-purchase", ({ kind }) => kind === "purchase")
    .map("purchases", Purchase, ({ name, cents, at }) => ({
      user: name,
      cents,
      at,
    }))
    .keyBy("user")
    .connectBroadcast(rules)
    .process("match", {
      out: Hit,
      state: { seen: listState(i64) },
      timers: { day: eventTimer() },
      shared: { rules: mapState(string, i64), count: valueState(i64) },

      onRecord(ctx, { user, cents, at }) {
        ctx.timers.day.replace(at + DAY);
        ctx.state.seen.push(cents);
        for (const [rule, least] of ctx.shared.rules)
          if (cents >= least) ctx.emit({ user, rule, cents });
      },

      onBroadcast(ctx, { name, least }) {
        ctx.shared.rules.set(name, least);
        ctx.shared.count.update((count) => (count ?? 0) + 1);
      },

      onKey(ctx, { name: rule }) {
        const least = ctx.shared.rules.get(rule)!;
        for (const cents of ctx.state.seen)
          if (cents >= least) ctx.emit({ user: ctx.key, rule, cents });
      },

      /** Tells what a user has spent under how many rules. */
      onTimer(ctx) {
        const cents = ctx.state.seen.get().reduce((sum, one) => sum + one, 0);
        const rule = `${ctx.shared.count.getOr(0)} rules`;
        ctx.emit({ user: ctx.key, rule, cents });
      },
    })
    .sink("hits", jsonLines());
};
