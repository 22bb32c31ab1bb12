/** Plans of the contract's vectors that this SDK's API can say, said in it. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { planOf } from "../src/testing/index.js";
import {
  calendarDays,
  eventTtl,
  evictors,
  f64,
  globalWindow,
  i32,
  i64,
  jsonLines,
  mapState,
  millis,
  minutes,
  monotonic,
  optional,
  processingTtl,
  outOfOrder,
  periodic,
  punctuated,
  record,
  records,
  recordsSliding,
  seconds,
  session,
  sessionBy,
  sliding,
  string,
  text,
  triggers,
  tumbling,
  valueState,
  type Evictor,
  type Job,
  type JobFunction,
  type Stream,
  type Windows,
} from "./support.js";

const Line = record({ line: string });
const Reading = record({ sensor: string, celsius: f64, at: i64 });
const Average = record({ sensor: string, celsius: f64, until: i64 });
const Acc = record({ sum: f64, n: i64 });
const out = jsonLines;

const readings = (job: Job, name = "readings") => job.source(name, Reading, jsonLines()).eventTime("at", outOfOrder(seconds(2)));

function average(stream: Stream<{ sensor: string; celsius: number; at: number }>, name: string, windows: Windows, lateness = 0) {
  const windowed = stream.keyBy("sensor").window(windows).allowedLateness(lateness);
  const fold = {
    acc: Acc,
    start: () => ({ sum: 0, n: 0 }),
    add: (acc: { sum: number; n: number }, { celsius }: { celsius: number }) => ({ sum: acc.sum + celsius, n: acc.n + 1 }),
    merge: (a: { sum: number; n: number }, b: { sum: number; n: number }) => ({ sum: a.sum + b.sum, n: a.n + b.n }),
  };
  return windowed.fold(name, fold, Average, ({ key, end }, { sum, n }) => ({ sensor: key, celsius: sum / n, until: end }));
}

const TEN = tumbling(seconds(10));

const JOBS: Record<string, JobFunction> = {
  "sensor average": (job) => {
    const plausible = readings(job).filter("plausible", ({ celsius }) => celsius < 60);
    average(plausible.map("calibrated", Reading, (reading) => reading).onError("skip"), "average", TEN).sink("out", out());
  },
  "a source straight into a sink, nothing in event time": (job) => job.source("readings", Reading, jsonLines()).sink("out", out()),
  "tagged source, one output a variant": (job) => {
    const events = job.taggedSource("events", jsonLines().tag("type")).eventTimeField("at", outOfOrder(seconds(2)));
    const bids = events.variant("bid", record({ auction: i64, price: i64, at: i64 }));
    const people = events.variant("person", record({ id: i64, name: optional(string), at: i64 }));
    bids.sink("bids", out());
    people.sink("people", out());
  },
  "late and dead letters are wired": (job) => {
    const source = readings(job);
    const bad = source.deadLetters();
    const averages = average(source, "average", TEN, seconds(5));
    averages.sink("out", out());
    averages.late().sink("late", out());
    bad.sink("bad", out());
  },
  "late of a window of late records": (job) => {
    const averages = average(readings(job), "average", TEN);
    const second = average(averages.late(), "second", TEN, seconds(60));
    averages.sink("out", out());
    second.sink("o2", out());
    second.late().sink("o3", out());
  },
  "timestamps behind a stateless chain": (job) => {
    const parsed = job.source("lines", Line, text()).flatMap("parsed", Reading, () => []);
    average(
      parsed.assignEventTime("timed", ({ at }) => at, monotonic()),
      "average",
      TEN,
    ).sink("out", out());
  },
  "host windows: count, sum of i32, min, max-by": (job) => {
    const source = job
      .source("readings", record({ k: string, n: i32, f: f64, at: i64 }), jsonLines())
      .eventTime("at", outOfOrder(seconds(2)));
    const byK = source.keyBy("k").window(TEN);
    const results = [
      byK.count("hot"),
      byK.sum("sum", "n"),
      source.windowAll(TEN).min("min", "f"),
      source.keyBy("n").window(TEN).maxBy("top", "k"),
    ];
    results.forEach((result, index) => (result as Stream<unknown>).sink(index === 0 ? "out" : `o${index + 1}`, out()));
  },
  "rolling aggregates": (job) => {
    const keyed = readings(job).keyBy("sensor");
    const [best, first] = [keyed.max("best", "celsius"), keyed.minBy("first", "at")];
    best.sink("out", out());
    first.sink("o2", out());
  },
  "sliding with gaps, session, processing time": (job) => {
    const source = readings(job);
    const gaps = average(source, "gaps", sliding(seconds(1), seconds(5)).offset(-millis(1)));
    const sessions = average(source, "session", session(millis(1)));
    const clock = average(source, "clock", TEN.processingTime());
    [gaps, sessions, clock].forEach((result, index) => result.sink(index === 0 ? "out" : `o${index + 1}`, out()));
  },
  "union of three": (job) => {
    const [a, b, c] = [readings(job, "a"), readings(job, "b"), readings(job, "c")];
    a.union("all", b, c).sink("out", out());
  },
  "text in, text out": (job) =>
    job
      .source("lines", Line, text())
      .map("loud", Line, (line) => line)
      .sink("out", text()),
  "an interval join": (job) => pair(job).within("j", { from: -5, to: 10, toExclusive: true }).sink("out", out()),
  "a keyed join with an optional side": (job) => {
    const { o, p } = sides(job);
    o.join(p.optional()).latest("j").sink("out", out());
  },
  "a temporal join": (job) => pair(job).asOf("j").sink("out", out()),
  "a diamond": (job) => {
    const source = readings(job);
    const [cold, warm] = [source.filter("cold", ({ celsius }) => celsius < 0), source.filter("warm", ({ celsius }) => celsius >= 0)];
    cold.union("both", warm).sink("out", out());
  },
};

/** The vector's window with a trigger of its own, and those with evictors, as this SDK has them: `state` is named by it. */
JOBS["watermarks of the component's"] = (job) => {
  const none = punctuated(() => undefined);
  const timed = job.source("readings", Reading, jsonLines()).assignEventTime("timed", ({ at }) => at, none);
  average(timed, "average", TEN).sink("out", out());
};

