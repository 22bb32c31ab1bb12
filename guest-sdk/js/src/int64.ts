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

/** The integer at a row, which may have lost digits when it is not safe. */
export function nearest(words: Int32Array, row: number): number {
  return words[2 * row + 1]! * WORD + (words[2 * row]! >>> 0);
}

/** The integer at a row exactly. */
export function exact(words: Int32Array, row: number): bigint {
  return (BigInt(words[2 * row + 1]!) << 32n) | BigInt(words[2 * row]! >>> 0);
}

/** The integer at a row; a record that has one beyond 2^53 is refused rather than changed. */
export function i64At(words: Int32Array, row: number): number {
  const value = nearest(words, row);
  if (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER) {
    throw new Refusal(`${exact(words, row)} is beyond what a number holds exactly (2^53): declare the field as bigint64`);
  }
  return value;
}

/** The time at a row. */
export function timeAt(words: Int32Array, row: number): Time {
  const value = nearest(words, row);
  return value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER ? exact(words, row) : value;
}

/** Writes an integer at a row. */
export function putInt64(words: Int32Array, row: number, value: Time): void {
  if (typeof value === "number") {
    words[2 * row] = value;
    words[2 * row + 1] = Math.floor(value / WORD);
    return;
  }
  words[2 * row] = Number(BigInt.asIntN(32, value));
  words[2 * row + 1] = Number(value >> 32n);
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
