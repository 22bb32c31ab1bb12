/**
 * Tables whose entries expire: beside each value stands when it was written (decisions/0012).
 *
 * An expired entry is never shown. It is taken out when its key is swept: at a timer of the runtime's own, which a key with such state
 * always has, so that a key nobody comes back to is let go as well.
 */

import { checkBlock } from "../block/reader.js";
import { DOMAINS, type Domain, type PlanState } from "../plan.js";
import { decodeList, list, optional, time as timeType } from "../record/index.js";
import { composite, RecordType } from "../record/type.js";
import type { Column } from "../schema.js";
import type { Ttl } from "../ttl.js";
import type { Moment, TimerOp } from "./host.js";
import { CHANGED, CLEARED, ListTable, MapTable, ValueTable, type Cursor, type Entry, type Table } from "./slots.js";

/** When an entry was written, in the time domain of its time-to-live; in neither where that is not known. */
export interface Stamp {
  readonly event: number | null;
  readonly processing: number | null;
}

/** A value and when it was written. */
export interface Stamped<T> extends Stamp {
  readonly value: T;
}

/** The times of the record or timer in flight; a timer's own is left out, for it may be of the other domain. */
interface Clock extends Moment {
  readonly time: number;
}

const UNKNOWN: Stamp = { event: null, processing: null };

/** What all tables of an operator whose entries expire share. */
export class Expiry {
  clock: Clock = { time: -Infinity, watermark: -Infinity, now: -Infinity };
  /** The timers that sweep. */
  readonly sweepers: Partial<Record<Domain, number>> = {};
  /** Which domains have an entry that was written for the record in flight. */
  readonly #written = new Set<Domain>();
  /** Which slots have such a timer, as far as this instance has set it. */
  readonly #set: Readonly<Record<Domain, Set<number>>> = { event: new Set(), processing: new Set() };

  begin(clock: Clock): void {
    this.clock = clock;
    this.#written.clear();
  }

  write(domain: Domain): void {
    this.#written.add(domain);
  }

  /** Notes that a timer has fired; whether it was one that sweeps. */
  fired(slot: number, timer: number): boolean {
    const domain = DOMAINS.find((one) => this.sweepers[one] === timer);
    if (domain === undefined) return false;
    this.#set[domain].delete(slot);
    this.write(domain);
    return true;
  }

  /** Notes that slots are other keys' from now on. */
  forget(slots: readonly number[]): void {
    for (const domain of DOMAINS) for (const slot of slots) this.#set[domain].delete(slot);
  }

  /** Sweeps the slot in hand where it was written to and has no timer, and sets one for what is left. */
  schedule(cursor: Cursor, tables: readonly Table<unknown>[], timers: TimerOp[]): void {
    const { slot } = cursor;
    for (const domain of DOMAINS) {
      const timer = this.sweepers[domain];
      if (timer === undefined || !this.#written.has(domain) || this.#set[domain].has(slot)) continue;
      cursor.flags |= CHANGED | CLEARED;
      const ends = tables.flatMap((table) => table.sweep?.(slot, domain) ?? []);
      if (ends.length === 0) continue;
      // Another one may be there from before a restore. What was written at the end of all input is swept at once.
      timers.push({ slot, timer, action: "replace", time: Math.min(Math.max(...ends), Number.MAX_SAFE_INTEGER) });
      this.#set[domain].add(slot);
    }
  }
}

/** The time-to-live of one piece of state. */
export class Lease {
  readonly #ttl: Ttl;
  readonly #expiry: Expiry;

  constructor(ttl: Ttl, cursor: Cursor) {
    this.#ttl = ttl;
    this.#expiry = cursor.expiry ??= new Expiry();
  }

  get domain(): Domain {
    return this.#ttl.domain;
  }

  get #clock(): number {
    const { watermark, now } = this.#expiry.clock;
    return this.domain === "event" ? watermark : now;
  }

  /** When an entry expires, where it is known when it was written. */
  end(stamp: Stamp): number | undefined {
    const written = stamp[this.domain];
    return written === null ? undefined : written + this.#ttl.ms;
  }

  /** Whether the entry may be seen. */
  isLive(stamp: Stamp): boolean {
    const end = this.end(stamp);
    return end === undefined || this.#clock < end;
  }

