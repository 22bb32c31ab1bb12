/** What operators do with records: failures and their undoing, state, timers, windows, blocks. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { testJob, testOperator } from "../src/testing/index.js";
import {
  AT,
  bigint64,
  block,
  defineJob,
  eventTimer,
  i64,
  instanceOf,
  jsonLines,
  listState,
  log,
  mapState,
  optional,
  read,
  record,
  refuse,
  string,
  tuple,
  valueState,
  Refusal,
} from "./support.js";

const Item = record({ key: i64, text: string });
const Letter = tuple(i64, string);
const item = (key: number, text: string) => ({ key, text });

/** Emits the text letter by letter; refuses it at a `!`, when some letters have been emitted already. */
const letters = defineJob((job) => {
  job
    .source("items", Item, jsonLines())
    .flatMap("letters", Letter, function* ({ key, text }) {
      for (const letter of text) {
        yield [key, letter];
        if (letter === "!") refuse("too loud");
      }
    })
    .onError("dead-letter")
    .filter("not-x", ([, letter]) => letter !== "x")
    .sink("out", jsonLines());
});

test("what a refused record emitted is taken back through the chain", () => {
  const [instance, heard] = instanceOf(letters);
  instance.link(0, [1, 2]);
  const outcome = instance.process(0, 0, AT, block(Item, item(1, "ab"), item(2, "cd!e"), item(3, "xf")), [], []);
  assert.deepEqual(outcome.failures, [{ row: 1, operator: 1, message: "too loud" }]);
  assert.equal(heard.blocks.length, 1);
  assert.deepEqual(heard.records(Letter), [
    { record: [1, "a"], time: 100 },
    { record: [1, "b"], time: 100 },
    { record: [3, "f"], time: 102 },
  ]);
});

/** Emits letter by letter and refuses the item at a `!`; the next operator emits each letter twice and refuses a `?`. */
const lettersAndMarks = defineJob((job) => {
  job
    .source("items", Item, jsonLines())
    .flatMap("letters", Letter, ({ key, text }, out) => {
      for (const letter of text) {
        out.emit([key, letter]);
        if (letter === "!") refuse("too loud");
      }
    })
    .onError("skip")
    .flatMap("certain", Letter, ([key, letter], out) => {
      out.emit([key, letter]);
      out.emit([-key, letter]);
      if (letter === "?") refuse("unsure");
    })
    .onError("dead-letter")
    .sink("out", jsonLines());
});

test("a member of a chain refuses its own record and no other of the row", () => {
  const [instance, heard] = instanceOf(lettersAndMarks);
  instance.link(0, [1, 2]);
  const outcome = instance.process(0, 0, AT, block(Item, item(1, "a?b?"), item(2, "c?!"), item(3, "d")), [], []);
  assert.deepEqual(outcome.failures, [
    { row: 0, operator: 2, message: "unsure" },
    { row: 0, operator: 2, message: "unsure" },
    { row: 1, operator: 1, message: "too loud" },
  ]);
  assert.deepEqual(
    heard.records(Letter).map(({ record: [key, letter] }) => `${key}${letter}`),
    ["1a", "-1a", "1b", "-1b", "3d", "-3d"],
  );
});

test("a chain behind a process function refuses without touching its state, which keeps what stands", () => {
  const job = defineJob((builder) => {
    builder
      .source("items", Item, jsonLines())
      .keyBy("key")
      .process("count", {
        out: i64,
        state: { n: valueState(i64) },
        timers: { t: eventTimer() },
        onRecord(ctx, { text }) {
          ctx.state.n.update((n) => (n ?? 0) + 1);
          ctx.timers.t.add(5);
          ctx.emit(ctx.state.n.get()!);
          if (text === "bad") refuse("bad");
        },
      })
      .map("odd", i64, (n) => (n % 2 === 1 ? n : refuse(`${n} is even`)))
      .onError("skip")
      .sink("out", jsonLines());
  });
  const [instance, heard] = instanceOf(job);
  instance.link(0, [1, 2]);
  const outcome = instance.process(0, 0, AT, block(Item, item(1, ""), item(1, ""), item(1, "bad"), item(1, "")), [], [0, 0, 0, 0]);
  assert.deepEqual(outcome.failures, [
    { row: 1, operator: 2, message: "2 is even" },
    { row: 2, operator: 1, message: "bad" },
  ]);
  assert.equal(outcome.timers.length, 3);
  assert.deepEqual(
    heard.records(i64).map(({ record }) => record),
    [1, 3],
  );
});

