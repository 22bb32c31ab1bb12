/** What users looked at, for ten seconds of event time: a value that reading renews, a list and a map that expire entry by entry. */

import {
  eventTimer,
  eventTtl,
  i64,
  jsonLines,
  listState,
  mapState,
  monotonic,
  optional,
  record,
  seconds,
  string,
  valueState,
  type JobFunction,
  type ListRef,
  type MapRef,
  type ValueRef,
} from "tidemill";

/** A look at an item; without one, a user asks what is known. */
const Look = record({ user: string, item: string, at: i64 });
const Told = record({
  user: string,
  at: i64,
  since: optional(i64),
  recent: string,
  counts: string,
});

/** Every user is told about one second before the end of each twelve. */
const TELL_EVERY = seconds(12);
const TELL_BEFORE = seconds(1);

const ttl = eventTtl(seconds(10));

export const stateTtl: JobFunction = (job) => {
  job
    .source("looks", Look, jsonLines())
    .eventTime("at", monotonic())
    .keyBy("user")
    .process("looks-of", {
      out: Told,
      state: {
        since: valueState(i64, { ttl: ttl.renewedByReads() }),
        recent: listState(string, { ttl }),
        counts: mapState(string, i64, { ttl }),
      },
      timers: { tell: eventTimer() },

      onRecord(ctx, { item, at }) {
        const { state, timers } = ctx;
        if (item === "") return ctx.emit(told(ctx, at));
        if (state.since.get() === undefined) state.since.set(at);
        state.counts.update(item, (count) => (count ?? 0) + 1);
        state.recent.push(item);
        const next = (Math.floor(at / TELL_EVERY) + 1) * TELL_EVERY;
        timers.tell.replace(next - TELL_BEFORE);
      },

      onTimer(ctx, { time }) {
        ctx.emit(told(ctx, time));
      },
    })
    .sink("told", jsonLines());
};

/** What is known of a user. */
function told(
  { key, state }: { readonly key: string; readonly state: Known },
  at: number,
) {
  const counts = state.counts.entries();
  return {
    user: key,
    at,
    since: state.since.get() ?? null,
    recent: state.recent.get().join(","),
    counts: counts.map(([item, count]) => `${item}=${count}`).join(","),
  };
}

interface Known {
  readonly since: ValueRef<number>;
  readonly recent: ListRef<string>;
  readonly counts: MapRef<string, number>;
}