JOBS["watermarks of the component's by the clock"] = (job) => {
  const clocked = periodic(millis(200), { start: () => 0, see: (noted) => noted, say: (_, now) => now });
  job
    .source("readings", Reading, jsonLines())
    .assignEventTime("timed", ({ at }) => at, clocked)
    .sink("out", out());
};

JOBS["windows of 0.2.0"] = (job) => {
  const Gapped = record({ sensor: string, n: i64, gap: i64, at: i64 });
  const N = record({ n: i64 });
  const keyed = job.source("readings", Gapped, jsonLines()).eventTime("at", monotonic()).keyBy("sensor");
  const early = triggers.any(
    triggers.atEnd(),
    triggers.lateEach(),
    triggers.earlyEvery(seconds(1)),
    triggers.all(triggers.everyRecords(5), triggers.after(millis(100)).eventTime()),
  );
  const counted = {
    count: keyed.window(records(3)),
    "count-sliding": keyed.window(recordsSliding(3, 2)),
    "count-or-after": keyed.window(records(3).orAfter(seconds(5))),
    global: keyed.window(globalWindow()).trigger(triggers.everyRecords(10).purging()),
    early: keyed
      .window(tumbling(minutes(1)))
      .trigger(early)
      .allowedLateness(seconds(1)),
    by: keyed.window(sessionBy("gap")),
    days: keyed.window(calendarDays("Asia/Shanghai").every(7)),
  };
  for (const [name, windows] of Object.entries(counted)) windows.count(name).sink(`out-${name}`, out());
  keyed
    .window(globalWindow())
    .triggerFunction({ state: i64, start: () => 0, onRecord: () => "continue", merge: (into) => into })
    .fold("own", { acc: N, start: () => ({ n: 0 }), add: (acc) => acc, merge: (acc) => acc }, N, (_window, acc) => acc)
    .sink("out-own", out());
  const evicted = {
    last: evictors.allButLast(2),
    recent: evictors.olderThan(seconds(1)),
    near: evictors.differingBy("n", 5.5),
    chosen: evictors.by(() => []),
  };
  for (const [name, evictor] of Object.entries(evicted)) {
    keyed
      .window(tumbling(seconds(1)))
      .evictor((evictor as Evictor<unknown, "n">).after())
      .process(name, N, () => [])
      .sink(`out-${name}`, out());
  }
};

