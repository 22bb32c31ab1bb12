/** What only a component has: its console, its lack of a clock, errors with the user's lines, and the build. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const own = { console: globalThis.console, Date: globalThis.Date, performance: globalThis.performance };
const { flushConsole, line } = await import("../src/component/console.js");
await import("../src/component/clock.js");
const TimelessDate = globalThis.Date;
const replaced = globalThis.console;
Object.assign(globalThis, own);
Object.defineProperty(Date.prototype, "constructor", { value: Date, writable: true, configurable: true });
const { placeOf, traced } = await import("../src/component/trace.js");

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tidemill-js-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("a line of the console reads as Node's does", () => {
  class Reading {
    celsius = 20.5;
  }
  const circle: { self?: unknown } = {};
  circle.self = circle;
  assert.equal(line(["%s has %d of %i, %j%%", "a", "1.5", 2.9, { x: [1] }, "more", 7n]), 'a has 1.5 of 2, {"x":[1]}% more 7n');
  assert.equal(line(["%d%s", 1]), "1%s");
  assert.equal(line([[1, "a", null], new Map([["k", new Set([1])]])]), '[ 1, "a", null ] Map(1) { "k" => Set(1) { 1 } }');
  assert.equal(
    line([new Reading(), new Uint8Array(2), -0, undefined, new RangeError("no")]),
    "Reading { celsius: 20.5 } Uint8Array(2) [ 0, 0 ] -0 undefined RangeError: no",
  );
  assert.match(line([circle]), /^\{ self: \{ .*\[Object\].* \} \}$/);
});

test("what was written before the host was there is told when it is", () => {
  replaced.log("early", 1);
  replaced.assert(1 > 2, "arithmetic");
  const told: unknown[] = [];
  flushConsole((...args) => told.push(args));
  assert.deepEqual(told, [
    ["info", 0xffff_ffff, "early 1"],
    ["error", 0xffff_ffff, "assertion failed: arithmetic"],
  ]);
});

test("a date is had of a given time only", () => {
  assert.equal(new TimelessDate(0).toISOString(), "1970-01-01T00:00:00.000Z");
  assert.equal(TimelessDate.UTC(1970, 0, 2), 86_400_000);
  assert.ok(new TimelessDate(0) instanceof Date);
  for (const now of [() => TimelessDate.now(), () => new TimelessDate(), () => TimelessDate()])
    assert.throws(now, /a job has no clock of its own/);
});

test("an error is told with the user's own file and line", () => {
  const lines = {
    files: ["src/job.ts"],
    runs: [
      [1, -1, 0],
      [10, 0, 3],
      [20, -1, 0],
    ] as [number, number, number][],
  };
  assert.deepEqual(
    [9, 10, 12, 19, 20].map((one) => placeOf(lines, one)),
    [undefined, "src/job.ts:3", "src/job.ts:5", "src/job.ts:12", undefined],
  );
  const error = new RangeError("two");
  error.stack = "    at divide (/app.js:12:5)\n    at <anonymous> (/app.js:11)\n    at push (/app.js:25:1)\n    at eval (/app.js:2)\n";
  assert.equal(traced(error, lines), "RangeError: two\n  at src/job.ts:5 (divide)\n  at src/job.ts:4");
  assert.equal(traced("text", lines), "a function threw text, which is no Error");
});

/** Builds a project of these files. */
function build(
  files: Record<string, string>,
  ...flags: string[]
): { readonly status: number | null; readonly stdout: Buffer; readonly stderr: string } {
  const dir = mkdtempSync(join(folder, "p-"));
  for (const [path, text] of Object.entries(files)) writeFileSync(join(dir, path), text);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, "bin/tidemill-js.mjs"), "build", dir, "--output", "-", ...flags],
    { maxBuffer: 1 << 26 },
  );
  return { status, stdout, stderr: stderr.toString() };
}

const MANIFEST = '{"name": "mine", "type": "module", "tidemill": {"job": "job.js"}}';
const JOB =
  'import { defineJob, string, text } from "tidemill";\nexport default defineJob((job) => job.source("a", string, text()).sink("b", text()));\n';

test("a project becomes a component", () => {
  const built = build({ "package.json": MANIFEST, "job.js": JOB });
  assert.deepEqual([built.status, built.stderr], [0, ""]);
  assert.equal(built.stdout.subarray(0, 8).toString("hex"), "0061736d0d000100", "the beginning of a component");
});

test("what is wrong with a project is said with what to do", () => {
  const cases: [Record<string, string>, RegExp][] = [
    [{}, /package\.json does not exist.*tidemill new NAME --lang ts/],
    [{ "package.json": "{" }, /package\.json is not JSON/],
    [{ "package.json": MANIFEST }, /has no job\.js: put the job there/],
    [{ "package.json": '{"name": "mine"}' }, /has no src\/job\.ts or src\/job\.js/],
    [{ "package.json": MANIFEST, "job.js": "export const x = 1;" }, /hint: end the file with the job: export default defineJob/],
    [{ "package.json": MANIFEST, "job.js": 'import "node:fs";' + JOB }, /hint: a component has none of Node's modules/],
    [{ "package.json": MANIFEST, "job.js": `${JOB}Date.now();` }, /the job cannot be compiled: [\s\S]*a job has no clock of its own/],
    [
      { "package.json": MANIFEST, "job.js": JOB, "tsconfig.json": '{"files": ["a.ts"]}', "a.ts": "const a: string = 1;\nexport {};" },
      /type check:\n.*a\.ts\(1,7\)/,
    ],
  ];
  for (const [files, message] of cases) {
    const built = build(files);
    assert.deepEqual([built.status, built.stdout.length], [1, 0]);
    assert.match(built.stderr, message);
    assert.match(built.stderr, /^tidemill-js: /, "no stack of the script's own");
  }
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  assert.deepEqual(Object.keys(manifest.peerDependenciesMeta), Object.keys(manifest.peerDependencies));
});
