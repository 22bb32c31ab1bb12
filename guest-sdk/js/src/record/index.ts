/**
 * Record types. A record is declared once, as a value, and its TypeScript type follows:
 *
 * ```ts
 * const Reading = record({ sensor: string, celsius: f64, at: i64 });
 * type Reading = Infer<typeof Reading>; // { sensor: string; celsius: number; at: number }
 * ```
 */

import { checkBlock } from "../block/reader.js";
import { layOut } from "../block/writer.js";
import { JobError, Refusal } from "../errors.js";
import { BIGINT64, BOOL, BYTES, encodedKind, F64, I32, I64, STRING, TIME, type CellKind } from "./cell.js";
import { CellType, composite, RecordType, type Infer } from "./type.js";

export { CellType, composite, RecordType, type FieldName, type Infer } from "./type.js";

const cell = <T>(kind: CellKind, own = "value"): CellType<T> => new CellType<T>({ kind: "cell", cell: kind, optional: false }, own);

/** `true` or `false`. */
export const bool: CellType<boolean> = cell(BOOL);
/** A whole number of 32 bits. */
export const i32: CellType<number> = cell(I32);
/** A whole number of 64 bits as a `number`. A record with one beyond 2^53 is refused; see {@link bigint64}. */
export const i64: CellType<number> = cell(I64);
/** A whole number of 64 bits as a `bigint`: slower than {@link i64}, and exact over the whole range. */
export const bigint64: CellType<bigint> = cell(BIGINT64);
/** A time, or the bound of a window, which may be infinite. */
export const time: CellType<number> = cell(TIME);
/** A number with a fraction. */
export const f64: CellType<number> = cell(F64);
/** A text. */
export const string: CellType<string> = cell(STRING);
/** Any bytes. */
export const bytes: CellType<Uint8Array> = cell(BYTES);

/** A value that may be absent, which is `null`. */
export function optional<T>(of: CellType<T>): CellType<T | null> {
  return new CellType<T | null>({ ...of.shape, optional: true }, of.schema[0]!.name, of.columnName);
}

/** Anything that `JSON.stringify` can write, as one field of bytes: readable in every language, but no key and no column. */
export function json<T>(): CellType<T> {
  const kind = encodedKind<T>({
    takes: "what JSON can say",
    texts: true,
    isWrong: (value) => JSON.stringify(value) === undefined,
    encode: (value) => JSON.stringify(value),
    decode: (stored) => parse(stored as string) as T,
    copy: (value) => deepFreeze(JSON.parse(JSON.stringify(value)) as T),
  });
  return cell(kind, "json");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Refusal(`a json field cannot be decoded: ${(error as Error).message}`);
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}

/** Records as one field of bytes that holds a block of them: readable in every language. */
export function list<T>(of: RecordType<T>): CellType<readonly T[]> {
  const kind = encodedKind<readonly T[]>({
    takes: "an array of records",
    texts: false,
    isWrong: (value) => !Array.isArray(value),
    encode: (records) => encodeList(of, records),
    decode: (stored) => decodeList(of, stored as Uint8Array),
    copy: (records) => Object.freeze(records.map((value) => Object.freeze(of.copy(value)))),
  });
  return cell(kind, "block");
}

/** The block of some records; nothing at all for none. */
export function encodeList<T>(of: RecordType<T>, records: Iterable<T>): Uint8Array {
  const writer = of.writer();
  let rows = 0;
  for (const value of records) {
    writer.push(value);
    rows++;
  }
  return rows === 0 ? new Uint8Array(0) : layOut(0n, undefined, rows, writer.columns);
}

/** The records of a block that {@link encodeList} or another language wrote. */
export function decodeList<T>(of: RecordType<T>, stored: Uint8Array): T[] {
  if (stored.length === 0) return [];
  try {
    const block = checkBlock(stored);
    const read = of.open(block);
    return Array.from({ length: block.rows }, (_, row) => read(row));
  } catch (error) {
    throw new Refusal(`a list cannot be decoded: ${(error as Error).message}`);
  }
}

/** Fields of a record. */
export type Fields = Readonly<Record<string, CellType<unknown>>>;

/** How column names follow from names of fields. */
export type ColumnCase = "snake_case" | "kebab-case" | "PascalCase" | "SCREAMING_SNAKE_CASE";

/** More about a record. */
export interface RecordOptions {
  /** How the columns are called whose fields are `camelCase` in the program. */
  readonly columns?: ColumnCase;
}

/**
 * A record of named fields, which become its columns in this order.
 *
 * @throws JobError when a name cannot be a column's.
 */
