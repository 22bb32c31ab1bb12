/**
 * 64-bit integers as numbers. A column of them is read as pairs of 32-bit words, which costs half of what a `bigint` a value does.
 */

import { Refusal } from "./errors.js";

/** An event time on its way through a job: a number of milliseconds, or a bigint where that would lose digits. */
export type Time = number | bigint;

/** "Before everything": no event time, no watermark yet. */
export const TIME_MIN = -(2n ** 63n);
/** "After everything": the input has ended. */
export const TIME_MAX = 2n ** 63n - 1n;

const WORD = 4_294_967_296;
/** A constant of the module: an interpreter looks `Number.MAX_SAFE_INTEGER` up twice every time. */
const MAX_SAFE = Number.MAX_SAFE_INTEGER;

/** The integer at a row, which may have lost digits when it is not safe. */
export function nearest(words: Int32Array, row: number): number {
  return words[2 * row + 1]! * WORD + (words[2 * row]! >>> 0);
}

/** The integer at a row exactly. */
export function exact(words: Int32Array, row: number): bigint {
  return (BigInt(words[2 * row + 1]!) << 32n) | BigInt(words[2 * row]! >>> 0);
}

/** Refuses a record that has an integer beyond what a number holds exactly, rather than change it. */
export function tooLarge(words: Int32Array, row: number): never {
  throw new Refusal(`${exact(words, row)} is beyond what a number holds exactly (2^53): declare the field as bigint64`);
}

/** The time at a row. */
export function timeAt(words: Int32Array, row: number): Time {
  const value = words[2 * row + 1]! * WORD + (words[2 * row]! >>> 0);
  return value > MAX_SAFE || value < -MAX_SAFE ? exact(words, row) : value;
}

/** Writes integers from the first row on. */
export function putInt64s(words: Int32Array, values: readonly Time[]): void {
  for (let row = 0; row < values.length; row++) {
    const value = values[row]!;
    if (typeof value === "number") {
      const low = value >>> 0;
      words[2 * row] = low;
      words[2 * row + 1] = (value - low) / WORD;
    } else {
      words[2 * row] = Number(BigInt.asIntN(32, value));
      words[2 * row + 1] = Number(value >> 32n);
    }
  }
}

/** A time as users see it: the least is minus infinity and the greatest infinity. */
export function shownTime(time: Time): number {
  if (typeof time === "number") return time;
  if (time === TIME_MIN) return -Infinity;
  if (time === TIME_MAX) return Infinity;
  throw new Refusal(`the event time ${time} is beyond what a number holds exactly (2^53)`);
}

/** A time that crosses the border as a number, where the two ends have been rounded to powers of two. */
export function heardTime(time: number): number {
  if (time <= -(2 ** 63)) return -Infinity;
  if (time >= 2 ** 63) return Infinity;
  return time;
}

/** A time that a job gives. */
export function givenTime(time: number): Time {
  if (Number.isSafeInteger(time)) return time;
  if (time === -Infinity) return TIME_MIN;
  if (time === Infinity) return TIME_MAX;
  throw new TypeError(`a time is a whole number of milliseconds below 2^53, not ${String(time)}`);
}