  /** The stamp of what is written in place of an entry of another: a record behind its time takes nothing away. */
  renewed(before: Stamp = UNKNOWN): Stamp {
    this.#expiry.write(this.domain);
    const now = this.domain === "event" ? Math.max(this.#expiry.clock.time, this.#clock) : this.#clock;
    const at = Math.max(before[this.domain] ?? -Infinity, now);
    return { ...UNKNOWN, [this.domain]: at === -Infinity ? null : at };
  }

  /** The entry as reading it leaves it. */
  read<S extends Stamp>(entry: S): S {
    if (!this.#ttl.byReads && entry[this.domain] !== null) return entry;
    const stamp = this.renewed(entry);
    return stamp[this.domain] === entry[this.domain] ? entry : { ...entry, ...stamp };
  }

  /** The entry as a sweep leaves it; one whose time is not known begins to live now. */
  swept<S extends Stamp>(entry: S): S | undefined {
    const dated = entry[this.domain] === null ? { ...entry, ...this.renewed(entry) } : entry;
    return this.isLive(dated) ? dated : undefined;
  }
}

const STAMPS: readonly Column[] = ["$event", "$processing"].map((name) => ({ name, type: "i64", optional: false }));

/** The type of values with when they were written. */
function stamped<T>(type: RecordType<T>): RecordType<Stamped<T>> {
  const parts = { value: type as RecordType<unknown>, event: optional(timeType), processing: optional(timeType) };
  const { shape } = composite<Stamped<T>>(parts);
  const schema = [...type.schema, ...STAMPS.map((column) => ({ ...column, optional: true }))];
  return new RecordType<Stamped<T>>(schema, shape, Object.values(parts));
}

/** When the last of some entries expires. */
function last(lease: Lease, entries: Iterable<Stamp>): number | undefined {
  const ends = Array.from(entries, (entry) => lease.end(entry)).filter((end) => end !== undefined);
  return ends.length === 0 ? undefined : Math.max(...ends);
}

/** A value per slot that expires. */
export class ExpiringValueTable<T> extends ValueTable<Stamped<T>> {
  readonly lease: Lease;
  readonly #ttl: Ttl;

  constructor(cursor: Cursor, type: RecordType<T>, ttl: Ttl) {
    super(cursor, stamped(type), "value");
    this.lease = new Lease(ttl, cursor);
    this.#ttl = ttl;
  }

  override declare(name: string): PlanState {
    const columns = this.type.schema.slice(0, -STAMPS.length);
    return { name, kind: "value", schema: [...columns, ...STAMPS], ttl: this.#ttl.inPlan };
  }

  override sweep(slot: number, domain: Domain): number | undefined {
    const entry = this.entries[slot];
    if (domain !== this.lease.domain || entry === undefined) return undefined;
    const left = (this.entries[slot] = this.lease.swept(entry));
    return left && this.lease.end(left);
  }
}

/** A list per slot of which each record expires by itself. */
export class ExpiringListTable<T> extends ListTable<Stamped<T>> {
  readonly lease: Lease;
  readonly #ttl: Ttl;
  readonly #bare: RecordType<T>;

  constructor(cursor: Cursor, type: RecordType<T>, ttl: Ttl) {
    super(cursor, stamped(type));
    this.lease = new Lease(ttl, cursor);
    this.#ttl = ttl;
    this.#bare = type;
  }

  override declare(name: string): PlanState {
    return { name, kind: "list", schema: list(this.type).schema, ttl: this.#ttl.inPlan };
  }

  /** Records of a time before the time-to-live have no stamps. */
  protected override read(bytes: Uint8Array): Stamped<T>[] {
    if (!isBare(bytes, this.#bare)) return super.read(bytes);
    return decodeList(this.#bare, bytes).map((value) => ({ value, ...UNKNOWN }));
  }

  override sweep(slot: number, domain: Domain): number | undefined {
    const entries = this.entries[slot];
    if (domain !== this.lease.domain || entries === undefined) return undefined;
    const left = entries.flatMap((entry) => this.lease.swept(entry) ?? []);
    this.entries[slot] = left.length === 0 ? undefined : left;
    return last(this.lease, left);
  }
}

/** A map per slot of which each entry expires by itself. */
export class ExpiringMapTable<K, V> extends MapTable<K, Stamped<V>> {
  readonly lease: Lease;
  readonly #ttl: Ttl;
  readonly #bare: RecordType<Entry<K, V>>;

  constructor(cursor: Cursor, key: RecordType<K>, value: RecordType<V>, ttl: Ttl) {
    super(cursor, key, stamped(value));
    this.lease = new Lease(ttl, cursor);
    this.#ttl = ttl;
    this.#bare = composite<Entry<K, V>>({ key, value });
  }

  override declare(name: string): PlanState {
    return { ...super.declare(name), ttl: this.#ttl.inPlan };
  }

  protected override read(bytes: Uint8Array): Entry<K, Stamped<V>>[] {
    if (!isBare(bytes, this.#bare)) return super.read(bytes);
    return decodeList(this.#bare, bytes).map(({ key, value }) => ({ key, value: { value, ...UNKNOWN } }));
  }

  override sweep(slot: number, domain: Domain): number | undefined {
    const map = this.entries[slot];
    if (domain !== this.lease.domain || map === undefined) return undefined;
    const left: typeof map = new Map();
    for (const [identity, { key, value }] of map) {
      const swept = this.lease.swept(value);
      if (swept !== undefined) left.set(identity, { key, value: swept });
    }
    this.entries[slot] = left.size === 0 ? undefined : left;
    return last(
      this.lease,
      Array.from(left.values(), ({ value }) => value),
    );
  }
}

function isBare(bytes: Uint8Array, type: RecordType<unknown>): boolean {
  return bytes.length > 0 && checkBlock(bytes).columns === type.schema.length;
}
