/** Trigger functions with the states of their windows. */

import type { Block } from "../block/reader.js";
import { givenTime, shownTime, timeAt } from "../int64.js";
import { i32, time as timeType } from "../record/index.js";
import type { RecordType } from "../record/type.js";
import type { Action, TriggerFunction, TriggerWindow } from "../triggers.js";
import type { Call } from "./call.js";
import type { Moment } from "./host.js";
import type { Table } from "./slots.js";

/** What happened to a window whose trigger is a function of the job. */
export type TriggerEvent = "record" | "event-time" | "processing-time";

/** What a trigger function said; times are when to ask again. */
export interface Decision {
  readonly action: Action;
  eventTime?: number;
  processingTime?: number;
}

/** What a trigger is asked: about windows, one a row, and for records the rows of a block. */
export interface Asked {
  readonly event: TriggerEvent;
  readonly at: Moment;
  readonly windows: Block;
  readonly slots: readonly number[];
  readonly records: Block | undefined;
  readonly rows: readonly number[];
}

const ACTIONS: readonly Action[] = ["continue", "fire", "purge", "fire-and-purge"];

/** Opens what a block says of windows behind `keys` columns of their keys. */
export function openBounds(block: Block, keys: number): (row: number) => { start: number; end: number; firing: number } {
  const [start, end] = [timeType.open(block, { first: keys }), timeType.open(block, { first: keys + 1 })];
  const firing = i32.open(block, { first: keys + 2 });
  return (row) => ({ start: start(row), end: end(row), firing: firing(row) });
}

/** A trigger function, and what it remembers of each window. */
export class Decider {
  readonly table: Table<unknown>;
  readonly #function: TriggerFunction<unknown, unknown>;
  readonly #type: RecordType<unknown>;
  /** How many columns the key has. */
  readonly #keys: number;

  constructor(f: TriggerFunction<unknown, unknown>, table: Table<unknown>, type: RecordType<unknown>, keys: number) {
    this.#function = f;
    this.table = table;
    this.#type = type;
    this.#keys = keys;
  }

  /** What becomes of each of the windows. */
  decide({ event, at, windows, slots, records, rows }: Asked, call: Call): Decision[] {
    const bounds = openBounds(windows, this.#keys);
    const read = records && this.#type.open(records);
    return slots.map((slot, index) => {
      call.row = read === undefined ? index : rows[index]!;
      const time = shownTime(timeAt(windows.times, index));
      const asked: { eventTime?: number; processingTime?: number } = {};
      const window: TriggerWindow<unknown> = {
        state: this.#of(slot),
        ...bounds(index),
        time,
        watermark: at.watermark,
        now: at.now,
        atEventTime: (then) => (asked.eventTime = whole(then)),
        atProcessingTime: (then) => (asked.processingTime = whole(then)),
      };
      const action = this.#one(event, window, read?.(call.row));
      if (!ACTIONS.includes(action)) throw new TypeError(`a trigger function answers ${ACTIONS.join(", ")}, not ${String(action)}`);
      this.#put(slot, window.state);
      return { action, ...asked };
    });
  }

  #one(event: TriggerEvent, window: TriggerWindow<unknown>, record: unknown): Action {
    if (event === "record") return this.#function.onRecord(window, record);
    const asked = event === "event-time" ? this.#function.onEventTime?.(window) : this.#function.onProcessingTime?.(window);
    return asked ?? "continue";
  }

  #of(slot: number): unknown {
    return this.table.entries[slot] ?? this.#function.start();
  }

  #put(slot: number, state: unknown): void {
    this.#function.state.check(state);
    this.table.entries[slot] = state;
  }

  /** Notes that a window takes in another one. */
  merge(target: number, source: number): void {
    const other = this.table.entries[source];
    if (other === undefined) return;
    this.table.entries[source] = undefined;
    this.#put(target, this.#function.merge(this.#of(target), other));
  }
}

function whole(time: number): number {
  if (typeof givenTime(time) === "number") return time;
  throw new TypeError(`a trigger asks for a whole number of milliseconds, not ${time}`);
}
