/**
 * Cells: what one column of a record holds, and how it is read from and written into a block.
 *
 * Readers and writers of records are put together as source text and compiled once ({@link ./compile.js}), so a cell answers with
 * expressions: in an interpreter, a loop over the fields of each record would cost more than the fields themselves.
 */

import { Block, type RawColumn } from "../block/reader.js";
import { exact } from "../int64.js";
import { CODES, type ColumnType } from "../schema.js";
import { openTexts } from "../text.js";

/** How one kind of cell is written in the source of readers and writers. */
export interface CellKind {
  readonly type: ColumnType;
  /** What is said that such a field takes. */
  readonly takes: string;
  /** Whether texts are stored, which a bytes column may do as well as a string column. */
  readonly texts: boolean;
  /** What an absent value looks like in the column, as source. */
  readonly zero: string;
  /** Whether values of the kind can be a key. */
  readonly key: boolean;
  /** Whether values can be changed in place although they are frozen. */
  readonly mutable: boolean;
  /** Opens the column; the handle is what `read` is given a name of. */
  open(block: Block, column: RawColumn): unknown;
  /** The value of row `r` of the column that `handle` names. */
  read(handle: string): string;
  /** Whether `value` is not one of this kind. */
  wrong(value: string): string;
  /** What is pushed into the column for `value`. */
  store(value: string, helper: string): string;
  /** How many characters or bytes `value` adds; empty for fixed widths. */
  size(stored: string): string;
  /** `value` as it would be read again. */
  copy(value: string, helper: string): string;
  /** Functions that `store` and `copy` may call through `helper`. */
  readonly helpers?: { store?(value: never): unknown; copy?(value: never): unknown; isWrong?(value: unknown): boolean };
}

function words(block: Block, column: RawColumn): Int32Array {
  return new Int32Array(block.bytes.buffer, block.bytes.byteOffset + column.data, 2 * block.rows);
}

const fixed = (value: string): string => value;
const nothing = (): string => "";

/** `true` or `false`. */
export const BOOL: CellKind = {
  type: "bool",
  takes: "true or false",
  texts: false,
  zero: "0",
  key: true,
  mutable: false,
  open: (block, column) => block.slice(column.data, block.rows),
  read: (handle) => `${handle}[r] !== 0`,
  wrong: (value) => `${value} !== true && ${value} !== false`,
  store: (value) => `${value} ? 1 : 0`,
  size: nothing,
  copy: fixed,
};

/** A 32-bit integer. */
export const I32: CellKind = {
  type: "i32",
  takes: "a whole number of 32 bits",
  texts: false,
  zero: "0",
  key: true,
  mutable: false,
  open: (block, column) => new Int32Array(block.bytes.buffer, block.bytes.byteOffset + column.data, block.rows),
  read: (handle) => `${handle}[r]`,
  // A bigint must not come as far as the bitwise operator, which throws words of its own.
  wrong: (value) => `typeof ${value} !== "number" || (${value} | 0) !== ${value}`,
  store: fixed,
  size: nothing,
  // Minus zero comes back as zero.
  copy: (value) => `${value} + 0`,
};

/** A 64-bit integer as a number. */
export const I64: CellKind = {
  ...I32,
  type: "i64",
  takes: "a whole number up to 2^53 (larger ones are declared as bigint64)",
  open: words,
  // `n` is a variable of the reader.
  read: (h) =>
    `((n = ${h}[2 * r + 1] * 4294967296 + (${h}[2 * r] >>> 0)) > 9007199254740991 || n < -9007199254740991 ? tooLarge(${h}, r) : n)`,
  // Most numbers have 32 bits, of which the operator tells. Adding 1.5 * 2^52 rounds a number below 2^51 to a whole one, which costs
  // less than a call; the others are few.
  wrong: (value) =>
    `typeof ${value} !== "number" || ((${value} | 0) !== ${value} && (${value} + 6755399441055744 - 6755399441055744 !== ${value} || ` +
    `${value} > 2251799813685248 || ${value} < -2251799813685248) && !Number.isSafeInteger(${value}))`,
};

