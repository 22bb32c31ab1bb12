/** Joins and co-groups in the test kit: what a job that joins says of itself, and what it gives. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { joined, maybe } from "../src/record/joined.js";
import { schemaText } from "../src/schema.js";
import { jobError, testJob, testOperator, type JobTest } from "../src/testing/index.js";
import {
  block,
  bool,
  bytes,
  days,
  i64,
  jsonLines,
  list,
  millis,
  optional,
  outOfOrder,
  read,
  record,
  session,
  string,
  tuple,
  tumbling,
  type Infer,
  type Job,
  type JobFunction,
  type KeyedStream,
  type Stream,
  type Window,
} from "./support.js";

const Left = record({ key: string, n: i64, at: i64 });
type Left = Infer<typeof Left>;
const Right = record({ key: string, text: string, note: optional(string), at: i64 });
type Right = Infer<typeof Right>;
const Pair = tuple(i64, string);
type Pairs = [number, string][];

const left = (n: number, at: number, key = "k"): Left => ({ key, n, at });
const right = (text: string, at: number): Right => ({ key: "k", text, note: null, at });

function sources(job: Job): [KeyedStream<string, Left>, KeyedStream<string, Right>] {
  const late = outOfOrder(millis(100));
  return [
    job.source("left", Left, jsonLines()).eventTime("at", late).keyBy("key"),
    job.source("right", Right, jsonLines()).eventTime("at", late).keyBy("key"),
  ];
}

/** What is joined, as the tests show it. */
function show<L extends Left | null, R extends Right | null>(rows: Stream<{ l: L; r: R }>): void {
  rows.map("m", Pair, ({ l, r }) => [l === null ? 0 : l.n, r === null ? "-" : r.text]).sink("pairs", jsonLines());
}

type Build = (left: KeyedStream<string, Left>, right: KeyedStream<string, Right>) => void;

const jobOf =
  (build: Build): JobFunction =>
  (job) =>
    build(...sources(job));

/** What a job gives at a sink `pairs` for rows of both sides. */
function run(build: Build, lefts: readonly Left[], rights: readonly Right[]): [Pairs, JobTest] {
  const running = testJob(jobOf(build));
  lefts.forEach((one) => running.push("left", one));
  rights.forEach((one) => running.push("right", one));
  running.restart();
  running.finish();
  return [running.sink("pairs") as Pairs, running];
}

const numbers = (records: readonly unknown[]): number[] => records.map((one) => (one as Left).n);

test("within some time", () => {
  const [found, job] = run(
    (l, r) => {
      const near = l
        .side("l")
        .join(r.side("r"))
        .within("j", { from: -millis(2), to: millis(5), toExclusive: true });
      show(near);
      near.unmatched("l").sink("alone", jsonLines());
      near.late("r").sink("late", jsonLines());
    },
    [left(1, 10), left(2, 50)],
    [right("a", 8), right("b", 14), right("c", 15), right("d", 7)],
  );
  assert.deepEqual(found, [
    [1, "a"],
    [1, "b"],
  ]);
  assert.deepEqual(numbers(job.sink("alone")), [2]);
  assert.deepEqual(job.sink("late"), []);
});

test("the lower bound may be left out", () => {
  const [found] = run(
    (l, r) =>
      show(
        l
          .side("l")
          .join(r.side("r"))
          .within("j", { from: 0, to: millis(5), fromExclusive: true }),
      ),
    [left(1, 10)],
    [right("a", 10), right("b", 11), right("c", 15), right("d", 16)],
  );
  assert.deepEqual(found, [
    [1, "b"],
    [1, "c"],
  ]);
});

test("a side that is optional may be absent", () => {
  const within = { from: 0, to: millis(5) };
  const joins: Record<string, Build> = {
    inner: (l, r) => show(l.side("l").join(r.side("r")).within("j", within)),
    left: (l, r) => show(l.side("l").join(r.side("r").optional()).within("j", within)),
    right: (l, r) => show(l.side("l").optional().join(r.side("r")).within("j", within)),
    full: (l, r) =>
      show(
        l
          .side("l")
          .optional()
          .join(r.side("r").optional())
          .within("j", within)
          .filter("f", () => true),
      ),
  };
  const expected: Record<string, Pairs> = {
    inner: [[1, "a"]],
    left: [
      [1, "a"],
      [2, "-"],
    ],
    right: [
      [1, "a"],
      [0, "b"],
    ],
    full: [
      [1, "a"],
      [2, "-"],
      [0, "b"],
    ],
  };
  for (const [kind, build] of Object.entries(joins)) {
    const [found] = run(build, [left(1, 10), left(2, 20)], [right("a", 12), right("b", 30)]);
    assert.deepEqual(found, expected[kind], kind);
  }
});