JOBS["state that lives for a time"] = (job) => {
  readings(job)
    .keyBy("sensor")
    .process("watch", {
      out: Reading,
      state: {
        s: valueState(i64, { ttl: eventTtl(seconds(1)) }),
        m: mapState(string, i64, { ttl: processingTtl(millis(1)).renewedByReads() }),
      },
      onRecord: () => {},
    })
    .sink("out", out());
};

function sides(job: Job) {
  const orders = job.source("orders", record({ id: i64, item: string, at: i64 }), jsonLines()).eventTime("at", monotonic());
  const payments = job.source("payments", record({ order: i64, cents: i64, at: i64 }), jsonLines()).eventTime("at", monotonic());
  return { o: orders.keyBy("id").side("o"), p: payments.keyBy("order").side("p") };
}

function pair(job: Job) {
  const { o, p } = sides(job);
  return o.join(p);
}

function assignerOf(assigner: any): unknown {
  if (typeof assigner === "string") return assigner;
  const [[name, said]] = Object.entries<object>(assigner) as [[string, object]];
  return { [name]: { ...(["tumbling", "sliding"].includes(name) ? { offset_ms: 0 } : {}), ...said } };
}

/** A document without what is not compared: names of state are the SDK's where functions have it; spans are of processing time by default. */
function comparable(name: string, operators: unknown): unknown {
  if (name === "state that lives for a time") {
    // The columns of state are called by this SDK's names, and what is left out of the document is of event time.
    return JSON.parse(JSON.stringify(operators), (key, value) => {
      if (key === "schema") return undefined;
      const timed = typeof value === "object" && ("ms" in value || String(value.name).startsWith("$expire"));
      return timed ? { domain: "event", ...value } : value;
    });
  }
  if (name !== "windows of 0.2.0") return operators;
  return JSON.parse(JSON.stringify(operators), (key, value) => {
    if (key === "state") return undefined;
    return typeof value === "object" && "ms" in value && !("domain" in value) ? { ...value, domain: "processing" } : value;
  });
}

/** Every default written out, so that leaving one out and stating it are the same. */
function stated(operator: any): unknown {
  const { kind, inputs = [], outputs = [] } = operator;
  const window = kind.window && {
    domain: "event",
    "lateness-ms": 0,
    state: [],
    ...kind.window,
    ...(kind.window.trigger && { trigger: { purge: false, ...kind.window.trigger } }),
    assigner: assignerOf(kind.window.assigner),
  };
  return {
    "on-error": "fail",
    ...operator,
    kind: window === undefined ? kind : { window },
    inputs: inputs.map((input: object) => ({ port: "out", partition: "forward", ...input })),
    outputs: outputs.map((output: object) => ({ name: "out", ...output })),
  };
}

const vectors = JSON.parse(readFileSync(new URL("../wit/vectors/plans.json", import.meta.url), "utf8")).good;

for (const [name, job] of Object.entries(JOBS)) {
  test(`plan: ${name}`, () => {
    const vector = vectors.find((one: any) => one.name === name) ?? assert.fail(`there is no vector ${name}`);
    const said = comparable(name, JSON.parse(planOf(job)).operators.map(stated));
    assert.deepEqual(said, comparable(name, vector.plan.operators.map(stated)));
  });
}
