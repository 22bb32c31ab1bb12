/** Rides by calendar days and weeks of a time zone, over the nights in which its clocks are changed. */

import {
  calendarDays,
  hours,
  i64,
  jsonLines,
  outOfOrder,
  record,
  string,
  type JobFunction,
} from "tidemill";

const Ride = record({ line: string, metres: i64, at: i64 });
const Sums = record({ rides: i64, metres: i64 });
const Week = record({
  line: string,
  from: i64,
  hours: i64,
  rides: i64,
  metres: i64,
});

export const windowsDay: JobFunction = (job) => {
  const rides = job
    .source("rides", Ride, jsonLines())
    .eventTime("at", outOfOrder(hours(2)))
    .keyBy("line");
  const days = calendarDays("Europe/Berlin");
  rides.window(days).count("daily").sink("days-out", jsonLines());
  rides
    .window(days.every(7))
    .fold(
      "weekly",
      {
        acc: Sums,
        start: () => ({ rides: 0, metres: 0 }),
        add: (sums, ride) => ({
          rides: sums.rides + 1,
          metres: sums.metres + ride.metres,
        }),
        merge: (sums, other) => ({
          rides: sums.rides + other.rides,
          metres: sums.metres + other.metres,
        }),
      },
      Week,
      ({ key, start, end }, sums) => ({
        line: key,
        from: start,
        hours: (end - start) / hours(1),
        ...sums,
      }),
    )
    .sink("weeks-out", jsonLines());
};
