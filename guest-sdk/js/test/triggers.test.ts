/** Windows that count, that last for ever or for calendar days; triggers, trigger functions and evictors. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { planOf, testJob, type JobTest } from "../src/testing/index.js";
import {
  calendarDays,
  days,
  defineJob,
  evictors,
  globalWindow,
  hours,
  i64,
  jsonLines,
  millis,
  minutes,
  monotonic,
  outOfOrder,
  record,
  records,
  recordsSliding,
  refuse,
  seconds,
  session,
  sessionBy,
  sliding,
  string,
  text,
  triggers,
  tuple,
  tumbling,
  type Infer,
  type JobFunction,
  type KeyedStream,
  type TriggerFunction,
  type WindowCount,
  type WindowedStream,
} from "./support.js";

const Click = record({ user: string, n: i64, gap: i64, at: i64 });
type Click = Infer<typeof Click>;
type Clicks = KeyedStream<string, Click>;
type Cut = (clicks: Clicks) => WindowedStream<string, Click>;

const click = (user: string, n: number, at: number, gap = 5): Click => ({ user, n, gap, at });
const TEN = tumbling(millis(10));

/** A job over clicks that are keyed by their users. */
const over = (build: (clicks: Clicks) => void): JobFunction =>
  defineJob((job) => build(job.source("clicks", Click, jsonLines()).eventTime("at", monotonic()).keyBy("user")));

/** A job that shows the numbers of each window. */
const gathered = (cut: Cut): JobFunction =>
  over((clicks) =>
    cut(clicks)
      .process("w", string, ({ key, firing }, all) => [`${key}${firing}: ${all.map(({ n }) => n).join(" ")}`])
      .sink("seen", text()),
  );

const started = (cut: Cut): JobTest => testJob(gathered(cut));

/** What windows give for clicks, over a restart before the end. */
function gives(cut: Cut, ...clicks: Click[]): string[] {
  const kit = started(cut);
  clicks.forEach((one) => kit.push("clicks", one));
  kit.restart();
  kit.finish();
  return kit.sink("seen");
}

const FOUR = [click("a", 1, 1), click("a", 2, 2), click("a", 3, 3), click("a", 4, 15)];

test("windows of a number of records", () => {
  const five = [1, 2, 3, 4, 5].map((n) => click("a", n, n));
  assert.deepEqual(
    gives((s) => s.window(records(2)), ...five),
    ["a0: 1 2", "a0: 3 4"],
    "the last one is not full",
  );
  assert.deepEqual(
    gives((s) => s.window(recordsSliding(3, 2)), ...five),
    ["a0: 1 2", "a0: 2 3 4"],
  );
  const cutShort = records(3).orAfterEventTime(millis(10));
  assert.deepEqual(
    gives((s) => s.window(cutShort), click("a", 1, 1), click("a", 2, 2), click("b", 3, 20)),
    ["a0: 1 2", "b0: 3"],
  );
});

test("windows that are not full are cut short by the clock", () => {
  const kit = started((s) => s.window(records(3).orAfter(millis(10))));
  kit.setProcessingTime(100);
  kit.push("clicks", click("a", 1, 1));
  kit.setProcessingTime(109);
  kit.push("clicks", click("a", 2, 2));
  assert.deepEqual(kit.sink("seen"), []);
  kit.setProcessingTime(110);
  assert.deepEqual(kit.sink("seen"), ["a0: 1 2"]);
});

test("the host aggregates windows that count", () => {
  const kit = testJob(over((clicks) => clicks.window(records(2)).sum("sum", "n").sink("out", jsonLines())));
  FOUR.forEach((one) => kit.push("clicks", one));
  assert.deepEqual(kit.sink("out"), [
    { key: "a", start: 1, end: 3, value: 3 },
    { key: "a", start: 3, end: 16, value: 7 },
  ]);
});

