/** The windows of one operator, as the kit's host keeps them, with their triggers. */

import { givenTime, shownTime } from "../int64.js";
import {
  DOMAINS,
  LATE,
  LATE_SIDE,
  MAIN,
  sidesOf,
  type Domain,
  type HostAggregate,
  type Operator,
  type When,
  type WindowKind,
} from "../plan.js";
import type { Decision, TriggerEvent } from "../runtime/deciding.js";
import type { Column, Schema } from "../schema.js";
import { addRow, EMPTY, fieldOf, isRecord, mergeAccs, resultOf, type Acc } from "./aggregate.js";
import { columnIndex, type Engine } from "./engine.js";
import { joinWindow } from "./joins.js";
import type { Key } from "./keyed.js";
import { encodeRows, type Row, type Value } from "./row.js";
import { Memory, type At } from "./trigger.js";
import { assign, merges, touch, type Span } from "./window.js";

/** An open window. */
interface Open {
  readonly span: Span;
  readonly key: Key;
  readonly memory: Memory;
  /** When the job's trigger wants to be asked; absent where it is declared. */
  readonly asked: Record<Domain, number> | undefined;
  fired: number;
  acc: Acc;
  /** Of a join: the records with their inputs. */
  rows: (readonly [number, Row])[];
  filled: boolean;
  /** Some records have come since it fired last. */
  fresh: boolean;
}

/** The records of a key in windows that count them, with their inputs. */
interface Line {
  readonly key: Key;
  rows: (readonly [number, Row])[];
  since: number;
  due: number;
}

const USUAL: When = { any: ["at-watermark", "late-each"] };

/** The windows that an operator has, whatever computes them; none of most. */
export function windowsOf({ kind }: Operator): WindowKind | undefined {
  if (typeof kind === "string") return undefined;
  if ("window" in kind) return kind.window;
  const join = "window-join" in kind ? kind["window-join"] : "co-group" in kind ? kind["co-group"] : undefined;
  if (join === undefined) return undefined;
  const { assigner, domain, "lateness-ms": latenessMs } = join;
  const trigger = "co-group" in kind ? kind["co-group"].trigger : undefined;
  return { key: join.sides[0]!.key, assigner, domain, latenessMs, trigger, evictor: undefined, compute: "guest", state: [] };
}

const boundsOf = (span: Span): string => `${span.start}:${span.end}`;
const cells = ({ start, end }: Span): Value[] => [BigInt(givenTime(start)), BigInt(givenTime(end))];
const hidden = (name: string, type: "i64" | "i32"): Column => ({ name, type, optional: false });

function order(a: Open, b: Open): number {
  return a.span.end - b.span.end || a.span.start - b.span.start || (a.key.text < b.key.text ? -1 : 1);
}

/** See the module. */
export class WindowKeeper {
  readonly #engine: Engine;
  readonly #id: number;
  readonly #spec: WindowKind;
  readonly #when: When;
  readonly #guest: boolean;
  readonly #open = new Map<string, Open>();
  readonly #lines = new Map<string, Line>();

  constructor(engine: Engine, id: number, spec: WindowKind, guest: boolean) {
    this.#engine = engine;
    this.#id = id;
    this.#spec = spec;
    this.#when = spec.trigger?.when ?? USUAL;
    this.#guest = guest;
  }

