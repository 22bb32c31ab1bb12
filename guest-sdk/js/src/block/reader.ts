/**
 * Reading blocks.
 *
 * The host promises correct blocks, so that {@link Block} looks no closer than it must in order not to read outside of one;
 * {@link checkBlock} holds bytes of any other origin against every rule of `block.md`.
 */

import { timeAt, type Time } from "../int64.js";
import { CODES, TYPE_NAMES, type Column, type Schema } from "../schema.js";
import { decodeText } from "../text.js";
import { BlockError, BYTES_MAX, COLUMN_ENTRY, COLUMNS_MAX, HEADER, MAGIC, pad8, ROWS_MAX, VERSION } from "./layout.js";

/** The parts of one column. */
export interface RawColumn {
  readonly index: number;
  /** The type code. */
  readonly code: number;
  /** One bit a row when the column is optional. */
  readonly validity: Uint8Array | undefined;
  /** Where fixed-width values or offsets begin in the block. */
  readonly data: number;
  /** Where the heap of a string or bytes column begins. */
  readonly heap: number;
}

/** Bytes of one value by type code; 0 for those that have a heap. */
export const WIDTHS: readonly number[] = [0, 1, 4, 8, 8, 0, 0];

/** The bytes of a block, with the header read. */
export class Block {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly rows: number;
  readonly columns: number;
  readonly times: Int32Array;

  constructor(given: Uint8Array) {
    // Typed arrays over the block need it to begin at an address divisible by eight.
    const bytes = (given.byteOffset & 7) === 0 ? given : given.slice();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < HEADER) throw new BlockError("not a block: shorter than a header");
    if (view.getUint32(0, true) !== MAGIC || view.getUint16(4, true) !== VERSION) {
      throw new BlockError(`not a block of version ${VERSION}: another beginning`);
    }
    this.columns = view.getUint16(6, true);
    this.rows = view.getUint32(8, true);
    const length = view.getUint32(12, true);
    if (length !== bytes.length) throw new BlockError(`a block of ${bytes.length} bytes states a length of ${length}`);
    const times = HEADER + COLUMN_ENTRY * this.columns;
    if (times + 8 * this.rows > bytes.length) throw new BlockError("a block that is shorter than its table");
    this.bytes = bytes;
    this.view = view;
    this.times = new Int32Array(bytes.buffer, bytes.byteOffset + times, 2 * this.rows);
  }

  /** The event time of a row. */
  time(row: number): Time {
    return timeAt(this.times, row);
  }

  /** The parts of one column. */
  column(index: number): RawColumn {
    if (index >= this.columns) throw new BlockError(`there is no column ${index}`);
    const entry = HEADER + COLUMN_ENTRY * index;
    const code = this.bytes[entry]!;
    const width = WIDTHS[code];
    if (width === undefined || code === 0) throw new BlockError(`column ${index} has the type ${code}, which there is not`);
    const part = (at: number, length: number): number => {
      if ((at & 7) !== 0 || at + length > this.bytes.length) throw new BlockError(`column ${index} leaves the block`);
      return at;
    };
    const bits = Math.ceil(this.rows / 8);
    const validity = this.bytes[entry + 1] === 0 ? undefined : this.slice(part(this.view.getUint32(entry + 4, true), bits), bits);
    const data = part(this.view.getUint32(entry + 8, true), width === 0 ? 4 * (this.rows + 1) : width * this.rows);
    const heap = width === 0 ? part(this.view.getUint32(entry + 12, true), this.view.getUint32(data + 4 * this.rows, true)) : 0;
    return { index, code, validity, data, heap };
  }

  /** A column that must be of this type. */
  columnOf(index: number, code: number, optional: boolean): RawColumn {
    const column = this.column(index);
    const found = column.validity !== undefined;
    if (column.code === code && found === optional) return column;
    const shown = (type: number, flag: boolean): string => `${TYPE_NAMES[type - 1]}${flag ? "?" : ""}`;
    throw new BlockError(`column ${index} has type ${shown(column.code, found)}, not ${shown(code, optional)}`);
  }

  /** Bytes of the block in place. */
  slice(at: number, length: number): Uint8Array {
    return this.bytes.subarray(at, at + length);
  }

  /** The offsets of a column with a heap. */
  offsets(column: RawColumn): Uint32Array {
    return new Uint32Array(this.bytes.buffer, this.bytes.byteOffset + column.data, this.rows + 1);
  }

  /** The heap of a column. */
  heap(column: RawColumn): Uint8Array {
    return this.slice(column.heap, this.view.getUint32(column.data + 4 * this.rows, true));
  }
}

