import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { testJob } from "tidemill/testing";

import topProducts from "../src/job.js";

const sample = (name: string): string =>
  readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");

test("a tie is broken by name and the fourth is left out", () => {
  const kit = testJob(topProducts);
  for (const [product, amount] of [
    ["tea", 5],
    ["milk", 7],
    ["bread", 5],
    ["eggs", 1],
  ])
    kit.push("sales", { product, amount, at: 1_000 });
  kit.finish();
  assert.deepEqual(kit.sinkLines("top"), [
    "60000,1,milk,7",
    "60000,2,bread,5",
    "60000,3,tea,5",
  ]);
});

test("the sample is ranked", () => {
  const kit = testJob(topProducts);
  kit.pushLines("sales", sample("input.jsonl"));
  kit.finish();
  assert.deepEqual(
    kit.sinkLines("top").sort(),
    sample("expected.csv").trimEnd().split("\n").sort(),
  );
});
