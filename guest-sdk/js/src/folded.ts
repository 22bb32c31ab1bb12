/** State that folds what is added to it: Flink's reducing and aggregating state. */

import type { Aggregate, FieldAggregate, NumberField } from "./aggregate.js";
import type { RecordType } from "./record/type.js";
import { valueState, type StateDeclaration, type ValueRef } from "./state.js";

/** A record of the key in hand, to which others are added. */
export interface ReducingRef<T> {
  /** Adds a record; the first is kept as it is. */
  add(record: T): void;
  /** What all records added so far come to, if there was one. */
  get(): Readonly<T> | undefined;
  /** Begins anew. */
  clear(): void;
}

/** An accumulator of the key in hand. */
export interface AggregatingRef<T, Result> {
  /** Adds a record. */
  add(record: T): void;
  /** The result of all records added so far, if there was one. */
  get(): Result | undefined;
  /** Begins anew. */
  clear(): void;
}

/** What state over a value gives that is put together of it. */
function over<T, H>(type: RecordType<T>, handle: (value: ValueRef<T>) => H): StateDeclaration<H> {
  const declared = valueState(type);
  return {
    make: (cursor) => {
      const { table, handle: value } = declared.make(cursor);
      return { table, handle: handle(value) };
    },
  };
}

/** A record per key, to which others are added by a function: its first argument is what there is, its second what comes. */
export function reducingState<T>(type: RecordType<T>, reduce: (before: Readonly<T>, record: T) => T): StateDeclaration<ReducingRef<T>> {
  return over(type, (value) => ({
    add(record) {
      const before = value.get();
      value.set(before === undefined ? record : reduce(before, record));
    },
    get: () => value.get(),
    clear: () => value.clear(),
  }));
}

/** An accumulator per key: an aggregate outside of windows, of records of this type. */
export function aggregatingState<T, Acc, Result>(
  type: RecordType<T>,
  aggregate: Aggregate<T, Acc, Result>,
): StateDeclaration<AggregatingRef<T, Result>>;
export function aggregatingState<T, F extends NumberField<T>, R extends "number" | "field">(
  type: RecordType<T>,
  aggregate: FieldAggregate<F, R>,
): StateDeclaration<AggregatingRef<T, R extends "number" ? number : T[F]>>;
export function aggregatingState<T>(
  type: RecordType<T>,
  given: Aggregate<T, unknown, unknown> | FieldAggregate<string, "number" | "field">,
): StateDeclaration<AggregatingRef<T, unknown>> {
  const of = "over" in given ? given.field : undefined;
  const aggregate = "over" in given ? given.over(type.field(given.field).type) : (given as Aggregate<unknown, unknown, unknown>);
  return over(aggregate.acc, (value) => ({
    add(record) {
      const before = value.get();
      // What state holds is frozen, and an aggregate may change what it is given.
      const acc = before === undefined ? aggregate.start() : aggregate.acc.copy(before);
      value.set(aggregate.add(acc, of === undefined ? record : (record as Record<string, unknown>)[of]));
    },
    get() {
      const acc = value.get();
      return acc === undefined ? undefined : aggregate.finish(aggregate.acc.copy(acc));
    },
    clear: () => value.clear(),
  }));
}
