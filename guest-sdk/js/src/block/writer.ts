/**
 * The columns of a block while it is being written. A column is an array of values until the block is laid out, when
 * native code copies or encodes it as a whole.
 */

import { putInt64s, type Time } from "../int64.js";
import { CODES, type ColumnType } from "../schema.js";
import { encodeTexts, type Heap } from "../text.js";
import { BlockError, BYTES_MAX, COLUMN_ENTRY, HEADER, MAGIC, pad8, VERSION } from "./layout.js";
import { WIDTHS } from "./reader.js";

/** What a cell is in an array of values: bools are 0 and 1. */
export type CellValue = number | bigint | string | Uint8Array;

/** A column being written. */
export interface WritingColumn {
  readonly code: number;
  /** Whether texts are the content of a bytes column, as JSON is. */
  readonly texts: boolean;
  /** The values, those of absent cells being 0 or empty. */
  values: CellValue[];
  /** 1 for each present value, 0 for each absent one; absent where the column is not optional. */
  present: number[] | undefined;
  /** The characters or bytes of its values so far: what may make a block large although its rows are few. */
  size: number;
}

/** An empty column. */
export function writingColumn(type: ColumnType, optional: boolean, texts = type === "string"): WritingColumn {
  return { code: CODES[type], texts, values: [], present: optional ? [] : undefined, size: 0 };
}

/** What an absent cell of a column looks like. */
export function absentValue(code: number, texts: boolean, big: boolean): CellValue {
  if (texts) return "";
  if (code === CODES.bytes) return NO_BYTES;
  return big ? 0n : 0;
}

const NO_BYTES = new Uint8Array(0);

/** Forgets all rows from `rows` on. */
export function truncateColumn(column: WritingColumn, rows: number): void {
  column.values.length = rows;
  if (column.present !== undefined) column.present.length = rows;
}

/** A column encoded, before its place in the block is known. */
interface Encoded {
  readonly column: WritingColumn;
  readonly heap: Heap | undefined;
  readonly validity: number;
  readonly data: number;
}

/** Lays a block out. Columns and times stay as they are. */
export function layOut(schemaId: bigint, times: readonly Time[] | undefined, rows: number, columns: readonly WritingColumn[]): Uint8Array {
  let length = HEADER + COLUMN_ENTRY * columns.length + 8 * rows;
  const encoded = columns.map((column): Encoded => {
    const width = WIDTHS[column.code]!;
    const heap = width === 0 ? encodeHeap(column) : undefined;
    const validity = column.present === undefined ? 0 : pad8(Math.ceil(rows / 8));
    const data = pad8(heap === undefined ? width * rows : 4 * (rows + 1));
    length += validity + data + pad8(heap?.bytes.length ?? 0);
    return { column, heap, validity, data };
  });
  if (length > BYTES_MAX) {
    throw new BlockError(`a block of ${length} bytes is larger than a block may be (${BYTES_MAX} bytes): emit less at a time`);
  }
  const out = new Uint8Array(length);
  const view = new DataView(out.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, VERSION, true);
  view.setUint16(6, columns.length, true);
  view.setUint32(8, rows, true);
  view.setUint32(12, length, true);
  view.setBigUint64(16, schemaId, true);
  let at = HEADER + COLUMN_ENTRY * columns.length;
  if (times !== undefined) putInt64s(new Int32Array(out.buffer, at, 2 * rows), times);
  at += 8 * rows;
  encoded.forEach((one, index) => (at = place(out, view, one, HEADER + COLUMN_ENTRY * index, at, rows)));
  return out;
}

/** Writes one column and its entry; answers where it ends. */
function place(out: Uint8Array, view: DataView, one: Encoded, entry: number, begin: number, rows: number): number {
  const { column, heap } = one;
  let at = begin;
  out[entry] = column.code;
  if (column.present !== undefined) {
    out[entry + 1] = 1;
    view.setUint32(entry + 4, at, true);
    putBits(out, at, column.present);
    at += one.validity;
  }
  view.setUint32(entry + 8, at, true);
  if (heap === undefined) {
    putFixed(out, at, column, rows);
    return at + one.data;
  }
  putOffsets(new Uint32Array(out.buffer, at, rows + 1), column, heap);
  at += one.data;
  view.setUint32(entry + 12, at, true);
  out.set(heap.bytes, at);
  return at + pad8(heap.bytes.length);
}

function encodeHeap(column: WritingColumn): Heap {
  if (column.texts) return encodeTexts(column.values as string[]);
  const values = column.values as Uint8Array[];
  const bytes = new Uint8Array(values.reduce((sum, value) => sum + value.length, 0));
  let at = 0;
  for (const value of values) {
    bytes.set(value, at);
    at += value.length;
  }
  return { bytes };
}

function putOffsets(offsets: Uint32Array, column: WritingColumn, heap: Heap): void {
  const { lengths } = heap;
  const values = column.values as { length: number }[];
  let end = 0;
  for (let row = 0; row < values.length; row++) {
    end += lengths === undefined ? values[row]!.length : lengths[row]!;
    offsets[row + 1] = end;
  }
}

function putFixed(out: Uint8Array, at: number, column: WritingColumn, rows: number): void {
  const values = column.values;
  switch (column.code) {
    case CODES.bool:
      out.set(values as number[], at);
      return;
    case CODES.i32:
      new Int32Array(out.buffer, at, rows).set(values as number[]);
      return;
    case CODES.f64:
      new Float64Array(out.buffer, at, rows).set(values as number[]);
      return;
    default:
      putInt64s(new Int32Array(out.buffer, at, 2 * rows), values as Time[]);
  }
}

function putBits(out: Uint8Array, at: number, present: readonly number[]): void {
  for (let row = 0; row < present.length; row++) if (present[row] === 1) out[at + (row >> 3)]! |= 1 << (row & 7);
}
