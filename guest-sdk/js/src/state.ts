/**
 * Keyed state: what a process function remembers of each key. Pieces are declared with the function, under their names, and used
 * through its context: `ctx.state.count.set(1)`.
 *
 * Whatever a function keeps in variables of its own is *not* state: it is shared by all keys of an instance, differs
 * between workers and is gone after a restart.
 */

import { JobError } from "./errors.js";
import type { RecordType } from "./record/type.js";
import { ExpiringListTable, ExpiringMapTable, ExpiringValueTable } from "./runtime/expiring.js";
import { ExpiringListRef, ExpiringMapRef, ExpiringValueRef } from "./runtime/expiring-refs.js";
import { ListRef, MapRef, ValueRef } from "./runtime/refs.js";
import { ListTable, MapTable, ValueTable, type Cursor, type Table } from "./runtime/slots.js";
import type { Ttl } from "./ttl.js";

export { ListRef, MapRef, ValueRef } from "./runtime/refs.js";

/** A piece of state as it is declared: `H` is what the context gives for it. */
export interface StateDeclaration<H> {
  /** How long it lives, where that is not until it is cleared. */
  readonly ttl?: Ttl | undefined;
  /** Called by the runtime. */
  make(cursor: Cursor): { readonly table: Table<unknown>; readonly handle: H };
}

/** Declared state by name. */
export type States = Readonly<Record<string, StateDeclaration<unknown>>>;

/** What a context offers for declared state. */
export type Handles<S extends States> = { readonly [K in keyof S]: S[K] extends StateDeclaration<infer H> ? H : never };

/** What a piece of state offers that is there to read only. */
export type Reading<H> =
  H extends ValueRef<infer T>
    ? Pick<ValueRef<T>, "get" | "getOr">
    : H extends MapRef<infer K, infer V>
      ? Pick<MapRef<K, V>, "get" | "has" | "size" | "entries" | "keys" | "values" | typeof Symbol.iterator>
      : H extends ListRef<infer T>
        ? Pick<ListRef<T>, "get" | "length" | typeof Symbol.iterator>
        : never;

/** What a context offers to read of declared state. */
export type Readings<S extends States> = { readonly [K in keyof S]: S[K] extends StateDeclaration<infer H> ? Reading<H> : never };

/** More about a piece of state. */
export interface StateOptions {
  /** How long it lives after it was written last; without, until it is cleared. */
  readonly ttl?: Ttl;
}

/** A value per key: a record, or nothing. */
export function valueState<T>(type: RecordType<T>, { ttl }: StateOptions = {}): StateDeclaration<ValueRef<T>> {
  return {
    ttl,
    make: (cursor) => {
      if (ttl !== undefined) {
        const table = new ExpiringValueTable(cursor, type, ttl);
        return { table: table as unknown as Table<unknown>, handle: new ExpiringValueRef(table, type) };
      }
      const table = new ValueTable(cursor, type, "value");
      return { table: table as Table<unknown>, handle: new ValueRef(table) };
    },
  };
}

/** A list per key; where it has a time-to-live, each record lives for itself. */
export function listState<T>(type: RecordType<T>, { ttl }: StateOptions = {}): StateDeclaration<ListRef<T>> {
  return {
    ttl,
    make: (cursor) => {
      if (ttl !== undefined) {
        const table = new ExpiringListTable(cursor, type, ttl);
        return { table: table as unknown as Table<unknown>, handle: new ExpiringListRef(table, type) };
      }
      const table = new ListTable(cursor, type);
      return { table: table as Table<unknown>, handle: new ListRef(table) };
    },
  };
}

/**
 * A map per key of the stream. Its entries are in the order of their keys, so that a job does the same every time. The whole map
 * is loaded and saved with the stream's key: it is meant for tens or hundreds of entries. Where it has a time-to-live, each entry lives
 * for itself.
 */
export function mapState<K, V>(key: RecordType<K>, value: RecordType<V>, { ttl }: StateOptions = {}): StateDeclaration<MapRef<K, V>> {
  if (!key.isKey) throw new JobError("keys of a map have an order: bool, i32, i64, bigint64, string, bytes, and tuples of them");
  return {
    ttl,
    make: (cursor) => {
      if (ttl !== undefined) {
        const table = new ExpiringMapTable(cursor, key, value, ttl);
        return { table: table as unknown as Table<unknown>, handle: new ExpiringMapRef(table, value) };
      }
      const table = new MapTable(cursor, key, value);
      return { table: table as Table<unknown>, handle: new MapRef(table) };
    },
  };
}
