/** The aggregates that a host computes. */

import type { HostAggregate } from "../plan.js";
import { compareText } from "../record/key.js";
import type { Row, Value } from "./row.js";

/** A running aggregate. */
export interface Acc {
  readonly count: bigint;
  readonly value: Value | undefined;
  readonly row: Row | undefined;
}

/** The aggregate of nothing. */
export const EMPTY: Acc = { count: 0n, value: undefined, row: undefined };

/** The field that an aggregate is of. */
export function fieldOf(aggregate: HostAggregate): string | undefined {
  return aggregate === "count" ? undefined : (Object.values(aggregate)[0] as string);
}

/** What it does with the field. */
function nameOf(aggregate: HostAggregate): string {
  return aggregate === "count" ? aggregate : Object.keys(aggregate)[0]!;
}

/** Whether the result is the whole record rather than key and value. */
export function isRecord(aggregate: HostAggregate): boolean {
  return nameOf(aggregate).endsWith("-by");
}

/** Adds a row; `column` is the index of the aggregate's field. */
export function addRow(acc: Acc, aggregate: HostAggregate, column: number, row: Row): Acc {
  return mergeAccs(acc, aggregate, { count: 1n, value: row.values[column], row });
}

/** Adds what another holds, which comes later. */
export function mergeAccs(before: Acc, aggregate: HostAggregate, after: Acc): Acc {
  const count = before.count + after.count;
  const name = nameOf(aggregate);
  if (before.value === undefined || after.value === undefined || name === "count")
    return { ...(before.value === undefined ? after : before), count };
  if (name === "sum") return { ...before, count, value: add(before.value, after.value) };
  const order = compare(after.value, before.value);
  return { ...(name.startsWith("min") ? (order < 0 ? after : before) : order > 0 ? after : before), count };
}

function add(a: Value, b: Value): Value {
  return typeof a === "bigint" ? BigInt.asIntN(64, a + (b as bigint)) : (a as number) + (b as number);
}

function compare(a: Value, b: Value): number {
  if (typeof a === "string") return compareText(a, b as string);
  return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;
}

/** The columns of the result; a sum of 32-bit integers has 64 bits. */
export function resultOf(acc: Acc, aggregate: HostAggregate, integer: boolean): readonly Value[] {
  if (aggregate === "count") return [acc.count];
  if (isRecord(aggregate)) return acc.row?.values ?? [];
  const { value = null } = acc;
  return [integer && nameOf(aggregate) === "sum" && typeof value === "number" ? BigInt(value) : value];
}