test("dead letters tell what was refused and why", () => {
  const job = defineJob((builder) => {
    const halves = builder.source("n", i64, jsonLines()).map("halve", i64, (n) => (n % 2 === 0 ? n / 2 : refuse(`${n} is odd`)));
    halves.deadLetters().sink("bad", jsonLines());
    halves.sink("out", jsonLines());
  });
  const kit = testJob(job);
  for (const n of [4, 5, 6]) kit.push("n", n);
  assert.deepEqual(kit.sink("out"), [2, 3]);
  assert.deepEqual(kit.sink("bad"), [{ operator: "halve", place: "test", reason: "5 is odd", record: "5" }]);
});

test("a number beyond 2^53 is a refused record of the operator that reads it", () => {
  const [instance] = instanceOf(
    defineJob((job) => {
      job
        .source("n", i64, jsonLines())
        .map("same", i64, (n) => n)
        .onError("skip")
        .sink("out", jsonLines());
    }),
  );
  instance.link(0, [1]);
  const outcome = instance.process(0, 0, AT, block(bigint64, 5n, 2n ** 60n), [], []);
  assert.deepEqual(
    outcome.failures.map(({ row, operator }) => [row, operator]),
    [[1, 1]],
  );
  assert.match(outcome.failures[0]!.message, /^1152921504606846976 is beyond what a number holds exactly/);
});

/** Keeps the last text of each key; refuses `bad` after writing it. */
const last = defineJob((job) => {
  job
    .source("items", Item, jsonLines())
    .keyBy("key")
    .process("last", {
      out: string,
      state: { last: valueState(string), seen: listState(i64), counts: mapState(string, i64) },
      timers: { t: eventTimer() },
      onRecord(ctx, { text }) {
        if (text === "look") return ctx.emit(ctx.state.last.getOr(""));
        if (text === "clear") {
          ctx.state.last.clear();
          ctx.state.seen.clear();
          ctx.state.counts.clear();
          return ctx.timers.t.clear();
        }
        ctx.state.last.set(text);
        ctx.state.seen.push(ctx.time);
        ctx.state.counts.update(text, (n) => (n ?? 0) + 1);
        ctx.timers.t.add(ctx.time + 1);
        ctx.emit(text);
        if (text === "bad") refuse(`${text} is refused`);
      },
    })
    .onError("skip")
    .sink("out", jsonLines());
});

test("a refused record leaves state, timers and output as they were", () => {
  const kit = testOperator(last, "last");
  for (const text of ["a", "bad", "look"]) kit.push(item(1, text), 10);
  for (const text of ["bad", "look"]) kit.push(item(2, text), 20);
  assert.deepEqual(
    kit.output().map(({ record }) => record),
    ["a", "a", ""],
  );
  assert.deepEqual(kit.timers, [["t", 11]]);
  assert.deepEqual(kit.refused, ["bad is refused", "bad is refused"]);
});

