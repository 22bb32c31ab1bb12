/**
 * An alert when a device has sent nothing for thirty seconds, and the number of signals until then.
 *
 * Signals may arrive out of order, and a file is read faster than its time passes. So that alerts depend on the signals
 * alone, each waits in state until the watermark says that nothing earlier will come.
 */

import {
  defineJob,
  eventTimer,
  i64,
  jsonLines,
  listState,
  outOfOrder,
  record,
  seconds,
  string,
  valueState,
  type Infer,
} from "tidemill";

/** How long a device may be silent. */
const SILENCE = seconds(30);

const Signal = record({ device: string, at: i64 });

const Alert = record({ device: string, silent_since: i64, signals: i64 });

/** What is known of a device that is not silent. */
const Seen = record({ last: i64, signals: i64 });
type Seen = Infer<typeof Seen>;

export default defineJob((job) => {
  job
    .source("signals", Signal, jsonLines().default("stdin:"))
    .eventTime("at", outOfOrder(seconds(2)))
    .keyBy("device")
    .process("watch", {
      out: Alert,
      state: { waiting: listState(i64), seen: valueState(Seen) },
      timers: { wake: eventTimer() },

      onRecord(ctx, signal) {
        ctx.state.waiting.push(signal.at);
        ctx.timers.wake.add(signal.at);
      },

      onTimer(ctx) {
        const now = ctx.watermark;
        /** Tells of a device that has been silent at a time; answers what is known of it then. */
        const awake = (
          seen: Seen | undefined,
          at: number,
        ): Seen | undefined => {
          if (seen === undefined || at <= seen.last + SILENCE) return seen;
          ctx.emit({
            device: ctx.key,
            silent_since: seen.last,
            signals: seen.signals,
          });
          return undefined;
        };
        const waiting = ctx.state.waiting.take().sort((a, b) => a - b);
        let seen = ctx.state.seen.take();
        for (const at of waiting.filter((at) => at <= now)) {
          seen = { last: at, signals: (awake(seen, at)?.signals ?? 0) + 1 };
        }
        seen = awake(seen, now);
        if (seen !== undefined) {
          ctx.timers.wake.add(seen.last + SILENCE + 1);
          ctx.state.seen.set(seen);
        }
        ctx.state.waiting.set(waiting.filter((at) => at > now));
      },
    })
    .sink("alerts", jsonLines().default("stdout:"));
});