  get #aggregate(): HostAggregate | undefined {
    return this.#spec.compute === "guest" ? undefined : this.#spec.compute.host;
  }

  /** Adds a row to its windows, or hands it on as late. */
  add(row: Row, input: number): void {
    const engine = this.#engine;
    const { assigner, domain } = this.#spec;
    const side = sidesOf(engine.plan(this.#id).kind)[input];
    const schema = engine.inputSchema(this.#id, input);
    const key = engine.key(side?.key ?? this.#spec.key, schema, row);
    if (typeof assigner === "object" && "count" in assigner) return this.#count(key, [input, row]);
    const time = domain === "event" ? shownTime(row.time) : engine.now;
    if (!Number.isFinite(time) && assigner !== "global")
      throw new Error(`${engine.plan(this.#id).name} is a window in event time, but a record has none`);
    const gap = typeof assigner === "object" && "session-by" in assigner ? assigner["session-by"].field : undefined;
    let spans = assign(assigner, time, gap === undefined ? 0 : Number(row.values[columnIndex(schema, gap)]));
    if (merges(assigner)) spans = spans.map((span) => this.#cover(key, span));
    const { watermark } = engine.moment(this.#id);
    const ours = spans.filter((span) => domain === "processing" || this.#cleanup(span) > watermark || assigner === "global");
    if (ours.length === 0 && spans.length > 0) {
      engine.carry(this.#id, side === undefined ? LATE : `${LATE_SIDE}${side.name}`, [row]);
      return;
    }
    for (const span of ours.reverse()) {
      if (merges(assigner)) this.#mergeSessions(key, span);
      this.#put(this.#window(key, span), input, row, time);
    }
  }

  /** When a window goes, in its domain. */
  #cleanup(span: Span): number {
    return span.end - 1 + this.#spec.latenessMs;
  }

  #at(open: Open): At {
    return { end: open.span.end, domain: this.#spec.domain, ...this.#engine.moment(this.#id), fresh: open.fresh };
  }

  /** The session that a new one grows into with those that it touches. */
  #cover(key: Key, span: Span): Span {
    const others = [...this.#open.values()].filter((open) => open.key.text === key.text && touch(span, open.span));
    const grown = others.reduce((a, { span: b }) => ({ start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) }), span);
    return boundsOf(grown) === boundsOf(span) ? span : this.#cover(key, grown);
  }

  /** Merges the sessions inside of `span` into it. */
  #mergeSessions(key: Key, span: Span): void {
    const parts = [...this.#open].filter(
      ([, open]) => open.key.text === key.text && touch(span, open.span) && boundsOf(open.span) !== boundsOf(span),
    );
    for (const [place, part] of parts) {
      this.#open.delete(place);
      const whole = this.#window(key, span);
      if (this.#aggregate !== undefined) whole.acc = mergeAccs(whole.acc, this.#aggregate, part.acc);
      whole.rows.push(...part.rows);
      whole.memory.merge(part.memory, this.#at(whole));
      whole.fired = Math.max(whole.fired, part.fired);
      whole.filled ||= part.filled;
      whole.fresh ||= part.fresh;
      for (const domain of DOMAINS) if (whole.asked) whole.asked[domain] = Math.min(whole.asked[domain], part.asked![domain]);
      if (!this.#guest) continue;
      const source = this.#slot(part);
      this.#engine.instance.merge(this.#id, [this.#slot(whole)], [source]);
      this.#drop(source);
    }
  }

  #slot(open: Open): number {
    return this.#engine.slots(this.#id).slot(open.key, boundsOf(open.span));
  }

  #window(key: Key, span: Span): Open {
    const place = `${key.text}@${boundsOf(span)}`;
    const open = this.#open.get(place) ?? this.#new(key, span);
    this.#open.set(place, open);
    return open;
  }

  #new(key: Key, span: Span): Open {
    const asked = this.#when === "guest" ? { event: Infinity, processing: Infinity } : undefined;
    return { span, key, memory: new Memory(this.#when), asked, fired: 0, acc: EMPTY, rows: [], filled: false, fresh: false };
  }

  #put(open: Open, input: number, row: Row, time: number): void {
    const decision = open.asked === undefined ? undefined : this.#ask(open, "record", time, row);
    open.filled = open.fresh = true;
    this.#gather(open, input, row);
    if (decision === undefined) this.#step(open, time, time);
    else this.#follow(open, decision, time);
  }

  #gather(open: Open, input: number, row: Row): void {
    const engine = this.#engine;
    const schema = engine.inputSchema(this.#id, input);
    const aggregate = this.#aggregate;
    if (aggregate !== undefined) {
      const field = fieldOf(aggregate);
      open.acc = addRow(open.acc, aggregate, field === undefined ? -1 : columnIndex(schema, field), row);
    } else if (!this.#guest) {
      open.rows.push([input, row]);
    } else {
      const block = encodeRows([row], schema);
      const outcome = engine.instance.process(this.#id, input, engine.moment(this.#id), block, [0], [this.#slot(open)]);
      engine.settle(this.#id, outcome, [row]);
    }
  }

  /** Tells a declared trigger what happened: a record of a time came, or time went on. */
  #step(open: Open, record: number | undefined, time: number): void {
    if (!open.memory.step(this.#at(open), record)) return;
    this.#fire(open, time);
    if (this.#spec.trigger?.purge === true) this.#purge(open);
  }

  /** Asks the job's trigger. */
  #ask(open: Open, event: TriggerEvent, time: number, row?: Row): Decision {
    const engine = this.#engine;
    const windows = encodeRows([this.#described(open, time)], this.#schema());
    const records = row === undefined ? new Uint8Array(0) : encodeRows([row], engine.inputSchema(this.#id, 0));
    const at = engine.moment(this.#id);
    const rows = row === undefined ? [] : [0];
    return engine.instance.trigger(this.#id, event, at, windows, [this.#slot(open)], records, rows)[0]!;
  }

  #follow(open: Open, { action, eventTime, processingTime }: Decision, time: number): void {
    if (eventTime !== undefined) open.asked!.event = eventTime;
    if (processingTime !== undefined) open.asked!.processing = processingTime;
    if (action === "fire" || action === "fire-and-purge") this.#fire(open, time);
    if (action === "purge" || action === "fire-and-purge") this.#purge(open);
  }

  #purge(open: Open): void {
    open.filled = open.fresh = false;
    open.acc = EMPTY;
    open.rows = [];
    if (this.#guest) this.#engine.instance.purge(this.#id, [this.#slot(open)]);
  }

  /** A window as the row that the job is given. */
  #described(open: Open, time: number): Row {
    return { time: givenTime(time), values: [...open.key.values, ...cells(open.span), open.fired] };
  }

  #schema(): Schema {
    const input = this.#engine.inputSchema(this.#id, 0);
    const columns = this.#spec.key.map((name) => input[columnIndex(input, name)]!);
    return [...columns, hidden("$start", "i64"), hidden("$end", "i64"), hidden("$firing", "i32")];
  }

  #fire(open: Open, at: number): void {
    const engine = this.#engine;
    open.memory.fired();
    open.fresh = false;
    if (!open.filled) return;
    const time = this.#spec.assigner === "global" ? at : open.span.end - 1;
    const row = this.#described(open, time);
    open.fired += 1;
    const aggregate = this.#aggregate;
    if (aggregate !== undefined) {
      const input = engine.inputSchema(this.#id, 0);
      const field = fieldOf(aggregate);
      const integer = field !== undefined && input[columnIndex(input, field)]!.type === "i32";
      const head = isRecord(aggregate) ? [] : open.key.values;
      const values = [...head, ...cells(open.span), ...resultOf(open.acc, aggregate, integer)];
      engine.carry(this.#id, MAIN, [{ time: row.time, values }]);
    } else if (!this.#guest) {
      joinWindow(engine, this.#id, cells(open.span), time, open.rows);
    } else {
      const block = encodeRows([row], this.#schema());
      engine.settle(this.#id, engine.instance.fire(this.#id, engine.moment(this.#id), block, [0, 1], [this.#slot(open)]), [row]);
    }
  }

  /** Comes to everything whose time has come, in order, and removes windows that are over. */
  close(): void {
    this.#cutShort();
    for (const domain of DOMAINS) {
      const { watermark, now } = this.#engine.moment(this.#id);
      const clock = domain === "event" ? watermark : now;
      for (let due = this.#next(domain); due !== undefined && due.time <= clock; due = this.#next(domain)) {
        const { open, time } = due;
        this.#engine.at(this.#id, domain, time, () => this.#comeTo(open, domain, time));
      }
    }
  }

  /** The window that is due first in a domain, and when. */
  #next(domain: Domain): { readonly open: Open; readonly time: number } | undefined {
    const all = [...this.#open.values()].map((open) => {
      const ends = domain === this.#spec.domain ? this.#cleanup(open.span) : Infinity;
      return { open, time: Math.min(open.memory.due(this.#at(open), domain), open.asked?.[domain] ?? Infinity, ends) };
    });
    return all.filter(({ time }) => time !== Infinity).sort((a, b) => a.time - b.time || order(a.open, b.open))[0];
  }

  #comeTo(open: Open, domain: Domain, time: number): void {
    if (open.asked !== undefined && open.asked[domain] <= time) {
      open.asked[domain] = Infinity;
      this.#follow(open, this.#ask(open, domain === "event" ? "event-time" : "processing-time", time), time);
    }
    this.#step(open, undefined, time);
    if (domain !== this.#spec.domain || this.#cleanup(open.span) > time) return;
    this.#open.delete(`${open.key.text}@${boundsOf(open.span)}`);
    if (this.#guest) this.#drop(this.#slot(open));
  }

  /** Gives a row to windows that count. */
  #count(key: Key, one: readonly [number, Row]): void {
    const { records, slide, "or-after": after } = this.#counting()!;
    const line = this.#lines.get(key.text) ?? { key, rows: [], since: 0, due: Infinity };
    this.#lines.set(key.text, line);
    line.rows.push(one);
    line.since += 1;
    if (after !== undefined && line.since === 1) {
      line.due = (after.domain === "event" ? shownTime(one[1].time) : this.#engine.now) + after.ms;
    }
    if (line.since === (slide ?? records)) this.#fireLine(line);
    this.#cutShort();
  }

  #counting() {
    const { assigner } = this.#spec;
    return typeof assigner === "object" && "count" in assigner ? assigner.count : undefined;
  }

  /** Fires the window of the last records of a key. */
  #fireLine(line: Line): void {
    const { records, slide } = this.#counting()!;
    const rows = line.rows.slice(-records);
    line.rows = slide === undefined ? [] : rows.slice();
    line.since = 0;
    line.due = Infinity;
    const times = rows.map(([, row]) => shownTime(row.time));
    const open = this.#new(line.key, { start: Math.min(...times), end: Math.max(...times) + 1 });
    open.filled = true;
    for (const [input, row] of rows) this.#gather(open, input, row);
    this.#fire(open, open.span.end - 1);
    if (this.#guest) this.#drop(this.#slot(open));
  }

  /** Fires windows that count and are not full when their time has come. */
  #cutShort(): void {
    const after = this.#counting()?.["or-after"];
    if (after === undefined) return;
    const { watermark, now } = this.#engine.moment(this.#id);
    const clock = after.domain === "event" ? watermark : now;
    for (const line of this.#lines.values()) if (line.due !== Infinity && line.due <= clock) this.#fireLine(line);
  }

  #drop(slot: number): void {
    this.#engine.instance.dropState(this.#id, [slot]);
    this.#engine.slots(this.#id).forget(slot);
  }
}
