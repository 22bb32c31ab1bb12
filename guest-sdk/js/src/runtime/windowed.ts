/** Windows that the job computes: records are added to accumulators, accumulators are merged, results are made. */

import type { Block } from "../block/reader.js";
import { timeAt, type Time } from "../int64.js";
import type { Emit } from "../process.js";
import type { RowReader } from "../record/compile.js";
import type { RecordType } from "../record/type.js";
import type { Window } from "../window.js";
import type { Call, Push } from "./call.js";
import { openBounds, type Asked, type Decider, type Decision } from "./deciding.js";
import { plainOutcome, type Moment, type Outcome } from "./host.js";
import { answered } from "./keyed.js";
import type { Down, Exits, GuestOperator, Head } from "./operator.js";
import type { Port } from "./port.js";
import type { Slots, Table } from "./slots.js";

/** What is computed in a window. An accumulator that is not there yet is undefined. */
export interface Compute<In, Acc> {
  readonly keyType: RecordType<unknown>;
  /** Opens what it needs of a record of an input. */
  open(block: Block, input: number): RowReader<In>;
  /** The accumulator with a record added; it may be changed in place. */
  add(acc: Acc | undefined, record: In): Acc;
  /** `into` with what `from` holds; `into` may be changed, `from` may not. */
  merge(into: Acc | undefined, from: Acc): Acc;
  /** A copy that later changes do not reach. */
  copy(acc: Acc): Acc;
  /** What an evictor leaves, in front of the function or behind it; absent where nothing is taken out. */
  evict?(acc: Acc, after: boolean): Acc;
  /** Emits the results of what there is of each input. */
  finish(window: Window<unknown>, accs: readonly (Acc | undefined)[], out: Emit<unknown>): unknown;
}

/** The operator of a window. */
export class WindowOperator<In, Acc> implements GuestOperator {
  readonly ports: readonly Port[];
  readonly slots: Slots;
  readonly #id: number;
  readonly #compute: Compute<In, Acc>;
  /** What is kept of each input. */
  readonly #accs: readonly Table<Acc>[];

  /** The trigger, where it is a function of the job. */
  readonly #decider: Decider | undefined;

  constructor(id: number, compute: Compute<In, Acc>, ports: readonly Port[], accs: readonly Table<Acc>[], slots: Slots, decider?: Decider) {
    this.#id = id;
    this.#decider = decider;
    this.#compute = compute;
    this.ports = ports;
    this.#accs = accs;
    this.slots = slots;
  }

  head(down: Down): Head {
    return new WindowHead(this.#id, this.#compute, this.#accs, this.slots, down);
  }

  merge(target: number, source: number): void {
    this.slots.reserve([target, source]);
    for (const { entries } of this.#accs) {
      const from = entries[source];
      if (from === undefined) continue;
      entries[source] = undefined;
      entries[target] = entries[target] === undefined ? from : this.#compute.merge(entries[target], from);
    }
    this.#decider?.merge(target, source);
  }

  trigger(asked: Asked, call: Call): Decision[] {
    if (this.#decider === undefined) throw new Error(`the host asks for a trigger of operator ${this.#id}, which has none of its own`);
    this.slots.reserve(asked.slots);
    return this.#decider.decide(asked, call);
  }

  purge(slots: readonly number[]): void {
    this.slots.reserve(slots);
    for (const { entries } of this.#accs) for (const slot of slots) entries[slot] = undefined;
  }
}

class WindowHead<In, Acc> implements Head {
  readonly #id: number;
  readonly #compute: Compute<In, Acc>;
  readonly #accs: readonly Table<Acc>[];
  readonly #slots: Slots;
  readonly #push: Push<unknown>;
  readonly #behind: readonly Port[];

  constructor(id: number, compute: Compute<In, Acc>, accs: readonly Table<Acc>[], slots: Slots, down: Down) {
    this.#id = id;
    this.#compute = compute;
    this.#accs = accs;
    this.#slots = slots;
    this.#push = down.push as Push<unknown>;
    this.#behind = down.ports;
  }

  process(input: number, _at: Moment, block: Block, rows: readonly number[], slots: readonly number[], exits: Exits): Outcome {
    this.#slots.reserve(slots);
    const [id, behind, compute, { entries }, { call }] = [this.#id, this.#behind, this.#compute, this.#accs[input]!, exits];
    const read = compute.open(block, input);
    for (let i = 0; i < slots.length;) {
      const row = rows.length === 0 ? i : rows[i]!;
      let end = i + 1;
      while (end < rows.length && rows[end] === row) end++;
      call.row = row;
      call.operator = id;
      const before = call.undoes ? this.#copies(entries, slots, i, end) : undefined;
      const failures = call.failures.length;
      try {
        const record = read(row);
        for (let entry = i; entry < end; entry++) {
          const slot = slots[entry]!;
          entries[slot] = compute.add(entries[slot], record);
        }
      } catch (error) {
        // What a record is refused from, it is in none of its windows of.
        call.refuse(error, id, behind, undefined, failures, call.timers.length);
        before?.forEach((acc, index) => (entries[slots[i + index]!] = acc));
      }
      i = end;
    }
    return plainOutcome();
  }

  /** Copies of the accumulators of some slots. */
  #copies(entries: readonly (Acc | undefined)[], slots: readonly number[], from: number, end: number): (Acc | undefined)[] {
    return slots.slice(from, end).map((slot) => {
      const acc = entries[slot];
      return acc === undefined ? undefined : this.#compute.copy(acc);
    });
  }

  fire(_at: Moment, block: Block, offsets: readonly number[], slots: readonly number[], exits: Exits): Outcome {
    const keys = this.#compute.keyType.schema.length;
    const key = this.#compute.keyType.open(block);
    const bounds = openBounds(block, keys);
    this.#slots.reserve(slots);
    const [id, push, behind, { call }, { times }] = [this.#id, this.#push, this.#behind, exits, block];
    let time: Time = 0;
    const out: Emit<unknown> = { emit: (record) => push(record, time) };
    for (let row = 0; row < block.rows; row++) {
      call.row = row;
      call.operator = id;
      time = timeAt(times, row);
      const marks = call.marks(behind);
      const failures = call.failures.length;
      try {
        const accs = this.#accs.map(({ entries }) => this.#merged(entries, slots, offsets[row]!, offsets[row + 1]!));
        if (accs.some((acc) => acc !== undefined)) {
          const window = { key: key(row), ...bounds(row) };
          if (this.#compute.evict === undefined) answered(this.#compute.finish(window, accs, out));
          else this.#evict(slots[offsets[row]!]!, window, out);
        }
      } catch (error) {
        call.refuse(error, id, behind, marks, failures, call.timers.length);
      }
      if (call.full) exits.end();
    }
    return plainOutcome();
  }

  /** The results of a window out of which something is taken; what a refusal stopped takes out nothing. */
  #evict(slot: number, window: Window<unknown>, out: Emit<unknown>): void {
    const [{ entries }, compute] = [this.#accs[0]!, this.#compute];
    const left = compute.evict!(entries[slot]!, false);
    answered(compute.finish(window, [left], out));
    entries[slot] = compute.evict!(left, true);
  }

  /** The accumulators of some slots as one, all of which stay as they are. */
  #merged(entries: readonly (Acc | undefined)[], slots: readonly number[], from: number, end: number): Acc | undefined {
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