const DECLARED: [string, Cut, Click[], string[]][] = [
  [
    "at the end and by number",
    (s) => s.window(TEN).trigger(triggers.any(triggers.atEnd(), triggers.everyRecords(2))),
    FOUR,
    ["a0: 1 2", "a1: 1 2 3", "a0: 4"],
  ],
  ["purged when it has fired", (s) => s.window(globalWindow()).trigger(triggers.everyRecords(2).purging()), FOUR, ["a0: 1 2", "a1: 3 4"]],
  [
    "when each has fired",
    (s) =>
      s
        .window(TEN)
        .allowedLateness(millis(100))
        .trigger(triggers.all(triggers.atEnd(), triggers.everyRecords(3))),
    [click("a", 1, 1), click("a", 2, 2), click("a", 3, 15), click("a", 4, 4)],
    ["a0: 1 2 4"],
  ],
  [
    "early at multiples of event time",
    (s) => s.window(TEN).trigger(triggers.any(triggers.atEnd(), triggers.earlyEvery(millis(4)).eventTime())),
    FOUR,
    ["a0: 1 2 3", "a1: 1 2 3", "a0: 4", "a1: 4"],
  ],
  [
    "some time after the first",
    (s) => s.window(TEN).trigger(triggers.any(triggers.atEnd(), triggers.after(millis(1)).eventTime())),
    FOUR,
    ["a0: 1 2 3", "a1: 1 2 3", "a0: 4", "a1: 4"],
  ],
  [
    "at each that is late, and else not at all",
    (s) => s.window(TEN).allowedLateness(millis(100)).trigger(triggers.lateEach()),
    [...FOUR, click("a", 5, 5)],
    ["a0: 1 2 3 5"],
  ],
  [
    "sessions that grow together",
    (s) =>
      s
        .window(session(millis(5)))
        .allowedLateness(hours(1))
        .trigger(triggers.everyRecords(3)),
    [click("a", 1, 0), click("a", 2, 8), click("a", 3, 4), click("a", 4, 5)],
    ["a0: 1 2 3"],
  ],
];

for (const [name, cut, clicks, lines] of DECLARED) {
  test(`a declared trigger: ${name}`, () => assert.deepEqual(gives(cut, ...clicks), lines));
}

test("a trigger that is driven by the clock", () => {
  const kit = started((s) => s.window(tumbling(seconds(1))).trigger(triggers.earlyEvery(millis(10))));
  kit.setProcessingTime(101);
  kit.push("clicks", click("a", 1, 1));
  kit.push("clicks", click("a", 2, 2));
  kit.setProcessingTime(110);
  assert.deepEqual(kit.sink("seen"), ["a0: 1 2"]);
  kit.setProcessingTime(200);
  assert.deepEqual(kit.sink("seen"), [], "nothing has come since");
  kit.push("clicks", click("a", 3, 3));
  kit.setProcessingTime(210);
  assert.deepEqual(kit.sink("seen"), ["a1: 1 2 3"]);
});

test("a window of the host that was purged is empty until it has a record again", () => {
  const trigger = triggers.any(triggers.atEnd(), triggers.everyRecords(2)).purging();
  const kit = testJob(over((clicks) => clicks.window(TEN).trigger(trigger).count("n").sink("out", jsonLines())));
  [0, 1, 2, 3, 4, 11, 12].forEach((at) => kit.push("clicks", click("a", at, at)));
  kit.finish();
  assert.deepEqual(
    kit.sink<WindowCount<string>>("out").map(({ start, count }) => [start, count]),
    [
      [0, 2],
      [0, 2],
      [0, 1],
      [10, 2],
    ],
  );
});

test("the bounds of a window for ever are infinite", () => {
  const Bounds = tuple(i64, i64);
  const kit = testJob(
    over((clicks) => {
      const windows = clicks.window(globalWindow()).trigger(triggers.everyRecords(2));
      windows
        .process("own", Bounds, ({ start, end }) => [[Number(start === -Infinity), Number(end === Infinity)]])
        .sink("own-out", jsonLines());
      windows
        .count("counted")
        .map("read", string, ({ start, end, count }) => `${start} ${end} ${count}`)
        .sink("out", jsonLines());
    }),
  );
  FOUR.slice(0, 2).forEach((one) => kit.push("clicks", one));
  assert.deepEqual(kit.sink("own-out"), [[1, 1]]);
  assert.deepEqual(kit.sink("out"), ["-Infinity Infinity 2"]);
});

test("sessions with a gap of each record", () => {
  const clicks = [click("a", 1, 0), click("a", 2, 5, 50), click("a", 3, 55), click("a", 4, 100)];
  assert.deepEqual(
    gives((s) => s.window(sessionBy("gap")), ...clicks),
    ["a0: 1 2 3", "a0: 4"],
  );
});

test("calendar days begin where the day does", () => {
  const job = defineJob((builder) => {
    const clicks = builder.source("clicks", Click, jsonLines()).eventTime("at", outOfOrder(hours(1)));
    clicks.windowAll(calendarDays("Europe/Berlin")).count("days").sink("out", jsonLines());
    clicks.windowAll(calendarDays("Europe/Berlin").every(7)).count("weeks").sink("weeks-out", jsonLines());
  });
  const kit = testJob(job);
  // The day of 25 hours, and that behind it.
  const first = Date.UTC(2024, 9, 26, 22);
  const second = first + hours(25);
  for (const at of [first, second - 1, second]) kit.push("clicks", click("a", 1, at));
  kit.finish();
  assert.deepEqual(kit.sink("out"), [
    { key: null, start: first, end: second, count: 2 },
    { key: null, start: second, end: second + days(1), count: 1 },
  ]);
  const week = { start: first - days(3), end: second + days(3) };
  assert.deepEqual(kit.sink("weeks-out"), [{ key: null, ...week, count: 3 }], "weeks begin on Thursdays, as 1970 did");
});

