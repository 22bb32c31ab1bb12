/**
 * State: per operator some tables indexed by slot, one table per declared piece.
 *
 * A slot is one key's (or one key and window's) state. Reading and writing it costs an index; nothing is hashed and nothing is
 * encoded until the host asks for an export. What a value or list holds is frozen, so that nothing changes behind the runtime's
 * back and undoing a refused record is putting back a reference.
 */

import { Block, checkBlock } from "../block/reader.js";
import { layOut, writingColumn, type WritingColumn } from "../block/writer.js";
import type { Domain, PlanState } from "../plan.js";
import { decodeList, encodeList, list } from "../record/index.js";
import { composite, type RecordType } from "../record/type.js";
import { keyIdentity, keyOrder } from "../record/key.js";
import { schemaId, type Schema } from "../schema.js";
import type { Expiry } from "./expiring.js";
import type { TimerOp } from "./host.js";

/** The record in flight changed its slot. */
export const CHANGED = 1;
/** The record in flight emptied a piece of its slot. */
export const CLEARED = 2;

/** The record in flight: its slot, what it did to it, and whether copies are made before the first change. */
export class Cursor {
  slot = 0;
  flags = 0;
  undo = false;
  /** What keeps the slot from being changed now, if anything does. */
  locked: string | undefined;
  /** What lives for a time, where anything does. */
  expiry: Expiry | undefined;
}

/** One declared piece of state, for all slots. */
export abstract class Table<V> {
  readonly entries: (V | undefined)[] = [];
  readonly cursor: Cursor;
  #copied = false;
  #copy: V | undefined;

  constructor(cursor: Cursor) {
    this.cursor = cursor;
  }

  /** How the plan declares it. */
  abstract declare(name: string): PlanState;
  /** A copy of what a slot holds that later changes do not reach. */
  protected abstract kept(value: V): V;
  /** The columns of these slots, all optional. */
  abstract export(slots: readonly number[]): readonly WritingColumn[];
  /** Takes out of a slot what has expired by a domain; answers when the last of what is left does. */
  sweep?(slot: number, domain: Domain): number | undefined;
  /** Loads columns from `first` on. */
  abstract import(slots: readonly number[], block: Block, first: number): void;

  /** What the slot in hand holds. */
  get(): V | undefined {
    return this.entries[this.cursor.slot];
  }

