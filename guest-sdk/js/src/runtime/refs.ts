/** What a context gives for declared state: the value, list or map of the key in hand. */

import { CHANGED, CLEARED, type Entry, type ListTable, type MapTable, type ValueTable } from "./slots.js";
import type { RecordType } from "../record/type.js";

/** A value as it is kept: checked, and frozen so that it only changes by `set`. */
export function keep<T>(type: RecordType<T>, value: T): T {
  const copy = type.copy(value);
  return typeof copy === "object" && copy !== null && !ArrayBuffer.isView(copy) ? Object.freeze(copy) : copy;
}

/** How values of a type are handed out: as they are, but for bytes, which cannot be frozen and are copied. */
export function lent<T>(type: RecordType<T>, value: T): T {
  return type.mutable ? keep(type, value) : value;
}

/** The value of the key in hand. What it gives is frozen: a change is a new value. */
export class ValueRef<T> {
  readonly #table: ValueTable<T>;

  /** @internal */
  constructor(table: ValueTable<T>) {
    this.#table = table;
  }

  /** The value, if there is one. */
  get(): Readonly<T> | undefined {
    const value = this.#table.get();
    return value === undefined ? undefined : lent(this.#table.type, value);
  }

  /** The value, or another where there is none. */
  getOr(otherwise: T): Readonly<T> {
    return this.get() ?? otherwise;
  }

  /** Replaces the value. */
  set(value: T): void {
    const kept = keep(this.#table.type, value);
    this.#table.change(0);
    this.#table.entries[this.#table.cursor.slot] = kept;
  }

  /** Replaces the value by what `change` makes of it. */
  update(change: (value: Readonly<T> | undefined) => T): void {
    this.set(change(this.get()));
  }

  /** Removes the value and returns it. */
  take(): Readonly<T> | undefined {
    const value = this.get();
    if (value !== undefined) {
      this.#table.change(CLEARED);
      this.#table.entries[this.#table.cursor.slot] = undefined;
    }
    return value;
  }

  /** Removes the value. */
  clear(): void {
    this.take();
  }
}

/** The list of the key in hand. */
export class ListRef<T> {
  readonly #table: ListTable<T>;

  /** @internal */
  constructor(table: ListTable<T>) {
    this.#table = table;
  }

  /** A copy of the list. */
  get(): Readonly<T>[] {
    const { mutable } = this.#table.type;
    const records = this.#table.get();
    if (records === undefined) return [];
    return mutable ? records.map((value) => lent(this.#table.type, value)) : records.slice();
  }

  /** How many records it has. */
  get length(): number {
    return this.#table.get()?.length ?? 0;
  }

  /** Adds a record at the end. */
  push(value: T): void {
    const kept = keep(this.#table.type, value);
    this.#table.change(0);
    const records = this.#table.get();
    if (records === undefined) this.#table.entries[this.#table.cursor.slot] = [kept];
    else records.push(kept);
  }

  /** Replaces the list. */
  set(values: Iterable<T>): void {
    const kept = Array.from(values, (value) => keep(this.#table.type, value));
    this.#table.change(kept.length === 0 ? CLEARED : 0);
    this.#table.entries[this.#table.cursor.slot] = kept.length === 0 ? undefined : kept;
  }

  /** Keeps the records for which `keep` says so. */
  retain(keep: (value: Readonly<T>) => boolean): void {
    if (this.length > 0) this.set(this.get().filter(keep));
  }

  /** Empties the list and returns what it held. */
  take(): Readonly<T>[] {
    const records = this.get();
    if (records.length > 0) {
      this.#table.change(CLEARED);
      this.#table.entries[this.#table.cursor.slot] = undefined;
    }
    return records;
  }

  /** Empties the list. */
  clear(): void {
    this.take();
  }

  /** The records, for a loop. */
  [Symbol.iterator](): Iterator<Readonly<T>> {
    return this.get()[Symbol.iterator]();
  }
}

/** The map of the key in hand. */
export class MapRef<K, V> {
  readonly #table: MapTable<K, V>;

  /** @internal */
  constructor(table: MapTable<K, V>) {
    this.#table = table;
  }

  /** The value of a key, if it has one. */
  get(key: K): Readonly<V> | undefined {
    const entry = this.#table.get()?.get(this.#table.identity(key));
    return entry === undefined ? undefined : lent(this.#table.value, entry.value);
  }

  /** Whether a key has a value. */
  has(key: K): boolean {
    return this.#table.get()?.has(this.#table.identity(key)) ?? false;
  }

  /** How many entries it has. */
  get size(): number {
    return this.#table.get()?.size ?? 0;
  }

  /** Sets an entry. */
  set(key: K, value: V): void {
    const entry: Entry<K, V> = { key: keep(this.#table.key, key), value: keep(this.#table.value, value) };
    this.#table.change(CHANGED);
    const { entries, cursor } = this.#table;
    (entries[cursor.slot] ??= new Map()).set(this.#table.identity(entry.key), entry);
  }

  /** Sets an entry to what `change` makes of its value. */
  update(key: K, change: (value: Readonly<V> | undefined) => V): void {
    this.set(key, change(this.get(key)));
  }

  /** Removes an entry; tells whether there was one. */
  delete(key: K): boolean {
    if (!this.has(key)) return false;
    this.#table.change(CLEARED);
    const map = this.#table.get()!;
    map.delete(this.#table.identity(key));
    if (map.size === 0) this.#table.entries[this.#table.cursor.slot] = undefined;
    return true;
  }

  /** Empties the map. */
  clear(): void {
    if (this.size === 0) return;
    this.#table.change(CLEARED);
    this.#table.entries[this.#table.cursor.slot] = undefined;
  }

  /** All entries, in the order of their keys. */
  entries(): [K, Readonly<V>][] {
    return this.#table.sorted(this.#table.get()).map((entry) => [entry.key, lent(this.#table.value, entry.value)]);
  }

  /** All keys in order. */
  keys(): K[] {
    return this.entries().map(([key]) => key);
  }

  /** All values, in the order of their keys. */
  values(): Readonly<V>[] {
    return this.entries().map(([, value]) => value);
  }

  /** The entries, for a loop. */
  [Symbol.iterator](): Iterator<[K, Readonly<V>]> {
    return this.entries()[Symbol.iterator]();
  }
}
