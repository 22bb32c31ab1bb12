/** Broadcast state in the test kit and over the calls of the contract. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { jobError, testJob, testOperator } from "../src/testing/index.js";
import {
  AT,
  block,
  defineJob,
  eventTimer,
  i64,
  instanceOf,
  jsonLines,
  listState,
  mapState,
  monotonic,
  record,
  refuse,
  string,
  tuple,
  valueState,
  type Infer,
  type Job,
  type ListRef,
  type ValueRef,
} from "./support.js";

const Sale = record({ shop: string, item: string, at: i64 });
type Sale = Infer<typeof Sale>;
const Rule = record({ item: string, most: i64, at: i64 });
const Told = tuple(string, string, i64);
const END = Number.MAX_SAFE_INTEGER;

const sale = (shop: string, item: string, at = 1): Sale => ({ shop, item, at });
const rule = (item: string, most: number, at = 1) => ({ item, most, at });

const both = (job: Job) => ({
  rules: job.source("rules", Rule, jsonLines()).eventTime("at", monotonic()),
  sales: job.source("sales", Sale, jsonLines()).eventTime("at", monotonic()),
});

/** Tells each sale above what its item's rule allows a shop, and what a new rule finds. */
const watched = defineJob((job) => {
  const { rules, sales } = both(job);
  sales
    .keyBy("shop")
    .connectBroadcast(rules)
    .process("watch", {
      out: Told,
      shared: { rules: mapState(string, i64) },
      state: { sold: mapState(string, i64) },
      timers: { end: eventTimer() },

      onRecord(ctx, { item }) {
        const sold = (ctx.state.sold.get(item) ?? 0) + 1;
        ctx.state.sold.set(item, sold);
        if (sold > (ctx.shared.rules.get(item) ?? sold)) ctx.emit([ctx.key, item, sold]);
        ctx.timers.end.replace(END);
      },

      onBroadcast(ctx, { item, most }) {
        ctx.shared.rules.set(item, most);
        if (most < 0) refuse(`a rule of ${most}`);
      },

      onKey(ctx, { item }) {
        const sold = ctx.state.sold.get(item) ?? 0;
        if (sold > ctx.shared.rules.get(item)!) ctx.emit([ctx.key, `${item} already`, sold]);
      },

      onTimer(ctx) {
        ctx.emit([ctx.key, "rules", ctx.shared.rules.size]);
      },
    })
    .onError("skip")
    .sink("told", jsonLines());
});

test("every key reads what is shared, and a rule is applied to each", () => {
  const job = testJob(watched);
  for (const shop of "abb") job.push("sales", sale(shop, "tea"));
  job.push("rules", rule("tea", 1));
  assert.deepEqual(job.sink("told"), [["b", "tea already", 2]]);
  job.restart();
  job.push("sales", sale("a", "tea"));
  job.push("sales", sale("a", "milk"));
  assert.deepEqual(job.sink("told"), [["a", "tea", 2]]);
  job.push("rules", rule("tea", -1));
  // What it did to what is shared is undone.
  assert.deepEqual(job.refused, ["a rule of -1"]);
  job.push("sales", sale("c", "tea"));
  job.push("rules", rule("milk", 5));
  job.finish();
  assert.deepEqual(
    job.sink("told"),
    [..."abc"].map((shop) => [shop, "rules", 2]),
  );
});

test("a key with nothing but a timer is given rules too", () => {
  const job = defineJob((job) => {
    const { rules, sales } = both(job);
    sales
      .keyBy("shop")
      .connectBroadcast(rules)
      .process("watch", {
        out: string,
        shared: {},
        timers: { end: eventTimer() },
        onRecord: (ctx, { item }) => void (item !== "" && ctx.timers.end.add(END)),
        onBroadcast() {},
        onKey: (ctx) => ctx.emit(ctx.key),
      })
      .sink("told", jsonLines());
  });
  const operator = testOperator(job, "watch");
  operator.push(sale("with", "tea"), 1);
  operator.push(sale("without", ""), 1);
  operator.push(rule("", 0), 1, 1);
  assert.deepEqual(operator.output(), [{ record: "with", time: 1 }]);
});

/** Numbers sales by the greatest rule so far. */
const numbered = defineJob((job) => {
  const { rules, sales } = both(job);
  const results = sales.connectBroadcast(rules).process("number", {
    out: tuple(string, i64),
    shared: { most: valueState(i64) },
    sides: { rules: Rule },
    onRecord(ctx, { item }) {
      assert.equal(ctx.key, null);
      ctx.emit([item, ctx.shared.most.getOr(0)]);
    },
    onBroadcast(ctx, one) {
      ctx.shared.most.update((most) => Math.max(most ?? 0, one.most));
      ctx.sides.rules.emit(one);
      ctx.emit([`${ctx.time} ${ctx.now} ${ctx.watermark}`, ctx.shared.most.getOr(0)]);
    },
  });
  results.sink("told", jsonLines());
  results.sideOutput("rules").sink("rules-out", jsonLines());
});

test("records without a key read it too", () => {
  const job = testJob(numbered);
  job.push("sales", sale("a", "tea"));
  job.push("rules", rule("tea", 7));
  job.push("rules", rule("tea", 3, 2));
  job.restart();
  job.push("sales", sale("b", "milk", 3));
  assert.deepEqual(job.sink("told"), [
    ["tea", 0],
    ["1 0 -Infinity", 7],
    ["2 0 0", 7],
    ["milk", 7],
  ]);
  assert.deepEqual(
    job.sink("rules-out").map((one) => (one as Infer<typeof Rule>).most),
    [7, 3],
  );
});

