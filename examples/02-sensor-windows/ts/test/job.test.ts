import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { testJob } from "tidemill/testing";

import averages from "../src/job.js";

const sample = (name: string): string =>
  readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");

test("a window is averaged once event time has passed it", () => {
  const kit = testJob(averages);
  kit.push("readings", { sensor: "cellar", celsius: 20, at: 1_000 });
  kit.push("readings", { sensor: "cellar", celsius: 22, at: 9_999 });
  assert.deepEqual(
    kit.sink("averages"),
    [],
    "two seconds are left for readings that come late",
  );
  kit.push("readings", { sensor: "cellar", celsius: 30, at: 12_000 });
  assert.deepEqual(kit.sink("averages"), [
    { sensor: "cellar", celsius: 21, until: 10_000 },
  ]);
  kit.restart();
  kit.finish();
  assert.deepEqual(kit.sink("averages"), [
    { sensor: "cellar", celsius: 30, until: 20_000 },
  ]);
});

test("the sample is averaged", () => {
  const kit = testJob(averages);
  kit.pushLines("readings", sample("input.jsonl"));
  kit.finish();
  const parsed = (lines: string[]): unknown[] =>
    lines.sort().map((line) => JSON.parse(line));
  assert.deepEqual(
    parsed(kit.sinkLines("averages")),
    parsed(sample("expected.jsonl").trimEnd().split("\n")),
  );
});
