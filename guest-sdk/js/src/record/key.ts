/** Keys: their order, by which maps are kept, and what tells one from another. */

import type { RecordType } from "./type.js";
import type { Shape } from "./shape.js";

/** Texts in the order of their UTF-8 bytes, which is that of code points and not that of UTF-16 units. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    // Surrogates stand for code points above all other units.
    const [high, other] = [x >= 0xd800 && x <= 0xdfff, y >= 0xd800 && y <= 0xdfff];
    if (high !== other) return high ? 1 : -1;
    return x - y;
  }
  return a.length - b.length;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

type Compare = (a: never, b: never) => number;

function compareShape(shape: Shape): Compare {
  if (shape.kind === "array") {
    const items = shape.items.map(compareShape) as ((a: unknown, b: unknown) => number)[];
    return (a: unknown[], b: unknown[]) => {
      for (let i = 0; i < items.length; i++) {
        const order = items[i]!(a[i], b[i]);
        if (order !== 0) return order;
      }
      return 0;
    };
  }
  if (shape.kind === "maybe") {
    const present = compareShape(shape.of) as (a: unknown, b: unknown) => number;
    return (a: unknown, b: unknown) => (a === null || b === null ? Number(a !== null) - Number(b !== null) : present(a, b));
  }
  if (shape.kind === "object") {
    const parts = shape.fields.map((field) => [field.name, compareShape(field.shape)] as [string, (a: unknown, b: unknown) => number]);
    return (a: Record<string, unknown>, b: Record<string, unknown>) => {
      for (const [name, compare] of parts) {
        const order = compare(a[name], b[name]);
        if (order !== 0) return order;
      }
      return 0;
    };
  }
  const plain = comparePlain(shape.cell.type) as (a: unknown, b: unknown) => number;
  if (!shape.optional) return plain;
  return (a: unknown, b: unknown) => (a === null || b === null ? Number(a !== null) - Number(b !== null) : plain(a, b));
}

function comparePlain(type: string): Compare {
  if (type === "string") return compareText;
  if (type === "bytes") return compareBytes;
  return (a: number, b: number) => (a < b ? -1 : a > b ? 1 : 0);
}

/** The order of the values of a record type that can be a key: column by column, absent first. */
export function keyOrder<K>(type: RecordType<K>): (a: K, b: K) => number {
  return compareShape(type.shape) as (a: K, b: K) => number;
}

/** What a `Map` can tell keys apart by: the key itself where it is a primitive value. */
export function keyIdentity<K>(type: RecordType<K>): (key: K) => unknown {
  const { shape } = type;
  if (shape.kind === "cell" && shape.cell.type !== "bytes") return (key) => key;
  return (key) =>
    JSON.stringify(key, (_, value: unknown) =>
      typeof value === "bigint" ? `${value}n` : value instanceof Uint8Array ? [...value] : value,
    );
}