test("records without a key say nothing of what is shared", () => {
  const [instance] = instanceOf(numbered);
  const nothing = { timers: [], cleared: [], unchanged: [], failures: [] };
  instance.link(0, [2]);
  assert.deepEqual(instance.process(0, 0, AT, block(Sale, sale("a", "tea")), [], [9]), nothing);
  instance.process(0, 1, AT, block(Rule, rule("tea", 7)), [], [9]);
  assert.deepEqual(instance.process(0, 0, AT, block(Sale, sale("a", "tea")), [], [9]), nothing);
});

test("the slot of what is shared stands last, and is exported behind the keys' columns", () => {
  const [instance, heard] = instanceOf(watched);
  instance.link(0, [2]);
  const data = instance.process(0, 0, AT, block(Sale, sale("a", "tea"), sale("b", "tea")), [], [4, 2, 9]);
  // A data call says nothing of what is shared.
  assert.deepEqual([data.cleared, data.unchanged], [[], []]);
  const ruled = instance.process(0, 1, AT, block(Rule, rule("tea", -5), rule("tea", 0)), [], [9]);
  const failures = [{ row: 0, operator: 2, message: "a rule of -5" }];
  assert.deepEqual(ruled, { timers: [], cleared: [], unchanged: [], failures });
  const keys = block(tuple(string), ["a"], ["b"]);
  const applied = instance.apply(0, AT, block(Rule, rule("tea", 0)), keys, [4, 2, 9]);
  assert.deepEqual(applied, { timers: [], cleared: [], unchanged: [4, 2], failures: [] });
  assert.deepEqual(heard.records(Told), [
    { record: ["a", "tea already", 1], time: 100 },
    { record: ["b", "tea already", 1], time: 101 },
  ]);
  const kept = instance.exportState(2, [4, 9]);
  instance.dropState(2, [4, 2, 9]);
  instance.importState(2, [0, 1], kept);
  instance.process(0, 0, AT, block(Sale, sale("a", "tea")), [], [0, 1]);
  assert.deepEqual(heard.records(Told), [{ record: ["a", "tea", 2], time: 100 }]);
});

test("a refusal of onKey is about the one record", () => {
  const [instance] = instanceOf((job) => {
    const { rules, sales } = both(job);
    sales
      .keyBy("shop")
      .connectBroadcast(rules)
      .process("watch", {
        out: string,
        shared: {},
        state: { seen: valueState(i64) },
        onRecord: (ctx) => ctx.state.seen.set(1),
        onBroadcast() {},
        onKey(ctx, { item }) {
          ctx.state.seen.set(2);
          refuse(`${ctx.key} does not like ${item}`);
        },
      })
      .onError("skip")
      .sink("told", jsonLines());
  });
  instance.link(0, [2]);
  instance.process(0, 0, AT, block(Sale, sale("a", ""), sale("b", "")), [], [1, 2, 0]);
  const before = instance.exportState(2, [1, 2]);
  const { failures } = instance.apply(0, AT, block(Rule, rule("tea", 0)), block(tuple(string), ["a"], ["b"]), [1, 2, 0]);
  assert.deepEqual(
    failures.map(({ row, message }) => [row, message]),
    [
      [0, "a does not like tea"],
      [0, "b does not like tea"],
    ],
  );
  assert.deepEqual(instance.exportState(2, [1, 2]), before);
});

test("only broadcast records change what is shared", () => {
  const job = testJob((job) => {
    const { rules, sales } = both(job);
    sales
      .keyBy("shop")
      .connectBroadcast(rules)
      .process("watch", {
        out: i64,
        shared: { limit: valueState(i64), items: listState(string) },
        onRecord(ctx, { item }) {
          ctx.emit(ctx.shared.items.length);
          if (item === "value") (ctx.shared.limit as ValueRef<number>).set(5);
          if (item === "list") (ctx.shared.items as ListRef<string>).push("x");
        },
        onBroadcast: (ctx, { item }) => ctx.shared.items.push(item),
      })
      .sink("told", jsonLines());
  });
  job.push("rules", rule("tea", 1));
  job.push("sales", sale("a", ""));
  assert.deepEqual(job.sink("told"), [1]);
  for (const item of ["value", "list"]) {
    assert.throws(() => job.push("sales", sale("a", item)), /what is shared is changed in onBroadcast only/);
  }
});

test("a broadcast record has no key", () => {
  const job = testJob((job) => {
    const { rules, sales } = both(job);
    sales
      .keyBy("shop")
      .connectBroadcast(rules)
      .process("watch", {
        out: string,
        shared: {},
        onRecord() {},
        onBroadcast: (ctx) => ctx.emit((ctx as unknown as { key: string }).key),
      })
      .sink("told", jsonLines());
  });
  assert.throws(() => job.push("rules", rule("tea", 1)), /a broadcast record has no key/);
});

test("what is wrong is said", () => {
  const unkeyed = jobError((job) => {
    const { rules, sales } = both(job);
    const f = { out: string, shared: {}, state: { n: valueState(i64) }, onRecord() {}, onBroadcast() {} };
    sales.connectBroadcast(rules).process("p", f).sink("told", jsonLines());
  });
  assert.match(unkeyed ?? "", /process "p": records without a key have no state but what is shared/);
  const keyed = jobError((job) => {
    const { rules, sales } = both(job);
    sales.connectBroadcast(rules.keyBy("item") as never);
  });
  assert.match(keyed ?? "", /connectBroadcast takes a stream without a key/);
});
