/**
 * Aggregates of windows: a small accumulator per window instead of all its records. {@link count}, {@link sum}, {@link mean},
 * {@link min} and {@link max} are ready; an object with the methods of {@link Aggregate} is another.
 */

import { JobError } from "./errors.js";
import { bigint64, f64, i64, tuple, type RecordType } from "./record/index.js";

/**
 * How records become an accumulator and the accumulator a result.
 *
 * Adding must not depend on the order of records, and merging must give what adding all records to one accumulator would: the
 * host merges sessions that grow together, and shares accumulators between sliding windows.
 */
export interface Aggregate<In, Acc, Out> {
  /** What is kept for a window: state, so a record type. */
  readonly acc: RecordType<Acc>;
  /** The accumulator of no records. */
  start(): NoInfer<Acc>;
  /** The accumulator with a record added: the same one changed, or a new one. */
  add(acc: Acc, record: In): NoInfer<Acc>;
  /** `into` with what `from` holds added; `from` stays as it is. */
  merge(into: Acc, from: Acc): NoInfer<Acc>;
  /** The result of an accumulator. */
  finish(acc: Acc): Out;
}

/** An aggregate of one field, whose type the stream knows. */
export interface FieldAggregate<F extends string, R extends "number" | "field"> {
  /** The field. */
  readonly field: F;
  /** What the result is: always a number, or of the field's type. There for the compiler only. */
  readonly result?: R;
  /** The aggregate over values of the field, whose type the stream knows. */
  over(field: RecordType<unknown>): Aggregate<unknown, unknown, unknown>;
}

/** The names of a record's fields that hold numbers. */
export type NumberField<T> = { [K in keyof T & string]: T[K] extends number | bigint ? K : never }[keyof T & string];

/** The number of records. */
export function count(): Aggregate<unknown, number, number> {
  return { acc: i64, start: () => 0, add: (n) => n + 1, merge: (a, b) => a + b, finish: (n) => n };
}

/** The type of a column of numbers. */
function numberType(type: RecordType<unknown>, field: string, what: string): "i32" | "i64" | "bigint" | "f64" {
  const [column] = type.schema;
  const { shape } = type;
  if (type.schema.length !== 1 || column!.optional || !["i32", "i64", "f64"].includes(column!.type)) {
    throw new JobError(`the ${what} of ${JSON.stringify(field)} needs a number that is never absent`);
  }
  if (shape.kind === "cell" && shape.cell.zero === "0n") return "bigint";
  return column!.type as "i32" | "i64" | "f64";
}

function safe(sum: number, field: string): number {
  if (Number.isSafeInteger(sum)) return sum;
  throw new RangeError(`the sum of ${JSON.stringify(field)} passes 2^53: declare the field as bigint64`);
}

/** The sum of a field. That of integers is a whole number of 64 bits; as `bigint64` it wraps around, as in other languages. */
export function sum<F extends string>(field: F): FieldAggregate<F, "field"> {
  const over = (type: RecordType<unknown>): Aggregate<unknown, unknown, unknown> => {
    switch (numberType(type, field, "sum")) {
      case "bigint": {
        const add = (a: bigint, b: bigint): bigint => BigInt.asIntN(64, a + b);
        return { acc: bigint64, start: () => 0n, add, merge: add, finish: (n: unknown) => n } as Aggregate<unknown, unknown, unknown>;
      }
      case "f64": {
        const add = (a: number, b: number): number => a + b;
        return { acc: f64, start: () => 0, add, merge: add, finish: (n: unknown) => n } as Aggregate<unknown, unknown, unknown>;
      }
      default: {
        const add = (a: number, b: number): number => safe(a + b, field);
        return { acc: i64, start: () => 0, add, merge: add, finish: (n: unknown) => n } as Aggregate<unknown, unknown, unknown>;
      }
    }
  };
  return { field, over };
}

/** The arithmetic mean of a field. */
export function mean<F extends string>(field: F): FieldAggregate<F, "number"> {
  const over = (type: RecordType<unknown>): Aggregate<unknown, unknown, unknown> => {
    numberType(type, field, "mean");
    const aggregate: Aggregate<number | bigint, [number, number], number> = {
      acc: tuple(f64, i64),
      start: () => [0, 0],
      add: (acc, value) => {
        acc[0] += Number(value);
        acc[1] += 1;
        return acc;
      },
      merge: (into, from) => {
        into[0] += from[0];
        into[1] += from[1];
        return into;
      },
      finish: ([total, n]) => total / n,
    };
    return aggregate as Aggregate<unknown, unknown, unknown>;
  };
  return { field, over };
}

function extreme<F extends string>(
  field: F,
  what: string,
  better: (a: number | bigint, b: number | bigint) => boolean,
  first: number,
): FieldAggregate<F, "field"> {
  const over = (type: RecordType<unknown>): Aggregate<unknown, unknown, unknown> => {
    const kind = numberType(type, field, what);
    const add = (a: number | bigint, b: number | bigint): number | bigint => (better(b, a) ? b : a);
    return { acc: type, start: () => EXTREMES[kind][first], add, merge: add, finish: (n: unknown) => n } as Aggregate<
      unknown,
      unknown,
      unknown
    >;
  };
  return { field, over };
}

/** Of each type: at or above, and at or below all others. A number of 64 bits starts at what one can hold exactly. */
const EXTREMES = {
  i32: [2_147_483_647, -2_147_483_648],
  i64: [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  bigint: [2n ** 63n - 1n, -(2n ** 63n)],
  f64: [Infinity, -Infinity],
} as const;

/** The least value of a field. */
export function min<F extends string>(field: F): FieldAggregate<F, "field"> {
  return extreme(field, "least value", (a, b) => a < b, 0);
}

/** The greatest value of a field. */
export function max<F extends string>(field: F): FieldAggregate<F, "field"> {
  return extreme(field, "greatest value", (a, b) => a > b, 1);
}
