/** What a job says of itself: the plan document, and what is wrong with a job. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Instance } from "../src/runtime/instance.js";
import { jobError, planOf, testJob } from "../src/testing/index.js";
import {
  bigint64,
  bool,
  csv,
  defineJob,
  eventTimer,
  f64,
  i32,
  i64,
  jsonLines,
  list,
  listState,
  mapState,
  mean,
  millis,
  minutes,
  monotonic,
  optional,
  outOfOrder,
  processingTimer,
  record,
  refuse,
  seconds,
  session,
  sliding,
  string,
  text,
  tuple,
  tumbling,
  valueState,
  type Job,
  type JobFunction,
} from "./support.js";

function plan(job: JobFunction): any {
  const document = planOf(job);
  assert.equal(document, planOf(job), "the same job gives the same bytes");
  return JSON.parse(document);
}

const operator = (plan: any, name: string): any => plan.operators.find((one: any) => one.name === name);

const Trade = record({ symbol: string, exchange: optional(string), price: f64.named("px"), tradeTime: i64, shares: i32 });
const TRADE = "symbol:string,exchange:string?,px:f64,tradeTime:i64,shares:i32";

test("a windowed job says what it is", () => {
  const averages = defineJob((job) => {
    job.name("averages");
    job
      .source("trades", Trade, jsonLines().default("stdin:"))
      .eventTime("tradeTime", outOfOrder(seconds(2)))
      .keyBy("symbol", "exchange")
      .window(sliding(minutes(1), seconds(10)).offset(-seconds(5)))
      .allowedLateness(seconds(30))
      .aggregate("average", mean("price"), tuple(string, f64), ({ key: [symbol] }, price) => [symbol, price])
      .sink("averages", csv());
  });
  assert.deepEqual(plan(averages), {
    contract: "0.2.0",
    name: "averages",
    operators: [
      {
        name: "trades",
        kind: {
          source: { binding: "trades", default: "stdin:", format: "json", time: "tradeTime", watermarks: { bounded: { ms: 2000 } } },
        },
        outputs: [{ schema: TRADE }],
      },
      {
        name: "average",
        kind: {
          window: {
            key: ["symbol", "exchange"],
            assigner: { sliding: { size_ms: 60000, slide_ms: 10000, offset_ms: -5000 } },
            domain: "event",
            "lateness-ms": 30000,
            compute: "guest",
            state: [{ name: "acc", kind: "accumulator", schema: "f0:f64,f1:i64" }],
          },
        },
        inputs: [{ from: "trades" }],
        outputs: [{ schema: "f0:string,f1:f64" }],
      },
      { name: "averages", kind: { sink: { binding: "averages", format: "csv" } }, inputs: [{ from: "average" }] },
    ],
  });
});

test("aggregates of the host carry the names of the job", () => {
  const document = plan(
    defineJob((job) => {
      const trades = job.source("trades", Trade, jsonLines());
      const bySymbol = trades.keyBy("symbol");
      bySymbol.count("n").sink("a", csv());
      bySymbol.sum("volume", "shares").sink("b", csv());
      bySymbol.maxBy("greatest", "price").sink("c", csv());
      const windows = bySymbol.window(tumbling(seconds(1)).processingTime());
      windows.sum("volume-per-second", "shares").sink("d", csv());
      windows.min("least", "price").sink("e", csv());
      windows.maxBy("last", "tradeTime").sink("f", csv());
      const lots = trades.keyByComputed("lots", tuple(i64, bool), (trade) => [Math.floor(trade.shares / 100), trade.price > 1]);
      lots.count("by-lots").sink("g", csv());
    }),
  );
  const schema = (name: string): string => operator(document, name).outputs[0].schema;
  assert.equal(schema("n"), "symbol:string,count:i64");
  assert.equal(schema("volume"), "symbol:string,shares:i64");
  assert.equal(schema("greatest"), TRADE);
  assert.equal(schema("volume-per-second"), "symbol:string,start:i64,end:i64,shares:i64");
  assert.equal(schema("least"), "symbol:string,start:i64,end:i64,px:f64");
  assert.equal(schema("last"), `start:i64,end:i64,${TRADE}`);
  assert.equal(schema("lots"), `${TRADE},$key0:i64,$key1:bool`);
  assert.equal(schema("by-lots"), "$key0:i64,$key1:bool,count:i64");
  assert.deepEqual(operator(document, "by-lots").kind, { rolling: { key: ["$key0", "$key1"], aggregate: "count" } });
  assert.deepEqual(operator(document, "volume").kind.rolling.aggregate, { sum: "shares" });
});

test("ports, partitions and policies are said", () => {
  const Quote = tuple(string, f64);
  const document = plan(
    defineJob((job) => {
      const events = job.taggedSource("events", jsonLines().tag("type")).eventTimeField("at", monotonic());
      const trades = events.variant("trade", Trade).parallelism(3).onError("skip");
      const quotes = events.variant("quote", Quote);
      trades
        .rebalance()
        .map("a", Trade, (trade) => trade)
        .broadcast()
        .sink("all", jsonLines());
      trades
        .partitionBy("b", ({ shares }) => shares)
        .map("c", i64, ({ symbol }) => refuse(symbol))
        .deadLetters()
        .sink("bad", jsonLines());
      const [dear, cheap] = trades.split("d", Trade, "cheap", Trade, (trade, out, side) => (trade.price > 9 ? out : side).emit(trade));
      dear.union("e", cheap, trades).sink("all-again", jsonLines());
      quotes
        .assignEventTime("f", ([, price]) => Math.floor(price), monotonic())
        .windowAll(session(millis(7)))
        .count("g")
        .late()
        .sink("late", jsonLines());
      for (const [name, stream] of Object.entries({ shuffle: trades.shuffle(), rescale: trades.rescale(), global: trades.global() }))
        stream.sink(name, jsonLines());
    }),
  );
  assert.deepEqual(operator(document, "events"), {
    name: "events",
    kind: { source: { binding: "events", format: "json", tag: "type", time: "at", watermarks: "monotonic" } },
    outputs: [
      { name: "trade", schema: TRADE, variant: "trade" },
      { name: "quote", schema: "f0:string,f1:f64", variant: "quote" },
    ],
    parallelism: 3,
    "on-error": "skip",
  });
  assert.deepEqual(operator(document, "a").inputs, [{ from: "events", port: "trade", partition: "rebalance" }]);
  assert.deepEqual(operator(document, "all").inputs, [{ from: "a", partition: "broadcast" }]);
  assert.deepEqual(operator(document, "c").inputs, [{ from: "b", partition: { custom: "$partition" } }]);
  assert.equal(operator(document, "c")["on-error"], "dead-letter");
  assert.deepEqual(operator(document, "bad").inputs, [{ from: "c", port: "dead-letter" }]);
  assert.equal(operator(document, "d").outputs[1].name, "cheap");
  assert.deepEqual(operator(document, "e").inputs, [{ from: "d" }, { from: "d", port: "cheap" }, { from: "events", port: "trade" }]);
  assert.deepEqual(operator(document, "f").kind, { timestamps: "monotonic" });
  assert.deepEqual(operator(document, "g").kind.window.key, []);
  assert.deepEqual(operator(document, "late").inputs, [{ from: "g", port: "late" }]);
  for (const name of ["shuffle", "rescale", "global"]) assert.equal(operator(document, name).inputs[0].partition, name);
});

test("state, timers and side outputs are declared in their order", () => {
  const document = plan(
    defineJob((job) => {
      const results = job
        .source("trades", Trade, jsonLines())
        .keyBy("symbol")
        .process("p", {
          out: i64,
          state: { v: valueState(Trade), l: listState(tuple(i64, f64)), m: mapState(tuple(string, i64), bool) },
          timers: { e: eventTimer(), q: processingTimer() },
          sides: { s: i64 },
          onRecord: () => {},
        });
      results.sink("out", jsonLines());
      results.sideOutput("s").sink("side", jsonLines());
    }),
  );
  assert.deepEqual(operator(document, "p").kind, {
    process: {
      keys: [["symbol"]],
      state: [
        { name: "v", kind: "value", schema: TRADE },
        { name: "l", kind: "list", schema: "block:bytes" },
        { name: "m", kind: "map", schema: "block:bytes" },
      ],
      timers: [
        { name: "e", domain: "event" },
        { name: "q", domain: "processing" },
      ],
    },
  });
  assert.deepEqual(operator(document, "p").outputs, [{ schema: "value:i64" }, { name: "s", schema: "value:i64" }]);
});

const error = (job: JobFunction): string => jobError(job) ?? assert.fail("the job is not refused");

test("chains begin and end where the job says", () => {
  const same = (n: number): number => n;
  const job = defineJob((builder) => {
    const numbers = builder.source("n", i64, jsonLines()).map("a", i64, same).map("b", i64, same).startNewChain();
    numbers.map("c", i64, same).map("d", i64, same).disableChaining().map("e", i64, same).sink("o", jsonLines());
  });
  const { operators } = JSON.parse(planOf(job)) as { operators: { name: string; chaining?: string }[] };
  assert.deepEqual(
    operators.map(({ name, chaining }) => [name, chaining]),
    [
      ["n", undefined],
      ["a", undefined],
      ["b", "start"],
      ["c", undefined],
      ["d", "never"],
      ["e", undefined],
      ["o", undefined],
    ],
  );
  const chains: (readonly number[])[] = [];
  const { link } = Instance.prototype;
  Instance.prototype.link = function (chain, members) {
    chains.push(members);
    link.call(this, chain, members);
  };
  try {
    const kit = testJob(job);
    kit.push("n", 7);
    assert.deepEqual(kit.sink("o"), [7]);
  } finally {
    Instance.prototype.link = link;
  }
  assert.deepEqual(chains, [[1], [2, 3], [4], [5]]);
  assert.match(
    error((builder) => void builder.source("n", i64, jsonLines()).startNewChain()),
    /operator "n" is run by the host and stands in no chain/,
  );
});

test("what is wrong with a job is said in its words", () => {
  const source = (job: Job) => job.source("a", i64, jsonLines());
  assert.match(
    error((job) =>
      source(job)
        .map("a", i64, (n) => n)
        .sink("b", jsonLines()),
    ),
    /two operators are called "a"/,
  );
  const tags = error((job) => {
    job.source("a", i64, jsonLines().tag("t")).sink("b", jsonLines().tag("t"));
    job.taggedSource("c", jsonLines()).variant("v", i64).sink("d", jsonLines());
  });
  for (const part of ['source "a" has a tag', 'sink "b" has a tag', 'source "c" has no tag']) assert.ok(tags.includes(part), tags);
  const variants = error((job) => {
    const tagged = job.taggedSource("a", jsonLines().tag("t"));
    tagged.variant("v", i64).union("u", tagged.variant("v", i64)).sink("b", jsonLines());
  });
  assert.match(variants, /variant "v" is asked for twice/);
  const sides = error((job) => {
    const results = source(job)
      .keyByComputed("k", i64, (n) => n)
      .process("p", { out: i64, sides: { late: i64 }, onRecord: () => {} });
    results.sideOutput("t" as never).sink("b", jsonLines());
  });
  assert.ok(sides.includes('declares no side output "t"') && sides.includes('operator "p" has two outputs called "late"'), sides);
  const late = error((job) =>
    source(job)
      .windowAll(tumbling(seconds(1)).processingTime())
      .count("n")
      .late()
      .sink("b", jsonLines()),
  );
  assert.match(late, /nothing is late/);
});

test("what TypeScript cannot see is refused as the job is built", () => {
  const trades = (job: Job) => job.source("a", Trade, jsonLines());
  assert.match(
    error((job) => void trades(job).keyBy("price")),
    /price cannot be a key: .* round an f64/,
  );
  assert.match(
    error((job) => void trades(job).keyBy("sym" as "symbol")),
    /there is no field "sym": the fields are symbol, exchange, price, tradeTime, shares/,
  );
  assert.match(
    error((job) => void trades(job).keyBy("symbol").window(tumbling(0.5))),
    /the size of a window is a whole number of milliseconds, not 0.5/,
  );
  assert.match(
    error(() => void session(seconds(1)).offset(1)),
    /a session begins with its first record/,
  );
  assert.match(
    error(
      (job) =>
        void trades(job)
          .windowAll(tumbling(1))
          .aggregate("m", mean("exchange" as "price"), f64, (_, x) => x),
    ),
    /needs a number that is never absent/,
  );
  assert.match(
    error(() => void record({})),
    /at least one field/,
  );
  assert.match(
    error(() => void record({ "a b": i64 })),
    /"a b" cannot be a column's name/,
  );
  assert.match(
    error(() => void record({ 1: i64 })),
    /"1" cannot be a column's name/,
  );
  assert.match(
    error(() => void record({ a: i64, b: i64.named("a") })),
    /two fields have the column name "a"/,
  );
  assert.match(
    error(() => void record({ a: record({ b: i64 }) as never })),
    /field "a" is no column type/,
  );
  assert.match(
    error(() => void mapState(f64, i64)),
    /keys of a map have an order/,
  );
});

test("columns may be named in another case than fields", () => {
  const names = (columns: "snake_case" | "kebab-case" | "PascalCase" | "SCREAMING_SNAKE_CASE") =>
    record({ tradeTime: i64, px: f64, other: list(Trade).named("as-it-is") }, { columns }).schema.map(({ name }) => name);
  assert.deepEqual(names("snake_case"), ["trade_time", "px", "as-it-is"]);
  assert.deepEqual(names("kebab-case"), ["trade-time", "px", "as-it-is"]);
  assert.deepEqual(names("PascalCase"), ["TradeTime", "Px", "as-it-is"]);
  assert.deepEqual(names("SCREAMING_SNAKE_CASE"), ["TRADE_TIME", "PX", "as-it-is"]);
});

test("arguments are asked for, read and otherwise refused", () => {
  const job = defineJob((builder) => {
    const [n, path] = [builder.argNumber("n"), builder.arg("path", "x")];
    builder
      .source("lines", string, text().default(path))
      .map("m", f64, () => n)
      .sink("out", jsonLines());
  });
  const wrong = (args: Record<string, string>) => jobError(job, { args });
  assert.equal(wrong({ n: "3" }), undefined);
  assert.equal(wrong({}), 'missing argument "n": give it as --arg n=VALUE');
  assert.equal(wrong({ n: "three" }), 'argument n="three": it is not a number');
  assert.equal(wrong({ n: "3", m: "4" }), 'unknown argument "m": this job takes n, path');
});

test("a bigint field is a column of the same type as i64", () => {
  assert.equal(
    operator(
      plan((job) => job.source("a", record({ n: bigint64 }), jsonLines()).sink("b", jsonLines())),
      "a",
    ).outputs[0].schema,
    "n:i64",
  );
});
