/** Process functions, their state and timers, and the aggregates of keyed streams. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { testJob, testProcess } from "../src/testing/index.js";
import {
  bigint64,
  defineJob,
  eventTimer,
  f64,
  i32,
  i64,
  json,
  jsonLines,
  listState,
  mapState,
  millis,
  monotonic,
  processingTimer,
  record,
  string,
  text,
  tuple,
  tumbling,
  valueState,
  type Infer,
} from "./support.js";

const Item = record({ key: i64, text: string });
const item = (key: number, text: string) => ({ key, text });

test("two streams share state and timers, side outputs leave beside the main one", () => {
  const Order = record({ id: string, at: i64 });
  const Payment = record({ id: string, cents: i64, at: i64 });
  const job = defineJob((builder) => {
    const orders = builder.source("orders", Order, jsonLines()).eventTime("at", monotonic()).keyBy("id");
    const payments = builder.source("payments", Payment, jsonLines()).eventTime("at", monotonic()).keyBy("id");
    const matched = orders.connect(payments).process("match", {
      out: Payment,
      state: { ordered: valueState(i64) },
      timers: { unpaid: eventTimer(), clock: processingTimer() },
      sides: { open: string, strange: Payment },
      onFirst(ctx, order) {
        ctx.state.ordered.set(order.at);
        ctx.timers.unpaid.replace(order.at + 10);
      },
      onSecond(ctx, payment) {
        if (ctx.state.ordered.take() === undefined) return ctx.sides.strange.emit(payment);
        ctx.timers.unpaid.clear();
        ctx.emitAt(payment, payment.at + 1);
      },
      onTimer(ctx, event) {
        assert.equal(event.name, "unpaid");
        ctx.sides.open.emit(`${ctx.key}@${event.time}`);
        ctx.state.ordered.clear();
      },
    });
    matched.sink("out", jsonLines());
    matched.sideOutput("open").sink("unpaid", jsonLines());
    matched
      .sideOutput("strange")
      .map("cents", i64, (payment) => payment.cents)
      .sink("strange", jsonLines());
  });
  const kit = testJob(job);
  kit.push("orders", { id: "a", at: 1 });
  kit.push("orders", { id: "b", at: 2 });
  kit.push("payments", { id: "a", cents: 5, at: 3 });
  kit.push("payments", { id: "c", cents: 7, at: 4 });
  kit.finish();
  assert.deepEqual(kit.output("match"), [{ record: { id: "a", cents: 5, at: 3 }, time: 4 }]);
  assert.deepEqual(kit.sink("unpaid"), ["b@12"]);
  assert.deepEqual(kit.sink("strange"), [7]);
});

test("a process function is tested by itself, across a restart", () => {
  const kit = testProcess(string, Item, {
    out: tuple(string, i64),
    state: { seen: listState(Item), by: mapState(tuple(i64, string), i64), last: valueState(Item) },
    timers: { soon: processingTimer() },
    onRecord(ctx, item) {
      ctx.state.seen.push(item);
      ctx.state.by.update([item.key, item.text], (n) => (n ?? 0) + 1);
      ctx.state.last.set(item);
      ctx.timers.soon.add(ctx.now + 5);
    },
    onTimer(ctx) {
      ctx.emit([`${ctx.key} ${ctx.state.by.keys().map(String).join(" ")}`, ctx.state.seen.length]);
      ctx.state.seen.retain(({ text }) => text !== "x");
    },
  });
  kit.push("k", item(2, "x"), 1);
  kit.push("k", item(-1, "y"), 1);
  kit.push("k", item(2, "b"), 1);
  kit.restart();
  kit.setProcessingTime(5);
  assert.deepEqual(
    kit.output().map(({ record }) => record),
    [["k -1,y 2,b 2,x", 3]],
  );
  assert.deepEqual(kit.timers, []);
});

test("state is frozen: it changes by set and in no other way", () => {
  const Nested = record({ n: i64, list: json<{ deep: number[] }>() });
  const run = (f: (ctx: any) => void) => {
    const kit = testProcess(string, Nested, {
      out: i64,
      state: { v: valueState(Nested), l: listState(Nested), m: mapState(string, Nested) },
      onRecord: f,
    });
    kit.push("k", { n: 1, list: { deep: [1] } }, 0);
    return kit;
  };
  const value = () => ({ n: 1, list: { deep: [1] } });
  const frozen = { name: "TypeError", message: /read only|not extensible|Cannot assign/ };
  assert.throws(
    () =>
      run((ctx) => {
        ctx.state.v.set(value());
        ctx.state.v.get().n = 2;
      }),
    frozen,
  );
  assert.throws(
    () =>
      run((ctx) => {
        ctx.state.v.set(value());
        ctx.state.v.get().list.deep.push(2);
      }),
    frozen,
  );
  assert.throws(
    () =>
      run((ctx) => {
        ctx.state.l.push(value());
        ctx.state.l.get()[0].n = 2;
      }),
    frozen,
  );
  assert.throws(
    () =>
      run((ctx) => {
        ctx.state.m.set("a", value());
        ctx.state.m.get("a").n = 2;
      }),
    frozen,
  );
  // What was given stays the job's own, and what an array gives is a copy.
  run((ctx) => {
    const own = value();
    ctx.state.v.set(own);
    ctx.state.l.set([own]);
    own.n = 7;
    ctx.state.l.get().push(own);
    assert.deepEqual([ctx.state.v.get().n, ctx.state.l.length, ctx.state.l.get()[0].n], [1, 1, 1]);
  });
  assert.throws(() => run((ctx) => ctx.state.v.set({ n: 1.5, list: {} })), { message: /field "n" takes a whole number/ });
  assert.throws(() => run((ctx) => ctx.state.m.set(5, value())), { message: /the value takes a string, not 5/ });
});

test("aggregates of the host and of the job agree", () => {
  const Reading = record({ sensor: string, n: i32, x: f64, big: bigint64, at: i64 });
  type Reading = Infer<typeof Reading>;
  const job = defineJob((builder) => {
    const keyed = builder.source("in", Reading, jsonLines()).eventTime("at", monotonic()).keyBy("sensor");
    keyed.count("count").sink("count-out", jsonLines());
    keyed.sum("sum", "n").sink("sum-out", jsonLines());
    keyed.sum("sum-big", "big").sink("sum-big-out", jsonLines());
    keyed
      .min("min", "x")
      .map("shown", string, ({ key, value }) => `${key} ${value}`)
      .sink("min-out", text());
    keyed.maxBy("max-by", "x").sink("max-by-out", jsonLines());
    keyed.reduce("reduce", (a, b) => ({ ...b, n: a.n + b.n })).sink("reduce-out", jsonLines());
    const windows = keyed.window(tumbling(millis(10)));
    windows.sum("w-sum", "n").sink("w-sum-out", jsonLines());
    windows.maxBy("w-max-by", "n").sink("w-max-by-out", jsonLines());
    windows.reduce("w-reduce", (a, b) => (b.x > a.x ? b : a)).sink("w-reduce-out", jsonLines());
  });
  const kit = testJob(job);
  const reading = (n: number, at: number): Reading => ({ sensor: "s", n, x: -n, big: 2n ** 62n, at });
  for (const [n, at] of [
    [1, 1],
    [3, 2],
    [2, 12],
  ] as const)
    kit.push("in", reading(n, at));
  kit.finish();
  assert.deepEqual(
    kit.sink("count-out"),
    [1, 2, 3].map((count) => ({ key: "s", count })),
  );
  assert.deepEqual(
    kit.sink("sum-out"),
    [1, 4, 6].map((value) => ({ key: "s", value })),
  );
  assert.deepEqual(
    kit.sink("sum-big-out"),
    [2n ** 62n, -(2n ** 63n), -(2n ** 62n)].map((value) => ({ key: "s", value })),
  );
  assert.deepEqual(kit.sinkLines("min-out"), ["s -1", "s -3", "s -3"]);
  assert.deepEqual(kit.sink("max-by-out"), [reading(1, 1), reading(1, 1), reading(1, 1)]);
  assert.deepEqual(
    kit.sink<Reading>("reduce-out").map(({ n }) => n),
    [1, 4, 6],
  );
  assert.deepEqual(kit.sink("w-sum-out"), [
    { key: "s", start: 0, end: 10, value: 4 },
    { key: "s", start: 10, end: 20, value: 2 },
  ]);
  assert.deepEqual(kit.sink("w-max-by-out"), [
    { start: 0, end: 10, record: reading(3, 2) },
    { start: 10, end: 20, record: reading(2, 12) },
  ]);
  assert.deepEqual(kit.sink("w-reduce-out"), [reading(1, 1), reading(2, 12)]);
});
