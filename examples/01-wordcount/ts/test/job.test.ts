import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { testJob } from "tidemill/testing";

import wordcount from "../src/job.js";

const sample = (name: string): string =>
  readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");

test("every word gives its count so far", () => {
  const kit = testJob(wordcount);
  kit.push("lines", "The tide   the");
  assert.deepEqual(kit.sinkLines("counts"), ["the,1", "tide,1", "the,2"]);
});

test("a line without words gives nothing", () => {
  const kit = testJob(wordcount);
  kit.push("lines", " \t ");
  assert.deepEqual(kit.sinkLines("counts"), []);
});

test("the sample is counted", () => {
  const kit = testJob(wordcount);
  kit.pushLines("lines", sample("input.txt"));
  kit.finish();
  assert.deepEqual(
    kit.sinkLines("counts").sort(),
    sample("expected.csv").trimEnd().split("\n"),
  );
});