/** Holds bytes against every rule of the layout, and against a schema where one is given. */
export function checkBlock(bytes: Uint8Array, schema?: Schema): Block {
  if (bytes.length > BYTES_MAX || bytes.length % 8 !== 0) throw new BlockError(`a block has no length of ${bytes.length} bytes`);
  const block = new Block(bytes);
  if (block.columns > COLUMNS_MAX) throw new BlockError(`a block has at most ${COLUMNS_MAX} columns, not ${block.columns}`);
  if (block.rows > ROWS_MAX) throw new BlockError(`a block has at most ${ROWS_MAX} rows, not ${block.rows}`);
  if (block.view.getBigUint64(24, true) !== 0n) throw new BlockError("the reserved part of the header is not zero");
  if (schema !== undefined && schema.length !== block.columns) {
    throw new BlockError(`a block of ${block.columns} columns does not fit a schema of ${schema.length}`);
  }
  let end = HEADER + COLUMN_ENTRY * block.columns + 8 * block.rows;
  for (let index = 0; index < block.columns; index++) end = checkColumn(block, index, end, schema?.[index]);
  if (end !== bytes.length) throw new BlockError(`a block ends at byte ${end}, not at ${bytes.length}`);
  return block;
}

/** Checks one column, whose parts have to begin at `begin`; answers where they end. */
function checkColumn(block: Block, index: number, begin: number, wanted: Column | undefined): number {
  const entry = HEADER + COLUMN_ENTRY * index;
  const wrong = (what: string): never => {
    throw new BlockError(`column ${index} ${what}`);
  };
  const flag = block.bytes[entry + 1]!;
  if (flag > 1 || block.view.getUint16(entry + 2, true) !== 0) wrong("has an entry with bits that mean nothing");
  const column = block.column(index);
  if (wanted !== undefined) block.columnOf(index, CODES[wanted.type], wanted.optional);
  let end = begin;
  const part = (at: number, length: number): void => {
    if (at !== end) wrong(`has a part at byte ${at} rather than ${end}`);
    end = at + pad8(length);
    if (end > block.bytes.length) wrong("leaves the block");
    for (let i = at + length; i < end; i++) if (block.bytes[i] !== 0) wrong("is followed by a gap that is not zero");
  };
  const validityAt = block.view.getUint32(entry + 4, true);
  if (column.validity !== undefined) part(validityAt, column.validity.length);
  else if (validityAt !== 0) wrong("is not optional but has a validity bitmap");
  const width = WIDTHS[column.code]!;
  if (width > 0) {
    if (block.view.getUint32(entry + 12, true) !== 0) wrong("has a heap that its type does not have");
    part(column.data, width * block.rows);
  } else {
    part(column.data, 4 * (block.rows + 1));
    const offsets = block.offsets(column);
    if (offsets[0] !== 0) wrong("has a first offset that is not 0");
    for (let row = 0; row < block.rows; row++) if (offsets[row]! > offsets[row + 1]!) wrong("has offsets that fall");
    part(column.heap, offsets[block.rows]!);
  }
  checkValues(block, column, wrong);
  return end;
}

function checkValues(block: Block, column: RawColumn, wrong: (what: string) => never): void {
  const { validity, data } = column;
  const width = WIDTHS[column.code]!;
  const offsets = width === 0 ? block.offsets(column) : undefined;
  if (validity !== undefined) {
    for (let bit = block.rows; bit < 8 * validity.length; bit++) {
      if (((validity[bit >> 3]! >> (bit & 7)) & 1) !== 0) wrong("has validity bits behind its last row");
    }
  }
  const heap = offsets === undefined ? undefined : block.heap(column);
  for (let row = 0; row < block.rows; row++) {
    const absent = validity !== undefined && ((validity[row >> 3]! >> (row & 7)) & 1) === 0;
    if (offsets !== undefined) {
      if (absent && offsets[row] !== offsets[row + 1]) wrong(`has a value in row ${row}, which is absent`);
      if (column.code === CODES.string) {
        try {
          decodeText(heap!.subarray(offsets[row], offsets[row + 1]));
        } catch {
          wrong(`is not UTF-8 in row ${row}`);
        }
      }
    } else if (absent) {
      const value = block.slice(data + width * row, width);
      if (value.some((byte) => byte !== 0)) wrong(`has a value in row ${row}, which is absent`);
    }
    if (column.code === CODES.bool && block.bytes[data + row]! > 1) wrong(`is neither true nor false in row ${row}`);
  }
}
