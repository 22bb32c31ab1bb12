/** Operators as the job's builder leaves them, and chains as they are linked. */

import type { Block } from "../block/reader.js";
import type { Call, Push } from "./call.js";
import type { Asked, Decision } from "./deciding.js";
import type { Moment, Outcome } from "./host.js";
import type { Port } from "./port.js";
import type { Slots } from "./slots.js";

/** The part of a chain behind an operator: what takes its records, and the ports they may end up in, its own included. */
export interface Down {
  readonly push: Push<never>;
  readonly ports: readonly Port[];
}

/** A guest operator. */
export interface GuestOperator {
  /** Its outputs, the main one first. */
  readonly ports: readonly Port[];
  /** Whether the records it emits are those that it was given. */
  readonly passesOn?: boolean;
  /**
   * A push into the operator, which passes on to `down`; absent for operators with state. `made` says that the records come from a
   * function rather than a block.
   */
  stage?(down: Down, made: boolean): Push<never>;
  /** The operator as the first of a chain, passing on to `down`. */
  head(down: Down): Head;
  /** Its state, if it can have any. */
  readonly slots?: Slots;
  /** Merges one slot's state into another's. */
  merge?(target: number, source: number): void;
  /** Asks its trigger about windows. */
  trigger?(asked: Asked, call: Call): Decision[];
  /** The watermark of a split: behind a block that left the operator, or by the clock. */
  watermark?(split: number, now: number, block: Block | undefined, call: Call): number | undefined;
  /** Lets generators of watermarks begin anew, as in a fresh instance. */
  forgetSplits?(): void;
  /** Empties slots of what their windows have gathered. */
  purge?(slots: readonly number[]): void;
}

/** The first operator of a chain, which takes blocks. */
export interface Head {
  /** Processes records; entry `i` of `slots` belongs to row `rows[i]`, or row `i`. */
  process(input: number, at: Moment, block: Block, rows: readonly number[], slots: readonly number[], exits: Exits): Outcome;
  /** Applies the one record of a block to keys, one per row of `keys`. */
  apply?(at: Moment, record: Block, keys: Block, slots: readonly number[], exits: Exits): Outcome;
  /** Fires timers. */
  onTimer?(at: Moment, block: Block, slots: readonly number[], exits: Exits): Outcome;
  /** Fires windows. */
  fire?(at: Moment, block: Block, offsets: readonly number[], slots: readonly number[], exits: Exits): Outcome;
}

/** Where the records of a chain leave it. */
export class Exits {
  readonly call: Call;
  readonly #ports: readonly Port[];

  constructor(call: Call, ports: readonly Port[]) {
    this.call = call;
    this.#ports = ports;
  }

  /** Ends a record: hands on blocks that are full. */
  end(): void {
    if (!this.call.full) return;
    if (this.call.broken !== undefined) throw this.call.broken.error;
    this.call.full = false;
    this.#ports.forEach((port) => port.flushIfFull());
  }

  /** Hands on what is left at the end of a call. */
  flush(): void {
    this.#ports.forEach((port) => port.flush());
  }
}
