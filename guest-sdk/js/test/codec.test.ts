/** Hashes, texts and blocks of random content. */

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { createXXHash3, type IHasher } from "hash-wasm";

import { checkBlock } from "../src/block/reader.js";
import { layOut } from "../src/block/writer.js";
import { exact, nearest, putInt64s } from "../src/int64.js";
import { record, string, i64, bigint64, f64, bool, i32, bytes, optional, list, json, Refusal } from "./support.js";
import { compareText } from "../src/record/key.js";
import type { ColumnType, Schema } from "../src/schema.js";
import { base64Codec, isAscii, openTexts, standardCodec } from "../src/text.js";
import { rowType, type Value } from "../src/testing/row.js";
import { xxh3 } from "../src/xxh3.js";
import { Random } from "./random.js";

let hasher: IHasher;
before(async () => {
  hasher = await createXXHash3(0, 0);
  // What the engine of components has and Node 20 has not.
  Object.defineProperty(Uint8Array, "fromBase64", {
    value: (text: string) => new Uint8Array(Buffer.from(text, "base64")),
    configurable: true,
  });
  Object.defineProperty(Uint8Array.prototype, "toBase64", {
    value(this: Uint8Array) {
      return Buffer.from(this).toString("base64");
    },
    configurable: true,
  });
});

test("hashes are XXH3's at every length", () => {
  const random = new Random(1);
  const lengths = [...Array(600).keys(), 1023, 1024, 1025, 1026, 2048, 3000, 5000];
  for (const length of lengths) {
    const input = random.bytes(length);
    assert.equal(xxh3(input).toString(16).padStart(16, "0"), hasher.init().update(input).digest(), `length ${length}`);
  }
});

test("both ways to encode texts agree, and with each other's decoding", () => {
  const random = new Random(2);
  const [standard, other] = [standardCodec(), base64Codec()];
  for (let round = 0; round < 300; round++) {
    const texts = Array.from({ length: random.below(20) }, () => random.text());
    if (random.chance(20)) texts.push("\ud83c", "\udf0a", "a\ud83c");
    const [a, b] = [standard.encodeAll(texts), other.encodeAll(texts)];
    assert.deepEqual(a, b);
    const offsets = new Uint32Array(texts.length + 1);
    texts.forEach((text, index) => (offsets[index + 1] = offsets[index]! + (a.lengths?.[index] ?? text.length)));
    for (const codec of [standard, other]) {
      const read = openTexts(a.bytes, offsets, codec);
      assert.deepEqual(
        texts.map((_, row) => read(row)),
        texts.map((text) => codec.decode(codec.encode(text))),
      );
    }
  }
  assert.deepEqual(other.encode("\ud83c"), standard.encode("\ufffd"));
  assert.throws(() => other.decode(new Uint8Array([0xc3])));
  assert.throws(() => standard.decode(new Uint8Array([0xc3])));
});

test("ascii is told from the rest wherever the other byte is", () => {
  for (let length = 0; length < 50; length++) {
    for (const offset of [0, 1, 4]) {
      const ascii = new Uint8Array(64).fill(0x7f).subarray(offset, offset + length);
      assert.equal(isAscii(ascii), true);
      for (let at = 0; at < length; at++) {
        ascii[at] = 0x80;
        assert.equal(isAscii(ascii), false, `${length} ${offset} ${at}`);
        ascii[at] = 0x7f;
      }
    }
  }
});

test("texts are in the order of their bytes", () => {
  const random = new Random(3);
  for (let round = 0; round < 3000; round++) {
    const [a, b] = [random.text(), random.text()];
    assert.equal(Math.sign(compareText(a, b)), Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))), JSON.stringify([a, b]));
  }
});

