/** Schemas: the names and types of a record's columns, as the plan and blocks write them. */

import { encodeText } from "./text.js";
import { xxh3 } from "./xxh3.js";

/** The type of a column, with its code in a block's column table. */
export const CODES = { bool: 1, i32: 2, i64: 3, f64: 4, string: 5, bytes: 6 } as const;

/** The name of a column's type. */
export type ColumnType = keyof typeof CODES;

/** The names of the types, by code; the first has none. */
export const TYPE_NAMES: readonly ColumnType[] = Object.keys(CODES) as ColumnType[];

/** One column of a schema. */
export interface Column {
  /** Its name; names that begin with `$` belong to columns that the SDK adds behind a record. */
  readonly name: string;
  /** The type of every present value. */
  readonly type: ColumnType;
  /** Whether a value may be absent. */
  readonly optional: boolean;
}

/** The columns of a block, in order. The event time is not one of them: every block has it. */
export type Schema = readonly Column[];

/** The text form of a schema: `name:type` of each column, with `?` behind the type of an optional one. */
export function schemaText(schema: Schema): string {
  return schema.map((column) => `${column.name}:${column.type}${column.optional ? "?" : ""}`).join(",");
}

/** XXH3-64 of the text form: equal schemas have equal ids in every language. */
export function schemaId(schema: Schema): bigint {
  return xxh3(encodeText(schemaText(schema)));
}
