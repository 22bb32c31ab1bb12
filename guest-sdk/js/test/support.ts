/** What most tests import, and a host that keeps what it hears. */

export * from "../src/index.js";

import { Block } from "../src/block/reader.js";
import { layOut } from "../src/block/writer.js";
import type { Time } from "../src/int64.js";
import type { JobFunction, RecordType } from "../src/index.js";
import type { Host, Level } from "../src/runtime/host.js";
import { Instance } from "../src/runtime/instance.js";
import { schemaId } from "../src/schema.js";

/** Keeps what is emitted and reported. */
export class Heard implements Host {
  blocks: { readonly operator: number; readonly port: number; readonly block: Uint8Array }[] = [];
  lines: string[] = [];

  log(level: Level, operator: number, message: string): void {
    this.lines.push(`${level} ${operator} ${message}`);
  }

  emit(operator: number, port: number, block: Uint8Array): void {
    this.blocks.push({ operator, port, block });
  }

  reportFailure(operator: number, row: number, message: string): void {
    this.lines.push(`operator ${operator} row ${row}: ${message}`);
  }

  /** Takes the records of every block so far. */
  records<T>(type: RecordType<T>): { readonly record: T; readonly time: Time }[] {
    return this.blocks.splice(0).flatMap(({ block }) => read(type, block));
  }
}

/** Event time and processing time of calls. */
export const AT = { watermark: 0, now: 0 };

/** An instance of a job, and what it says. */
export function instanceOf(job: JobFunction): [Instance, Heard] {
  const heard = new Heard();
  return [new Instance(job, [], heard), heard];
}

/** A block of records with event times from 100 on. */
export function block<T>(type: RecordType<T>, ...records: T[]): Uint8Array {
  const writer = type.writer();
  for (const record of records) writer.push(record);
  return layOut(
    schemaId(type.schema),
    records.map((_, index) => 100 + index),
    records.length,
    writer.columns,
  );
}

/** The records of a block. */
export function read<T>(type: RecordType<T>, bytes: Uint8Array): { readonly record: T; readonly time: Time }[] {
  const parsed = new Block(bytes);
  const row = type.open(parsed);
  return Array.from({ length: parsed.rows }, (_, index) => ({ record: row(index), time: parsed.time(index) }));
}