/** Fires when the numbers of a window come to ten, and in the first ten milliseconds at time 8. */
const ten: TriggerFunction<Click, { sum: number }> = {
  state: record({ sum: i64 }),
  start: () => ({ sum: 0 }),
  onRecord(window, { n }) {
    window.state = { sum: window.state.sum + n };
    if (window.end === 10) window.atEventTime(8);
    if (window.state.sum < 10) return "continue";
    window.state = { sum: 0 };
    return "fire-and-purge";
  },
  onEventTime: ({ state }) => (state.sum > 0 ? "fire" : "continue"),
  merge: (into, from) => ({ sum: into.sum + from.sum }),
};

test("a trigger function has state of each window", () => {
  const clicks = [click("a", 4, 1), click("b", 9, 1), click("a", 6, 2), click("a", 3, 3), click("b", 0, 30)];
  assert.deepEqual(
    gives((s) => s.window(TEN).triggerFunction(ten), ...clicks),
    ["a0: 4 6", "a1: 3", "b0: 9"],
  );
  const sessions = [click("a", 4, 100), click("a", 5, 108), click("a", 1, 104)];
  const cut: Cut = (s) =>
    s
      .window(session(millis(5)))
      .allowedLateness(millis(100))
      .triggerFunction(ten);
  assert.deepEqual(gives(cut, ...sessions), ["a0: 4 5 1"], "4 and 5 are of two sessions until 1 comes");
});

test("a trigger function may ask for processing time and purge", () => {
  const kit = started((s) =>
    s.window(globalWindow()).triggerFunction({
      state: i64,
      start: () => 0,
      onRecord(window, { n }) {
        window.atProcessingTime(window.now + 10);
        return n === 3 ? "purge" : "continue";
      },
      onProcessingTime: ({ time, now }) => (time === now ? "fire" : "continue"),
      merge: (into) => into,
    }),
  );
  for (const n of [1, 2, 3, 4]) {
    kit.push("clicks", click("a", n, n));
    kit.restart();
  }
  kit.setProcessingTime(9);
  assert.deepEqual(kit.sink("seen"), []);
  kit.setProcessingTime(10);
  assert.deepEqual(kit.sink("seen"), ["a0: 4"]);
});

const EVICTED: [string, Cut, string][] = [
  ["all but the last", (s) => s.window(TEN).evictor(evictors.allButLast(2)), "a0: 20 3"],
  ["all", (s) => s.window(TEN).evictor(evictors.allButLast(0)), "a0: "],
  ["more than there are", (s) => s.window(TEN).evictor(evictors.allButLast(9)), "a0: 1 20 3"],
  ["what is old", (s) => s.window(TEN).evictor(evictors.olderThan(millis(7))), "a0: 20 3"],
  ["what differs", (s) => s.window(TEN).evictor(evictors.differingBy("n", 5)), "a0: 1 3"],
  [
    "by a function",
    (s) => s.window(TEN).evictor(evictors.by((_times, clicks: readonly Click[]) => clicks.flatMap(({ n }, at) => (n === 1 ? [at] : [])))),
    "a0: 20 3",
  ],
];

for (const [name, cut, line] of EVICTED) {
  test(`an evictor takes records out: ${name}`, () => {
    assert.deepEqual(gives(cut, click("a", 1, 1), click("a", 20, 2), click("a", 3, 9)), [line]);
  });
}

test("what is evicted behind the function is gone at the next firing", () => {
  const two = (s: Clicks): WindowedStream<string, Click> => s.window(TEN).trigger(triggers.everyRecords(2));
  const clicks = [1, 2, 3, 4].map((n) => click("a", n, n));
  assert.deepEqual(
    gives((s) => two(s).evictor(evictors.allButLast(1).after()), ...clicks),
    ["a0: 1 2", "a1: 2 3 4"],
  );
  assert.deepEqual(
    gives((s) => two(s).evictor(evictors.allButLast(1)), ...clicks),
    ["a0: 2", "a1: 4"],
  );
});

test("what a refusal stopped takes nothing out", () => {
  const kit = testJob(
    over((clicks) =>
      clicks
        .window(TEN)
        .trigger(triggers.everyRecords(2))
        .evictor(evictors.allButLast(1).after())
        .process("w", string, ({ firing }, all) => {
          if (firing === 0) refuse("not yet");
          return [all.map(({ n }) => n).join(" ")];
        })
        .onError("skip")
        .sink("seen", text()),
    ),
  );
  [1, 2, 3, 4].forEach((n) => kit.push("clicks", click("a", n, n)));
  assert.deepEqual(kit.sink("seen"), ["1 2 3 4"]);
});

