/** Ports: where records leave a chain and become blocks again. */

import { layOut, truncateColumn } from "../block/writer.js";
import type { Time } from "../int64.js";
import type { RecordWriter } from "../record/compile.js";
import type { RecordType } from "../record/type.js";
import { schemaId, type Schema } from "../schema.js";
import type { Call, Push } from "./call.js";

/** Rows after which a block is handed on: at 4,096 rows the cost of a call is spread thin. */
const ROWS_FLUSH = 4096;
/** Characters and bytes after which a block is handed on. */
const SIZE_FLUSH = 1 << 20;
/** Rows after which a block is handed on in the middle of a record that emits very many. */
const ROWS_HARD = 1 << 18;
/** Characters and bytes after which a block is handed on in the middle of a record; a character has up to three bytes. */
const SIZE_HARD = 16 << 20;

/** How far a port was when a record began. */
export interface Mark {
  readonly rows: number;
  readonly size: number;
}

/** An output of an operator. */
export class Port<T = never> {
  readonly operator: number;
  readonly index: number;
  readonly #call: Call;
  readonly #schema: Schema;
  readonly #type: RecordType<T>;
  #id: bigint | undefined;
  #writer: RecordWriter<T> | undefined;
  #times: Time[] = [];

  constructor(operator: number, index: number, type: RecordType<T>, schema: Schema, call: Call) {
    this.operator = operator;
    this.index = index;
    this.#type = type;
    this.#schema = schema;
    this.#call = call;
  }

  /** Takes records. */
  get push(): Push<T> {
    const writer = (this.#writer ??= this.#type.writer());
    const times = this.#times;
    return (record, time) => {
      writer.push(record);
      if (times.push(time) >= ROWS_FLUSH || writer.size >= SIZE_FLUSH) this.#overflow();
    };
  }

  #overflow(): void {
    this.#call.full = true;
    if (this.#times.length < ROWS_HARD && this.#writer!.size < SIZE_HARD) return;
    if (this.#call.undoes) {
      throw new RangeError(`one record emitted more than ${ROWS_HARD} records, which cannot be undone should it be refused`);
    }
    this.#send();
  }

  /** Notes where a record begins that may be undone. */
  mark(): Mark {
    return { rows: this.#times.length, size: this.#writer?.size ?? 0 };
  }

  /** Takes back what was pushed since a mark. */
  undo(mark: Mark): void {
    if (this.#writer === undefined || this.#times.length === mark.rows) return;
    this.#writer.columns.forEach((column) => truncateColumn(column, mark.rows));
    this.#times.length = mark.rows;
    this.#writer.size = mark.size;
  }

  /** Hands the block on if it is full. */
  flushIfFull(): void {
    if (this.#times.length >= ROWS_FLUSH || (this.#writer?.size ?? 0) >= SIZE_FLUSH) this.#send();
  }

  /** Hands the block on if it has records. */
  flush(): void {
    if (this.#times.length > 0) this.#send();
  }

  #send(): void {
    const writer = this.#writer!;
    this.#id ??= schemaId(this.#schema);
    const block = layOut(this.#id, this.#times, this.#times.length, writer.columns);
    writer.columns.forEach((column) => truncateColumn(column, 0));
    this.#times.length = 0;
    writer.size = 0;
    this.#call.host.emit(this.operator, this.index, block);
  }
}
