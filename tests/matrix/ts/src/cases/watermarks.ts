/**
 * Readings of meters in windows of ten seconds, by two rules of the job's own for event time: marks that some readings bring, and the
 * slowest meter, told by the clock.
 */

import {
  i64,
  jsonLines,
  millis,
  optional,
  periodic,
  punctuated,
  record,
  seconds,
  string,
  tumbling,
  type Infer,
  type JobFunction,
  type Window,
} from "tidemill";

/** How many meters there are: none may be missing for the slowest to be known. */
const METERS = 3;

/** What a meter read. Some tell that nothing as old as `through` follows; each meter's own come in order, save late ones. */
const Reading = record({
  meter: string,
  units: i64,
  at: i64,
  through: optional(i64),
});
type Reading = Infer<typeof Reading>;
const Sums = record({ readings: i64, units: i64 });
type Sums = Infer<typeof Sums>;
const Total = record({
  by: string,
  meter: string,
  until: i64,
  readings: i64,
  units: i64,
});

const SUMMED = {
  acc: Sums,
  start: (): Sums => ({ readings: 0, units: 0 }),
  add: (sums: Sums, reading: Reading): Sums => ({
    readings: sums.readings + 1,
    units: sums.units + reading.units,
  }),
  merge: (sums: Sums, other: Sums): Sums => ({
    readings: sums.readings + other.readings,
    units: sums.units + other.units,
  }),
};

const slowest = periodic(millis(10), {
  start: () => new Map<string, number>(),
  see: (meters, { meter }: Reading, time) =>
    meters.set(meter, Math.max(time, meters.get(meter) ?? time)),
  // Another reading of the same millisecond may follow.
  say: (meters) =>
    meters.size === METERS ? Math.min(...meters.values()) - 1 : undefined,
});

const total =
  (by: string) =>
  ({ key, end }: Window<string>, sums: Sums) => ({
    by,
    meter: key,
    until: end,
    ...sums,
  });

export const watermarks: JobFunction = (job) => {
  const readings = job.source("readings", Reading, jsonLines());

  const marked = readings
    .assignEventTime(
      "marked",
      ({ at }) => at,
      punctuated(({ through }) => through),
    )
    .keyBy("meter")
    .window(tumbling(seconds(10)))
    .fold("by-marks", SUMMED, Total, total("marks"));
  marked.late().sink("late-by-marks-out", jsonLines());

  const clocked = readings
    .assignEventTime("clocked", ({ at }) => at, slowest)
    .keyBy("meter")
    .window(tumbling(seconds(10)))
    .fold("by-clock", SUMMED, Total, total("clock"));
  clocked.late().sink("late-by-clock-out", jsonLines());

  marked.union("totals", clocked).sink("totals-out", jsonLines());
};
