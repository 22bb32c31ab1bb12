/** Windows that the job computes: records are added to accumulators, accumulators are merged, results are made. */

import type { Block } from "../block/reader.js";
import type { Time } from "../int64.js";
import { Refusal } from "../errors.js";
import type { Emit } from "../process.js";
import { i32, i64 } from "../record/index.js";
import type { RowReader } from "../record/compile.js";
import type { RecordType } from "../record/type.js";
import type { Window } from "../window.js";
import type { Call, Push } from "./call.js";
import { plainOutcome, type Moment, type Outcome } from "./host.js";
import { answered } from "./keyed.js";
import type { Down, Exits, GuestOperator, Head } from "./operator.js";
import type { Port } from "./port.js";
import type { Slots, ValueTable } from "./slots.js";

/** What is computed in a window. An accumulator that is not there yet is undefined. */
export interface Compute<In, Acc> {
  readonly keyType: RecordType<unknown>;
  readonly acc: RecordType<Acc>;
  /** Opens what it needs of a record. */
  open(block: Block): RowReader<In>;
  /** The accumulator with a record added; it may be changed in place. */
  add(acc: Acc | undefined, record: In): Acc;
  /** `into` with what `from` holds; `into` may be changed, `from` may not. */
  merge(into: Acc | undefined, from: Acc): Acc;
  /** A copy that later changes do not reach. */
  copy(acc: Acc): Acc;
  /** Emits the results. */
  finish(window: Window<unknown>, acc: Acc, out: Emit<unknown>): unknown;
}

/** The operator of a window. */
export class WindowOperator<In, Acc> implements GuestOperator {
  readonly ports: readonly Port[];
  readonly slots: Slots;
  readonly #id: number;
  readonly #call: Call;
  readonly #compute: Compute<In, Acc>;
  readonly #accs: ValueTable<Acc>;

  constructor(id: number, call: Call, compute: Compute<In, Acc>, ports: readonly Port[], accs: ValueTable<Acc>, slots: Slots) {
    this.#id = id;
    this.#call = call;
    this.#compute = compute;
    this.ports = ports;
    this.#accs = accs;
    this.slots = slots;
  }

  head(down: Down): Head {
    return new WindowHead(this.#id, this.#call, this.#compute, this.#accs, this.slots, down);
  }

  merge(target: number, source: number): void {
    this.slots.reserve([target, source]);
    const { entries } = this.#accs;
    const from = entries[source];
    if (from === undefined) return;
    entries[source] = undefined;
    entries[target] = entries[target] === undefined ? from : this.#compute.merge(entries[target], from);
  }
}

class WindowHead<In, Acc> implements Head {
  readonly #id: number;
  readonly #call: Call;
  readonly #compute: Compute<In, Acc>;
  readonly #accs: ValueTable<Acc>;
  readonly #slots: Slots;
  readonly #push: Push<unknown>;
  readonly #behind: readonly Port[];

  constructor(id: number, call: Call, compute: Compute<In, Acc>, accs: ValueTable<Acc>, slots: Slots, down: Down) {
    this.#id = id;
    this.#call = call;
    this.#compute = compute;
    this.#accs = accs;
    this.#slots = slots;
    this.#push = down.push as Push<unknown>;
    this.#behind = down.ports;
  }

  process(_input: number, _at: Moment, block: Block, rows: readonly number[], slots: readonly number[], exits: Exits): Outcome {
    this.#slots.reserve(slots);
    const { call } = exits;
    const read = this.#compute.open(block);
    const add = this.#adder(read, call.undoes);
    const count = slots.length;
    for (let i = 0; i < count; ) {
      const row = rows.length === 0 ? i : rows[i]!;
      let end = i + 1;
      while (end < count && rows.length > 0 && rows[end] === row) end++;
      call.row = row;
      call.guard(this.#id, this.#behind, add, row, { slots, from: i, end });
      exits.end();
      i = end;
    }
    return plainOutcome();
  }

  /** Adds the record of a row to the accumulators of its slots: to all of them, or to none when it is refused. */
  #adder(read: RowReader<In>, undoes: boolean): (row: number, range: { slots: readonly number[]; from: number; end: number }) => void {
    const [compute, { entries }] = [this.#compute, this.#accs];
    return (row, { slots, from, end }) => {
      const record = read(row);
      if (!undoes) {
        for (let i = from; i < end; i++) entries[slots[i]!] = compute.add(entries[slots[i]!], record);
        return;
      }
      const before = slots.slice(from, end).map((slot) => {
        const acc = entries[slot];
        return acc === undefined ? undefined : compute.copy(acc);
      });
      try {
        for (let i = from; i < end; i++) entries[slots[i]!] = compute.add(entries[slots[i]!], record);
      } catch (error) {
        if (error instanceof Refusal) before.forEach((acc, index) => (entries[slots[from + index]!] = acc));
        throw error;
      }
    };
  }

  fire(_at: Moment, block: Block, offsets: readonly number[], slots: readonly number[], exits: Exits): Outcome {
    const keys = this.#compute.keyType.schema.length;
    const key = this.#compute.keyType.open(block);
    const [start, end, firing] = [i64.open(block, { first: keys }), i64.open(block, { first: keys + 1 }), i32.open(block, { first: keys + 2 })];
    this.#slots.reserve(slots);
    const push = this.#push;
    let time: Time = 0;
    const out: Emit<unknown> = { emit: (record) => push(record, time) };
    const body = (row: number): void => {
      const acc = this.#merged(slots, offsets[row]!, offsets[row + 1]!);
      if (acc === undefined) return;
      const window = { key: key(row), start: start(row), end: end(row), firing: firing(row) };
      answered(this.#compute.finish(window, acc, out));
    };
    for (let row = 0; row < block.rows; row++) {
      this.#call.row = row;
      time = block.time(row);
      this.#call.guard(this.#id, this.#behind, body, row, time);
      exits.end();
    }
    return plainOutcome();
  }

  /** The accumulators of some slots as one, all of which stay as they are. */
  #merged(slots: readonly number[], from: number, end: number): Acc | undefined {
    const { entries } = this.#accs;
    let merged: Acc | undefined;
    let own = false;
    for (let i = from; i < end; i++) {
      const acc = entries[slots[i]!];
      if (acc === undefined) continue;
      if (merged === undefined) {
        merged = acc;
        continue;
      }
      merged = this.#compute.merge(own ? merged : this.#compute.copy(merged), acc);
      own = true;
    }
    return merged;
  }
}
