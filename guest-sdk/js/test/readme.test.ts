/** The README's code: its types are checked, its jobs make plans, its tests pass. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { planOf, testJob } from "../src/testing/index.js";
import type { JobFunction } from "./support.js";

const HERE = dirname(fileURLToPath(import.meta.url));
/** Inside of the package, so that its compiler and its node_modules are found. */
const FOLDER = join(HERE, ".readme");
const readme = readFileSync(join(HERE, "../README.md"), "utf8");
const blocks = [...readme.matchAll(/^```ts\n\/\/ (\S+)\n([\s\S]*?)^```$/gm)].map(([, path, code]) => ({ path: path!, code: code! }));

after(() => rmSync(FOLDER, { recursive: true, force: true }));

test("every block of code in the README is one that is run here", () => {
  assert.equal(readme.match(/^```ts$/gm)?.length, blocks.length);
  assert.deepEqual(
    blocks.map(({ path }) => path),
    ["src/job.ts", "test/job.test.ts", "src/visits.ts", "src/once.ts", "src/spreads.ts", "src/minutes.ts", "src/payments.ts"],
  );
  for (const { path, code } of blocks) {
    mkdirSync(dirname(join(FOLDER, path)), { recursive: true });
    writeFileSync(join(FOLDER, path), code);
  }
  writeFileSync(join(FOLDER, "tsconfig.json"), JSON.stringify({ extends: "../tsconfig.json", include: ["src", "test"] }));
});

test("the README's types fit", () => {
  const tsc = join(HERE, "../node_modules/typescript/bin/tsc");
  execFileSync(process.execPath, [tsc, "-p", FOLDER], { encoding: "utf8", stdio: "pipe" });
});

test("the README's jobs make plans", async () => {
  for (const path of ["src/job.ts", "src/visits.ts", "src/once.ts", "src/spreads.ts", "src/minutes.ts", "src/payments.ts"]) {
    const { default: job } = (await import(pathToFileURL(join(FOLDER, path)).href)) as { default: JobFunction };
    assert.ok(JSON.parse(planOf(job)).operators.length >= 3, path);
  }
});

test("the spreads of the README are what they say", async () => {
  const { default: job } = (await import(pathToFileURL(join(FOLDER, "src/spreads.ts")).href)) as { default: JobFunction };
  const kit = testJob(job);
  [900, 100, 120, 90].forEach((cents, at) => kit.push("prices", { symbol: "ACME", cents, at }));
  assert.deepEqual(kit.sink("spreads"), [
    { symbol: "ACME", cents: 800 },
    { symbol: "ACME", cents: 30 },
  ]);
});

test("the README's visits are let through once an hour", async () => {
  const { default: job } = (await import(pathToFileURL(join(FOLDER, "src/once.ts")).href)) as { default: JobFunction };
  const kit = testJob(job);
  for (const at of [0, 1_800_000, 3_600_000, 3_600_001, 3_700_000]) kit.push("visits", { user: "ada", at });
  // The watermark follows each visit, one millisecond behind it.
  assert.deepEqual(
    kit.sink<{ at: number }>("once-an-hour").map(({ at }) => at),
    [0, 3_700_000],
  );
});

test("a minute of the README is counted when a line says that it is complete", async () => {
  const { default: job } = (await import(pathToFileURL(join(FOLDER, "src/minutes.ts")).href)) as { default: JobFunction };
  const kit = testJob(job);
  const counts = (): number[] => kit.sink<{ count: number }>("counts").map(({ count }) => count);
  for (const at of [1_000, 65_000]) kit.push("lines", { host: "web", at, complete: false });
  assert.deepEqual(counts(), []);
  kit.push("lines", { host: "web", at: 62_000, complete: true });
  assert.deepEqual(counts(), [1]);
});

test("the README's tests pass", () => {
  const env: NodeJS.ProcessEnv = { ...process.env };
  // Else the inner run believes that it is a part of this one, and says nothing.
  delete env["NODE_TEST_CONTEXT"];
  const told = execFileSync(process.execPath, ["--import", "tsx", "--test", "--test-reporter=tap", join(FOLDER, "test/job.test.ts")], {
    encoding: "utf8",
    env,
  });
  assert.match(told, /^# pass 1$/m);
});
