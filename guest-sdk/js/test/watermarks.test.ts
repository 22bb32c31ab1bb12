/** Watermarks that the job makes: what the plan says, who is asked, and what its answers do. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { jobError, planOf, testJob, testWatermarks, type JobTest } from "../src/testing/index.js";
import {
  block,
  defineJob,
  generator,
  i64,
  instanceOf,
  jsonLines,
  millis,
  optional,
  periodic,
  punctuated,
  record,
  refuse,
  seconds,
  string,
  tumbling,
  type GeneratedWatermarks,
  type Heard,
  type Infer,
  type JobFunction,
  type WatermarkGenerator,
  type WindowCount,
} from "./support.js";
import type { Instance } from "../src/runtime/instance.js";

const Line = record({ user: string, at: i64, mark: optional(i64) });
type Line = Infer<typeof Line>;
const line = (user: string, at: number, mark: number | null = null): Line => ({ user, at, mark });
const NOTHING = new Uint8Array(0);

/** The greatest time, behind every record. */
class Greatest implements WatermarkGenerator<Line> {
  #greatest = 0;

  onEvent(_line: Line, time: number): number {
    return (this.#greatest = Math.max(this.#greatest, time));
  }
}

const marks = punctuated((one: Line) => one.mark);

const byClock = (every: number): GeneratedWatermarks<Line> =>
  periodic(every, {
    start: () => -1,
    see: (noted, _line: Line, time) => Math.max(noted, time),
    say: (noted, now) => (now < 5_000 ? noted : now),
  });

const counts = (watermarks: GeneratedWatermarks<Line>): JobFunction =>
  defineJob((job) => {
    const timed = job.source("lines", Line, jsonLines()).assignEventTime("timed", ({ at }) => at, watermarks);
    timed
      .keyBy("user")
      .window(tumbling(millis(10)))
      .count("n")
      .sink("counts", jsonLines());
  });

function started(watermarks: GeneratedWatermarks<Line>): [Instance, Heard] {
  const [instance, heard] = instanceOf(counts(watermarks));
  instance.link(0, [1]);
  return [instance, heard];
}

const windows = (kit: JobTest): [number, number][] => kit.sink<WindowCount<string>>("counts").map(({ start, count }) => [start, count]);
const push = (kit: JobTest, ...lines: Line[]): void => lines.forEach((one) => kit.push("lines", one));

test("the plan says that the component makes them", () => {
  const kind = (watermarks: GeneratedWatermarks<Line>) => JSON.parse(planOf(counts(watermarks))).operators[1].kind;
  assert.deepEqual(kind(marks), { timestamps: { guest: {} } });
  assert.deepEqual(kind(generator(() => new Greatest())), { timestamps: { guest: {} } });
  assert.deepEqual(kind(generator(() => new Greatest(), { every: seconds(2) })), { timestamps: { guest: { "every-ms": 2_000 } } });
  assert.deepEqual(kind(byClock(millis(200))), { timestamps: { guest: { "every-ms": 200 } } });
});

test("of the answers for a block the greatest counts", () => {
  const [instance] = started(marks);
  const lines = [line("a", 1), line("a", 2, 7), line("a", 3, 4), line("a", 4)];
  assert.equal(instance.watermark(1, 0, 0, block(Line, ...lines)), 7);
  assert.equal(instance.watermark(1, 0, 0, block(Line, ...lines.slice(2))), 4, "that it is lower is the host's to see");
  assert.equal(instance.watermark(1, 0, 0, block(Line, line("a", 1))), undefined);
  assert.equal(instance.watermark(1, 0, 0, NOTHING), undefined, "marks come with records");
});

test("each split has a generator of its own, which sees event times", () => {
  const [instance] = started(byClock(millis(200)));
  assert.equal(instance.watermark(1, 0, 0, block(Line, line("a", 1), line("a", 1))), undefined);
  assert.equal(instance.watermark(1, 3, 0, block(Line, line("a", 1))), undefined);
  assert.deepEqual(
    [0, 3, 1].map((split) => instance.watermark(1, split, 0, NOTHING)),
    [101, 100, -1],
  );
  assert.equal(instance.watermark(1, 0, 6_000, NOTHING), 6_000, "it is told the processing time");
});

test("a generator that throws is found with its record", () => {
  const angry = punctuated((one: Line) => (one.user === "b" ? refuse("no mark of b") : undefined));
  const [instance] = started(angry);
  assert.throws(() => instance.watermark(1, 0, 0, block(Line, line("a", 1), line("b", 2))), /no mark of b/);
  assert.deepEqual([instance.call.operator, instance.call.row], [1, 1]);
});

test("a watermark is a whole number or none", () => {
  for (const wrong of ["noon", true, 1.5, Infinity, 2 ** 53, 1n] as never[]) {
    const [instance] = started(punctuated(() => wrong));
    assert.throws(() => instance.watermark(1, 0, 0, block(Line, line("a", 1))), /a watermark is a whole number of milliseconds/);
    const [asked] = started(periodic(seconds(1), { start: () => 0, see: () => 0, say: () => wrong }));
    assert.throws(() => asked.watermark(1, 0, 0, NOTHING), /a watermark is a whole number of milliseconds/);
  }
});

test("marks close windows and times do not", () => {
  const kit = testJob(counts(marks));
  push(kit, line("a", 1), line("a", 35), line("a", 2));
  assert.deepEqual(windows(kit), []);
  push(kit, line("a", 12, 9));
  assert.deepEqual(windows(kit), [[0, 2]]);
  push(kit, line("a", 13, 5), line("a", 3));
  assert.deepEqual(windows(kit), [], "a lower mark changes nothing");
  kit.finish();
  assert.deepEqual(windows(kit), [
    [10, 2],
    [30, 1],
  ]);
});

test("the clock closes windows", () => {
  const kit = testJob(counts(byClock(seconds(1))));
  push(kit, line("a", 1), line("a", 20));
  kit.setProcessingTime(999);
  assert.deepEqual(windows(kit), []);
  kit.setProcessingTime(1_000);
  assert.deepEqual(windows(kit), [[0, 1]]);
  push(kit, line("a", 40));
  kit.setProcessingTime(1_999);
  assert.deepEqual(windows(kit), [], "it was asked less than a second ago");
  kit.setProcessingTime(2_000);
  assert.deepEqual(windows(kit), [[20, 1]]);
});

test("a restart begins with a new generator and keeps event time", () => {
  const second = generator((): WatermarkGenerator<Line> => {
    let seen = 0;
    return { onEvent: (_line, time) => (++seen > 1 ? time : undefined) };
  });
  const kit = testJob(counts(second));
  push(kit, line("a", 1), line("a", 12));
  assert.deepEqual(windows(kit), [[0, 1]]);
  kit.restart();
  for (const at of [3, 20]) {
    push(kit, line("a", at));
    kit.restart();
  }
  assert.deepEqual(windows(kit), [], "none has seen a second record, and the first window is closed");
  push(kit, line("a", 21), line("a", 22));
  assert.deepEqual(windows(kit), [[10, 1]]);
});

test("a generator is tested alone", () => {
  const kit = testWatermarks(generator(() => new Greatest(), { every: seconds(1) }));
  assert.equal(kit.watermark, undefined);
  kit.push(line("a", 1), 70);
  kit.push(line("a", 1), 60);
  kit.setProcessingTime(1_000);
  assert.equal(kit.watermark, 70);
  const alone = testWatermarks(byClock(seconds(1)));
  alone.push(line("a", 1), 30);
  alone.setProcessingTime(999);
  assert.equal(alone.watermark, undefined);
  alone.setProcessingTime(1_000);
  assert.equal(alone.watermark, 30);
});

test("what cannot be is refused", () => {
  assert.match(jobError(() => generator(5 as never)) ?? "", /generator takes a function that makes a generator/);
  for (const every of [0, -1]) assert.match(jobError(() => byClock(every)) ?? "", /a generator is asked every -?\d ms: say 1 or more/);
  assert.match(jobError(() => byClock(0.5)) ?? "", /a whole number of milliseconds/);
  const atTheSource = defineJob((job) => {
    // @ts-expect-error a source has the host's rules only
    job.source("lines", Line, jsonLines()).eventTime("at", marks).sink("out", jsonLines());
  });
  assert.match(jobError(atTheSource) ?? "", /a generator sees no record before it is decoded: use assignEventTime/);
  const ofTagged = defineJob((job) => {
    // @ts-expect-error nor has one with a tag
    job.taggedSource("lines", jsonLines().tag("type")).eventTimeField("at", marks);
  });
  assert.match(jobError(ofTagged) ?? "", /a generator sees no record before it is decoded/);
});
