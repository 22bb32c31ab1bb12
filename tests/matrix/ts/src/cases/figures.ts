/** What `benches/measure.py languages` measures: a function over each record, without state and with it. */

import {
  f64,
  i64,
  jsonLines,
  record,
  string,
  valueState,
  type JobFunction,
} from "tidemill";

const Reading = record({ sensor: string, celsius: f64, at: i64 });
const Fahrenheit = record({ sensor: string, degrees: f64, at: i64 });
const Count = record({ sensor: string, count: i64 });

export const map: JobFunction = (job) => {
  job
    .source("rows", Reading, jsonLines())
    .map("work", Fahrenheit, (reading) => ({
      sensor: reading.sensor,
      degrees: reading.celsius * 1.8 + 32,
      at: reading.at,
    }))
    .sink("out", jsonLines());
};

export const keyedCount: JobFunction = (job) => {
  job
    .source("rows", Reading, jsonLines())
    .keyBy("sensor")
    .process("work", {
      out: Count,
      state: { count: valueState(i64) },

      onRecord(ctx) {
        const count = (ctx.state.count.get() ?? 0) + 1;
        ctx.state.count.set(count);
        ctx.emit({ sensor: ctx.key, count });
      },
    })
    .sink("out", jsonLines());
};
