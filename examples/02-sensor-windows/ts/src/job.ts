/** The average temperature of every sensor in windows of ten seconds. */

import {
  defineJob,
  f64,
  i64,
  jsonLines,
  mean,
  outOfOrder,
  record,
  seconds,
  string,
  tumbling,
} from "tidemill";

const Reading = record({ sensor: string, celsius: f64, at: i64 });

const Average = record({ sensor: string, celsius: f64, until: i64 });

export default defineJob((job) => {
  job
    .source("readings", Reading, jsonLines().default("stdin:"))
    .eventTime("at", outOfOrder(seconds(2)))
    .keyBy("sensor")
    .window(tumbling(seconds(10)))
    .aggregate("average", mean("celsius"), Average, (window, celsius) => ({
      sensor: window.key,
      celsius,
      until: window.end,
    }))
    .sink("averages", jsonLines().default("stdout:"));
});
