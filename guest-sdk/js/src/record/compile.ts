/**
 * Compiles readers, writers and copies of a record type: one function each, straight through its fields.
 *
 * A value is checked as a whole before any of it is stored, so that columns never differ in length.
 */

import type { Block } from "../block/reader.js";
import { tooLarge } from "../int64.js";
import { writingColumn, type WritingColumn } from "../block/writer.js";
import { codeOf, type CellKind } from "./cell.js";
import type { Shape } from "./shape.js";

/** The columns of a shape in order, with what it calls them. */
interface Leaf {
  readonly kind: CellKind;
  /** Whether its column may lack a value. */
  readonly optional: boolean;
  /** Whether it may do so where the record that it is a part of is there. */
  readonly nullable: boolean;
  /** The field as messages name it. */
  readonly label: string;
}

/** Makes the values of rows. */
export type RowReader<T> = (row: number) => T;

/** Where the columns of a record are in a block. */
export interface Picked {
  /** The column of each of the record's columns; in order from `first` where it is absent. */
  readonly columns?: readonly number[];
  readonly first?: number;
  /** Every column is optional, whatever the record says: a block of state. */
  readonly state?: boolean;
}

function leaves(shape: Shape, label: string, into: Leaf[], absent = false): Leaf[] {
  if (shape.kind === "cell") into.push({ kind: shape.cell, optional: shape.optional || absent, nullable: shape.optional, label });
  else if (shape.kind === "maybe") leaves(shape.of, label, into, true);
  else if (shape.kind === "object")
    shape.fields.forEach((field) => leaves(field.shape, `field ${JSON.stringify(field.name)}`, into, absent));
  else shape.items.forEach((item, index) => leaves(item, `item ${index}`, into, absent));
  return into;
}

/** The leaves of a shape. */
export function leavesOf(shape: Shape): readonly Leaf[] {
  return leaves(shape, "the value", []);
}

/** How the parts of a shape are written. */
interface Parts {
  leaf(): string;
  /** A part that may be absent; `present` writes it as if it were there. */
  maybe(present: () => string): string;
}

/** An expression for a shape. */
function build(shape: Shape, parts: Parts): string {
  if (shape.kind === "cell") return parts.leaf();
  if (shape.kind === "maybe") return parts.maybe(() => build(shape.of, parts));
  if (shape.kind === "object") {
    return `{${shape.fields.map((field) => `${JSON.stringify(field.name)}: ${build(field.shape, parts)}`).join(", ")}}`;
  }
  return shape.items.length === 0 ? "null" : `[${shape.items.map((item) => build(item, parts)).join(", ")}]`;
}

const bit = (handle: string): string => `(${handle}[r >> 3] >> (r & 7) & 1) === 1`;

/** Compiles a reader; it is given a block and opens the columns. */
export function compileReader<T>(shape: Shape): (block: Block, picked: Picked) => RowReader<T> {
  const all = leavesOf(shape);
  const names = all.flatMap((leaf, i) => (leaf.optional ? [`h${i}`, `v${i}`] : [`h${i}`]));
  let next = 0;
  const value = build(shape, {
    leaf: () => {
      const i = next++;
      const read = all[i]!.kind.read(`h${i}`);
      return all[i]!.nullable ? `(${bit(`v${i}`)} ? ${read} : null)` : read;
    },
    maybe: (present) => {
      const first = next;
      const read = present();
      const some = Array.from({ length: next - first }, (_, index) => bit(`v${first + index}`));
      return `(${some.join(" || ")} ? ${read} : null)`;
    },
  });
  const source = `"use strict"; return (r) => { let n; return ${value}; };`;
  const make = new Function("tooLarge", ...names, source) as (...handles: unknown[]) => RowReader<T>;
  return (block, picked) => {
    const handles = all.flatMap((leaf, i) => {
      const index = picked.columns === undefined ? (picked.first ?? 0) + i : picked.columns[i]!;
      const column = block.columnOf(index, codeOf(leaf.kind), leaf.optional || picked.state === true);
      const handle = leaf.kind.open(block, column);
      return leaf.optional ? [handle, column.validity] : [handle];
    });
    return make(tooLarge, ...handles);
  };
}

/** What the source of writers and copies calls. */
interface Support {
  fail(label: string, takes: string, value: unknown): never;
  failShape(takes: string, value: unknown): never;
}

const support: Support = {
  fail: (label, takes, value) => {
    throw new TypeError(`${label} takes ${takes}, not ${shown(value)}`);
  },
  failShape: (takes, value) => {
    throw new TypeError(`a record of ${takes} is expected, not ${shown(value)}`);
  },
};

/** A value in a message. */
export function shown(value: unknown): string {
  if (typeof (value as { then?: unknown } | null | undefined)?.then === "function") return "a promise: functions of a job are not async";
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : `a ${value.constructor?.name ?? "object"}`;
  return String(value);
}

/** What has been counted of a shape: its leaves, the names of its parts, and the parts that may be absent. */
interface Counter {
  leaf: number;
  name: number;
  maybe: number;
}

