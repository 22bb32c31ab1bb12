/** Record types: what a record consists of, as a value that a job hands to its operators. */

import type { Block } from "../block/reader.js";
import { JobError } from "../errors.js";
import type { Column, Schema } from "../schema.js";
import {
  compileCheck,
  compileCopy,
  compileReader,
  compileWriter,
  leavesOf,
  type Picked,
  type RecordWriter,
  type RowReader,
} from "./compile.js";
import type { CellShape, ObjectShape, Shape } from "./shape.js";

/** The TypeScript type of what a record type describes. */
export type Infer<R> = R extends RecordType<infer T> ? T : never;

/** Any value. As what a type parameter extends, it lets the compiler take `[1, "a"]` for a tuple rather than for an array. */
export type Any = [unknown] | {} | null;

/** The names of a record's fields. */
export type FieldName<T> = T extends readonly unknown[] ? never : T extends object ? keyof T & string : never;

/** One field, or a single value: where its columns are. */
export interface FieldColumns {
  readonly first: number;
  readonly count: number;
  readonly type: RecordType<unknown>;
}

/** What a record consists of. Made by {@link record}, {@link tuple}, or of a single value such as {@link string}. */
export class RecordType<T> {
  /** The type of its values; there for the compiler only. */
  declare readonly infer: T;
  /** Its columns. */
  readonly schema: Schema;
  /** How its columns make up a value. */
  readonly shape: Shape;
  /** Whether a value has parts that can be changed although it is frozen. @internal */
  readonly mutable: boolean;
  readonly #parts: readonly RecordType<unknown>[];
  /** Compiled when first used. Typed without `T`, in which a record type is to be covariant. */
  #reader: ReturnType<typeof compileReader<unknown>> | undefined;
  #writer: ReturnType<typeof compileWriter<unknown>> | undefined;
  #copy: ReturnType<typeof compileCopy<unknown>> | undefined;
  #check: ReturnType<typeof compileCheck<unknown>> | undefined;

  /** @internal */
  constructor(schema: Schema, shape: Shape, parts: readonly RecordType<unknown>[] = []) {
    this.schema = schema;
    this.shape = shape;
    this.mutable = leavesOf(shape).some((leaf) => leaf.kind.mutable);
    this.#parts = parts;
  }

  /** Opens the columns of a block; the answer makes the value of a row. @internal */
  open(block: Block, picked: Picked = {}): RowReader<T> {
    this.#reader ??= compileReader<unknown>(this.shape);
    return this.#reader(block, picked) as RowReader<T>;
  }

  /** A writer of its own columns. @internal */
  writer(): RecordWriter<T> {
    this.#writer ??= compileWriter<unknown>(this.shape);
    return this.#writer() as RecordWriter<T>;
  }

  /** A copy of a value as it would be read again; throws what is wrong with it. @internal */
  copy(value: T): T {
    this.#copy ??= compileCopy<unknown>(this.shape);
    return this.#copy(value) as T;
  }

  /** Throws what is wrong with a value. @internal */
  check(value: T): void {
    this.#check ??= compileCheck<unknown>(this.shape);
    this.#check(value);
  }

  /** Whether values can be a key. @internal */
  get isKey(): boolean {
    return leavesOf(this.shape).every((leaf) => leaf.kind.key);
  }

  /** The columns of a field. @internal */
  field(name: string): FieldColumns {
    const { shape } = this;
    if (shape.kind !== "object") throw new JobError(`there is no field ${JSON.stringify(name)}: these records have no fields`);
    const index = shape.fields.findIndex((field) => field.name === name);
    if (index < 0) {
      const names = shape.fields.map((field) => field.name).join(", ");
      throw new JobError(`there is no field ${JSON.stringify(name)}: the fields are ${names}`);
    }
    const first = this.#parts.slice(0, index).reduce((sum, part) => sum + part.schema.length, 0);
    const type = this.#parts[index]!;
    return { first, count: type.schema.length, type };
  }
}

/** A single value: what a field holds, and a record of one column by itself. */
export class CellType<T> extends RecordType<T> {
  declare readonly shape: CellShape;
  /** The name of its column, where it is not that of the field. @internal */
  readonly columnName: string | undefined;

  /** @internal */
  constructor(shape: CellShape, own: string, columnName?: string) {
    super([{ name: own, type: shape.cell.type, optional: shape.optional }], shape);
    this.columnName = columnName;
  }

  /** The same with another name of its column than that of the field: `f64.named("px")`. */
  named(columnName: string): CellType<T> {
    return new CellType<T>(this.shape, this.schema[0]!.name, columnName);
  }

  /** The column of a field of this name. @internal */
  column(field: string): Column {
    return { ...this.schema[0]!, name: this.columnName ?? field };
  }
}

/** A record type of named parts, whose columns may be several a part. */
export function composite<T>(parts: Readonly<Record<string, RecordType<unknown>>>): RecordType<T> {
  const names = Object.keys(parts);
  const schema = names.flatMap((name): Column[] => {
    const columns = parts[name]!.schema;
    return columns.length === 1 ? [{ ...columns[0]!, name }] : [...columns];
  });
  const shape: ObjectShape = { kind: "object", fields: names.map((name) => ({ name, shape: parts[name]!.shape })) };
  return new RecordType<T>(schema, shape, Object.values(parts));
}
