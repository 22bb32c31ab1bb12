#!/usr/bin/env node
// Turns a project into a component: `tidemill build` calls it, and it can be called by itself. TypeScript is checked by the
// project's own compiler, esbuild makes one file of it, componentize-qjs makes a component of that.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules, createRequire, SourceMap } from "node:module";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const SDK = dirname(dirname(fileURLToPath(import.meta.url)));
const USAGE = `usage: tidemill-js build [DIR] [--output FILE] [--no-check]

Builds the component of the project in DIR (default: this folder): package.json, and the job as the default export of src/job.ts or
src/job.js, or of the file that "tidemill": { "job": FILE } in package.json names.

  -o, --output FILE  where the component goes; - is standard output [default: NAME.wasm in the project]
      --no-check     leaves out the type check that a project with a tsconfig.json gets`;

/** What the user can act on; everything else is a bug and comes with its stack. */
class Fault extends Error {}

function option() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { output: { type: "string", short: "o" }, "no-check": { type: "boolean" }, help: { type: "boolean", short: "h" } },
    });
  } catch (error) {
    throw new Fault(`${error.message}\n${USAGE}`);
  }
}

/** The project's package.json. */
function manifest(dir) {
  const path = join(dir, "package.json");
  if (!existsSync(path))
    throw new Fault(`${path} does not exist: a project in JavaScript or TypeScript has one; tidemill new NAME --lang ts makes it`);
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new Fault(`${path} is not JSON: ${error.message}`);
  }
}

/** The file whose default export is the job. */
function jobFile(dir, { tidemill }) {
  const named = tidemill?.job;
  const candidates = named === undefined ? ["src/job.ts", "src/job.js"] : [named];
  const found = candidates.find((candidate) => existsSync(join(dir, candidate)));
  if (found !== undefined) return found;
  throw new Fault(
    `${dir} has no ${candidates.join(" or ")}: put the job there, or name its file in package.json: "tidemill": { "job": "FILE" }`,
  );
}

/** A package of the project, or of the checkout of the SDK that the project is linked to. */
async function tool(dir, name) {
  for (const from of [dir, SDK]) {
    let path;
    try {
      path = createRequire(join(from, "package.json")).resolve(name);
    } catch {
      continue;
    }
    const module = await import(pathToFileURL(path).href);
    return module.default ?? module;
  }
  const version = manifest(SDK).devDependencies[name];
  throw new Fault(`${name} is not installed in ${dir}: run npm install there (or npm install --save-dev ${name}@${version})`);
}

/** Lets TypeScript look at the project, where it has any. */
function check(dir) {
  if (!existsSync(join(dir, "tsconfig.json"))) return;
  let tsc;
  for (const from of [dir, SDK]) {
    try {
      tsc ??= createRequire(join(from, "package.json")).resolve("typescript/package.json");
    } catch {
      // The other place may have it.
    }
  }
  if (tsc === undefined) throw new Fault(`typescript is not installed in ${dir}: run npm install there, or build with --no-check`);
  try {
    execFileSync(process.execPath, [join(dirname(tsc), "bin/tsc"), "--noEmit", "-p", dir], {
      stdio: ["ignore", "pipe", "pipe"],
      encoding: "utf8",
    });
  } catch (error) {
    // A wrapper around a native compiler adds a stack of its own to standard error.
    throw new Fault(`the project does not pass its type check:\n${(error.stdout || error.stderr || error.message).trimEnd()}`);
  }
}

/** Every use of the SDK is this one: two copies would not know each other's record types. */
const oneSdk = {
  name: "tidemill",
  setup(build) {
    build.onResolve({ filter: /^tidemill(\/.*)?$/ }, ({ path }) => {
      const entry = manifest(SDK).exports[path === "tidemill" ? "." : `.${path.slice("tidemill".length)}`];
      return entry === undefined ? { errors: [{ text: `the SDK has no ${path}` }] } : { path: join(SDK, entry.default) };
    });
  },
};

/** What to do about the bundler's most likely findings. */
const HINTS = [
  [/No matching export in .* for import "default"/, "end the file with the job: export default defineJob((job) => { … })"],
  [
    new RegExp(`Could not resolve "(node:.*|(${builtinModules.filter((name) => !name.startsWith("_")).join("|")}))"`),
    "a component has none of Node's modules: it computes, and the host reads and writes",
  ],
];

