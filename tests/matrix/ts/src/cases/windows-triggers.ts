/** Calls of callers in windows that fire by triggers: early, some time after the first record, at late ones, by number. */

import {
  globalWindow,
  i32,
  i64,
  jsonLines,
  minutes,
  monotonic,
  record,
  seconds,
  string,
  triggers,
  tumbling,
  type Infer,
  type JobFunction,
  type Window,
} from "tidemill";

const Call = record({ caller: string, cents: i64, at: i64 });
type Call = Infer<typeof Call>;
const Sums = record({ calls: i64, cents: i64 });
type Sums = Infer<typeof Sums>;
const Figure = record({
  what: string,
  caller: string,
  until: i64,
  firing: i32,
  calls: i64,
  cents: i64,
});
const Listed = record({ caller: string, firing: i32, cents: string });

/** Who calls late, and is not seen where late records are left out. */
const LATE = "ivy";

const SUMMED = {
  acc: Sums,
  start: (): Sums => ({ calls: 0, cents: 0 }),
  add: (sums: Sums, call: Call): Sums => ({
    calls: sums.calls + 1,
    cents: sums.cents + call.cents,
  }),
  merge: (sums: Sums, other: Sums): Sums => ({
    calls: sums.calls + other.calls,
    cents: sums.cents + other.cents,
  }),
};

const figure =
  (what: string) =>
  ({ key, end, firing }: Window<string>, sums: Sums) => ({
    what,
    caller: key,
    until: end,
    firing,
    ...sums,
  });

const listed = ({ key, firing }: Window<string>, calls: readonly Call[]) => [
  { caller: key, firing, cents: calls.map(({ cents }) => cents).join("+") },
];

export const windowsTriggers: JobFunction = (job) => {
  const calls = job
    .source("calls", Call, jsonLines())
    .eventTime("at", monotonic());
  const punctual = calls
    .filter("punctual", ({ caller }) => caller !== LATE)
    .keyBy("caller");
  const tens = punctual.window(tumbling(seconds(10)));

  const early = calls
    .keyBy("caller")
    .window(tumbling(seconds(10)))
    .trigger(
      triggers.any(
        triggers.atEnd(),
        triggers.earlyEvery(seconds(4)).eventTime(),
        triggers.lateEach(),
      ),
    )
    .allowedLateness(minutes(1))
    .fold("early", SUMMED, Figure, figure("early"));
  const delayed = tens
    .trigger(
      triggers.any(triggers.atEnd(), triggers.after(seconds(4)).eventTime()),
    )
    .fold("after", SUMMED, Figure, figure("after"));
  early.union("figures", delayed).sink("figures-out", jsonLines());

  tens
    .trigger(triggers.any(triggers.atEnd(), triggers.everyRecords(2)).purging())
    .process("purged", Listed, listed)
    .sink("purged-out", jsonLines());
  tens
    .trigger(triggers.all(triggers.atEnd(), triggers.everyRecords(2)))
    .count("both")
    .sink("both-out", jsonLines());
  punctual
    .window(globalWindow())
    .trigger(triggers.everyRecords(3))
    .process("global", Listed, listed)
    .sink("global-out", jsonLines());
};
