/**
 * Evictors: what a window leaves out when it fires. Only windows that are processed whole have one, since an aggregate does not keep its
 * records.
 *
 * What is evicted is gone for good: a later firing of the window does not see it either. Records stand in the order of their arrival.
 */

import type { PlanEvict } from "./plan.js";
import { counted, span } from "./time.js";

/** The times and records of a window; says which places go. */
type Choose<T> = (times: readonly number[], records: readonly T[]) => Iterable<number>;

/** What a window of records `T` leaves out; `F` are fields that it looks at. */
export class Evictor<T, out F extends string = never> {
  /** As the plan writes it; a field is the stream's to name. @internal */
  readonly evict: PlanEvict;
  /** The field that it looks at, where it looks at one. */
  readonly field: F | undefined;
  /** @internal */
  readonly isAfter: boolean;
  /** Says which places go. */
  readonly goes: Choose<T>;

  /** @internal */
  constructor(evict: PlanEvict, goes: Choose<T>, field?: F, isAfter = false) {
    this.evict = evict;
    this.field = field;
    this.isAfter = isAfter;
    this.goes = goes;
  }

  /** Leaves records out behind the function rather than in front of it: the next firing does not see them. */
  after(): Evictor<T, F> {
    return new Evictor(this.evict, this.goes, this.field, true);
  }

  /** The places of what is left. @internal */
  kept(times: readonly number[], records: readonly T[]): number[] {
    const gone = new Set(this.goes(times, records));
    return times.map((_, place) => place).filter((place) => !gone.has(place));
  }
}

const places = (records: readonly unknown[], goes: (place: number) => boolean): number[] => records.map((_, place) => place).filter(goes);

/** Keeps the last `count` records. */
export function allButLast(count: number): Evictor<unknown> {
  const records = counted(count, "the number of records that an evictor keeps", 0);
  return new Evictor({ count: { records } }, (times) => places(times, (place) => place < times.length - records));
}

/** Keeps the records that are at most `age` older than the latest one, by their event times. */
export function olderThan(age: number): Evictor<unknown> {
  const ms = span(age, "the age that an evictor lets pass");
  return new Evictor({ time: { ms } }, (times) => {
    const latest = times.reduce((a, b) => Math.max(a, b), -Infinity);
    return places(times, (place) => times[place]! < latest - ms);
  });
}

/** Keeps the records whose field differs from that of the last one by less than `threshold`. */
export function differingBy<const F extends string>(field: F, threshold: number): Evictor<unknown, F> {
  const value = (record: unknown): number => Number((record as Record<F, number | bigint>)[field]);
  return new Evictor(
    { delta: { field, threshold } },
    (_times, records) => places(records, (place) => Math.abs(value(records[place]) - value(records.at(-1))) >= threshold),
    field,
  );
}

/** Leaves out what a function says: it is given the event times and the records, and answers with their places. */
export function by<T>(goes: (times: readonly number[], records: readonly T[]) => Iterable<number>): Evictor<T> {
  return new Evictor("guest", goes);
}
