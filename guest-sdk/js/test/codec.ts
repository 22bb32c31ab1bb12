/**
 * The SDK's codec as a program, for the test that holds the languages against the host: tests/conformance/tests/blocks.rs.
 *
 * `echo IN OUT` reads blocks, tells what they hold and writes them again; `make SEED COUNT OUT` makes random ones. Of each
 * block OUT gets the schema, the bytes and the rows as text, behind their lengths; IN has no text.
 */

import { readFileSync, writeFileSync } from "node:fs";

import { checkBlock } from "../src/block/reader.js";
import { CODES, schemaText, type Column, type ColumnType, type Schema } from "../src/schema.js";
import { decodeRows, encodeRows, type Row, type Value } from "../src/testing/row.js";
import { Random } from "./random.js";

const TYPES = Object.keys(CODES) as ColumnType[];
const NUMBERS = [0n, 1n, -1n, 2n ** 31n - 1n, -(2n ** 31n), 2n ** 53n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n)];
const FLOATS = [0, -0, 1.5, Infinity, -Infinity, NaN, 5e-324, Number.MAX_VALUE];

function* partsOf(data: Buffer): Generator<Buffer> {
  for (let at = 0; at < data.length;) {
    const end = at + 4 + data.readUInt32LE(at);
    yield data.subarray(at + 4, end);
    at = end;
  }
}

function schemaOf(text: string): Schema {
  const column = (part: string): Column => {
    const [, name, type, mark] = /^(.*):([a-z0-9]+)(\??)$/.exec(part)!;
    return { name: name!, type: type as ColumnType, optional: mark === "?" };
  };
  return text === "" ? [] : text.split(",").map(column);
}

function told(value: Value, type: ColumnType): string {
  if (value === null) return "-";
  if (type === "bool") return value === true ? "t" : "f";
  if (type === "f64") {
    const bits = Buffer.alloc(8);
    bits.writeDoubleBE(value as number);
    return bits.toString("hex");
  }
  if (type === "string") return `"${Buffer.from(value as string, "utf8").toString("hex")}`;
  return type === "bytes" ? `"${Buffer.from(value as Uint8Array).toString("hex")}` : String(value);
}

function answer(schema: Schema, rows: readonly Row[]): Buffer {
  const lines = rows.map(({ time, values }) => [String(time), ...schema.map(({ type }, at) => told(values[at]!, type))].join(" ") + "\n");
  const parts = [Buffer.from(schemaText(schema)), Buffer.from(encodeRows(rows, schema)), Buffer.from(lines.join(""))];
  const length = (part: Buffer): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(part.length);
    return bytes;
  };
  return Buffer.concat(parts.flatMap((part) => [length(part), part]));
}

function echo(data: Buffer): Buffer[] {
  const parts = [...partsOf(data)];
  const answers: Buffer[] = [];
  for (let at = 0; at < parts.length; at += 2) {
    const schema = schemaOf(parts[at]!.toString("utf8"));
    // Where a block begins in the file is no multiple of 8.
    const bytes = Uint8Array.from(parts[at + 1]!);
    checkBlock(bytes, schema);
    answers.push(answer(schema, decodeRows(bytes, schema)));
  }
  return answers;
}

function randomValue(random: Random, type: ColumnType): Value {
  switch (type) {
    case "bool":
      return random.chance(50);
    case "i32":
      return Number(BigInt.asIntN(32, random.chance(50) ? random.pick(NUMBERS) : random.int64()));
    case "i64":
      return random.chance(50) ? random.pick(NUMBERS) : random.int64();
    case "f64":
      // JavaScript knows one NaN.
      return random.chance(50) ? random.pick(FLOATS) : new DataView(random.bytes(8).buffer).getFloat64(0) || NaN;
    case "string":
      return random.chance(98) ? random.text() : random.text().repeat(500);
    case "bytes":
      return random.bytes(random.chance(98) ? random.below(12) : random.below(5000));
  }
}

function make(random: Random): Buffer {
  const schema = Array.from({ length: random.below(9) }, (_, at): Column => ({
    name: `c${at}`,
    type: random.pick(TYPES),
    optional: random.chance(50),
  }));
  const gaps = schema.map(({ optional }) => (optional ? random.pick([20, 90]) : 0));
  const values = (): Value[] => schema.map(({ type }, at) => (random.chance(gaps[at]!) ? null : randomValue(random, type)));
  const count = random.chance(5) ? 0 : 1 + random.below(69);
  return answer(
    schema,
    Array.from({ length: count }, () => ({ time: randomValue(random, "i64") as bigint, values: values() })),
  );
}

const [command, first, second, third] = process.argv.slice(2) as [string, string, string, string];
if (command === "echo") {
  writeFileSync(second, Buffer.concat(echo(readFileSync(first))));
} else {
  const random = new Random(Number(BigInt.asUintN(32, BigInt(first))));
  writeFileSync(third, Buffer.concat(Array.from({ length: Number(second) }, () => make(random))));
}
