/** Windows that a job computes: accumulators, panes, sessions, late records. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { testJob } from "../src/testing/index.js";
import { composite } from "../src/record/type.js";
import {
  AT,
  block,
  defineJob,
  f64,
  i32,
  i64,
  instanceOf,
  jsonLines,
  millis,
  monotonic,
  outOfOrder,
  record,
  refuse,
  seconds,
  session,
  sliding,
  string,
  tuple,
  tumbling,
  type WindowCount,
} from "./support.js";

const Item = record({ key: i64, text: string });
const item = (key: number, text: string) => ({ key, text });
const sorted = (items: readonly unknown[]): string[] => items.map((one) => JSON.stringify(one)).sort();

/** Texts of a key, one after the other. */
const joined = defineJob((job) => {
  job
    .source("items", Item, jsonLines())
    .keyBy("key")
    .window(sliding(seconds(10), seconds(2)))
    .fold(
      "join",
      { acc: string, start: () => "", add: (all, { text }) => all + text, merge: (all, more) => all + more },
      tuple(i64, i64, i64, i64, string),
      ({ key, start, end, firing }, all) => [key, start, end, firing, all],
    )
    .map("marked", tuple(i64, i64, i64, i64, string), ([key, start, end, firing, all]) => [key, start, end, firing, `<${all}>`])
    .sink("out", jsonLines());
});
const Joined = tuple(i64, i64, i64, i64, string);
const Fired = composite<unknown>({ key: i64, start: i64, end: i64, firing: i32 });

test("a window is the merge of its panes and leaves them as they are", () => {
  const [instance, heard] = instanceOf(joined);
  instance.link(0, [1, 2]);
  instance.process(0, 0, AT, block(Item, item(1, "a"), item(2, "b"), item(1, "c"), item(1, "d")), [], [0, 1, 2, 3]);
  const window = (start: number) => ({ key: 1, start, end: start + 10, firing: 3 });
  const fire = block(Fired, window(0), window(10));
  instance.fire(0, AT, fire, [0, 3, 5], [0, 2, 3, 2, 3]);
  assert.deepEqual(heard.records(Joined), [
    { record: [1, 0, 10, 3, "<acd>"], time: 100 },
    { record: [1, 10, 20, 3, "<cd>"], time: 101 },
  ]);
  instance.merge(1, [0], [3]);
  instance.fire(0, AT, fire, [0, 1, 2], [0, 3]);
  assert.deepEqual(heard.records(Joined), [{ record: [1, 0, 10, 3, "<ad>"], time: 100 }], "the source of a merge is empty");
});

test("accumulators that are changed in place are not shared between windows", () => {
  const Sum = tuple(f64, i64);
  const job = defineJob((builder) => {
    builder
      .source("items", Sum, jsonLines())
      .keyByComputed("all", i64, () => 1)
      .window(sliding(seconds(10), seconds(2)))
      .fold(
        "sum",
        {
          acc: Sum,
          start: () => [0, 0],
          add: (acc, [x]) => ((acc[0] += x), acc[1]++, acc),
          merge: (into, from) => ((into[0] += from[0]), (into[1] += from[1]), into),
        },
        Sum,
        (_window, acc) => acc,
      )
      .sink("out", jsonLines());
  });
  const [instance, heard] = instanceOf(job);
  instance.link(0, [2]);
  instance.process(0, 0, AT, block(Sum, [1, 0], [2, 0], [4, 0]), [], [0, 1, 2]);
  const fire = block(Fired, { key: 1, start: 0, end: 1, firing: 0 }, { key: 1, start: 0, end: 1, firing: 0 });
  for (let round = 0; round < 2; round++) instance.fire(0, AT, fire, [0, 3, 5], [0, 1, 2, 1, 2]);
  assert.deepEqual(
    heard.records(Sum).map(({ record }) => record),
    [
      [7, 3],
      [6, 2],
      [7, 3],
      [6, 2],
    ],
  );
});

test("a row may belong to several windows, and is refused by all or none", () => {
  const [instance, heard] = instanceOf(joined);
  instance.link(0, [1]);
  instance.process(0, 0, AT, block(Item, item(1, "a"), item(1, "b"), item(1, "c")), [0, 0, 2], [4, 5, 5]);
  const fire = block(Fired, { key: 1, start: 0, end: 1, firing: 0 }, { key: 1, start: 0, end: 1, firing: 0 });
  instance.fire(0, AT, fire, [0, 1, 2], [4, 5]);
  assert.deepEqual(
    heard.records(Joined).map(({ record }) => record[4]),
    ["a", "ac"],
  );
});

