/** Spans of time, in the words jobs use: `seconds(10)`, `minutes(5)`. A span is a number of milliseconds. */

import { JobError } from "./errors.js";
import type { PlanWatermarks } from "./plan.js";

/** A span of milliseconds. */
export const millis = (n: number): number => n;
/** A span of seconds. */
export const seconds = (n: number): number => n * 1_000;
/** A span of minutes. */
export const minutes = (n: number): number => n * 60_000;
/** A span of hours. */
export const hours = (n: number): number => n * 3_600_000;
/** A span of days of 24 hours. */
export const days = (n: number): number => n * 86_400_000;

/** How watermarks follow event time; made by {@link monotonic} and {@link outOfOrder}. */
export interface Watermarks {
  /** What the plan says. */
  readonly inPlan: PlanWatermarks;
}

/** Event times never fall: the watermark is the greatest time so far minus one millisecond. */
export function monotonic(): Watermarks {
  return { inPlan: "monotonic" };
}

/** Records come at most `bound` late: the watermark is the greatest time so far minus the bound minus one millisecond. */
export function outOfOrder(bound: number): Watermarks {
  return { inPlan: { bounded: { ms: span(bound, "the bound of outOfOrder") } } };
}

/** A number of things that goes into the plan. */
export function counted(count: number, what: string, least = 1): number {
  if (Number.isSafeInteger(count) && count >= least) return count;
  throw new JobError(`${what} is a whole number from ${least} on, not ${count}`);
}

/** A span that goes into the plan. */
export function span(ms: number, what: string): number {
  if (!Number.isSafeInteger(ms)) throw new JobError(`${what} is a whole number of milliseconds, not ${ms}`);
  return ms;
}
