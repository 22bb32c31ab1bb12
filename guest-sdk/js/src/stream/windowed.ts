/** Keyed streams cut into windows. */

import type { Aggregate, FieldAggregate, NumberField } from "../aggregate.js";
import type { Block } from "../block/reader.js";
import { JobError } from "../errors.js";
import type { Evictor } from "../evictors.js";
import { shownTime, timeAt } from "../int64.js";
import { LATE, type HostAggregate, type PlanEvictor, type PlanState, type PlanTrigger } from "../plan.js";
import type { Emit } from "../process.js";
import {
  list,
  time,
  windowCount,
  windowRecord,
  windowValue,
  type WindowCount,
  type WindowRecord,
  type WindowValue,
} from "../record/index.js";
import type { RowReader } from "../record/compile.js";
import { composite, type Any, type FieldName, type RecordType } from "../record/type.js";
import { Decider } from "../runtime/deciding.js";
import { Cursor, Slots, ValueTable, type Table } from "../runtime/slots.js";
import { WindowOperator, type Compute } from "../runtime/windowed.js";
import type { Port } from "../runtime/port.js";
import type { Node } from "../job.js";
import type { Column, Schema } from "../schema.js";
import { span } from "../time.js";
import type { Trigger, TriggerFunction } from "../triggers.js";
import type { Window, Windows } from "../window.js";
import { sumColumn, sumType, type KeyedStream } from "./keyed.js";
import { Stream } from "./stream.js";

/** The name of the state that a window keeps. */
const ACC = "acc";
/** The name of what its trigger function keeps. */
const TRIGGER = "trigger";

/** The result of an aggregate over a field. */
export type FieldResult<T, F extends keyof T, R extends "number" | "field"> = R extends "number" ? number : T[F];

/** How records are folded into an accumulator. */
export interface Fold<Acc, T> {
  /** What is kept for a window: state, so a record type. */
  readonly acc: RecordType<Acc>;
  /** The accumulator of no records. */
  start(): NoInfer<Acc>;
  /** The accumulator with a record added: the same one changed, or a new one. */
  add(acc: Acc, record: T): NoInfer<Acc>;
  /** `into` with what `from` holds added (of a session grown together, or of a pane); `from` stays as it is. */
  merge(into: Acc, from: Acc): NoInfer<Acc>;
}

/**
 * A keyed stream cut into windows. A window exists from its first record on; its results leave when the watermark passes its
 * end, with the window's last millisecond as event time.
 */
export class WindowedStream<K, T> {
  readonly #keyed: KeyedStream<K, T>;
  readonly #windows: Windows<string>;
  readonly #said: Said;

  /** @internal */
  constructor(keyed: KeyedStream<K, T>, windows: Windows<string>, said: Said = USUAL) {
    this.#keyed = keyed;
    this.#windows = windows;
    this.#said = said;
  }

  #saying(said: Partial<Said>): WindowedStream<K, T> {
    return new WindowedStream(this.#keyed, this.#windows, { ...this.#said, ...said });
  }

  /** Says when a window fires, instead of at its end and at each late record: see `triggers`. */
  trigger(trigger: Trigger): WindowedStream<K, T> {
    return this.#saying({ trigger: trigger.plan, decides: undefined });
  }

  /** Lets a function say when a window fires, with state of its own for every window. */
  triggerFunction<S extends Any>(f: TriggerFunction<T, S>): WindowedStream<K, T> {
    return this.#saying({ trigger: { when: "guest", purge: false }, decides: f as unknown as Said["decides"] });
  }

  /** Says what a window leaves out when it fires: see `evictors`. Only for {@link WindowedStream.process}. */
  evictor<F extends NumberField<T> = never>(evictor: Evictor<T, F>): WindowedStream<K, T> {
    return this.#saying({ evictor: evictor as unknown as Said["evictor"] });
  }

  /**
   * Keeps a window for this long after its end: a late record until then lets it fire again. What comes later goes to
   * {@link WindowResults.late}.
   */
  allowedLateness(lateness: number): WindowedStream<K, T> {
    return this.#saying({ latenessMs: span(lateness, "the allowed lateness") });
  }

