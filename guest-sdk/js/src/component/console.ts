/** `console` in a component: its lines reach the log of the job, named after the operator that wrote them. */

import { currentCall } from "../runtime/call.js";
import { NONE, type Level } from "../runtime/host.js";
import { inspect } from "./inspect.js";

type Log = (level: Level, operator: number, message: string) => void;

/** Lines written while the component was compiled, when there is no host: they are told at the start. */
const early: [Level, string][] = [];
let started = false;

function write(level: Level, message: string): void {
  const call = currentCall();
  if (call !== undefined) call.log(level, message);
  else if (!started) early.push([level, message]);
}

/** Tells what was written before the host was there. */
export function flushConsole(log: Log): void {
  started = true;
  for (const [level, message] of early.splice(0)) log(level, NONE, message);
}

/** A line of `console.log`: directives of the first argument filled in, the others behind it. */
export function line(args: readonly unknown[]): string {
  const [first, ...rest] = args;
  if (typeof first !== "string" || rest.length === 0) return args.map((arg) => (typeof arg === "string" ? arg : inspect(arg))).join(" ");
  const filled = first.replace(/%([sdifjoOc%])/g, (directive, letter: string) => {
    if (letter === "%") return "%";
    if (rest.length === 0) return directive;
    const value = rest.shift();
    if (letter === "s") return typeof value === "string" ? value : inspect(value);
    if (letter === "d" || letter === "f") return String(Number(value));
    if (letter === "i") return String(Math.trunc(Number(value)));
    return letter === "c" ? "" : letter === "j" ? String(JSON.stringify(value)) : inspect(value);
  });
  return [filled, ...rest.map((arg) => (typeof arg === "string" ? arg : inspect(arg)))].join(" ");
}

const at =
  (level: Level) =>
  (...args: unknown[]): void =>
    write(level, line(args));

const assert = (condition: unknown, ...args: unknown[]): void => {
  if (!condition) write("error", `assertion failed${args.length > 0 ? `: ${line(args)}` : ""}`);
};

Object.assign(globalThis, {
  console: {
    log: at("info"),
    info: at("info"),
    debug: at("debug"),
    trace: at("trace"),
    warn: at("warn"),
    error: at("error"),
    dir: at("info"),
    assert,
  },
});
