/** Process functions: the head that gives each record its slot's state and collects timer changes. */

import type { Block } from "../block/reader.js";
import { givenTime, shownTime, timeAt, type Time } from "../int64.js";
import type { Emit, TimerEvent, TimerRef } from "../process.js";
import { i32 } from "../record/index.js";
import type { RecordType } from "../record/type.js";
import type { Call, Push } from "./call.js";
import type { Moment, Outcome, TimerAction } from "./host.js";
import type { Down, Exits, GuestOperator, Head } from "./operator.js";
import type { Port } from "./port.js";
import { CHANGED, CLEARED, type Cursor, type Slots } from "./slots.js";

/** What the runtime needs of one input. */
export interface KeyedInput {
  readonly type: RecordType<unknown>;
  /** The columns of the key. */
  readonly key: readonly number[];
  handle(ctx: unknown, record: unknown): unknown;
}

/** A process function as the runtime calls it. */
export interface Keyed {
  readonly keyType: RecordType<unknown>;
  readonly inputs: readonly KeyedInput[];
  readonly timerNames: readonly string[];
  readonly sideNames: readonly string[];
  readonly handles: Readonly<Record<string, unknown>>;
  onTimer(ctx: unknown, event: TimerEvent): unknown;
  /** The input behind those with keys, all of whose records come to every worker. */
  readonly broadcast: Broadcast | undefined;
}

/** What the runtime needs of a broadcast input. */
export interface Broadcast {
  readonly type: RecordType<unknown>;
  /** What all keys share. */
  readonly handles: Readonly<Record<string, unknown>>;
  /** Where it is: one slot, which only broadcast records change. */
  readonly cursor: Cursor;
  onBroadcast(ctx: unknown, record: unknown): unknown;
  onKey(ctx: unknown, record: unknown): unknown;
}

/** The operator of a process function. */
export class KeyedOperator implements GuestOperator {
  readonly ports: readonly Port[];
  readonly slots: Slots;
  readonly #id: number;
  readonly #call: Call;
  readonly #function: Keyed;

  constructor(id: number, call: Call, keyed: Keyed, ports: readonly Port[], slots: Slots) {
    this.#id = id;
    this.#call = call;
    this.#function = keyed;
    this.ports = ports;
    this.slots = slots;
  }

