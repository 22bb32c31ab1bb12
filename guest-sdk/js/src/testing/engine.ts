/**
 * The kit's host: runs the operators of a plan one record after the other.
 *
 * Operators stand in the plan behind what they read, so that going through them by index is going downstream. A record is
 * carried through all operators before the next is looked at; a watermark is applied to one operator after the other, and what it
 * releases is carried through first.
 */

import { shownTime, TIME_MIN } from "../int64.js";
import type { JobFunction, Node } from "../job.js";
import {
  DEAD_LETTER,
  LATE,
  LATE_SIDE,
  MAIN,
  sidesOf,
  type Domain,
  type HostAggregate,
  type Operator,
  type PlanWatermarks,
  type ProcessKind,
} from "../plan.js";
import { DeadLetter } from "../record/index.js";
import type { RecordType } from "../record/type.js";
import type { Host, Level, Moment, Outcome } from "../runtime/host.js";
import { Instance } from "../runtime/instance.js";
import { schemaText, type Schema } from "../schema.js";
import { addRow, EMPTY, fieldOf, isRecord, resultOf, type Acc } from "./aggregate.js";
import { GeneratorClock, SPLIT } from "./generators.js";
import { SlotNumbers, TimerSet, type Key } from "./keyed.js";
import { keyText } from "./key.js";
import { decodeRows, encodeRows, rowOf, type Row } from "./row.js";
import { JoinKeeper } from "./joins.js";
import { WindowKeeper, windowsOf } from "./windows.js";

/** What an instance says to its host. */
export class Recorder implements Host {
  readonly lines: string[] = [];
  #emitted: { readonly operator: number; readonly port: number; readonly block: Uint8Array }[] = [];

  log(level: Level, operator: number, message: string): void {
    this.lines.push(`${level} operator ${operator}: ${message}`);
  }

  emit(operator: number, port: number, block: Uint8Array): void {
    this.#emitted.push({ operator, port, block });
  }

  reportFailure(operator: number, row: number, message: string): void {
    this.lines.push(`operator ${operator} fails at row ${row}: ${message}`);
  }

  /** Takes what was emitted. */
  take(): readonly { readonly operator: number; readonly port: number; readonly block: Uint8Array }[] {
    const emitted = this.#emitted;
    this.#emitted = [];
    return emitted;
  }
}

/** What the host keeps of one operator. */
interface Keeping {
  readonly slots: SlotNumbers;
  readonly timers: TimerSet;
  readonly rolling: Map<string, Acc>;
  readonly windows: WindowKeeper | undefined;
  readonly joins: JoinKeeper | undefined;
}

/** In place of a window: the slot of what all keys share. */
const SHARED = "shared";
const NOBODY: Key = { values: [], text: "" };
const JOINS = ["interval-join", "keyed-join", "temporal-join"];

/** A running job. */
export class Engine {
  readonly instance: Instance;
  readonly host = new Recorder();
  readonly refused: string[] = [];
  /** What left each port, by `operator port`. */
  readonly #collected = new Map<string, Row[]>();
  readonly #keeping: readonly Keeping[];
  readonly #watermarks: number[];
  /** The time of the host's clock. */
  now = 0;
  readonly #clock = new GeneratorClock(this);
  /** Only this operator runs. */
  readonly #only: number | undefined;

