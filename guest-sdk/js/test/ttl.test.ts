/** State with a time-to-live, against a model of writes and times: what has expired is never seen, and is removed. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { planOf, testJob, testProcess } from "../src/testing/index.js";
import { Random } from "./random.js";
import {
  AT,
  block,
  bool,
  defineJob,
  eventTimer,
  eventTtl,
  i64,
  instanceOf,
  jsonLines,
  listState,
  mapState,
  processingTtl,
  record,
  refuse,
  string,
  text,
  valueState,
  type Ttl,
} from "./support.js";

const LIFE = 10;
const Command = record({ what: string, n: i64 });
const WHATS = ["set", "push", "insert", "read", "clear"];

/** Does what it is told; its list and its map may live for ever. */
const commanded = (ttl: Ttl, several: { ttl?: Ttl } = { ttl }) => {
  return {
    out: string,
    state: { value: valueState(i64, { ttl }), several: listState(i64, several), entries: mapState(i64, i64, several) },
    onRecord(ctx: any, { what, n }: { what: string; n: number }) {
      const { value, several, entries } = ctx.state;
      if (what === "set" || what === "refuse") value.set(n);
      if (what === "push" || what === "refuse") several.push(n);
      if (what === "insert" || what === "refuse") entries.set(n % 3, n);
      if (what === "clear") [value, several, entries].forEach((piece) => piece.clear());
      if (what === "refuse") refuse("refused");
      if (what === "read") ctx.emit(JSON.stringify([value.get() ?? null, several.get(), entries.entries()]));
    },
  };
};

type Timed = [n: number, at: number];

/** What a key has, each with the time it was written. */
class Model {
  value: Timed | undefined;
  several: Timed[] = [];
  entries = new Map<number, Timed>();

  expire(clock: number): void {
    const live = ([, at]: Timed): boolean => clock < at + LIFE;
    if (this.value !== undefined && !live(this.value)) this.value = undefined;
    this.several = this.several.filter(live);
    for (const [key, entry] of this.entries) if (!live(entry)) this.entries.delete(key);
  }

  do(what: string, n: number, at: number, byReads: boolean): string[] {
    const again = (before: Timed | undefined, n: number): Timed => [n, Math.max(at, before?.[1] ?? at)];
    if (what === "set") this.value = again(this.value, n);
    if (what === "push") this.several.push([n, at]);
    if (what === "insert") this.entries.set(n % 3, again(this.entries.get(n % 3), n));
    if (what === "clear") Object.assign(this, { value: undefined, several: [], entries: new Map() });
    if (what !== "read") return [];
    const entries = [...this.entries].sort(([a], [b]) => a - b);
    const seen = JSON.stringify([this.value?.[0] ?? null, this.several.map(([n]) => n), entries.map(([key, [n]]) => [key, n])]);
    if (byReads) {
      if (this.value !== undefined) this.value = again(this.value, this.value[0]);
      this.several = this.several.map((entry) => again(entry, entry[0]));
      for (const [key, entry] of entries) this.entries.set(key, again(entry, entry[0]));
    }
    return [seen];
  }
}

test("what expired is never seen and is removed", () => {
  for (let seed = 0; seed < 400; seed++) {
    const random = new Random(seed);
    const [event, byReads] = [random.chance(60), random.chance(40)];
    const ttl = event ? eventTtl(LIFE) : processingTtl(LIFE);
    const kit = testProcess(i64, Command, commanded(byReads ? ttl.renewedByReads() : ttl));
    const models = [new Model(), new Model(), new Model()];
    let clock = 100;
    const advance = (by: number): void => {
      clock += by;
      kit.watermark(clock);
      kit.setProcessingTime(clock);
    };
    advance(0);
    for (let step = random.below(60); step >= 0; step--) {
      const kind = random.below(13);
      if (kind === 0) kit.restart();
      else if (kind < 5) advance(random.below(7));
      else {
        const [key, time, what, n] = [random.below(3), random.below(16) - 8, random.pick(WHATS), random.below(100)];
        kit.push(key, { what, n }, clock + time);
        const model = models[key]!;
        model.expire(clock);
        const expected = model.do(what, n, event ? clock + Math.max(time, 0) : clock, byReads);
        assert.deepEqual(
          kit.output().map(({ record }) => record),
          expected,
          `seed ${seed}, ${what} ${n} of ${key} at ${clock}`,
        );
      }
    }
    // Twice the time is enough for everything to be removed, whatever the timers were set for.
    advance(LIFE + 8);
    advance(LIFE + 8);
    assert.deepEqual(kit.timers, [], `seed ${seed}: nothing is left that would expire`);
  }
});

test("what a refused record wrote is not there", () => {
  for (const ttl of [eventTtl(LIFE), processingTtl(LIFE).renewedByReads()]) {
    const job = defineJob((builder) => {
      builder
        .source("commands", Command, jsonLines())
        .keyByComputed("all", i64, () => 0)
        .process("p", commanded(ttl))
        .onError("skip")
        .sink("out", text());
    });
    const kit = testJob(job);
    for (const what of ["set", "push", "refuse", "read"]) kit.push("commands", { what, n: what === "refuse" ? 2 : 1 });
    assert.deepEqual(kit.sink("out"), ["[1,[1],[]]"]);
  }
});

test("a key that nobody comes back to is let go", () => {
  const kit = testProcess(i64, Command, commanded(eventTtl(LIFE)));
  for (let key = 0; key < 300; key++) kit.push(key, { what: "set", n: key }, 0);
  assert.equal(kit.timers.length, 300);
  kit.watermark(LIFE - 1);
  assert.equal(kit.timers.length, 300, "they live for the whole of their time");
  kit.watermark(LIFE);
  assert.deepEqual(kit.timers, []);
});

