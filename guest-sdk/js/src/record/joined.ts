/** What joins give: an object with the record of each side under its name, `null` where a side that is optional has none. */

import type { Column } from "../schema.js";
import { RecordType } from "./type.js";

/**
 * A record that may be absent: all of its columns are optional, and it is `null` where all of them are absent. So a record whose every
 * field is an `optional` that has nothing cannot be told from none.
 */
export function maybe<T>(of: RecordType<T>): RecordType<T | null> {
  const schema = of.schema.map((column) => ({ ...column, optional: true }));
  return new RecordType<T | null>(schema, { kind: "maybe", of: of.shape });
}

/** The record of several sides, whose columns stand there as `SIDE.COLUMN`. */
export function joined<T>(sides: readonly { readonly name: string; readonly type: RecordType<unknown> }[]): RecordType<T> {
  const prefixed = sides.flatMap(({ name, type }): Column[] =>
    type.schema.map((column) => ({ ...column, name: `${name}.${column.name}` })),
  );
  const fields = sides.map(({ name, type }) => ({ name, shape: type.shape }));
  return new RecordType<T>(
    prefixed,
    { kind: "object", fields },
    sides.map(({ type }) => type),
  );
}
