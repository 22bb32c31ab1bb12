/** Rows outside of blocks, as the kit's host keeps them: 64-bit integers as bigints, so that no digit is lost. */

import { Block } from "../block/reader.js";
import { layOut } from "../block/writer.js";
import type { Time } from "../int64.js";
import { BIGINT64, BOOL, BYTES, F64, I32, STRING, type CellKind } from "../record/cell.js";
import { RecordType } from "../record/type.js";
import { schemaId, schemaText, type ColumnType, type Schema } from "../schema.js";

/** One cell. */
export type Value = null | boolean | number | bigint | string | Uint8Array;

/** A record and its event time. */
export interface Row {
  readonly time: Time;
  readonly values: readonly Value[];
}

const KINDS: Readonly<Record<ColumnType, CellKind>> = { bool: BOOL, i32: I32, i64: BIGINT64, f64: F64, string: STRING, bytes: BYTES };

/** The record type of rows of a schema: arrays of cells. */
export function rowType(schema: Schema): RecordType<Value[]> {
  const items = schema.map(({ type, optional }) => ({ kind: "cell" as const, cell: KINDS[type], optional }));
  return new RecordType<Value[]>(schema, { kind: "array", items });
}

/** A block of rows. */
export function encodeRows(rows: readonly Row[], schema: Schema): Uint8Array {
  const writer = rowType(schema).writer();
  for (const row of rows) writer.push(row.values as Value[]);
  return layOut(
    schemaId(schema),
    rows.map((row) => row.time),
    rows.length,
    writer.columns,
  );
}

/** The rows of a block. */
export function decodeRows(bytes: Uint8Array, schema: Schema): Row[] {
  const block = new Block(bytes);
  const read = rowType(schema).open(block);
  // No columns make no array.
  return Array.from({ length: block.rows }, (_, row) => ({ time: block.time(row), values: read(row) ?? [] }));
}

/** The row of a record. */
export function rowOf<T>(type: RecordType<T>, record: T, time: Time): Row {
  const writer = type.writer();
  writer.push(record);
  return decodeRows(layOut(0n, [time], 1, writer.columns), type.schema)[0]!;
}

/** The records of rows that begin with their columns. */
export function recordsOf<T>(type: RecordType<T>, rows: readonly Row[], schema: Schema): T[] {
  if (rows.length === 0) return [];
  const block = new Block(encodeRows(rows, schema));
  try {
    const read = type.open(block);
    return rows.map((_, row) => read(row));
  } catch (error) {
    throw new Error(
      `the records have the columns ${schemaText(schema)}, which this record type does not read: ${(error as Error).message}`,
    );
  }
}