test("late records of a join leave by their side", () => {
  const job = testJob(
    jobOf((l, r) => {
      const near = l
        .side("l")
        .join(r.side("r"))
        .within("j", { from: 0, to: millis(5) });
      show(near);
      near.late("l").sink("late", jsonLines());
    }),
  );
  job.push("left", left(1, 1000));
  job.push("right", right("a", 1000));
  job.push("left", left(2, 899));
  assert.deepEqual(job.sink("late"), []);
  job.push("left", left(3, 898));
  assert.deepEqual(numbers(job.sink("late")), [3]);
  assert.deepEqual(job.sink("pairs"), [[1, "a"]]);
});

test("the last of each", () => {
  const [found] = run(
    (l, r) =>
      l
        .side("l")
        .join(r.side("r"))
        .join(r.side("other").optional())
        .latest("j")
        .map("m", Pair, ({ l: one, r: { text }, other }) => [one.n, `${text}${other !== null}`])
        .sink("pairs", jsonLines()),
    [left(1, 10), left(2, 5)],
    [right("a", 12), right("b", 3)],
  );
  assert.deepEqual(found, [
    [2, "afalse"],
    [2, "atrue"],
    [2, "btrue"],
    [2, "btrue"],
  ]);
});

test("the version of a time", () => {
  const [found] = run(
    (l, r) => show(l.side("l").join(r.side("r").optional()).asOf("j")),
    [left(1, 10), left(2, 25), left(3, 19)],
    [right("a", 12), right("b", 20)],
  );
  const inOrderOfTime = [
    [1, "-"],
    [3, "a"],
    [2, "b"],
  ];
  assert.deepEqual(found, inOrderOfTime);
});

test("each with each of a window", () => {
  const [found, job] = run(
    (l, r) => {
      const together = l
        .side("l")
        .join(r.side("r"))
        .window(tumbling(millis(10)))
        .allowedLateness(millis(5))
        .join("j");
      together.map("m", Pair, ({ start, record: both }) => [both.l.n + start, both.r.text]).sink("pairs", jsonLines());
      together.unmatched("r").sink("alone", jsonLines());
    },
    [left(1, 11), left(2, 12), left(3, 33)],
    [right("a", 13), right("b", 19), right("c", 20)],
  );
  assert.deepEqual(found, [
    [11, "a"],
    [11, "b"],
    [12, "a"],
    [12, "b"],
  ]);
  assert.deepEqual(
    job.sink("alone").map((one) => (one as Right).text),
    ["c"],
  );
});

function texts({ start, end }: Window<string>, lefts: readonly Left[], rights: readonly Right[]): Iterable<[number, string]> {
  const all = rights.map(({ text }) => text).join(" ");
  return [[lefts.reduce((sum, { n }) => sum + n, 0), `${start}..${end} ${all}`]];
}

test("a window of two streams at once", () => {
  const [found] = run(
    (l, r) => {
      const group = l.coGroup(r, session(millis(10))).process("g", Pair, texts);
      group.sink("pairs", jsonLines());
      group.lateSecond().sink("late", jsonLines());
    },
    [left(1, 1), left(2, 20)],
    [right("c", 25), right("a", 11), right("b", 60)],
  );
  // A record of the other stream makes one session of two.
  assert.deepEqual(found, [
    [3, "1..35 c a"],
    [0, "60..70 b"],
  ]);
});

