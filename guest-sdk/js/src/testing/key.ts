/** Keys as bytes (`block.md` of the contract): what a host finds slots by, and where a key lives. */

import { encodeText } from "../text.js";
import { xxh3 } from "../xxh3.js";
import type { Column, Schema } from "../schema.js";
import type { Value } from "./row.js";

/** Key groups of a job. */
const GROUPS = 256;

function cellBytes(value: Value, column: Column): number[] {
  if (column.optional) return value === null ? [0] : [1, ...cellBytes(value, { ...column, optional: false })];
  const view = new DataView(new ArrayBuffer(8));
  const first = (count: number): number[] => [...new Uint8Array(view.buffer, 0, count)];
  switch (column.type) {
    case "bool":
      return [value === true ? 1 : 0];
    case "i32":
      view.setInt32(0, value as number, true);
      return first(4);
    case "i64":
      view.setBigInt64(0, BigInt(value as bigint), true);
      return first(8);
    case "f64":
      // Minus zero is zero, and every NaN is the same.
      view.setFloat64(0, (value as number) === 0 ? 0 : (value as number), true);
      if (Number.isNaN(value)) view.setBigUint64(0, 0x7ff8_0000_0000_0000n, true);
      return first(8);
    default: {
      const bytes = column.type === "string" ? encodeText(value as string) : (value as Uint8Array);
      view.setUint32(0, bytes.length, true);
      return [...first(4), ...bytes];
    }
  }
}

/** The canonical bytes of a key. */
export function keyBytes(values: readonly Value[], schema: Schema): Uint8Array {
  return Uint8Array.from(schema.flatMap((column, index) => cellBytes(values[index]!, column)));
}

/** The same as text: what tells keys apart. */
export function keyText(values: readonly Value[], schema: Schema): string {
  return Array.from(keyBytes(values, schema), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The key group of a key's bytes. */
export function keyGroup(bytes: Uint8Array): number {
  return Number(xxh3(bytes) % BigInt(GROUPS));
}

/** The worker on which a key group lives. */
export function workerOf(group: number, parallelism: number): number {
  return Math.floor((group * parallelism) / GROUPS);
}
