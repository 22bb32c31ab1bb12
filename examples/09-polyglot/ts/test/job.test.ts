import assert from "node:assert/strict";
import { test } from "node:test";

import { testJob } from "tidemill/testing";

import watch from "../src/job.js";

test("a sensor is told of when it becomes too warm and when it no longer is", () => {
  const kit = testJob(watch);
  for (const [celsius, until] of [
    [29, 10_000],
    [31, 20_000],
    [32, 30_000],
    [30, 50_000],
    [29, 60_000],
  ]) {
    kit.push("averages", { sensor: "attic", celsius, until });
    kit.restart();
  }
  assert.deepEqual(kit.sink("alerts"), [
    { sensor: "attic", what: "too warm", celsius: 31, at: 20_000 },
    { sensor: "attic", what: "normal after 30 s", celsius: 30, at: 50_000 },
  ]);
});

test("the limit is an argument", () => {
  const kit = testJob(watch, { args: { limit: "20" } });
  kit.push("averages", { sensor: "attic", celsius: 21, until: 10_000 });
  assert.equal(kit.sink("alerts").length, 1);
});