test("a call says which slots are empty and which unchanged", () => {
  const [instance] = instanceOf(last);
  instance.link(0, [1]);
  const items = [item(1, "a"), item(2, "look"), item(3, "a"), item(1, "look"), item(3, "clear"), item(4, "bad")];
  const outcome = instance.process(0, 0, AT, block(Item, ...items), [], [0, 1, 2, 0, 2, 3]);
  assert.deepEqual(outcome.cleared, [1, 2, 3], "never written, cleared, undone");
  assert.deepEqual(outcome.unchanged, []);
  assert.equal(outcome.timers.length, 3, "of `bad` there is none");
  const again = instance.process(0, 0, AT, block(Item, item(1, "look")), [], [0]);
  assert.deepEqual([again.cleared, again.unchanged], [[], [0]]);
});

test("rows may be given with their slots", () => {
  const [instance, heard] = instanceOf(last);
  instance.link(0, [1]);
  instance.process(0, 0, AT, block(Item, item(1, "a"), item(2, "b"), item(1, "c")), [0, 2], [5, 5]);
  assert.deepEqual(heard.records(string), [
    { record: "a", time: 100 },
    { record: "c", time: 102 },
  ]);
});

test("state is exported and loaded again as it was", () => {
  const [first] = instanceOf(last);
  first.link(0, [1]);
  first.process(0, 0, AT, block(Item, item(1, "a"), item(1, "b"), item(2, "ü🌊")), [], [7, 7, 1]);
  const exported = first.exportState(1, [7, 3, 1]);
  const [second, heard] = instanceOf(last);
  second.link(0, [1]);
  second.importState(1, [0, 1, 2], exported);
  assert.deepEqual(second.exportState(1, [0, 1, 2]), exported);
  second.process(0, 0, AT, block(Item, item(1, "look"), item(2, "look")), [], [0, 2]);
  assert.deepEqual(
    heard.records(string).map(({ record }) => record),
    ["b", "ü🌊"],
  );
  second.dropState(1, [0]);
  assert.notDeepEqual(second.exportState(1, [0, 1, 2]), exported);
  assert.throws(() => second.importState(1, [0], exported), { message: "a block of 3 rows does not fit 1 slots" });
  assert.throws(() => second.importState(1, [0], block(Item, item(1, "a"))), {
    message: "a block of 2 columns does not fit a schema of 3",
  });
  const wrong = record({ a: optional(i64), b: optional(i64), c: optional(i64) });
  assert.throws(() => second.importState(1, [0], block(wrong, { a: 1, b: 1, c: 1 })), { message: "column 0 has type i64?, not string?" });
});

test("an error tells the operator and row that it broke, even when the function before it catches it", () => {
  const inverse = (f: (n: number, push: () => void) => void) =>
    defineJob((job) => {
      job
        .source("n", i64, jsonLines())
        .flatMap("same", i64, (n, out) => f(n, () => out.emit(n)))
        .map("inverse", i64, (n) => {
          if (n === 0) throw new RangeError("division by zero");
          return 100 / n;
        })
        .sink("out", jsonLines());
    });
  const swallowing = inverse((_, push) => {
    try {
      push();
    } catch {
      // What this catches has broken the operator behind it.
    }
  });
  for (const job of [inverse((_, push) => push()), swallowing]) {
    const [instance] = instanceOf(job);
    instance.link(0, [1, 2]);
    assert.throws(() => instance.process(0, 0, AT, block(i64, 5, 0, 10), [], []), { message: "division by zero" });
    assert.equal(instance.call.row, 1);
  }
  const [instance] = instanceOf(inverse((_, push) => push()));
  instance.link(0, [1, 2]);
  assert.throws(() => instance.process(0, 0, AT, block(i64, 5, 3), [], []), /field|the value takes a whole number up to 2\^53/);
  assert.deepEqual([instance.call.row, instance.call.operator], [1, 2]);
});