test("64-bit integers are two words", () => {
  const random = new Random(4);
  const words = new Int32Array(2);
  const edges = [0, -1, 1, -(2 ** 31), 2 ** 31, 2 ** 32, -(2 ** 32), 2 ** 53 - 1, -(2 ** 53) + 1];
  for (const value of [...edges, ...Array.from({ length: 2000 }, () => Number(random.int64() >> 12n))]) {
    putInt64s(words, [value]);
    assert.equal(nearest(words, 0), value);
    assert.equal(exact(words, 0), BigInt(value));
    putInt64s(words, [BigInt(value)]);
    assert.equal(nearest(words, 0), value);
  }
  for (const value of [-(2n ** 63n), 2n ** 63n - 1n, ...Array.from({ length: 2000 }, () => random.int64())]) {
    putInt64s(words, [value]);
    assert.equal(exact(words, 0), value);
  }
});

const TYPES: readonly ColumnType[] = ["bool", "i32", "i64", "f64", "string", "bytes"];

function value(random: Random, type: ColumnType, optional: boolean): Value {
  if (optional && random.chance(40)) return null;
  switch (type) {
    case "bool":
      return random.chance(50);
    case "i32":
      return random.pick([-(2 ** 31), 2 ** 31 - 1, 0, random.below(1000)]);
    case "i64":
      return random.int64();
    case "f64":
      return random.pick([-0, 1.5, Infinity, -1e308, NaN, 5e-324]);
    case "string":
      return random.text();
    case "bytes":
      return random.bytes(random.below(5));
  }
}

test("random blocks are read as they were written, and keep every rule", () => {
  for (let seed = 0; seed < 400; seed++) {
    const random = new Random(seed);
    const schema: Schema = Array.from({ length: random.below(7) }, (_, index) => ({
      name: `c${index}`,
      type: random.pick(TYPES),
      optional: random.chance(50),
    }));
    const rows = Array.from({ length: random.below(30) }, () => schema.map(({ type, optional }) => value(random, type, optional)));
    const times = rows.map(() => random.int64());
    const writer = rowType(schema).writer();
    for (const row of rows) writer.push(row);
    const bytes = layOut(7n, times, rows.length, writer.columns);
    const block = checkBlock(bytes, schema);
    const read = rowType(schema).open(block);
    assert.deepEqual(
      rows.map((_, row) => read(row) ?? []),
      rows,
      `seed ${seed}`,
    );
    assert.deepEqual(
      rows.map((_, row) => BigInt(block.time(row))),
      times,
      `seed ${seed}`,
    );
    // A block that does not begin at a multiple of eight is copied first.
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    assert.deepEqual(
      rows.map((_, row) => rowType(schema).open(checkBlock(shifted.subarray(1)))(row) ?? []),
      rows,
    );
  }
});

test("a byte changed anywhere is refused or read without harm", () => {
  const schema: Schema = [
    { name: "s", type: "string", optional: true },
    { name: "n", type: "i64", optional: false },
  ];
  const writer = rowType(schema).writer();
  for (const row of [
    ["tide", 1n],
    [null, -1n],
    ["ü", 0n],
  ] as Value[][])
    writer.push(row);
  const bytes = layOut(0n, [1, 2, 3], 3, writer.columns);
  for (let at = 0; at < bytes.length; at++) {
    for (const bit of [1, 128]) {
      const broken = bytes.slice();
      broken[at]! ^= bit;
      try {
        const block = checkBlock(broken, schema);
        const read = rowType(schema).open(block);
        for (let row = 0; row < block.rows; row++) read(row);
      } catch (error) {
        assert.equal((error as Error).name, "BlockError", `byte ${at}: ${error}`);
      }
    }
  }
});

const Item = record({ key: i64, text: string });
const All = record({
  flag: bool,
  small: optional(i32),
  large: i64,
  exact: bigint64,
  ratio: f64,
  raw: bytes,
  maybeRaw: optional(bytes),
  name: optional(string),
  nested: list(Item),
  json: json<{ tags: string[]; depth: number | null }>(),
  maybeJson: optional(json<number[]>()),
});

