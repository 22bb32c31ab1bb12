/** Window arithmetic in its simplest form, after the host's rules. */

import type { Assigner } from "../plan.js";

/** The bounds of a window: its first millisecond, and the first behind it. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The windows that a record at `time` belongs to; `gap` is that of the record, where it has one. Windows that count have none. */
export function assign(assigner: Assigner, time: number, gap: number): Span[] {
  if (assigner === "global") return [{ start: -Infinity, end: Infinity }];
  if ("tumbling" in assigner) {
    const { size_ms, offset_ms } = assigner.tumbling;
    const start = startOf(time, offset_ms, size_ms);
    return [{ start, end: start + size_ms }];
  }
  if ("session" in assigner) return [{ start: time, end: time + assigner.session.gap_ms }];
  if ("session-by" in assigner) return [{ start: time, end: time + Math.max(gap, 1) }];
  if ("days" in assigner) return [daysOf(assigner.days.timezone, assigner.days.days, time)];
  if ("count" in assigner) return [];
  const { size_ms, slide_ms, offset_ms } = assigner.sliding;
  const windows: Span[] = [];
  for (let start = startOf(time, offset_ms, slide_ms); start > time - size_ms; start -= slide_ms)
    windows.push({ start, end: start + size_ms });
  return windows;
}

function startOf(time: number, offset: number, size: number): number {
  const remainder = (time - offset) % size;
  return time - (remainder < 0 ? remainder + size : remainder);
}

const DAY_MS = 86_400_000;

/** So many days of a time zone, counted from 1970-01-01. */
function daysOf(timezone: string, count: number, time: number): Span {
  const first = startOf(localOf(timezone, time), 0, count * DAY_MS);
  return { start: midnight(timezone, first), end: midnight(timezone, first + count * DAY_MS) };
}

/** What a clock on the wall of a time zone shows, as milliseconds since 1970 there. */
function localOf(timezone: string, time: number): number {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: timezone,
    calendar: "iso8601",
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  }).formatToParts(time);
  const part = (type: string): number => Number(parts.find((one) => one.type === type)?.value);
  return Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second"));
}

/** When a day begins that a clock on the wall calls so: the first time at which it shows that or more. */
function midnight(timezone: string, local: number): number {
  let [before, at] = [local - DAY_MS, local + DAY_MS];
  // A clock that is put back passes midnight twice, so the first of it is looked for among the seconds.
  while (at - before > 1_000) {
    const middle = startOf((before + at) / 2, 0, 1_000);
    if (localOf(timezone, middle) >= local) at = middle;
    else before = middle;
  }
  return at;
}

/** Whether windows that touch become one. */
export function merges(assigner: Assigner): boolean {
  return typeof assigner === "object" && ("session" in assigner || "session-by" in assigner);
}

/** Whether two sessions merge: they overlap or touch. */
export function touch(a: Span, b: Span): boolean {
  return a.start <= b.end && a.end >= b.start;
}