  head(down: Down): Head {
    const sides = this.ports.slice(1);
    const { handles, timerNames } = this.#function;
    const context = (state: Readonly<Record<string, unknown>>, timers: readonly string[]): RunningContext =>
      new RunningContext(this.#id, this.#call, this.slots.cursor, down.push as Push<unknown>, this.#function, sides, state, timers);
    return new KeyedHead(this.#id, this.#function, this.slots, down.ports, context(handles, timerNames), context({}, []));
  }
}

const late = (): never => {
  throw new Error("a context is used after the function that was given it has returned");
};

/** What functions are given; there is one, which moves from record to record. */
class RunningContext {
  key_: (row: number) => unknown = late;
  row = 0;
  time_: Time = 0;
  watermark = 0;
  now = 0;
  readonly state: Readonly<Record<string, unknown>>;
  readonly shared: Readonly<Record<string, unknown>>;
  readonly timers: Readonly<Record<string, TimerRef>>;
  readonly sides: Readonly<Record<string, Emit<unknown>>>;
  readonly #operator: number;
  readonly #push: Push<unknown>;

  constructor(
    operator: number,
    call: Call,
    cursor: Cursor,
    push: Push<unknown>,
    keyed: Keyed,
    sides: readonly Port[],
    state: Readonly<Record<string, unknown>>,
    timers: readonly string[],
  ) {
    this.#operator = operator;
    this.#push = push;
    this.state = state;
    this.shared = keyed.broadcast?.handles ?? {};
    this.timers = Object.fromEntries(timers.map((name, index) => [name, new RunningTimer(call, cursor, index)]));
    this.sides = Object.fromEntries(
      keyed.sideNames.map((name, index) => {
        const sidePush = sides[index]!.push as Push<unknown>;
        return [name, { emit: (record: unknown) => sidePush(record, this.time_) }];
      }),
    );
  }

  get operator(): number {
    return this.#operator;
  }

  get key(): unknown {
    return this.key_(this.row);
  }

  get time(): number {
    return shownTime(this.time_);
  }

  emit(record: unknown): void {
    this.#push(record, this.time_);
  }

  emitAt(record: unknown, time: number): void {
    this.#push(record, givenTime(time));
  }
}

class RunningTimer implements TimerRef {
  readonly #call: Call;
  readonly #cursor: Cursor;
  readonly #index: number;

  constructor(call: Call, cursor: Cursor, index: number) {
    this.#call = call;
    this.#cursor = cursor;
    this.#index = index;
  }

  add(time: number): void {
    this.#set("add", time);
  }

  replace(time: number): void {
    this.#set("replace", time);
  }

  delete(time: number): void {
    this.#set("delete", time);
  }

  clear(): void {
    this.#set("clear", 0);
  }

  #set(action: TimerAction, time: number): void {
    if (!Number.isSafeInteger(time)) throw new TypeError(`a timer is set for a whole number of milliseconds, not ${String(time)}`);
    this.#call.timers.push({ slot: this.#cursor.slot, timer: this.#index, action, time });
  }
}

const noKey = (): never => {
  throw new Error("a broadcast record has no key");
};

/** What a call is about, where it is not the keys of its rows. */
interface Running {
  readonly cursor?: Cursor;
  readonly context?: RunningContext;
  /** All entries are of the one record of the call. */
  readonly ofOne?: boolean;
  /** The entries are timers. */
  readonly ofTimers?: boolean;
}

/** Slots of a call that have been told already. */
const LISTED = 128;

class KeyedHead implements Head {
  readonly #id: number;
  readonly #function: Keyed;
  readonly #slots: Slots;
  readonly #behind: readonly Port[];
  readonly #context: RunningContext;
  /** What broadcast records are given: they have no key, and so neither state of one nor timers. */
  readonly #keyless: RunningContext;
  /** What the records of the current call did to each slot; all zero between calls. */
  readonly #seen: number[] = [];

  constructor(id: number, keyed: Keyed, slots: Slots, behind: readonly Port[], context: RunningContext, keyless: RunningContext) {
    this.#id = id;
    this.#function = keyed;
    this.#slots = slots;
    this.#behind = behind;
    this.#context = context;
    this.#keyless = keyless;
  }