test("a co-group fires again for what is late and lets go of what is later", () => {
  const job = testJob(
    jobOf((l, r) => {
      const group = l
        .coGroup(r, tumbling(millis(10)))
        .allowedLateness(millis(100))
        .process("g", Pair, texts);
      group.sink("pairs", jsonLines());
      group.lateFirst().sink("late", jsonLines());
    }),
  );
  job.push("left", left(1, 5));
  job.push("left", left(0, 120));
  job.push("right", right("a", 120));
  assert.deepEqual(job.sink("pairs"), [[1, "0..10 "]]);
  job.push("left", left(2, 6));
  job.restart();
  assert.deepEqual(job.sink("pairs"), [[3, "0..10 "]]);
  job.push("left", left(0, 400));
  job.push("right", right("a", 400));
  job.push("left", left(4, 7));
  assert.deepEqual(numbers(job.sink("late")), [4]);
});

test("one side of a co-group under test", () => {
  const job = jobOf((l, r) =>
    l
      .coGroup(r, tumbling(days(1)))
      .process("g", Pair, texts)
      .sink("pairs", jsonLines()),
  );
  const operator = testOperator(job, "g");
  operator.push(right("a", 7), 7, 1);
  operator.watermark(90_000_000);
  assert.deepEqual(operator.output(), [{ record: [0, "0..86400000 a"], time: 86_399_999 }]);
});

test("a record may be absent, and what is absent has no column", () => {
  const Deep = record({ n: i64, note: optional(string), raw: bytes, many: list(i64), flag: bool });
  const deep = { n: 1, note: null, raw: new Uint8Array([7]), many: [1, 2], flag: false };
  const type = joined<{ l: Left; d: Infer<typeof Deep> | null; r: Right | null }>([
    { name: "l", type: Left },
    { name: "d", type: maybe(Deep) },
    { name: "r", type: maybe(Right) },
  ]);
  assert.equal(
    schemaText(type.schema),
    "l.key:string,l.n:i64,l.at:i64,d.n:i64?,d.note:string?,d.raw:bytes?,d.many:bytes?,d.flag:bool?," +
      "r.key:string?,r.text:string?,r.note:string?,r.at:i64?",
  );
  const rows = [
    { l: left(0, 0), d: deep, r: null },
    { l: left(1, 1), d: null, r: right("", 0) },
    { l: left(2, 2), d: null, r: null },
    { l: left(3, 3), d: { ...deep, note: "n", many: [] }, r: right("b", 5) },
  ];
  assert.deepEqual(
    read(type, block(type, ...rows)).map(({ record: row }) => row),
    rows,
  );
  assert.deepEqual(
    rows.map((row) => type.copy(row)),
    rows,
  );
  type.check(rows[2]!);
  assert.throws(() => type.check({ ...rows[0]!, d: { ...deep, n: null as never } }), /field "n" takes a whole number/);
  assert.throws(() => block(type, { ...rows[0]!, r: 5 as never }), /a record of key, text, note, at is expected, not 5/);
});

test("what is wrong with a join is said", () => {
  const clock = tumbling(days(1)).processingTime();
  const wrong: [Build, RegExp][] = [
    [(l, r) => l.side("l").join(r.stream.keyByComputed("k", string, ({ key }) => key).side("r")), /side "r" has a key that is computed/],
    [(l, r) => l.side("l").join(r.side("r")).latest("j").late("r"), /join "j" joins whenever a record comes, where nothing is late/],
    [
      (l, r) =>
        l
          .side("l")
          .join(r.side("r"))
          .latest("j")
          .unmatched("x" as never),
      /join "j" has no side "x": it has l, r/,
    ],
    [(l, r) => l.side("l").join(r.side("l")), /two sides of a join are called "l"/],
    [(l, r) => l.side("l").join(r.stream.keyBy("at").side("r") as never), /keys of the same types, not value:string and value:i64/],
    [(l, r) => l.coGroup(r.stream.keyBy("at") as never, clock), /streams of a co-group have keys of the same types/],
    [(l, r) => l.coGroup(r, clock).process("g", Pair, texts).lateFirst(), /co-group "g" is in processing time/],
    [(l, r) => l.side("l").join(r.side("r")).window(clock).join("j").late("l"), /join "j" is in processing time/],
    [(l, r) => l.side("l").join(r.side("r")).within("j", { from: 0.5, to: 1 }), /a bound of a join is a whole number of milliseconds/],
  ];
  for (const [build, said] of wrong) assert.match(jobError(jobOf(build)) ?? "", said);
});