  // The overload for aggregates of a field stands last: the compiler explains the last one when none fits.
  /** Aggregates the records of each window; `finish` makes the result of the window and the aggregate. */
  aggregate<Acc extends Any, Result, Out extends Any>(
    name: string,
    aggregate: Aggregate<T, Acc, Result>,
    out: RecordType<Out>,
    finish: (window: Window<K>, result: Result) => NoInfer<Out>,
  ): WindowResults<Out, T>;
  aggregate<F extends NumberField<T>, R extends "number" | "field", Out extends Any>(
    name: string,
    aggregate: FieldAggregate<F, R>,
    out: RecordType<Out>,
    finish: (window: Window<K>, result: FieldResult<T, F, R>) => NoInfer<Out>,
  ): WindowResults<Out, T>;
  aggregate<Out>(
    name: string,
    aggregate: object,
    out: RecordType<Out>,
    finish: (window: Window<K>, result: never) => Out,
  ): WindowResults<Out, T> {
    return this.#aggregate(name, aggregate, out, (window, result, emit) => emit.emit(finish(window, result as never)));
  }

  /** Aggregates the records of each window; `finish` emits any number of results. */
  aggregateFlat<Acc extends Any, Result, Out extends Any>(
    name: string,
    aggregate: Aggregate<T, Acc, Result>,
    out: RecordType<Out>,
    finish: (window: Window<K>, result: Result, out: Emit<Out>) => void,
  ): WindowResults<Out, T>;
  aggregateFlat<F extends NumberField<T>, R extends "number" | "field", Out extends Any>(
    name: string,
    aggregate: FieldAggregate<F, R>,
    out: RecordType<Out>,
    finish: (window: Window<K>, result: FieldResult<T, F, R>, out: Emit<Out>) => void,
  ): WindowResults<Out, T>;
  aggregateFlat<Out>(
    name: string,
    aggregate: object,
    out: RecordType<Out>,
    finish: (window: Window<K>, result: never, out: Emit<Out>) => void,
  ): WindowResults<Out, T> {
    return this.#aggregate(name, aggregate, out, finish as (window: Window<K>, result: unknown, out: Emit<Out>) => void);
  }

