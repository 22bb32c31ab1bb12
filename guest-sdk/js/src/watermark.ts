/**
 * Watermarks that the job makes itself, where `monotonic()` and `outOfOrder(..)` do not say it: from marks in the records, or by the
 * clock.
 *
 * A strategy is given with the event time, directly behind a source: {@link Stream.assignEventTime}. Each split of the source (a file,
 * a partition, a connection) has a generator of its own, and event time behind the source is the least over the splits.
 *
 * ```ts
 * const Line = record({ user: string, at: i64, complete: bool });
 *
 * export default defineJob((job) => {
 *   job
 *     .source("lines", Line, jsonLines())
 *     // A line marked `complete` says that nothing older follows it.
 *     .assignEventTime("at", (line) => line.at, punctuated((line, at) => (line.complete ? at : undefined)))
 *     .keyBy("user")
 *     .window(tumbling(minutes(1)))
 *     .count("count")
 *     .sink("counts", jsonLines());
 * });
 * ```
 *
 * The host asks once for each block of records, not once for each record: of the watermarks that a generator gives within a block the
 * greatest counts, behind the block. One that is lower than before changes nothing. What a generator remembers is no state: after a
 * restart from a checkpoint every split begins with a new one, and event time stays where it was until that has caught up.
 */

import { JobError } from "./errors.js";
import type { PlanGenerator } from "./plan.js";
import { span } from "./time.js";

/** A watermark in milliseconds, or none. */
export type Watermark = number | null | undefined;

/** Makes the watermarks of one split. A watermark says that no record of its time or before it is expected any more. */
export interface WatermarkGenerator<in T> {
  /** Sees a record and its event time, and may give a watermark behind it. */
  onEvent(record: T, time: number): Watermark;
  /** Is asked every so often, at the processing time `now`, where the strategy says `every`; not while the split is idle. */
  onPeriodic?(now: number): Watermark;
}

/** A strategy whose watermarks a {@link WatermarkGenerator} makes; see {@link generator}. */
export interface GeneratedWatermarks<in T> {
  /** What the plan says. */
  readonly inPlan: PlanGenerator;
  /** Makes the generator of a split. */
  readonly make: () => WatermarkGenerator<T>;
}

/** What is noted of a split, and what follows from it. */
export interface Periodic<in T, S> {
  /** What is noted of a split at first. */
  start(): S;
  /** Gives what is noted anew, for a record and its event time. */
  see(noted: S, record: T, time: number): NoInfer<S>;
  /** Says the watermark, by what was noted and the processing time. */
  say(noted: NoInfer<S>, now: number): Watermark;
}

/**
 * Watermarks of a generator that `make` makes for each split; with `every`, its `onPeriodic` is asked every so often in processing time.
 *
 * ```ts
 * // The greatest time, held back by twice the gap that was seen last.
 * const cautious = generator(() => {
 *   let greatest = 0;
 *   return {
 *     onEvent(_reading: Infer<typeof Reading>, time) {
 *       const gap = Math.abs(time - greatest);
 *       greatest = Math.max(greatest, time);
 *       return greatest - 2 * gap - 1;
 *     },
 *   };
 * });
 * ```
 */
export function generator<T>(make: () => WatermarkGenerator<T>, options: { readonly every?: number } = {}): GeneratedWatermarks<T> {
  if (typeof make !== "function") throw new JobError("generator takes a function that makes a generator for each split");
  const { every } = options;
  if (every === undefined) return { inPlan: { guest: {} }, make };
  if (span(every, "what a generator is asked every") <= 0) throw new JobError(`a generator is asked every ${every} ms: say 1 or more`);
  return { inPlan: { guest: { "every-ms": every } }, make };
}

/** Watermarks that records bring: `mark` sees each with its event time and may give one. */
export function punctuated<T>(mark: (record: T, time: number) => Watermark): GeneratedWatermarks<T> {
  return generator(() => ({ onEvent: mark }));
}

/**
 * Watermarks by the clock: `see` notes what it wants of each record and its event time, and `say` is asked `every` so often.
 *
 * ```ts
 * // The least of the last two times.
 * const least = periodic(seconds(1), {
 *   start: () => [0, 0] as [number, number],
 *   see: ([, last], _reading: Infer<typeof Reading>, time) => [last, time],
 *   say: (both) => Math.min(...both),
 * });
 * ```
 */
export function periodic<T, S>(every: number, { start, see, say }: Periodic<T, S>): GeneratedWatermarks<T> {
  const make = (): WatermarkGenerator<T> => {
    let noted = start();
    return {
      onEvent: (record, time) => {
        noted = see(noted, record, time);
        return undefined;
      },
      onPeriodic: (now) => say(noted, now),
    };
  };
  return generator(make, { every });
}