test("values, lists and maps that expire are such", () => {
  const ttl = eventTtl(LIFE);
  const kit = testProcess(i64, string, {
    out: string,
    state: { items: listState(i64, { ttl }), names: mapState(string, i64, { ttl }), value: valueState(i64, { ttl }) },
    onRecord(ctx, what) {
      const { items, names, value } = ctx.state;
      const said: unknown[] = [];
      if (what === "change") {
        items.set([1, 2, 3]);
        items.retain((item) => item !== 2);
        items.push(4);
        said.push(items.length, [...items], items.take(), items.get());
        names.set("b", 2);
        names.update("a", (before) => (before ?? 0) + 1);
        said.push(names.keys(), names.values(), names.has("c"), names.delete("b"), names.delete("b"), names.size);
        value.set(5);
        said.push(value.take() ?? null, value.getOr(7), value.take() ?? null);
        items.push(8);
        value.set(6);
      }
      said.push(items.length, items.get(), names.size, names.has("a"), names.get("a") ?? null, value.get() ?? null);
      if (what === "take") said.push(items.take(), names.delete("a"), value.take() ?? null);
      ctx.emit(JSON.stringify(said));
    },
  });
  const said = (what: string, time: number): unknown => {
    kit.push(1, what, time);
    return JSON.parse(kit.output()[0]!.record);
  };
  const changed = [3, [1, 3, 4], [1, 3, 4], [], ["a", "b"], [1, 2], false, true, false, 1, 5, 7, null];
  assert.deepEqual(said("change", 0), [...changed, 1, [8], 1, true, 1, 6]);
  kit.watermark(LIFE - 1);
  assert.deepEqual(said("look", 0), [1, [8], 1, true, 1, 6]);
  kit.restart();
  kit.watermark(LIFE);
  assert.deepEqual(said("take", 0), [0, [], 0, false, null, null, [], false, null]);
});

test("state of a time before the time-to-live lives from its first use on", () => {
  const ttl = processingTtl(LIFE);
  const over = (several?: { ttl?: Ttl }) =>
    instanceOf(
      defineJob((job) => {
        job.source("commands", Command, jsonLines()).keyBy("n").process("p", commanded(ttl, several)).sink("out", text());
      }),
    );
  const [before] = over({});
  const [after, heard] = over();
  before.link(0, [1]);
  after.link(0, [1]);
  before.process(0, 0, AT, block(Command, { what: "push", n: 1 }, { what: "insert", n: 1 }), [], [0, 0]);
  after.importState(1, [0], before.exportState(1, [0]));
  for (const now of [1_000, 1_000 + LIFE]) {
    after.process(0, 0, { watermark: 0, now }, block(Command, { what: "read", n: 1 }), [], [0]);
  }
  assert.deepEqual(
    heard.records(string).map(({ record }) => record),
    ["[null,[1],[[1,1]]]", "[null,[],[]]"],
  );
});

test("the plan says how long state lives", () => {
  const job = defineJob((builder) => {
    builder
      .source("n", i64, jsonLines())
      .keyByComputed("key", i64, (n) => n)
      .process("p", {
        out: i64,
        state: { value: valueState(i64, { ttl: eventTtl(1000) }), entries: mapState(i64, i64, { ttl: processingTtl(1).renewedByReads() }) },
        timers: { wake: eventTimer() },
        onRecord: () => {},
      })
      .sink("out", jsonLines());
  });
  const { state, timers } = JSON.parse(planOf(job)).operators[2].kind.process;
  assert.deepEqual(state, [
    { name: "value", kind: "value", schema: "value:i64,$event:i64,$processing:i64", ttl: { ms: 1000, domain: "event" } },
    { name: "entries", kind: "map", schema: "block:bytes", ttl: { ms: 1, domain: "processing", "on-read": true } },
  ]);
  assert.deepEqual(timers, [
    { name: "wake", domain: "event" },
    { name: "$expire-event", domain: "event" },
    { name: "$expire-processing", domain: "processing" },
  ]);
});

test("timers of the function are not those that sweep", () => {
  const kit = testProcess(i64, i64, {
    out: string,
    state: { value: valueState(bool, { ttl: eventTtl(LIFE) }) },
    timers: { wake: eventTimer() },
    onRecord(ctx, n) {
      ctx.state.value.set(true);
      ctx.timers.wake.add(n);
    },
    onTimer(ctx, { name, time }) {
      ctx.emit(`${name} ${time} ${ctx.state.value.get() ?? "gone"}`);
    },
  });
  kit.push(1, 5, 0);
  kit.push(1, 30, 0);
  kit.watermark(5);
  kit.watermark(40);
  assert.deepEqual(
    kit.output().map(({ record }) => record),
    ["wake 5 true", "wake 30 gone"],
  );
});

test("what is wrong with a time-to-live is said", () => {
  assert.throws(() => eventTtl(0), /state lives for a positive time, not 0/);
  assert.throws(() => processingTtl(0.5), /a time-to-live is a whole number of milliseconds/);
  const job = defineJob((builder) => {
    const numbers = builder.source("n", i64, jsonLines());
    numbers
      .keyByComputed("key", i64, (n) => n)
      .connectBroadcast(builder.source("rules", i64, jsonLines()))
      .process("p", { out: i64, shared: { rule: valueState(i64, { ttl: eventTtl(1) }) }, onRecord: () => {}, onBroadcast: () => {} })
      .sink("out", jsonLines());
  });
  assert.throws(() => planOf(job), /what is shared lives until it is cleared/);
});