export function record<F extends Fields>(fields: F, options: RecordOptions = {}): RecordType<{ [K in keyof F]: Infer<F[K]> }> {
  const names = Object.keys(fields);
  if (names.length === 0) throw new JobError("a record has at least one field");
  const schema = names.map((name) => {
    const type = fields[name];
    if (!(type instanceof CellType)) {
      throw new JobError(
        `field ${JSON.stringify(name)} is no column type: fields are string, i64, f64 and so on; for nested ones use list or json`,
      );
    }
    return type.column(cased(name, options.columns));
  });
  for (const [index, { name }] of schema.entries()) {
    // Numbers as names would come before all others, whatever the order of the declaration.
    if (!/^[A-Za-z0-9_.-]+$/.test(name) || /^\d+$/.test(names[index]!)) {
      throw new JobError(`${JSON.stringify(name)} cannot be a column's name: letters, digits, "_", "." and "-" can, and not digits alone`);
    }
    if (schema.findIndex((column) => column.name === name) < index)
      throw new JobError(`two fields have the column name ${JSON.stringify(name)}`);
  }
  const shape = { kind: "object" as const, fields: names.map((name) => ({ name, shape: fields[name]!.shape })) };
  return new RecordType(schema, shape, Object.values(fields));
}

function cased(field: string, style: ColumnCase | undefined): string {
  const words = field.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
  switch (style) {
    case "snake_case":
      return words.join("_");
    case "kebab-case":
      return words.join("-");
    case "SCREAMING_SNAKE_CASE":
      return words.join("_").toUpperCase();
    case "PascalCase":
      return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
    case undefined:
      return field;
  }
}

/** The items of a tuple type. */
type Items<C extends readonly CellType<unknown>[]> = { -readonly [I in keyof C]: Infer<C[I]> };

/** A record without names: an array whose columns are called `f0`, `f1` and so on. */
export function tuple<C extends readonly CellType<unknown>[]>(...cells: C): RecordType<Items<C>> {
  const schema = cells.map((type, index) => type.column(`f${index}`));
  return new RecordType<Items<C>>(schema, { kind: "array", items: cells.map((type) => type.shape) }, cells);
}

/** The type of a key that does not exist: windows over all records have it. */
export const noKey: RecordType<null> = new RecordType<null>([], { kind: "array", items: [] });

/** How many records a key has had: what `count` on a keyed stream gives. */
export interface KeyCount<K> {
  /** The key. */
  key: K;
  /** The number of records so far. */
  count: number;
}

/** A running aggregate of a key: what `sum`, `min` and `max` on a keyed stream give. */
export interface KeyValue<K, V> {
  /** The key. */
  key: K;
  /** The aggregate so far. */
  value: V;
}

/** The bounds of a window. */
export interface Bounds {
  /** The first millisecond of the window; `-Infinity` of a global one. */
  start: number;
  /** The first millisecond behind the window; `Infinity` of a global one. */
  end: number;
}

/** How many records a key has in a window: what `count` on a window gives. */
export interface WindowCount<K> extends KeyCount<K>, Bounds {}

/** An aggregate of a key in a window: what `sum`, `min` and `max` on a window give. */
export interface WindowValue<K, V> extends KeyValue<K, V>, Bounds {}

/** A record of a window: what `minBy` and `maxBy` on a window give. */
export interface WindowRecord<T> extends Bounds {
  /** The record. */
  record: T;
}

/** The record type of {@link KeyCount}. */
export const keyCount = <K>(key: RecordType<K>): RecordType<KeyCount<K>> => composite({ key, count: i64 });
/** The record type of {@link KeyValue}. */
export const keyValue = <K, V>(key: RecordType<K>, value: RecordType<V>): RecordType<KeyValue<K, V>> => composite({ key, value });
/** The record type of {@link WindowCount}. */
export const windowCount = <K>(key: RecordType<K>): RecordType<WindowCount<K>> => composite({ key, start: time, end: time, count: i64 });
/** The record type of {@link WindowValue}. */
export const windowValue = <K, V>(key: RecordType<K>, value: RecordType<V>): RecordType<WindowValue<K, V>> =>
  composite({ key, start: time, end: time, value });
/** The record type of {@link WindowRecord}. */
export const windowRecord = <T>(of: RecordType<T>): RecordType<WindowRecord<T>> => composite({ start: time, end: time, record: of });

/** A record that was refused, as the port `dead-letter` of an operator gives it. */
export const DeadLetter = record({ operator: string, place: string, reason: string, record: string });
/** See {@link DeadLetter:var}: where it was, what was wrong with it, and the record, shortened. */
export type DeadLetter = Infer<typeof DeadLetter>;