test("what a window refuses is in none of its accumulators", () => {
  const job = defineJob((builder) => {
    builder
      .source("items", Item, jsonLines())
      .keyBy("key")
      .window(tumbling(seconds(1)))
      .fold(
        "join",
        {
          acc: record({ text: string }),
          start: () => ({ text: "" }),
          add: (acc, { text }) => {
            acc.text += text;
            if (acc.text.length > 2) refuse("too long");
            return acc;
          },
          merge: (into, from) => ({ text: into.text + from.text }),
        },
        string,
        (_window, { text }) => text,
      )
      .onError("skip")
      .sink("out", jsonLines());
  });
  const [instance, heard] = instanceOf(job);
  instance.link(0, [1]);
  const outcome = instance.process(
    0,
    0,
    AT,
    block(Item, item(1, "a"), item(1, "bc"), item(1, "d"), item(1, "xyz")),
    [0, 1, 1, 2, 3],
    [0, 1, 0, 0, 2],
  );
  assert.deepEqual(
    outcome.failures.map(({ row }) => row),
    [1, 3],
  );
  instance.fire(0, AT, block(Fired, ...[0, 0, 0].map(() => ({ key: 1, start: 0, end: 1, firing: 0 }))), [0, 1, 2, 3], [0, 1, 2]);
  assert.deepEqual(
    heard.records(string).map(({ record }) => record),
    ["ad"],
  );
});

test("sessions merge their accumulators and late records fire again", () => {
  const Pair = tuple(i64, i64);
  const job = defineJob((builder) => {
    builder
      .source("items", Pair, jsonLines())
      .assignEventTime("time", ([, at]) => at, outOfOrder(millis(50)))
      .keyByComputed("key", i64, ([key]) => key)
      .window(session(millis(10)))
      .allowedLateness(millis(100))
      .process("list", tuple(i64, i64, i64, i64), ({ start, end, firing }, records) => [[start, end, firing, records.length]])
      .sink("out", jsonLines());
  });
  const kit = testJob(job);
  for (const at of [100, 120, 110, 100, 300, 115, 500, 105]) kit.push("items", [1, at]);
  assert.deepEqual(
    sorted(kit.sink("out")),
    sorted([
      [100, 130, 0, 4],
      [300, 310, 0, 1],
    ]),
    "115 was too late even for the lateness",
  );
});

test("late records of windows are had from their port", () => {
  const Reading = record({ n: i64, at: i64 });
  const job = defineJob((builder) => {
    const counted = builder
      .source("n", Reading, jsonLines())
      .eventTime("at", monotonic())
      .windowAll(tumbling(millis(10)))
      .count("count");
    counted.late().sink("late", jsonLines());
    counted.sink("out", jsonLines());
  });
  const kit = testJob(job);
  for (const at of [1, 2, 25, 3]) kit.push("n", { n: at, at });
  kit.finish();
  assert.deepEqual(kit.sink<WindowCount<null>>("out"), [
    { key: null, start: 0, end: 10, count: 2 },
    { key: null, start: 20, end: 30, count: 1 },
  ]);
  assert.deepEqual(kit.sink("late"), [{ n: 3, at: 3 }]);
});

test("processing-time windows close by the clock", () => {
  const kit = testJob(
    defineJob((job) => {
      job
        .source("n", i64, jsonLines())
        .windowAll(tumbling(seconds(1)).processingTime())
        .count("count")
        .sink("out", jsonLines());
    }),
  );
  kit.setProcessingTime(1_500);
  kit.push("n", 1);
  kit.push("n", 2);
  kit.setProcessingTime(1_998);
  assert.deepEqual(kit.sink("out"), []);
  kit.setProcessingTime(1_999);
  assert.deepEqual(kit.sink("out"), [{ key: null, start: 1_000, end: 2_000, count: 2 }]);
});

test("state is exported as the bytes that the contract's vector has", () => {
  const vectors = JSON.parse(readFileSync(new URL("../wit/vectors/blocks.json", import.meta.url), "utf8")).good;
  const { hex } = vectors.find((vector: { name: string }) => vector.name === "state of an accumulator");
  const job = defineJob((builder) => {
    const Acc = record({ sum: f64, n: i64 });
    const fold = {
      acc: Acc,
      start: () => ({ sum: 0, n: 0 }),
      add: (acc: { sum: number; n: number }) => acc,
      merge: (acc: { sum: number; n: number }) => acc,
    };
    builder
      .source("items", Item, jsonLines())
      .keyBy("key")
      .window(tumbling(seconds(1)))
      .fold("w", fold, Acc, (_window, acc) => acc)
      .sink("out", jsonLines());
  });
  const [instance] = instanceOf(job);
  const block = new Uint8Array(Buffer.from(hex, "hex"));
  const slots = Array.from({ length: new DataView(block.buffer).getUint32(8, true) }, (_, slot) => slot);
  instance.importState(1, slots, block);
  assert.equal(Buffer.from(instance.exportState(1, slots)).toString("hex"), hex);
});