/** The statements that take a value apart into `x0`, `x1`, … and refuse what does not fit; `m0`, `m1`, … tell what is there. */
function takeApart(shape: Shape, value: string, all: readonly Leaf[], counter: Counter, out: string[]): void {
  if (shape.kind === "maybe") {
    const name = `m${counter.maybe++}`;
    out.push(`var ${name} = ${value} !== null && ${value} !== undefined; if (${name}) {`);
    takeApart(shape.of, value, all, counter, out);
    out.push("}");
    return;
  }
  if (shape.kind === "cell") {
    const i = counter.leaf++;
    const { kind, nullable, label } = all[i]!;
    // What is behind the block of a part that may be absent finds these as well, which a `const` would not let it.
    out.push(`var x${i} = ${value};`);
    const wrong = kind.wrong(`x${i}`).replace("HELPER", `helpers[${i}]`);
    const condition = nullable ? `x${i} !== null && x${i} !== undefined && (${wrong})` : wrong;
    out.push(`if (${condition}) support.fail(${JSON.stringify(label)}, ${JSON.stringify(kind.takes)}, x${i});`);
    return;
  }
  if (shape.kind === "object") {
    const name = `o${counter.name++}`;
    out.push(`const ${name} = ${value};`);
    const takes = shape.fields.map((field) => field.name).join(", ");
    out.push(`if (typeof ${name} !== "object" || ${name} === null) support.failShape(${JSON.stringify(takes)}, ${name});`);
    for (const field of shape.fields) takeApart(field.shape, `${name}[${JSON.stringify(field.name)}]`, all, counter, out);
    return;
  }
  if (shape.items.length === 0) return;
  const name = `o${counter.name++}`;
  out.push(`const ${name} = ${value};`);
  out.push(`if (!Array.isArray(${name})) support.failShape("${shape.items.length} items in an array", ${name});`);
  shape.items.forEach((item, index) => takeApart(item, `${name}[${index}]`, all, counter, out));
}

/** A record type's columns being written. */
export interface RecordWriter<T> {
  readonly columns: readonly WritingColumn[];
  /** Appends a record; throws before it changes anything when the record does not fit. */
  push(record: T): void;
  /** Appends an absent value to every column. */
  pushAbsent(): void;
  /** The characters and bytes pushed. */
  size: number;
}

const NONE = new Uint8Array(0);

/** Compiles a maker of writers. */
export function compileWriter<T>(shape: Shape): () => RecordWriter<T> {
  const all = leavesOf(shape);
  const statements: string[] = [];
  takeApart(shape, "record", all, { leaf: 0, name: 0, maybe: 0 }, statements);
  const absent: string[] = [];
  const sizes: string[] = [];
  all.forEach(({ kind, optional }, i) => {
    const store = kind.store(`x${i}`, `helpers[${i}]`);
    const stored = optional ? `x${i} === null || x${i} === undefined ? ${kind.zero} : ${store}` : store;
    statements.push(`const s${i} = ${stored};`);
    if (kind.size(`s${i}`) !== "") sizes.push(kind.size(`s${i}`));
    absent.push(`a${i}.push(${kind.zero});`);
  });
  all.forEach(({ optional }, i) => {
    statements.push(`a${i}.push(s${i});`);
    if (!optional) return;
    statements.push(`p${i}.push(x${i} === null || x${i} === undefined ? 0 : 1);`);
    absent.push(`p${i}.push(0);`);
  });
  if (sizes.length > 0) statements.push(`writer.size += ${sizes.join(" + ")};`);
  const names = all.map(({ optional }, i) => `const a${i} = columns[${i}].values${optional ? `, p${i} = columns[${i}].present` : ""};`);
  const source = `"use strict"; ${names.join(" ")}
writer.push = (record) => { ${statements.join("\n")} };
writer.pushAbsent = () => { ${absent.join(" ")} };`;
  const make = new Function("columns", "writer", "helpers", "support", "NONE", source) as (...args: unknown[]) => void;
  const helpers = all.map((leaf) => leaf.kind.helpers);
  return () => {
    const columns = all.map((leaf) => writingColumn(leaf.kind.type, leaf.optional, leaf.kind.texts));
    const writer = { columns, size: 0 } as unknown as RecordWriter<T>;
    make(columns, writer, helpers, support, NONE);
    return writer;
  };
}

/** Compiles a function that checks a value and copies it as it would be read again. */
export function compileCopy<T>(shape: Shape): (value: T) => T {
  const all = leavesOf(shape);
  const statements: string[] = [];
  takeApart(shape, "record", all, { leaf: 0, name: 0, maybe: 0 }, statements);
  let next = 0;
  let maybes = 0;
  const value = build(shape, {
    leaf: () => {
      const i = next++;
      const { kind, nullable } = all[i]!;
      const copy = kind.copy(`x${i}`, `helpers[${i}]`);
      return nullable ? `(x${i} === null || x${i} === undefined ? null : ${copy})` : copy;
    },
    maybe: (present) => {
      const name = `m${maybes++}`;
      return `(${name} ? ${present()} : null)`;
    },
  });
  const source = `"use strict"; return (record) => { ${statements.join("\n")} return (${value}); };`;
  const helpers = all.map((leaf) => leaf.kind.helpers);
  return (new Function("helpers", "support", source) as (...args: unknown[]) => (value: T) => T)(helpers, support);
}

/** Compiles a function that checks a value and does nothing else. */
export function compileCheck<T>(shape: Shape): (value: T) => void {
  const all = leavesOf(shape);
  const statements: string[] = [];
  takeApart(shape, "record", all, { leaf: 0, name: 0, maybe: 0 }, statements);
  const helpers = all.map((leaf) => leaf.kind.helpers);
  const source = `"use strict"; return (record) => { ${statements.join("\n")} };`;
  return (new Function("helpers", "support", source) as (...args: unknown[]) => (value: T) => void)(helpers, support);
}
