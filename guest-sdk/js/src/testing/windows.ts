/** The windows of one operator, as the kit's host keeps them. */

import { shownTime } from "../int64.js";
import { LATE, LATE_SIDE, MAIN, sidesOf, type HostAggregate, type Operator, type WindowKind } from "../plan.js";
import type { Column } from "../schema.js";
import { addRow, EMPTY, fieldOf, isRecord, mergeAccs, resultOf, type Acc } from "./aggregate.js";
import { columnIndex, type Engine } from "./engine.js";
import { joinWindow } from "./joins.js";
import type { Key } from "./keyed.js";
import { encodeRows, type Row } from "./row.js";
import { assign, isLate, touch, type Span } from "./window.js";

/** An open window. */
interface Open {
  readonly span: Span;
  readonly key: Key;
  fired: number;
  acc: Acc;
  /** Of a join: the records with their inputs. */
  readonly rows: (readonly [number, Row])[];
}

/** The windows that an operator has, whatever computes them; none of most. */
export function windowsOf({ kind }: Operator): WindowKind | undefined {
  if (typeof kind === "string") return undefined;
  if ("window" in kind) return kind.window;
  const join = "window-join" in kind ? kind["window-join"] : "co-group" in kind ? kind["co-group"] : undefined;
  if (join === undefined) return undefined;
  const { assigner, domain, "lateness-ms": latenessMs } = join;
  return { key: join.sides[0]!.key, assigner, domain, latenessMs, compute: "guest", state: [] };
}

const boundsOf = (span: Span): string => `${span.start}:${span.end}`;

const hidden = (name: string, type: "i64" | "i32"): Column => ({ name, type, optional: false });

/** See the module. */
export class WindowKeeper {
  readonly #engine: Engine;
  readonly #id: number;
  readonly #spec: WindowKind;
  readonly #guest: boolean;
  readonly #open = new Map<string, Open>();

  constructor(engine: Engine, id: number, spec: WindowKind, guest: boolean) {
    this.#engine = engine;
    this.#id = id;
    this.#spec = spec;
    this.#guest = guest;
  }

  get #clock(): number {
    const { watermark, now } = this.#engine.moment(this.#id);
    return this.#spec.domain === "event" ? watermark : now;
  }

  get #aggregate(): HostAggregate | undefined {
    return this.#spec.compute === "guest" ? undefined : this.#spec.compute.host;
  }

  /** Adds a row to its windows, or hands it on as late. */
  add(row: Row, input: number): void {
    const engine = this.#engine;
    const { assigner, domain, latenessMs } = this.#spec;
    const side = sidesOf(engine.plan(this.#id).kind)[input];
    const names = side?.key ?? this.#spec.key;
    const time = domain === "event" ? shownTime(row.time) : engine.now;
    if (!Number.isFinite(time)) throw new Error(`${engine.plan(this.#id).name} is a window in event time, but a record has none`);
    const key = engine.key(names, engine.inputSchema(this.#id, input), row);
    const session = "session" in assigner;
    const assigned = assign(assigner, time).map((span) => (session ? this.#cover(key, span) : span));
    const spans = assigned.filter((span) => domain === "processing" || !isLate(span, latenessMs, this.#clock));
    if (spans.length === 0 && assigned.length > 0) {
      engine.carry(this.#id, side === undefined ? LATE : `${LATE_SIDE}${side.name}`, [row]);
      return;
    }
    for (const span of spans) {
      if (session) this.#mergeSessions(key, span);
      this.#put(key, span, row, input);
      if (span.end - 1 <= this.#clock) this.#fire(this.#window(key, span));
    }
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
      if (!this.#guest) continue;
      const slots = this.#engine.slots(this.#id);
      const source = slots.slot(key, boundsOf(part.span));
      this.#engine.instance.merge(this.#id, [slots.slot(key, boundsOf(span))], [source]);
      this.#drop(source);
    }
  }

  #window(key: Key, span: Span): Open {
    const place = `${key.text}@${boundsOf(span)}`;
    const open = this.#open.get(place) ?? { span, key, fired: 0, acc: EMPTY, rows: [] };
    this.#open.set(place, open);
    return open;
  }

  #put(key: Key, span: Span, row: Row, input: number): void {
    const engine = this.#engine;
    const schema = engine.inputSchema(this.#id, input);
    const open = this.#window(key, span);
    const aggregate = this.#aggregate;
    if (aggregate !== undefined) {
      const field = fieldOf(aggregate);
      open.acc = addRow(open.acc, aggregate, field === undefined ? -1 : columnIndex(schema, field), row);
      return;
    }
    if (!this.#guest) {
      open.rows.push([input, row]);
      return;
    }
    const slot = engine.slots(this.#id).slot(key, boundsOf(span));
    const outcome = engine.instance.process(this.#id, input, engine.moment(this.#id), encodeRows([row], schema), [0], [slot]);
    engine.settle(this.#id, outcome, [row]);
  }

  #fire(open: Open): void {
    const engine = this.#engine;
    const { key, span, fired } = open;
    open.fired += 1;
    const time = span.end - 1;
    const bounds = [BigInt(span.start), BigInt(span.end)];
    const input = engine.inputSchema(this.#id, 0);
    const aggregate = this.#aggregate;
    if (aggregate !== undefined) {
      const field = fieldOf(aggregate);
      const integer = field !== undefined && input[columnIndex(input, field)]!.type === "i32";
      const head = isRecord(aggregate) ? [] : key.values;
      engine.carry(this.#id, MAIN, [{ time, values: [...head, ...bounds, ...resultOf(open.acc, aggregate, integer)] }]);
      return;
    }
    if (!this.#guest) {
      joinWindow(engine, this.#id, bounds, time, open.rows);
      return;
    }
    const slot = engine.slots(this.#id).slot(key, boundsOf(span));
    const columns = this.#spec.key.map((name) => input[columnIndex(input, name)]!);
    const schema = [...columns, hidden("$start", "i64"), hidden("$end", "i64"), hidden("$firing", "i32")];
    const rows = [{ time, values: [...key.values, ...bounds, fired] }];
    const outcome = engine.instance.fire(this.#id, engine.moment(this.#id), encodeRows(rows, schema), [0, 1], [slot]);
    engine.settle(this.#id, outcome, rows);
  }

  /** Fires and removes windows whose time has come. */
  close(): void {
    const order = (a: Open, b: Open): number =>
      a.span.end - b.span.end || a.span.start - b.span.start || (a.key.text < b.key.text ? -1 : 1);
    const all = [...this.#open.entries()].sort(([, a], [, b]) => order(a, b));
    const clock = this.#clock;
    for (const [, open] of all) if (open.span.end - 1 <= clock && open.fired === 0) this.#fire(open);
    for (const [place, open] of all) {
      if (!isLate(open.span, this.#spec.latenessMs, clock)) continue;
      this.#open.delete(place);
      if (this.#guest) this.#drop(this.#engine.slots(this.#id).slot(open.key, boundsOf(open.span)));
    }
  }

  #drop(slot: number): void {
    this.#engine.instance.dropState(this.#id, [slot]);
    this.#engine.slots(this.#id).forget(slot);
  }
}
