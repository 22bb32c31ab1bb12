/** What a context gives for state that lives for a time: what has expired is not there. */

import type { RecordType } from "../record/type.js";
import type { ExpiringListTable, ExpiringMapTable, ExpiringValueTable, Stamped } from "./expiring.js";
import { keep, lent, ListRef, MapRef, ValueRef } from "./refs.js";
import { CHANGED, CLEARED } from "./slots.js";

/** The value of the key in hand, until it expires. */
export class ExpiringValueRef<T> extends ValueRef<T> {
  readonly #table: ExpiringValueTable<T>;
  readonly #type: RecordType<T>;

  constructor(table: ExpiringValueTable<T>, type: RecordType<T>) {
    super(table as never);
    this.#table = table;
    this.#type = type;
  }

  #live(): Stamped<T> | undefined {
    const entry = this.#table.get();
    return entry !== undefined && this.#table.lease.isLive(entry) ? entry : undefined;
  }

  #put(entry: Stamped<T> | undefined, flags: number): void {
    this.#table.change(flags);
    this.#table.entries[this.#table.cursor.slot] = entry;
  }

  override get(): Readonly<T> | undefined {
    const entry = this.#live();
    if (entry === undefined) return undefined;
    const read = this.#table.lease.read(entry);
    if (read !== entry) this.#put(read, 0);
    return lent(this.#type, entry.value);
  }

  override set(value: T): void {
    const kept = keep(this.#type, value);
    this.#put({ value: kept, ...this.#table.lease.renewed(this.#live()) }, 0);
  }

  override take(): Readonly<T> | undefined {
    const live = this.#live();
    if (this.#table.get() !== undefined) this.#put(undefined, CLEARED);
    return live && lent(this.#type, live.value);
  }
}

/** The list of the key in hand, of which each record expires by itself. */
export class ExpiringListRef<T> extends ListRef<T> {
  readonly #table: ExpiringListTable<T>;
  readonly #type: RecordType<T>;

  constructor(table: ExpiringListTable<T>, type: RecordType<T>) {
    super(table as never);
    this.#table = table;
    this.#type = type;
  }

  #live(): Stamped<T>[] {
    return this.#table.get()?.filter((entry) => this.#table.lease.isLive(entry)) ?? [];
  }

  #put(entries: Stamped<T>[], flags: number): void {
    this.#table.change(entries.length === 0 ? flags | CLEARED : flags);
    this.#table.entries[this.#table.cursor.slot] = entries.length === 0 ? undefined : entries;
  }

  override get(): Readonly<T>[] {
    const live = this.#live();
    const read = live.map((entry) => this.#table.lease.read(entry));
    if (read.some((entry, index) => entry !== live[index])) this.#put(read, 0);
    return live.map(({ value }) => lent(this.#type, value));
  }

  override get length(): number {
    return this.#live().length;
  }

  override push(value: T): void {
    const kept = keep(this.#type, value);
    this.#table.change(0);
    const { entries, cursor } = this.#table;
    (entries[cursor.slot] ??= []).push({ value: kept, ...this.#table.lease.renewed() });
  }

  override set(values: Iterable<T>): void {
    const stamp = this.#table.lease.renewed();
    this.#put(
      Array.from(values, (value) => ({ value: keep(this.#type, value), ...stamp })),
      CLEARED,
    );
  }

  override retain(keep: (value: Readonly<T>) => boolean): void {
    const live = this.#live();
    if (live.length > 0)
      this.#put(
        live.filter(({ value }) => keep(lent(this.#type, value))),
        CLEARED,
      );
  }

  override take(): Readonly<T>[] {
    const live = this.#live();
    if (this.#table.get() !== undefined) this.#put([], CLEARED);
    return live.map(({ value }) => lent(this.#type, value));
  }
}

/** The map of the key in hand, of which each entry expires by itself. */
export class ExpiringMapRef<K, V> extends MapRef<K, V> {
  readonly #table: ExpiringMapTable<K, V>;
  readonly #type: RecordType<V>;

  constructor(table: ExpiringMapTable<K, V>, type: RecordType<V>) {
    super(table as never);
    this.#table = table;
    this.#type = type;
  }

  #live(key: K): Stamped<V> | undefined {
    const entry = this.#table.get()?.get(this.#table.identity(key))?.value;
    return entry !== undefined && this.#table.lease.isLive(entry) ? entry : undefined;
  }

  #put(key: K, value: Stamped<V>): void {
    this.#table.change(CHANGED);
    const { entries, cursor } = this.#table;
    (entries[cursor.slot] ??= new Map()).set(this.#table.identity(key), { key, value });
  }

  override get(key: K): Readonly<V> | undefined {
    const entry = this.#live(key);
    if (entry === undefined) return undefined;
    const read = this.#table.lease.read(entry);
    if (read !== entry) this.#put(key, read);
    return lent(this.#type, entry.value);
  }

  override has(key: K): boolean {
    return this.#live(key) !== undefined;
  }

  override get size(): number {
    return this.#all().length;
  }

  override set(key: K, value: V): void {
    const kept = keep(this.#type, value);
    this.#put(keep(this.#table.key, key), { value: kept, ...this.#table.lease.renewed(this.#live(key)) });
  }

  override delete(key: K): boolean {
    const live = this.has(key);
    const map = this.#table.get();
    if (map?.has(this.#table.identity(key)) !== true) return false;
    this.#table.change(CLEARED);
    // The one that may be put back is a copy.
    map.delete(this.#table.identity(key));
    if (map.size === 0) this.#table.entries[this.#table.cursor.slot] = undefined;
    return live;
  }

  override clear(): void {
    if (this.#table.get() === undefined) return;
    this.#table.change(CLEARED);
    this.#table.entries[this.#table.cursor.slot] = undefined;
  }

  /** The keys of what is live, in order. */
  #all(): K[] {
    return this.#table.sorted(this.#table.get()).flatMap(({ key, value }) => (this.#table.lease.isLive(value) ? [key] : []));
  }

  override entries(): [K, Readonly<V>][] {
    return this.#all().map((key) => [key, this.get(key)!]);
  }

  override keys(): K[] {
    return this.#all();
  }
}