test("functions that are async or answer nonsense are told so", () => {
  const broken = (build: Parameters<typeof defineJob>[0], ...members: number[]) => {
    const [instance] = instanceOf(build);
    instance.link(0, members);
    // With a key behind each record, which only a process function reads.
    return () => instance.process(0, 0, AT, block(tuple(i64, i64), [1, 1]), [], [0]);
  };
  const source = (job: Parameters<Parameters<typeof defineJob>[0]>[0]) => job.source("n", i64, jsonLines());
  const sync = /functions of a job are not async/;
  assert.throws(
    broken(
      (job) =>
        source(job)
          .map("m", i64, (async (n: number) => n) as never)
          .sink("out", jsonLines()),
      1,
    ),
    sync,
  );
  assert.throws(
    broken(
      (job) =>
        source(job)
          .flatMap("m", i64, (async () => []) as never)
          .sink("out", jsonLines()),
      1,
    ),
    sync,
  );
  assert.throws(
    broken(
      (job) =>
        source(job)
          .filter("m", (async () => true) as never)
          .sink("out", jsonLines()),
      1,
    ),
    /a filter answers true or false/,
  );
  assert.throws(
    broken(
      (job) =>
        source(job)
          .filter("m", (() => 1) as never)
          .sink("out", jsonLines()),
      1,
    ),
    /a filter answers true or false/,
  );
  const process = { out: i64, onRecord: async () => {} };
  assert.throws(
    broken(
      (job) =>
        source(job)
          .keyByComputed("k", i64, (n) => n)
          .process("p", process)
          .sink("out", jsonLines()),
      2,
    ),
    sync,
  );
});

test("a record that emits much is handed on in pieces, unless it may have to be undone", () => {
  const job = (policy: "fail" | "skip") =>
    defineJob((builder) => {
      builder
        .source("n", i64, jsonLines())
        .flatMap("many", i64, function* (n) {
          for (let i = 0; i < n; i++) yield i;
        })
        .onError(policy)
        .sink("out", jsonLines());
    });
  const [instance, heard] = instanceOf(job("fail"));
  instance.link(0, [1]);
  instance.process(0, 0, AT, block(i64, 10_000, 600_000, 1), [], []);
  const rows = heard.blocks.map((one) => read(i64, one.block).length);
  assert.equal(
    rows.reduce((a, b) => a + b),
    610_001,
  );
  assert.ok(
    rows.every((count) => count <= 1 << 18),
    String(rows),
  );
  const [strict] = instanceOf(job("skip"));
  strict.link(0, [1]);
  assert.throws(() => strict.process(0, 0, AT, block(i64, 600_000), [], []), /cannot be undone/);
});

test("log lines name their operator", () => {
  const kit = testJob(
    defineJob((job) => {
      job
        .source("n", i64, jsonLines())
        .map("loud", i64, (n) => (log.warn(`${n} is here`), n))
        .sink("out", jsonLines());
    }),
  );
  kit.push("n", 7);
  assert.deepEqual(kit.log, ["warn operator 1: 7 is here"]);
});

test("a Refusal is recognised whoever throws it", () => {
  assert.throws(
    () => refuse("no"),
    (error: unknown) => error instanceof Refusal && (error as Error).message === "no",
  );
});

test("what an operator makes is held against its type before the next one of the chain sees it", () => {
  const Pair = record({ n: i64, name: optional(string) });
  let seen: unknown[] = [];
  const job = defineJob((builder) => {
    builder
      .source("n", i64, jsonLines())
      .map("pair", Pair, (n) => (n === 7 ? ({ n: "7" } as never) : ({ n, extra: 1 } as never)))
      .filter("all", () => true)
      .map("look", i64, (pair) => (seen.push(pair), pair.n))
      .sink("out", jsonLines());
  });
  const [instance] = instanceOf(job);
  instance.link(0, [1, 2, 3]);
  instance.process(0, 0, AT, block(i64, 1), [], []);
  assert.deepEqual(seen, [{ n: 1, name: null }]);
  assert.throws(() => instance.process(0, 0, AT, block(i64, 7), [], []), { message: /^field "n" takes a whole number/ });
  assert.equal(instance.call.operator, 1);
});