test("a co-group has a trigger", () => {
  const kit = testJob(
    defineJob((job) => {
      const [one, two] = ["one", "two"].map((name) => job.source(name, Click, jsonLines()).eventTime("at", monotonic()).keyBy("user"));
      one!
        .coGroup(two!, tumbling(minutes(1)))
        .trigger(triggers.everyRecords(2))
        .process("both", tuple(i64, i64), (_window, first, second) => [[first.length, second.length]])
        .sink("out", jsonLines());
    }),
  );
  kit.push("one", click("a", 1, 1));
  kit.push("two", click("a", 1, 1));
  assert.deepEqual(kit.sink("out"), [[1, 1]]);
});

const windowOf = (cut: Cut) => JSON.parse(planOf(gathered(cut))).operators[1].kind.window;

test("windows, triggers and evictors say what they are", () => {
  const assigners: [Cut, unknown][] = [
    [(s) => s.window(records(3)), { count: { records: 3 } }],
    [(s) => s.window(recordsSliding(3, 2)), { count: { records: 3, slide: 2 } }],
    [(s) => s.window(records(3).orAfter(seconds(5))), { count: { records: 3, "or-after": { ms: 5000, domain: "processing" } } }],
    [(s) => s.window(sessionBy("gap")), { "session-by": { field: "gap" } }],
    [(s) => s.window(calendarDays("Asia/Shanghai").every(7)), { days: { timezone: "Asia/Shanghai", days: 7 } }],
    [(s) => s.window(sliding(2, 1)), { sliding: { size_ms: 2, slide_ms: 1, offset_ms: 0 } }],
  ];
  for (const [cut, assigner] of assigners) assert.deepEqual(windowOf(cut).assigner, assigner);
  const early = triggers.any(
    triggers.atEnd(),
    triggers.lateEach(),
    triggers.earlyEvery(seconds(1)),
    triggers.all(triggers.everyRecords(5), triggers.after(millis(100)).eventTime()),
  );
  const said = windowOf((s) => s.window(globalWindow()).trigger(early.purging()).evictor(evictors.differingBy("n", 5.5).after()));
  const each = { "early-every": { ms: 1000, domain: "processing" } };
  const whole = { all: [{ count: { records: 5 } }, { after: { ms: 100, domain: "event" } }] };
  assert.equal(said.assigner, "global");
  assert.deepEqual(said.trigger, { when: { any: ["at-watermark", "late-each", each, whole] }, purge: true });
  assert.deepEqual(said.evictor, { evict: { delta: { field: "n", threshold: 5.5 } }, after: true });
  const own = windowOf((s) => s.window(TEN).triggerFunction(ten));
  assert.deepEqual(own.trigger, { when: "guest", purge: false });
  assert.deepEqual(own.state[1], { name: "trigger", kind: "value", schema: "sum:i64" });
});

test("what is wrong is said when the job is built", () => {
  const wrong: [(clicks: Clicks) => unknown, RegExp][] = [
    [() => records(0), /the number of records of a window is a whole number from 1 on, not 0/],
    [() => recordsSliding(3, 0), /the slide of records is a whole number from 1 on, not 0/],
    [() => recordsSliding(3, 1).orAfter(1), /only windows of records, which do not slide/],
    [() => TEN.orAfterEventTime(1), /only windows of records, which do not slide/],
    [() => TEN.every(7), /only windows of calendarDays are so many days long/],
    [() => records(3).offset(1), /only tumbling and sliding windows have an offset/],
    [(s) => s.window(sessionBy("nope" as "gap")).count("n"), /there is no field "nope"/],
    [() => triggers.atEnd().eventTime(), /only earlyEvery and after have a span/],
    [() => triggers.all(triggers.atEnd().purging()), /a window is purged by the whole of its trigger/],
    [() => triggers.everyRecords(0), /the number of records of a trigger is a whole number from 1 on/],
    [() => evictors.allButLast(-1), /a whole number from 0 on, not -1/],
    [(s) => s.window(TEN).triggerFunction(ten).count("n"), /computed by the host, which asks no function for its trigger/],
    [(s) => s.window(TEN).evictor(evictors.allButLast(1)).count("n"), /only windows that are processed whole have an evictor/],
    [
      (s) =>
        s
          .window(TEN)
          .evictor(evictors.allButLast(1))
          .reduce("r", (a) => a),
      /only windows that are processed whole have an evictor/,
    ],
  ];
  for (const [build, said] of wrong) assert.throws(() => planOf(over((clicks) => void build(clicks))), said);
});