async function bundle(esbuild, dir, file) {
  const contents = `import { component } from "tidemill/component";\nimport job from ${JSON.stringify(`./${file}`)};\nexport const operators = component(job);\n`;
  try {
    const { outputFiles } = await esbuild.build({
      stdin: { contents, resolveDir: dir, sourcefile: "tidemill-entry.js" },
      absWorkingDir: dir,
      bundle: true,
      format: "esm",
      platform: "neutral",
      mainFields: ["module", "main"],
      target: "es2022",
      external: ["tidemill:*"],
      sourcemap: "external",
      outfile: join(dir, "job.js"),
      write: false,
      logLevel: "silent",
      plugins: [oneSdk],
    });
    const [map, code] = ["job.js.map", "job.js"].map((end) => outputFiles.find(({ path }) => path.endsWith(end)).text);
    return { code, map: JSON.parse(map) };
  } catch (error) {
    if (error.errors === undefined) throw error;
    const messages = await esbuild.formatMessages(error.errors, { kind: "error" });
    const hint = HINTS.find(([pattern]) => error.errors.some(({ text }) => pattern.test(text)))?.[1];
    throw new Fault(`the project cannot be bundled:\n${messages.join("").trimEnd()}${hint === undefined ? "" : `\nhint: ${hint}`}`);
  }
}

/** For each run of lines of the bundle the user's file and line, so that an error in a job can name them. */
function lineTable(dir, code, map) {
  const sources = new SourceMap(map);
  const files = [];
  const runs = [];
  const mine = (source) => {
    const path = resolve(dir, source);
    return existsSync(path) && !path.startsWith(SDK + sep) && !path.includes(`${sep}node_modules${sep}`) ? relative(dir, path) : undefined;
  };
  const index = new Map();
  code.split("\n").forEach((text, line) => {
    const entry = sources.findEntry(line, text.search(/\S|$/));
    const known = entry.generatedLine === line ? entry.originalSource : undefined;
    if (known !== undefined && !index.has(known)) {
      const file = mine(known);
      index.set(known, file === undefined ? -1 : files.push(file) - 1);
    }
    const file = known === undefined ? -1 : index.get(known);
    const at = file < 0 ? 0 : entry.originalLine + 1;
    const last = runs.at(-1);
    const goesOn = last !== undefined && last[1] === file && (file < 0 || last[2] + (line + 1 - last[0]) === at);
    if (!goesOn) runs.push([line + 1, file, at]);
  });
  return { files, runs };
}

async function build(dir, output, checked) {
  const project = manifest(dir);
  const file = jobFile(dir, project);
  const [esbuild, { componentize }] = [await tool(dir, "esbuild"), await tool(dir, "componentize-qjs")];
  if (!existsSync(join(SDK, "dist/component.js")))
    throw new Fault(`the SDK in ${SDK} is not built: run npm install && npm run build there`);
  if (checked) check(dir);
  const { code, map } = await bundle(esbuild, dir, file);
  const jsSource = `${code}\nglobalThis.__tidemill_lines = ${JSON.stringify(lineTable(dir, code, map))};\n`;
  let made;
  try {
    made = await componentize({ witPath: join(SDK, "wit"), world: "job", jsSource, sync: true, stubWasi: true });
  } catch (error) {
    throw new Fault(`the job cannot be compiled: ${error.message}\nwhat a file does when it is loaded runs now, without a host`);
  }
  if (output === "-") process.stdout.write(made.component);
  else deliver(output ?? join(dir, `${(project.name ?? "job").replace(/^.*\//, "")}.wasm`), made.component);
}

/** Beside the target first: a build that is interrupted leaves the old component whole. */
function deliver(target, component) {
  const staged = `${target}.${process.pid}.part`;
  try {
    writeFileSync(staged, component);
    renameSync(staged, target);
  } catch (error) {
    rmSync(staged, { force: true });
    throw new Fault(`cannot write ${target}: ${error.message}`);
  }
  console.log(`${target} (${(component.length / 1024).toFixed(1)} KiB)`);
}

try {
  const { values, positionals } = option();
  const [verb, dir = ".", ...more] = positionals;
  if (values.help) console.log(USAGE);
  else if (verb !== "build" || more.length > 0) throw new Fault(USAGE);
  else await build(resolve(dir), values.output, !values["no-check"]);
} catch (error) {
  if (!(error instanceof Fault)) throw error;
  console.error(`tidemill-js: ${error.message}`);
  process.exitCode = 1;
}