  constructor(job: JobFunction, args: Readonly<Record<string, string>>, only?: string) {
    this.instance = new Instance(job, Object.entries(args), this.host);
    this.#only = only === undefined ? undefined : this.find(only);
    this.#watermarks = this.nodes.map(() => -Infinity);
    this.#keeping = this.nodes.map(({ plan, guest }, id) => {
      const spec = windowsOf(plan);
      const windows = spec === undefined ? undefined : new WindowKeeper(this, id, spec, guest !== undefined);
      const joins = JOINS.includes(Object.keys(plan.kind)[0]!) ? new JoinKeeper(this, id) : undefined;
      return { slots: new SlotNumbers(), timers: new TimerSet(), rolling: new Map(), windows, joins };
    });
    this.#link();
  }

  get nodes(): readonly Node[] {
    return this.instance.graph.nodes;
  }

  /** Links chains by the host's rule: a stateless operator joins the one before it, if it is its only reader. */
  #link(): void {
    const chains: number[][] = [];
    this.nodes.forEach(({ guest }, id) => {
      if (guest === undefined) return;
      const before = this.#only === undefined ? this.#fusesBehind(id) : undefined;
      const chain = chains.find((members) => members.at(-1) === before);
      if (chain === undefined) chains.push([id]);
      else chain.push(id);
    });
    for (const members of chains) this.instance.link(members[0]!, members);
  }

  #fusesBehind(id: number): number | undefined {
    const { kind, inputs, chaining } = this.plan(id);
    const [input] = inputs;
    if (chaining !== undefined) return undefined;
    const stateless = typeof kind === "string" ? kind !== "union" : "timestamps" in kind;
    if (!stateless || input === undefined || input.port !== MAIN || input.partition !== "forward") return undefined;
    const from = this.find(input.from);
    const before = this.nodes[from]!;
    const timestamps = typeof before.plan.kind === "object" && "timestamps" in before.plan.kind;
    const apart = timestamps || before.plan.chaining === "never";
    return before.guest !== undefined && !apart && this.#readers(from, MAIN).length === 1 ? from : undefined;
  }

  plan(id: number): Operator {
    return this.nodes[id]!.plan;
  }

  /** The operator of a name. */
  find(name: string): number {
    const id = this.nodes.findIndex(({ plan }) => plan.name === name);
    if (id < 0)
      throw new Error(`the job has no operator ${JSON.stringify(name)}: it has ${this.nodes.map(({ plan }) => plan.name).join(", ")}`);
    return id;
  }

  /** The operators and inputs that read a port. */
  #readers(from: number, port: string): [number, number][] {
    const { name } = this.plan(from);
    return this.nodes.flatMap(({ plan }, id) =>
      plan.inputs.flatMap((input, index): [number, number][] => (input.from === name && input.port === port ? [[id, index]] : [])),
    );
  }

  /** The schema of a port. */
  schema(id: number, port: string): Schema {
    if (port === LATE) return this.inputSchema(id, 0);
    const side = this.#lateSide(id, port);
    if (side >= 0) return this.inputSchema(id, side);
    if (port === DEAD_LETTER) return DeadLetter.schema;
    const output = this.plan(id).outputs.find(({ name }) => name === port);
    if (output === undefined) throw new Error(`operator ${JSON.stringify(this.plan(id).name)} has no output ${JSON.stringify(port)}`);
    return output.schema;
  }

  /** The record type of a port. */
  type(id: number, port: string): RecordType<unknown> {
    if (port === DEAD_LETTER) return DeadLetter;
    const side = port === LATE ? 0 : this.#lateSide(id, port);
    if (side < 0) return this.nodes[id]!.records.get(port)!;
    const input = this.plan(id).inputs[side]!;
    return this.type(this.find(input.from), input.port);
  }

  /** The side of a join whose late records a port has. */
  #lateSide(id: number, port: string): number {
    return sidesOf(this.plan(id).kind).findIndex(({ name }) => port === `${LATE_SIDE}${name}`);
  }

  inputSchema(id: number, input: number): Schema {
    const { from, port } = this.plan(id).inputs[input]!;
    return this.schema(this.find(from), port);
  }

  /** Takes what left a port, or reached a sink. */
  take(id: number, port: string): Row[] {
    const place = `${id} ${port}`;
    const rows = this.#collected.get(place) ?? [];
    this.#collected.delete(place);
    return rows;
  }

  #collect(id: number, port: string, rows: readonly Row[]): void {
    const place = `${id} ${port}`;
    this.#collected.set(place, [...(this.#collected.get(place) ?? []), ...rows]);
  }

  /** Hands rows that left a port to its readers. */
  carry(from: number, port: string, rows: readonly Row[]): void {
    if (rows.length === 0) return;
    if (this.#only === undefined || this.#only === from) this.#collect(from, port, rows);
    if (this.#only !== undefined) return;
    for (const [to, input] of this.#readers(from, port)) this.accept(to, input, rows);
  }

  /** Gives rows to an input of an operator. */
  accept(id: number, input: number, rows: readonly Row[]): void {
    const { kind, name } = this.plan(id);
    if (kind === "union") this.carry(id, MAIN, rows);
    else if (typeof kind === "string" || "timestamps" in kind) {
      const block = encodeRows(rows, this.inputSchema(id, input));
      this.settle(id, this.instance.process(id, input, this.moment(id), block, [], []), rows);
    } else if ("source" in kind) throw new Error(`${JSON.stringify(name)} is a source: it has no input`);
    else if ("sink" in kind) this.#collect(id, MAIN, rows);
    else if ("rolling" in kind) this.#roll(id, kind.rolling.key, kind.rolling.aggregate, rows);
    else if ("process" in kind) this.#process(id, input, kind.process, rows);
    else
      for (const row of rows) {
        this.#keeping[id]!.windows?.add(row, input);
        this.#keeping[id]!.joins?.add(input, row);
      }
  }

  /** The watermark and clock of an operator. */
  moment(id: number): Moment {
    return { watermark: this.#watermarks[id]!, now: this.now };
  }

  /** Runs `body` when a clock of an operator shows `time`, which it has passed since. */
  at(id: number, domain: Domain, time: number, body: () => void): void {
    const [watermark, now] = [this.#watermarks[id]!, this.now];
    if (domain === "event") this.#watermarks[id] = time;
    else this.now = time;
    body();
    [this.#watermarks[id], this.now] = [watermark, now];
  }

  /** The slots of an operator. */
  slots(id: number): SlotNumbers {
    return this.#keeping[id]!.slots;
  }

  /** Does what a call asked for and carries on what it emitted. */
  settle(id: number, outcome: Outcome, rows: readonly Row[]): void {
    const { slots, timers } = this.#keeping[id]!;
    for (const op of outcome.timers) timers.apply(op, slots.key(op.slot));
    if (outcome.cleared.length > 0) {
      this.instance.dropState(id, outcome.cleared);
      outcome.cleared.forEach((slot) => slots.forget(slot));
    }
    for (const { operator, row, message } of outcome.failures) this.#refuse(operator, message, rows[row]);
    for (const { operator, port, block } of this.host.take()) {
      const output = this.plan(operator).outputs[port]!;
      const emitted = decodeRows(block, output.schema);
      this.#observe(operator, emitted, block);
      this.carry(operator, output.name, emitted);
    }
  }

  #refuse(operator: number, message: string, row: Row | undefined): void {
    const { name, onError } = this.plan(operator);
    if (onError === "fail" && this.#only === undefined) {
      throw new Error(`operator ${JSON.stringify(name)} refused a record and the job fails: ${message}`);
    }
    this.refused.push(message);
    if (onError !== "dead-letter") return;
    const letter = { operator: name, place: "test", reason: message, record: row === undefined ? "" : row.values.map(String).join(",") };
    this.carry(operator, DEAD_LETTER, [rowOf(DeadLetter, letter, row?.time ?? TIME_MIN)]);
  }

  /** Watermarks are made behind an operator that gives event times. */
  #observe(id: number, rows: readonly Row[], block: Uint8Array): void {
    const { kind } = this.plan(id);
    if (this.#only !== undefined || typeof kind === "string" || !("timestamps" in kind)) return;
    const { timestamps } = kind;
    const said =
      typeof timestamps === "object" && "guest" in timestamps
        ? [this.instance.watermark(id, SPLIT, this.now, block) ?? -Infinity]
        : rows.map((row) => watermarkOf(timestamps, shownTime(row.time)));
    this.#watermarks[id] = Math.max(this.#watermarks[id]!, ...said);
  }

  /** The key that some columns of a row make. */
  key(names: readonly string[], schema: Schema, row: Row): Key {
    const columns = names.map((name) => columnIndex(schema, name));
    const values = columns.map((column) => row.values[column]!);
    const text = keyText(
      values,
      columns.map((column) => schema[column]!),
    );
    return { values, text };
  }

  #process(id: number, input: number, { keys, broadcast }: ProcessKind, rows: readonly Row[]): void {
    const schema = this.inputSchema(id, input);
    const names = keys[input] ?? [];
    const slots = names.length === 0 ? [] : rows.map((row) => this.slots(id).slot(this.key(names, schema, row)));
    slots.push(...this.#shared(id, broadcast));
    const outcome = this.instance.process(id, input, this.moment(id), encodeRows(rows, schema), [], slots);
    const refused = outcome.failures.filter(({ operator }) => operator === id).map(({ row }) => row);
    this.settle(id, outcome, rows);
    if (input === keys.length && broadcast?.apply === true) {
      rows.filter((_, index) => !refused.includes(index)).forEach((row) => this.#apply(id, input, broadcast, row));
    }
    this.#fireTimers(id);
  }

  /** The slot of what all keys share, where there is any. */
  #shared(id: number, broadcast: ProcessKind["broadcast"]): number[] {
    return broadcast === undefined ? [] : [this.slots(id).slot(NOBODY, SHARED)];
  }

  /** Applies a broadcast row to every key that has state or a timer. */
  #apply(id: number, input: number, broadcast: ProcessKind["broadcast"], row: Row): void {
    const keys = new Map<string, Key>();
    for (const { key, bounds } of this.slots(id).keys()) if (bounds !== SHARED) keys.set(key.text, key);
    for (const { key } of this.#keeping[id]!.timers.all()) keys.set(key.text, key);
    for (const [, key] of [...keys].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const record = encodeRows([row], this.inputSchema(id, input));
      const named = encodeRows([{ time: row.time, values: key.values }], this.#keySchema(id));
      const slots = [this.slots(id).slot(key), ...this.#shared(id, broadcast)];
      this.settle(id, this.instance.apply(id, this.moment(id), record, named, slots), [row]);
    }
  }

  /** The columns of the key of a process function. */
  #keySchema(id: number): Schema {
    const { kind } = this.plan(id);
    const input = this.inputSchema(id, 0);
    const names = typeof kind === "object" && "process" in kind ? kind.process.keys[0]! : [];
    return names.map((name) => input[columnIndex(input, name)]!);
  }

  #fireTimers(id: number): void {
    const { kind } = this.plan(id);
    if (typeof kind === "string" || !("process" in kind)) return;
    const { timers, broadcast } = kind.process;
    const schema = [...this.#keySchema(id), { name: "$timer", type: "i32" as const, optional: false }];
    const limit = (timer: number): number => (timers[timer]!.domain === "event" ? this.#watermarks[id]! : this.now);
    for (let due = this.#keeping[id]!.timers.due(limit); due !== undefined; due = this.#keeping[id]!.timers.due(limit)) {
      const rows = [{ time: due.time, values: [...due.key.values, due.timer] }];
      const slots = [this.slots(id).slot(due.key), ...this.#shared(id, broadcast)];
      const outcome = this.instance.onTimer(id, this.moment(id), encodeRows(rows, schema), slots);
      this.settle(id, outcome, rows);
    }
  }

  #roll(id: number, names: readonly string[], aggregate: HostAggregate, rows: readonly Row[]): void {
    const schema = this.inputSchema(id, 0);
    const field = fieldOf(aggregate);
    const column = field === undefined ? -1 : columnIndex(schema, field);
    const { rolling } = this.#keeping[id]!;
    for (const row of rows) {
      const key = this.key(names, schema, row);
      const acc = addRow(rolling.get(key.text) ?? EMPTY, aggregate, column, row);
      rolling.set(key.text, acc);
      const result = resultOf(acc, aggregate, schema[column]?.type === "i32");
      this.carry(id, MAIN, [{ time: row.time, values: isRecord(aggregate) ? result : [...key.values, ...result] }]);
    }
  }

  /** Raises an operator's watermark and, unless it runs alone, that of all behind it. */
  watermark(id: number, watermark: number): void {
    this.#watermarks[id] = Math.max(this.#watermarks[id]!, watermark);
    this.#release(id);
    this.spread();
  }

  /** Brings every operator's watermark to the least of its inputs'. */
  spread(): void {
    if (this.#only !== undefined) return;
    this.nodes.forEach(({ plan }, id) => {
      if (plan.inputs.length === 0) return;
      const least = Math.min(...plan.inputs.map(({ from }) => this.#watermarks[this.find(from)]!));
      const timestamps = typeof plan.kind === "object" && "timestamps" in plan.kind;
      if ((timestamps && least !== Infinity) || least <= this.#watermarks[id]!) return;
      this.#watermarks[id] = least;
      this.#release(id);
    });
  }

  /** Sets the clock. */
  setNow(now: number): void {
    this.now = Math.max(this.now, now);
    if (this.#only === undefined) this.#clock.ask();
    this.nodes.forEach((_, id) => this.#release(id));
  }

  #release(id: number): void {
    this.#fireTimers(id);
    this.#keeping[id]!.windows?.close();
    this.#keeping[id]!.joins?.release();
  }

  /** The timers of an operator: name and time. */
  timers(id: number): [string, number][] {
    const { kind } = this.plan(id);
    if (typeof kind === "string" || !("process" in kind)) return [];
    return this.#keeping[id]!.timers.all().map(({ timer, time }) => [kind.process.timers[timer]!.name, time]);
  }

  /** Exports the state of an operator, drops it and loads it again: what a restart does. */
  restart(id: number): void {
    const { guest } = this.nodes[id]!;
    guest?.forgetSplits?.();
    const slots = this.slots(id).all();
    if (guest?.slots === undefined || slots.length === 0) return;
    const block = this.instance.exportState(id, slots);
    this.instance.dropState(id, slots);
    this.instance.importState(id, slots, block);
    const again = this.instance.exportState(id, slots);
    if (again.length !== block.length || again.some((byte, index) => byte !== block[index])) {
      throw new Error(`the state of ${JSON.stringify(this.plan(id).name)} is not exported as it was restored`);
    }
  }
}

/** The watermark that follows from an event time. */
export function watermarkOf(watermarks: PlanWatermarks, time: number): number {
  return time - (watermarks === "monotonic" ? 0 : watermarks.bounded.ms) - 1;
}

/** The index of a column. */
export function columnIndex(schema: Schema, name: string): number {
  const index = schema.findIndex((column) => column.name === name);
  if (index < 0) throw new Error(`there is no column ${JSON.stringify(name)} in ${schemaText(schema)}`);
  return index;
}
