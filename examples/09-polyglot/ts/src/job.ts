/** Tells once when a sensor's averages become too high, and once when they are as they should be again. */

import {
  defineJob,
  f64,
  i64,
  jsonLines,
  record,
  string,
  valueState,
} from "tidemill";

/** What is too warm, unless `--arg limit=` says otherwise. */
const LIMIT = 30;

const Average = record({ sensor: string, celsius: f64, until: i64 });

const Alert = record({
  sensor: string,
  what: string,
  celsius: f64,
  at: i64,
});

/** Since when a sensor has been too warm. */
const Warm = record({ since: i64 });

export default defineJob((job) => {
  const limit = job.argNumber("limit", LIMIT);
  job
    .source("averages", Average, jsonLines().default("stdin:"))
    .keyBy("sensor")
    .process("watch", {
      out: Alert,
      state: { warm: valueState(Warm) },
      onRecord(ctx, { sensor, celsius, until }) {
        const warm = ctx.state.warm.get();
        if (celsius > limit && warm === undefined) {
          ctx.emit({ sensor, what: "too warm", celsius, at: until });
          ctx.state.warm.set({ since: until });
        } else if (celsius <= limit && warm !== undefined) {
          const seconds = (until - warm.since) / 1000;
          const what = `normal after ${String(seconds)} s`;
          ctx.emit({ sensor, what, celsius, at: until });
          ctx.state.warm.clear();
        }
      },
    })
    .sink("alerts", jsonLines().default("stdout:"));
});
