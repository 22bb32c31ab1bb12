/** Every query over the sample, against what an independent batch program made of it. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { testJob } from "tidemill/testing";

import nexmark from "../src/job.js";

const sample = (name: string): string =>
  readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");

for (const query of ["q0", "q1", "q4", "q8"]) {
  test(query, () => {
    const kit = testJob(nexmark, { args: { query } });
    const events = sample("input.json");
    // Half way the job is restarted from its state.
    const half = events.indexOf("\n", events.length / 2);
    kit.pushLines("events", events.slice(0, half));
    kit.restart();
    kit.pushLines("events", events.slice(half));
    kit.finish();
    assert.deepEqual(
      kit.sinkLines("results").sort(),
      sample(`expected/${query}.txt`).trimEnd().split("\n"),
    );
  });
}

test("an unknown query is named with those that are there", () => {
  assert.throws(
    () => testJob(nexmark, { args: { query: "q6" } }),
    /"q6".*q0, q1, q4, q8/,
  );
});
