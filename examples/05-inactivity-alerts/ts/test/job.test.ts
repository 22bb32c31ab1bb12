import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { testJob } from "tidemill/testing";

import inactivityAlerts from "../src/job.js";

const sample = (name: string): string =>
  readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");

interface Alert {
  device: string;
  silent_since: number;
  signals: number;
}

test("a device is silent thirty seconds after its last signal", () => {
  const kit = testJob(inactivityAlerts);
  for (const [device, at] of [
    ["pump", 0],
    ["fan", 1_000],
    ["pump", 20_000],
    ["fan", 60_000],
  ]) {
    kit.push("signals", { device, at });
    kit.restart();
  }
  const alerts = kit
    .sink<Alert>("alerts")
    .sort((a, b) => a.silent_since - b.silent_since);
  assert.deepEqual(alerts, [
    { device: "fan", silent_since: 1_000, signals: 1 },
    { device: "pump", silent_since: 20_000, signals: 2 },
  ]);
  kit.finish();
  assert.equal(
    kit.sink("alerts").length,
    1,
    "at the end of input the last one is silent too",
  );
});

test("the sample gives its alerts", () => {
  const kit = testJob(inactivityAlerts);
  kit.pushLines("signals", sample("input.jsonl"));
  kit.finish();
  assert.deepEqual(
    kit.sinkLines("alerts").sort(),
    sample("expected.jsonl").trimEnd().split("\n").sort(),
  );
});
