/** What npm would publish. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { CONTRACT } from "../src/plan.js";

const root = new URL("..", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));

test("the package holds what its entries name, types beside them, and nothing to be left at home", () => {
  const told = execFileSync("npm", ["pack", "--dry-run", "--json"], { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  // npm's own lifecycle lines stand in front of the answer.
  const [{ files, name, version }] = JSON.parse(told.slice(told.indexOf("[")));
  assert.deepEqual([name, version], ["tidemill", "0.1.0"]);
  const paths: string[] = files.map((file: { path: string }) => file.path);
  for (const entry of [".", "./testing", "./component"]) {
    for (const path of Object.values<string>(manifest.exports[entry])) assert.ok(paths.includes(path.slice(2)), path);
  }
  for (const path of ["README.md", "LICENSE", "bin/tidemill-js.mjs", "wit/job.wit"]) assert.ok(paths.includes(path), path);
  const strangers = paths.filter(
    (path) => !/^(dist\/.*\.(js|d\.ts)|bin\/.*\.mjs|wit\/job\.wit|README\.md|LICENSE|package\.json)$/.test(path),
  );
  assert.deepEqual(strangers, []);
});

test("the published types refuse and accept what the sources do", () => {
  execFileSync("npm", ["run", "--silent", "build"], { cwd: root, stdio: "pipe" });
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "test/published.tsconfig.json"], { cwd: root, stdio: "pipe" });
});

test("users get no dependency of ours, and the contract that plans state", () => {
  assert.equal(manifest.dependencies, undefined);
  const wit = readFileSync(new URL("wit/job.wit", root), "utf8");
  assert.equal(/^package tidemill:job@(.*);$/m.exec(wit)![1], CONTRACT);
});

test("the lock file names no registry", () => {
  assert.ok(existsSync(new URL(".npmrc", root)));
  assert.doesNotMatch(readFileSync(new URL("package-lock.json", root), "utf8"), /"resolved"|registry/);
});
