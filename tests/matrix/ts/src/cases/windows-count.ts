/** Hits of pages, so many at a time: in threes, the last four of them at every second one, and in fives that need not be full. */

import {
  csv,
  days,
  i64,
  jsonLines,
  monotonic,
  record,
  records,
  recordsSliding,
  string,
  type JobFunction,
} from "tidemill";

const Hit = record({ page: string, bytes: i64, at: i64 });
const Batch = record({ page: string, start: i64, end: i64, bytes: string });
const Sums = record({ hits: i64, bytes: i64 });
const Figure = record({ page: string, until: i64, hits: i64, bytes: i64 });

export const windowsCount: JobFunction = (job) => {
  const hits = job
    .source("hits", Hit, csv())
    .eventTime("at", monotonic())
    .keyBy("page");
  hits
    .window(records(3))
    .process("threes", Batch, ({ key, start, end }, all) => [
      { page: key, start, end, bytes: all.map(({ bytes }) => bytes).join("+") },
    ])
    .sink("threes-out", jsonLines());
  hits
    .window(recordsSliding(4, 2))
    .sum("moving", "bytes")
    .sink("moving-out", jsonLines());
  // What is not full fires when the input ends.
  hits
    .window(records(5).orAfterEventTime(days(1)))
    .fold(
      "fives",
      {
        acc: Sums,
        start: () => ({ hits: 0, bytes: 0 }),
        add: (sums, hit) => ({
          hits: sums.hits + 1,
          bytes: sums.bytes + hit.bytes,
        }),
        merge: (sums, other) => ({
          hits: sums.hits + other.hits,
          bytes: sums.bytes + other.bytes,
        }),
      },
      Figure,
      ({ key, end }, sums) => ({ page: key, until: end, ...sums }),
    )
    .sink("fives-out", jsonLines());
};
