/** State that folds what is added to it. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { planOf, testJob } from "../src/testing/index.js";
import {
  aggregatingState,
  bigint64,
  defineJob,
  f64,
  i64,
  jsonLines,
  mean,
  record,
  reducingState,
  refuse,
  string,
  sum,
  text,
  tuple,
  type Aggregate,
  type Infer,
} from "./support.js";

const Reading = record({ sensor: string, celsius: f64, at: i64, big: bigint64 });
type Reading = Infer<typeof Reading>;

/** Between which times readings are; it changes what it is given. */
const span: Aggregate<Reading, [number, number], number> = {
  acc: tuple(i64, i64),
  start: () => [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  add(acc, { at }) {
    acc[0] = Math.min(acc[0], at);
    acc[1] = Math.max(acc[1], at);
    return acc;
  },
  merge: (into, from) => [Math.min(into[0], from[0]), Math.max(into[1], from[1])],
  finish: ([first, last]) => last - first,
};

const job = defineJob((builder) => {
  builder
    .source("readings", Reading, jsonLines())
    .keyBy("sensor")
    .process("watch", {
      out: string,
      state: {
        warmest: reducingState(Reading, (a, b) => (a.celsius >= b.celsius ? a : b)),
        mean: aggregatingState(Reading, mean("celsius")),
        big: aggregatingState(Reading, sum("big")),
        span: aggregatingState(Reading, span),
      },
      onRecord(ctx, reading) {
        const { warmest, mean, big, span } = ctx.state;
        for (const piece of [warmest, mean, big, span]) piece.add(reading);
        if (reading.celsius > 90) refuse("too warm");
        const shown = (): string => `${warmest.get()?.celsius} ${mean.get()} ${big.get()} ${span.get()}`;
        ctx.emit(shown());
        if (reading.celsius > -90) return;
        for (const piece of [warmest, mean, big, span]) piece.clear();
        ctx.emit(shown());
      },
    })
    .onError("skip")
    .sink("out", text());
});

test("what is added is folded for each key", () => {
  const kit = testJob(job);
  const push = (sensor: string, celsius: number, at: number): void => {
    kit.push("readings", { sensor, celsius, at, big: 2n ** 60n });
    kit.restart();
  };
  push("a", 10, 100);
  push("b", 1, 7);
  push("a", 30, 50);
  push("a", 99, 0);
  push("a", 20, 60);
  push("a", -99, 60);
  const one = 2n ** 60n;
  assert.deepEqual(kit.sink("out"), [
    `10 10 ${one} 0`,
    `1 1 ${one} 0`,
    `30 20 ${2n * one} 50`,
    `30 20 ${3n * one} 50`,
    `30 -9.75 ${4n * one} 50`,
    "undefined undefined undefined undefined",
  ]);
  assert.deepEqual(kit.refused, ["too warm"], "what was added for it is not there");
});

test("the plan says what is kept", () => {
  const { state } = JSON.parse(planOf(job)).operators[1].kind.process;
  assert.deepEqual(
    state.map(({ name, kind, schema }: Record<string, string>) => `${name} ${kind} ${schema}`),
    [
      "warmest value sensor:string,celsius:f64,at:i64,big:i64",
      "mean value f0:f64,f1:i64",
      "big value value:i64",
      "span value f0:i64,f1:i64",
    ],
  );
});