  #aggregate<Out>(
    name: string,
    given: object,
    out: RecordType<Out>,
    finish: (window: Window<K>, result: unknown, out: Emit<Out>) => void,
  ): WindowResults<Out, T> {
    const { type } = this.#keyed.stream;
    if ("over" in given) {
      // Only the one column is read of each record.
      const over = given as FieldAggregate<string, "number" | "field">;
      const { first, type: field } = type.field(over.field);
      const aggregate = over.over(field);
      const open = (block: Block): RowReader<unknown> => field.open(block, { columns: [first] });
      return this.#compute(name, out, accumulating(this.#keyed.keyType, aggregate, open, finish as never), aggregate.acc);
    }
    const aggregate = given as Aggregate<T, unknown, unknown>;
    const checked = { ...bound(aggregate), add: (acc: unknown, record: T) => checkedBy(aggregate.acc, aggregate.add(acc, record)) };
    return this.#compute(
      name,
      out,
      accumulating(this.#keyed.keyType, checked, (block) => type.open(block), finish as never),
      checked.acc,
    );
  }

  /** Folds the records of each window into an accumulator; `finish` makes the result. */
  fold<Acc extends Any, Out extends Any>(
    name: string,
    fold: Fold<Acc, T>,
    out: RecordType<Out>,
    finish: (window: Window<K>, acc: Acc) => NoInfer<Out>,
  ): WindowResults<Out, T> {
    const aggregate: Aggregate<T, Acc, Acc> = { ...bound({ ...fold, finish: (acc: Acc) => acc }) };
    return this.aggregate(name, aggregate, out, finish);
  }

  /** Combines the records of each window two by two into one of the same type. */
  reduce(name: string, f: (a: Readonly<T>, b: T) => T): WindowResults<T, T> {
    const { type } = this.#keyed.stream;
    const combine = (a: T | undefined, b: T): T => (a === undefined ? b : checkedBy(type, f(a, b)));
    return this.#compute(
      name,
      type,
      {
        keyType: this.#keyed.keyType as RecordType<unknown>,
        open: (block) => type.open(block),
        add: combine,
        merge: combine,
        copy: (acc) => acc,
        finish: (_window, [acc], out) => out.emit(acc),
      },
      type,
    );
  }

  /**
   * Handles all records of each window at once, in the order of their arrival. Keeps every record until then: where an aggregate
   * can say the same, it needs less memory.
   */
  process<Out extends Any>(
    name: string,
    out: RecordType<Out>,
    f: (window: Window<K>, records: readonly T[], out: Emit<Out>) => Iterable<NoInfer<Out>> | void,
  ): WindowResults<Out, T> {
    const { type } = this.#keyed.stream;
    const compute = gathering(this.#keyed.keyType, [type], (window, [records], emit) =>
      f(window as Window<K>, records as T[], emit as Emit<Out>),
    );
    const { evictor } = this.#said;
    if (evictor === undefined)
      return this.#compute(name, out, compute as Compute<T, T[]>, list(type) as unknown as RecordType<T[]>, "list");
    const timed = list(timedType(type as RecordType<unknown>)) as unknown as RecordType<Timed[]>;
    return this.#compute(name, out, evicting(compute, evictor), timed, "list");
  }

  /** Counts the records of each window. The host computes it. */
  count(name: string): WindowResults<WindowCount<K>, T> {
    return this.#host(name, "count", windowCount(this.#keyed.keyType), [{ name: "count", type: "i64", optional: false }]);
  }

  /** Sums a field over each window. The host computes it. */
  sum<F extends NumberField<T>>(name: string, field: F): WindowResults<WindowValue<K, T[F]>, T> {
    const column = this.#keyed.column(field);
    const type = sumType(this.#keyed.stream.type.field(field).type) as unknown as RecordType<T[F]>;
    return this.#host(name, { sum: column.name }, windowValue(this.#keyed.keyType, type), [sumColumn(column)]);
  }

  /** The least value of a field in each window. The host computes it. */
  min<F extends FieldName<T>>(name: string, field: F): WindowResults<WindowValue<K, T[F]>, T> {
    return this.#extreme(name, { min: this.#keyed.column(field).name }, field);
  }

  /** The greatest value of a field in each window. The host computes it. */
  max<F extends FieldName<T>>(name: string, field: F): WindowResults<WindowValue<K, T[F]>, T> {
    return this.#extreme(name, { max: this.#keyed.column(field).name }, field);
  }

  /** The record with the least value of a field in each window, the first of equals. The host computes it. */
  minBy(name: string, field: FieldName<T>): WindowResults<WindowRecord<T>, T> {
    return this.#hostBy(name, { "min-by": this.#keyed.column(field).name });
  }

  /** The record with the greatest value of a field in each window, the first of equals. The host computes it. */
  maxBy(name: string, field: FieldName<T>): WindowResults<WindowRecord<T>, T> {
    return this.#hostBy(name, { "max-by": this.#keyed.column(field).name });
  }

  #extreme<F extends FieldName<T>>(name: string, aggregate: HostAggregate, field: F): WindowResults<WindowValue<K, T[F]>, T> {
    const type = this.#keyed.stream.type.field(field).type as RecordType<T[F]>;
    return this.#host(name, aggregate, windowValue(this.#keyed.keyType, type), [this.#keyed.column(field)]);
  }

  /** The key's columns and the window's, followed by others. */
  #host<Out>(name: string, aggregate: HostAggregate, type: RecordType<Out>, columns: Schema): WindowResults<Out, T> {
    this.#isOfHost(name);
    return this.#add(name, { host: aggregate }, [], type, [...this.#keyed.keySchema(), ...BOUNDS, ...columns]);
  }

  /** The window's columns followed by the record's. */
  #hostBy(name: string, aggregate: HostAggregate): WindowResults<WindowRecord<T>, T> {
    const { type, schema } = this.#keyed.stream;
    this.#isOfHost(name);
    return this.#add(name, { host: aggregate }, [], windowRecord(type), [...BOUNDS, ...schema]);
  }

  #isOfHost(name: string): void {
    const { decides, evictor } = this.#said;
    const shown = JSON.stringify(name);
    if (decides !== undefined) throw new JobError(`window ${shown} is computed by the host, which asks no function for its trigger`);
    if (evictor !== undefined) throw new JobError(`window ${shown}: ${ONLY_WHOLE}`);
  }

  /** Adds a window that the component computes. */
  #compute<In, Acc, Out>(
    name: string,
    type: RecordType<Out>,
    compute: Compute<In, Acc>,
    acc: RecordType<Acc>,
    kind: "accumulator" | "list" = "accumulator",
  ): WindowResults<Out, T> {
    const { stream } = this.#keyed;
    const { id, port } = stream.next(type, type.schema);
    const cursor = new Cursor();
    const accs = new ValueTable(cursor, acc, kind);
    const pieces: [string, Table<unknown>][] = [[ACC, accs as unknown as Table<unknown>]];
    const { decides, evictor } = this.#said;
    if (evictor !== undefined && compute.evict === undefined) throw new JobError(`window ${JSON.stringify(name)}: ${ONLY_WHOLE}`);
    let decider: Decider | undefined;
    if (decides !== undefined) {
      const states = new ValueTable(cursor, decides.state, "value");
      pieces.push([TRIGGER, states]);
      decider = new Decider(decides, states, stream.type as RecordType<unknown>, this.#keyed.keyType.schema.length);
    }
    const guest = new WindowOperator(id, compute, [port] as unknown as Port[], [accs], new Slots(pieces, cursor), decider);
    const state = pieces.map(([piece, table]) => table.declare(piece));
    return this.#add(name, "guest", state, type, type.schema, guest);
  }

  #add<Out>(
    name: string,
    compute: "guest" | { readonly host: HostAggregate },
    state: readonly PlanState[],
    type: RecordType<Out>,
    schema: Schema,
    guest?: Node["guest"],
  ): WindowResults<Out, T> {
    const { stream, key } = this.#keyed;
    const { field, domain } = this.#windows;
    const { latenessMs, trigger } = this.#said;
    const assigner = field === undefined ? this.#windows.assigner : this.#windows.byColumn(this.#keyed.column(field).name);
    const kind = { window: { key, assigner, domain, latenessMs, trigger, evictor: this.#evictor(), compute, state } };
    const id = stream.graph.add(stream.guestNode(name, kind, type, schema, guest, [stream.keyedInput()]));
    return WindowResults.of<Out, T>(stream, id, type, schema, domain === "processing");
  }

  #evictor(): PlanEvictor | undefined {
    const { evictor } = this.#said;
    if (evictor === undefined) return undefined;
    const { evict, field, isAfter } = evictor;
    if (field === undefined || typeof evict !== "object" || !("delta" in evict)) return { evict, after: isAfter };
    return { evict: { delta: { ...evict.delta, field: this.#keyed.column(field).name } }, after: isAfter };
  }
}

/** What is said of windows beside which they are. */
interface Said {
  readonly latenessMs: number;
  readonly trigger: PlanTrigger | undefined;
  readonly decides: TriggerFunction<unknown, unknown> | undefined;
  readonly evictor: Evictor<unknown, string> | undefined;
}

const USUAL: Said = { latenessMs: 0, trigger: undefined, decides: undefined, evictor: undefined };
const ONLY_WHOLE = "only windows that are processed whole have an evictor, since they keep their records";

/** The columns of a window. */
export const BOUNDS: readonly Column[] = [
  { name: "start", type: "i64", optional: false },
  { name: "end", type: "i64", optional: false },
];

function isIterable<T>(value: Iterable<T> | void): value is Iterable<T> {
  return value !== undefined && typeof value[Symbol.iterator] === "function";
}

/** Keeps the records of each input until a window fires. */
export function gathering(
  keyType: RecordType<unknown>,
  types: readonly RecordType<unknown>[],
  f: (window: Window<unknown>, records: readonly unknown[][], out: Emit<unknown>) => Iterable<unknown> | void,
): Compute<unknown, unknown[]> {
  return {
    keyType,
    open: (block, input) => types[input]!.open(block),
    add: (acc, record) => {
      if (acc === undefined) return [record];
      acc.push(record);
      return acc;
    },
    merge: (into, from) => (into === undefined ? from.slice() : into.concat(from)),
    copy: (acc) => acc.slice(),
    finish: (window, accs, out) => {
      // Windows may share records, and a function may sort what it is given.
      const results = f(
        window,
        accs.map((acc) => acc?.slice() ?? []),
        out,
      );
      if (!isIterable(results)) return results;
      for (const result of results) out.emit(result);
    },
  };
}

/** A record and its event time. */
interface Timed {
  readonly record: unknown;
  readonly time: number;
}

const timedType = (record: RecordType<unknown>): RecordType<Timed> => composite<Timed>({ record, time });

/** What keeps records, with the event time of each, which an evictor asks for. */
function evicting(gathers: Compute<unknown, unknown[]>, evictor: Evictor<unknown, string>): Compute<Timed, Timed[]> {
  return {
    ...(gathers as unknown as Compute<Timed, Timed[]>),
    open: (block, input) => {
      const read = gathers.open(block, input);
      return (row) => ({ record: read(row), time: shownTime(timeAt(block.times, row)) });
    },
    evict: (acc, after) => {
      if (evictor.isAfter !== after) return acc;
      const places = evictor.kept(
        acc.map((one) => one.time),
        acc.map((one) => one.record),
      );
      return places.map((place) => acc[place]!);
    },
    finish: (window, [acc], out) => gathers.finish(window, [acc?.map((one) => one.record)], out),
  };
}

/** An aggregate whose methods can be taken apart from it. */
function bound<In, Acc, Out>(aggregate: Aggregate<In, Acc, Out>): Aggregate<In, Acc, Out> {
  return {
    acc: aggregate.acc,
    start: () => aggregate.start(),
    add: (acc, record) => aggregate.add(acc, record),
    merge: (into, from) => aggregate.merge(into, from),
    finish: (acc) => aggregate.finish(acc),
  };
}

/** What a job's function made of an accumulator, if it is one: found now, it is not found by a checkpoint. */
function checkedBy<Acc>(type: RecordType<Acc>, acc: Acc): Acc {
  type.check(acc);
  return acc;
}

function accumulating<K, In, Acc>(
  keyType: RecordType<K>,
  aggregate: Aggregate<In, Acc, unknown>,
  open: (block: Block) => RowReader<In>,
  finish: (window: Window<unknown>, result: unknown, out: Emit<unknown>) => unknown,
): Compute<In, Acc> {
  return {
    keyType: keyType as RecordType<unknown>,
    open,
    add: (acc, record) => aggregate.add(acc === undefined ? aggregate.start() : acc, record),
    merge: (into, from) => aggregate.merge(into === undefined ? aggregate.start() : into, from),
    copy: (acc) => aggregate.acc.copy(acc),
    finish: (window, [acc], out) => finish(window, aggregate.finish(acc!), out),
  };
}

/** The results of windows, and the records that came too late for theirs. */
export class WindowResults<Out, In> extends Stream<Out> {
  #late!: Stream<In>;
  #processing = false;

  /** @internal */
  static of<Out, In>(input: Stream<In>, id: number, type: RecordType<Out>, schema: Schema, processing: boolean): WindowResults<Out, In> {
    const results = new WindowResults<Out, In>(input.graph, id, "out", type, schema);
    results.#late = new Stream(input.graph, id, LATE, input.type, input.schema);
    results.#processing = processing;
    return results;
  }

  /**
   * The records that came too late for every window they belong to. Without a reader the host counts them and logs the first
   * ones. Windows in processing time have none.
   */
  late(): Stream<In> {
    if (this.#processing) {
      const { name } = this.graph.nodes[this.operator]!.plan;
      this.graph.errors.push(`window ${JSON.stringify(name)} is in processing time, where nothing is late`);
    }
    return this.#late;
  }
}