  process(input: number, at: Moment, block: Block, rows: readonly number[], slots: readonly number[], exits: Exits): Outcome {
    const { broadcast, inputs, keyType } = this.#function;
    const of = inputs[input];
    const entries = this.#keyed(slots);
    const shared = (): number[] => Array.from({ length: block.rows }, () => slots.at(-1)!);
    if (of === undefined && broadcast !== undefined) return this.#onBroadcast(at, block, shared(), exits, broadcast);
    const { type, key, handle } = of!;
    const read = type.open(block);
    const context = this.#context;
    // Records without a key reach what is shared and nothing else, which they cannot change.
    const reaches = broadcast !== undefined && keyType.schema.length === 0;
    const outcome = this.#run(at, block, key, rows, reaches ? shared() : entries, exits, (row) => {
      answered(handle(context, read(row)));
    });
    return reaches ? { ...outcome, cleared: [], unchanged: [] } : outcome;
  }

  #onBroadcast(at: Moment, block: Block, entries: readonly number[], exits: Exits, { type, cursor, onBroadcast }: Broadcast): Outcome {
    const read = type.open(block);
    const context = this.#keyless;
    cursor.locked = undefined;
    const body = (row: number): void => answered(onBroadcast(context, read(row)));
    return this.#run(at, block, undefined, [], entries, exits, body, { cursor, context });
  }

  apply(at: Moment, record: Block, keys: Block, slots: readonly number[], exits: Exits): Outcome {
    const { type, onKey } = this.#function.broadcast!;
    const read = type.open(record);
    const context = this.#context;
    const columns = this.#function.keyType.schema.map((_, index) => index);
    const body = (): void => answered(onKey(context, read(0)));
    return this.#run(at, keys, columns, [], this.#keyed(slots), exits, body, { ofOne: true });
  }

  /** The slots of keys; that of what all keys share stands behind them, and is there to read. */
  #keyed(slots: readonly number[]): readonly number[] {
    const { broadcast } = this.#function;
    if (broadcast === undefined) return slots;
    this.#slots.reserve(slots.slice(-1));
    broadcast.cursor.slot = slots.at(-1)!;
    broadcast.cursor.locked = "what is shared is changed in onBroadcast only";
    return slots.slice(0, -1);
  }

  onTimer(at: Moment, block: Block, slots: readonly number[], exits: Exits): Outcome {
    const count = this.#function.keyType.schema.length;
    const keys = Array.from({ length: count }, (_, index) => index);
    const timers = i32.open(block, { columns: [count] });
    const context = this.#context;
    const { cursor } = this.#slots;
    const body = (row: number): void => {
      const timer = timers(row);
      if (cursor.expiry?.fired(cursor.slot, timer) === true) return;
      const event = { name: this.#function.timerNames[timer]!, time: context.time };
      answered(this.#function.onTimer(context, event));
    };
    return this.#run(at, block, keys, [], this.#keyed(slots), exits, body, { ofTimers: true });
  }

  #run(
    at: Moment,
    block: Block,
    keys: readonly number[] | undefined,
    rows: readonly number[],
    entries: readonly number[],
    exits: Exits,
    body: (row: number) => void,
    { cursor = this.#slots.cursor, context = this.#context, ofOne = false, ofTimers = false }: Running = {},
  ): Outcome {
    const [slots, seen, { call }] = [this.#slots, this.#seen, exits];
    const [id, behind, { undoes }, { times }] = [this.#id, this.#behind, call, block];
    slots.reserve(entries);
    context.key_ = keys === undefined ? noKey : this.#function.keyType.open(block, { columns: keys });
    context.watermark = at.watermark;
    context.now = at.now;
    call.timers = [];
    cursor.undo = undoes;
    let uneven = false;
    for (let i = 0; i < entries.length; i++) {
      const row = rows.length === 0 ? i : rows[i]!;
      const slot = entries[i]!;
      context.row = row;
      call.row = ofOne ? 0 : row;
      call.operator = id;
      cursor.slot = slot;
      cursor.flags = 0;
      context.time_ = timeAt(times, row);
      const failures = call.failures.length;
      const timers = call.timers.length;
      const marks = undoes ? call.marks(behind) : undefined;
      cursor.expiry?.begin({ time: ofTimers ? -Infinity : shownTime(context.time_), ...at });
      try {
        body(row);
        slots.schedule(call.timers);
        if (undoes) slots.commit();
      } catch (error) {
        call.refuse(error, id, behind, marks, failures, timers);
        slots.rollBack();
        if (undoes) cursor.flags = 0;
      }
      if (call.full) exits.end();
      if (cursor.flags !== CHANGED) uneven = true;
      seen[slot] = (seen[slot] ?? 0) | cursor.flags;
    }
    context.key_ = late;
    const outcome: Outcome = { timers: call.timers, cleared: [], unchanged: [], failures: [] };
    if (uneven) this.#sortOut(entries, outcome);
    for (const slot of entries) seen[slot] = 0;
    return outcome;
  }

  /** Lists the slots that are empty or unchanged, each once. */
  #sortOut(entries: readonly number[], outcome: Outcome): void {
    const seen = this.#seen;
    for (const slot of entries) {
      const flags = seen[slot]!;
      seen[slot] = LISTED;
      if (flags === CHANGED || (flags & LISTED) !== 0) continue;
      if (this.#slots.isEmpty(slot)) outcome.cleared.push(slot);
      else if ((flags & (CHANGED | CLEARED)) === 0) outcome.unchanged.push(slot);
    }
  }
}

/** Looks at what a function answered, which is to be nothing. */
export function answered(answer: unknown): void {
  if (answer !== undefined && typeof (answer as { then?: unknown } | null)?.then === "function") {
    throw new TypeError("a function answers a promise, but functions of a job are not async: the host decides when they run");
  }
}