/** A time, or the bound of a window: what is beyond a number's reach is infinite. */
export const TIME: CellKind = {
  ...I64,
  takes: "a time in milliseconds",
  read: (h) =>
    `((n = ${h}[2 * r + 1] * 4294967296 + (${h}[2 * r] >>> 0)) > 9007199254740991 ? Infinity : n < -9007199254740991 ? -Infinity : n)`,
  wrong: (value) => `${value} !== Infinity && ${value} !== -Infinity && !Number.isSafeInteger(${value})`,
  store: (value) => `${value} === Infinity ? 9223372036854775807n : ${value} === -Infinity ? -9223372036854775808n : ${value}`,
};

/** A 64-bit integer as a bigint. */
export const BIGINT64: CellKind = {
  ...I32,
  type: "i64",
  takes: "a bigint of 64 bits",
  zero: "0n",
  open: (block, column) => {
    const cells = words(block, column);
    return (row: number) => exact(cells, row);
  },
  read: (handle) => `${handle}(r)`,
  wrong: (value) => `typeof ${value} !== "bigint" || BigInt.asIntN(64, ${value}) !== ${value}`,
  copy: fixed,
};

/** A number. */
export const F64: CellKind = {
  ...I32,
  type: "f64",
  takes: "a number",
  key: false,
  open: (block, column) => new Float64Array(block.bytes.buffer, block.bytes.byteOffset + column.data, block.rows),
  wrong: (value) => `typeof ${value} !== "number"`,
  copy: fixed,
};

/** A text. */
export const STRING: CellKind = {
  type: "string",
  takes: "a string",
  texts: true,
  zero: '""',
  key: true,
  mutable: false,
  open: (block, column) => openTexts(block.heap(column), block.offsets(column)),
  read: (handle) => `${handle}(r)`,
  wrong: (value) => `typeof ${value} !== "string"`,
  store: fixed,
  size: (stored) => `${stored}.length`,
  copy: fixed,
};

/** Any bytes. */
export const BYTES: CellKind = {
  ...STRING,
  type: "bytes",
  takes: "a Uint8Array",
  texts: false,
  zero: "NONE",
  mutable: true,
  open: openBytes,
  wrong: (value) => `!(${value} instanceof Uint8Array)`,
  // A copy: what is emitted must not change until the block is laid out.
  store: (value) => `${value}.slice()`,
  copy: (value) => `${value}.slice()`,
};

function openBytes(block: Block, column: RawColumn): (row: number) => Uint8Array {
  const [heap, offsets] = [block.heap(column), block.offsets(column)];
  return (row) => heap.slice(offsets[row], offsets[row + 1]);
}

/** A kind whose values are encoded as the content of a bytes column. */
export function encodedKind<T>(spec: {
  takes: string;
  texts: boolean;
  isWrong(value: unknown): boolean;
  encode(value: T): string | Uint8Array;
  decode(stored: string | Uint8Array): T;
  copy(value: T): T;
}): CellKind {
  const open = spec.texts ? STRING.open : openBytes;
  return {
    type: "bytes",
    takes: spec.takes,
    texts: spec.texts,
    zero: spec.texts ? '""' : "NONE",
    key: false,
    mutable: false,
    open: (block, column) => {
      const stored = open(block, column) as (row: number) => string | Uint8Array;
      return (row: number) => spec.decode(stored(row));
    },
    read: (handle) => `${handle}(r)`,
    wrong: (value) => `HELPER.isWrong(${value})`,
    store: (value, helper) => `${helper}.store(${value})`,
    size: (stored) => `${stored}.length`,
    copy: (value, helper) => `${helper}.copy(${value})`,
    helpers: { store: spec.encode as (value: never) => unknown, copy: spec.copy as (value: never) => unknown, isWrong: spec.isWrong },
  };
}

/** The code of a kind's column. */
export function codeOf(kind: CellKind): number {
  return CODES[kind.type];
}
