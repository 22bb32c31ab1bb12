/** Visits of users: clicks that lie at most half a minute apart, which come out of order. */

import {
  i64,
  jsonLines,
  outOfOrder,
  record,
  seconds,
  session,
  string,
  type JobFunction,
} from "tidemill";

const Click = record({ user: string, bytes: i64, at: i64 });
const Sums = record({ clicks: i64, bytes: i64 });
const Visit = record({
  user: string,
  start: i64,
  end: i64,
  clicks: i64,
  bytes: i64,
});

export const sessions: JobFunction = (job) => {
  job
    .source("clicks", Click, jsonLines())
    .eventTime("at", outOfOrder(seconds(5)))
    .keyBy("user")
    .window(session(seconds(30)))
    .fold(
      "visits",
      {
        acc: Sums,
        start: () => ({ clicks: 0, bytes: 0 }),
        add: (sums, click) => ({
          clicks: sums.clicks + 1,
          bytes: sums.bytes + click.bytes,
        }),
        merge: (sums, other) => ({
          clicks: sums.clicks + other.clicks,
          bytes: sums.bytes + other.bytes,
        }),
      },
      Visit,
      (window, sums) => ({
        user: window.key,
        start: window.start,
        end: window.end,
        ...sums,
      }),
    )
    .sink("visits-out", jsonLines());
};