test("every kind of field survives a block", () => {
  const all = (n: number) => ({
    flag: n % 2 === 0,
    small: n % 3 > 0 ? n : null,
    large: n - 5,
    exact: 2n ** 62n + BigInt(n),
    ratio: n / 7,
    raw: new Uint8Array(n).fill(n),
    maybeRaw: n % 2 > 0 ? new Uint8Array(0) : null,
    name: n % 5 > 0 ? "ü".repeat(n) : null,
    nested: Array.from({ length: n }, (_, key) => ({ key, text: "x" })),
    json: { tags: ["a", ""], depth: null },
    maybeJson: n % 2 > 0 ? [n] : null,
  });
  const records = Array.from({ length: 20 }, (_, n) => all(n));
  const writer = All.writer();
  for (const one of records) writer.push(one);
  const read = All.open(checkBlock(layOut(0n, undefined, records.length, writer.columns), All.schema));
  assert.deepEqual(
    records.map((_, row) => read(row)),
    records,
  );
  assert.deepEqual(
    records.map((one) => All.copy(one)),
    records,
  );
});

test("what does not fit a field is refused by name, and nothing is written", () => {
  const writer = All.writer();
  const good = {
    flag: true,
    small: null,
    large: 1,
    exact: 1n,
    ratio: 1,
    raw: new Uint8Array(0),
    maybeRaw: null,
    name: null,
    nested: [],
    json: { tags: [], depth: 1 },
    maybeJson: null,
  };
  const wrong: [string, unknown, string][] = [
    ["flag", 1, 'field "flag" takes true or false, not 1'],
    ["small", 2 ** 31, 'field "small" takes a whole number of 32 bits, not 2147483648'],
    ["large", 1.5, 'field "large" takes a whole number up to 2^53 (larger ones are declared as bigint64), not 1.5'],
    ["large", 2 ** 53, 'field "large" takes a whole number up to 2^53 (larger ones are declared as bigint64), not 9007199254740992'],
    ["large", 1n, 'field "large" takes a whole number up to 2^53 (larger ones are declared as bigint64), not 1n'],
    ["exact", 2n ** 63n, 'field "exact" takes a bigint of 64 bits, not 9223372036854775808n'],
    ["ratio", "1", 'field "ratio" takes a number, not "1"'],
    ["raw", [1], 'field "raw" takes a Uint8Array, not an array'],
    ["name", Promise.resolve(""), 'field "name" takes a string, not a promise: functions of a job are not async'],
    ["nested", null, 'field "nested" takes an array of records, not null'],
    ["nested", [{ key: 1 }], 'field "text" takes a string, not undefined'],
    ["json", undefined, 'field "json" takes what JSON can say, not undefined'],
  ];
  for (const [field, given, message] of wrong) {
    assert.throws(() => writer.push({ ...good, [field]: given } as never), { message });
    assert.throws(() => All.copy({ ...good, [field]: given } as never), { message });
    assert.ok(writer.columns.every((column) => column.values.length === 0));
  }
  assert.throws(() => writer.push(undefined as never), { message: /^a record of flag, small, .* is expected, not undefined$/ });
});

test("a number beyond 2^53 refuses its record, and is exact as a bigint", () => {
  const writer = bigint64.writer();
  for (const n of [2n ** 53n - 1n, 2n ** 53n, -(2n ** 53n), 2n ** 53n + 1n]) writer.push(n);
  const block = checkBlock(layOut(0n, undefined, 4, writer.columns));
  const read = i64.open(block);
  assert.equal(read(0), 2 ** 53 - 1);
  for (const row of [1, 2, 3])
    assert.throws(
      () => read(row),
      (error: Error) => error instanceof Refusal && /beyond what a number holds exactly/.test(error.message),
    );
  assert.equal(bigint64.open(block)(3), 2n ** 53n + 1n);
});