  /** About to change what the slot in hand holds. */
  change(flags: number): void {
    const { cursor } = this;
    if (cursor.locked !== undefined) throw new Error(cursor.locked);
    cursor.flags |= flags | CHANGED;
    if (!cursor.undo || this.#copied) return;
    this.#copied = true;
    const value = this.entries[cursor.slot];
    this.#copy = value === undefined ? undefined : this.kept(value);
  }

  /** Forgets the copy made for undoing. */
  commit(): void {
    this.#copied = false;
    this.#copy = undefined;
  }

  /** Puts the copy back, if one was made. */
  rollBack(): void {
    if (this.#copied) this.entries[this.cursor.slot] = this.#copy;
    this.commit();
  }
}

/** A value per slot, or none. */
export class ValueTable<T> extends Table<T> {
  readonly type: RecordType<T>;
  readonly #kind: "value" | "list" | "accumulator";

  /** A value may be a list as a whole: what a window that keeps all its records has. */
  constructor(cursor: Cursor, type: RecordType<T>, kind: "value" | "list" | "accumulator") {
    super(cursor);
    this.type = type;
    this.#kind = kind;
  }

  declare(name: string): PlanState {
    return { name, kind: this.#kind, schema: this.type.schema };
  }

  protected kept(value: T): T {
    return value;
  }

  export(slots: readonly number[]): readonly WritingColumn[] {
    const writer = this.type.writer();
    const present = slots.map((slot) => {
      const value = this.entries[slot];
      if (value === undefined) writer.pushAbsent();
      else writer.push(value);
      return value === undefined ? 0 : 1;
    });
    return writer.columns.map((column) => ({ ...column, present: column.present ?? present }));
  }

  import(slots: readonly number[], block: Block, first: number): void {
    const columns = this.type.schema.map((_, index) => block.column(first + index));
    const read = this.type.open(block, { first, state: true });
    slots.forEach((slot, row) => {
      const present = columns.some((column) => column.validity === undefined || ((column.validity[row >> 3]! >> (row & 7)) & 1) === 1);
      this.entries[slot] = present ? read(row) : undefined;
    });
  }
}

/** One bytes column of lists; an empty one is absent. */
function listColumn(lists: readonly Uint8Array[]): WritingColumn {
  const column = writingColumn("bytes", true);
  column.values = [...lists];
  column.present = lists.map((bytes) => (bytes.length === 0 ? 0 : 1));
  return column;
}

/** The bytes column at `first`. */
function listsOf(block: Block, first: number): (row: number) => Uint8Array {
  const column = block.columnOf(first, 6, true);
  const [heap, offsets] = [block.heap(column), block.offsets(column)];
  return (row) => heap.slice(offsets[row], offsets[row + 1]);
}

/** A list per slot. */
export class ListTable<T> extends Table<T[]> {
  readonly type: RecordType<T>;

  constructor(cursor: Cursor, type: RecordType<T>) {
    super(cursor);
    this.type = type;
  }

  declare(name: string): PlanState {
    return { name, kind: "list", schema: list(this.type).schema };
  }

  protected kept(value: T[]): T[] {
    return value.slice();
  }

  /** The records of a block. */
  protected read(bytes: Uint8Array): T[] {
    return decodeList(this.type, bytes);
  }

  export(slots: readonly number[]): readonly WritingColumn[] {
    return [listColumn(slots.map((slot) => encodeList(this.type, this.entries[slot] ?? [])))];
  }

  import(slots: readonly number[], block: Block, first: number): void {
    const bytes = listsOf(block, first);
    slots.forEach((slot, row) => {
      const records = this.read(bytes(row));
      this.entries[slot] = records.length === 0 ? undefined : records;
    });
  }
}

/** One entry of a map. */
export interface Entry<K, V> {
  readonly key: K;
  readonly value: V;
}

/** A map per slot. Entries are found by their keys and told in the order of them, whatever order they came in. */
export class MapTable<K, V> extends Table<Map<unknown, Entry<K, V>>> {
  readonly key: RecordType<K>;
  readonly value: RecordType<V>;
  readonly identity: (key: K) => unknown;
  readonly #order: (a: K, b: K) => number;
  readonly #pair: RecordType<Entry<K, V>>;

  constructor(cursor: Cursor, key: RecordType<K>, value: RecordType<V>) {
    super(cursor);
    this.key = key;
    this.value = value;
    this.identity = keyIdentity(key);
    this.#order = keyOrder(key);
    this.#pair = composite<Entry<K, V>>({ key, value });
  }

  declare(name: string): PlanState {
    return { name, kind: "map", schema: list(this.#pair).schema };
  }

  protected kept(map: Map<unknown, Entry<K, V>>): Map<unknown, Entry<K, V>> {
    return new Map(map);
  }

  /** The entries of a block. */
  protected read(bytes: Uint8Array): Entry<K, V>[] {
    return decodeList(this.#pair, bytes);
  }

  /** The entries of a map in the order of their keys. */
  sorted(map: Map<unknown, Entry<K, V>> | undefined): Entry<K, V>[] {
    return [...(map?.values() ?? [])].sort((a, b) => this.#order(a.key, b.key));
  }

  export(slots: readonly number[]): readonly WritingColumn[] {
    return [listColumn(slots.map((slot) => encodeList(this.#pair, this.sorted(this.entries[slot]))))];
  }

  import(slots: readonly number[], block: Block, first: number): void {
    const bytes = listsOf(block, first);
    slots.forEach((slot, row) => {
      const entries = this.read(bytes(row));
      this.entries[slot] = entries.length === 0 ? undefined : new Map(entries.map((entry) => [this.identity(entry.key), entry]));
    });
  }
}

/** The state of one operator. */
export class Slots {
  readonly cursor: Cursor;
  readonly #tables: readonly Table<unknown>[];
  readonly #schema: Schema;
  #id: bigint | undefined;

  constructor(pieces: readonly (readonly [string, Table<unknown>])[], cursor: Cursor) {
    this.cursor = cursor;
    this.#tables = pieces.map(([, table]) => table);
    this.#schema = pieces.flatMap(([name, table]) =>
      table.declare(name).schema.map((column) => ({ ...column, name: `${name}.${column.name}`, optional: true })),
    );
  }

  isEmpty(slot: number): boolean {
    return this.#tables.every((table) => table.entries[slot] === undefined);
  }

  clear(slots: readonly number[]): void {
    this.cursor.expiry?.forget(slots);
    for (const table of this.#tables) for (const slot of slots) if (slot < table.entries.length) table.entries[slot] = undefined;
  }

  /** Sees to it that what was written for the slot in hand is removed one day. */
  schedule(timers: TimerOp[]): void {
    this.cursor.expiry?.schedule(this.cursor, this.#tables, timers);
  }

  commit(): void {
    this.#tables.forEach((table) => table.commit());
  }

  rollBack(): void {
    this.#tables.forEach((table) => table.rollBack());
  }

  /** Makes room for slots below the greatest of these, so that tables stay arrays without holes. */
  reserve(slots: readonly number[]): void {
    for (const { entries } of this.#tables) for (const slot of slots) while (entries.length <= slot) entries.push(undefined);
  }

  export(slots: readonly number[]): Uint8Array {
    this.#id ??= schemaId(this.#schema);
    return layOut(
      this.#id,
      undefined,
      slots.length,
      this.#tables.flatMap((table) => table.export(slots)),
    );
  }

  import(slots: readonly number[], bytes: Uint8Array): void {
    const block = checkBlock(bytes, this.#schema);
    if (block.rows !== slots.length) throw new Error(`a block of ${block.rows} rows does not fit ${slots.length} slots`);
    this.reserve(slots);
    let first = 0;
    for (const table of this.#tables) {
      table.import(slots, block, first);
      first += table.declare("").schema.length;
    }
  }
}
