/** The vectors of the contract: blocks byte by byte, blocks that are refused, and keys. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { checkBlock } from "../src/block/reader.js";
import { layOut } from "../src/block/writer.js";
import type { Time } from "../src/int64.js";
import { schemaId, type ColumnType, type Schema } from "../src/schema.js";
import { keyBytes, keyGroup, workerOf } from "../src/testing/key.js";
import { rowType, type Value } from "../src/testing/row.js";
import { xxh3 } from "../src/xxh3.js";

const vectors = (name: string): any => JSON.parse(readFileSync(new URL(`../wit/vectors/${name}.json`, import.meta.url), "utf8"));
const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function schemaOf(text: string): Schema {
  return text === ""
    ? []
    : text.split(",").map((column) => {
        const [, name, type, mark] = /^(.*):([a-z0-9]+)(\??)$/.exec(column)!;
        return { name: name!, type: type as ColumnType, optional: mark === "?" };
      });
}

/** A cell as the vectors write it. */
function cellOf(cell: unknown, type: ColumnType): Value {
  if (cell === null) return null;
  if (type === "i64") return BigInt(cell as string);
  if (type === "bytes") return bytesOf(cell as string);
  if (type === "f64") return new DataView(bytesOf(cell as string).buffer).getFloat64(0);
  return cell as Value;
}

/** JavaScript knows one NaN: its payload is nobody's to keep. */
const oneNaN = (hex: string): string =>
  hex.replace(/(?:010000000000f0ff|010000000000f8ff|010000000000f07f|010000000000f87f)/g, "000000000000f87f");

for (const { name, schema: text, schema_id, times, rows, hex } of vectors("blocks").good) {
  test(`block: ${name}`, () => {
    const schema = schemaOf(text);
    assert.equal(schemaId(schema).toString(16).padStart(16, "0"), schema_id);
    const values = rows.map((row: unknown[]) => row.map((cell, index) => cellOf(cell, schema[index]!.type)));
    const type = rowType(schema);
    const writer = type.writer();
    for (const row of values) writer.push(row);
    const written = layOut(
      schemaId(schema),
      times.map((time: string): Time => BigInt(time)),
      rows.length,
      writer.columns,
    );
    assert.equal(oneNaN(hexOf(written)), oneNaN(hex));
    const block = checkBlock(bytesOf(hex), schema);
    const read = type.open(block);
    assert.deepEqual(
      Array.from({ length: block.rows }, (_, row) => read(row) ?? []),
      values,
    );
    assert.deepEqual(
      Array.from({ length: block.rows }, (_, row) => String(block.time(row))),
      times,
    );
  });
}

for (const { name, schema, hex } of vectors("blocks").refused) {
  test(`refused block: ${name}`, () => {
    assert.throws(() => checkBlock(bytesOf(hex), schemaOf(schema)), { name: "BlockError" });
  });
}

for (const { schema: text, row, key, hash, group, workers } of vectors("keys").keys) {
  test(`key: ${text} ${JSON.stringify(row)}`, () => {
    const schema = schemaOf(text);
    const bytes = keyBytes(
      row.map((cell: unknown, index: number) => cellOf(cell, schema[index]!.type)),
      schema,
    );
    assert.equal(hexOf(bytes), key);
    assert.equal(xxh3(bytes).toString(16).padStart(16, "0"), hash);
    assert.equal(keyGroup(bytes), group);
    assert.deepEqual(
      [2, 3, 4].map((parallelism) => workerOf(group, parallelism)),
      workers,
    );
  });
}
