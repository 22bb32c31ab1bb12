/** Streams partitioned by a key. */

import { DOMAINS, MAIN, type HostAggregate, type Input } from "../plan.js";
import type { Declarations, ProcessFunction, ProcessFunction2, Sides, Timers } from "../process.js";
import type { NumberField } from "../aggregate.js";
import { f64, i64, bigint64, keyCount, keyValue, type KeyCount, type KeyValue } from "../record/index.js";
import type { Any, FieldName, RecordType } from "../record/type.js";
import { KeyedOperator, type Broadcast, type Keyed, type KeyedInput } from "../runtime/keyed.js";
import { Port } from "../runtime/port.js";
import { Cursor, Slots, type Table } from "../runtime/slots.js";
import type { Column, Schema } from "../schema.js";
import { valueState, type StateDeclaration, type States, type ValueRef } from "../state.js";
import type { Windows } from "../window.js";
import { WithBroadcast } from "./broadcast.js";
import { CoGroup } from "./co-group.js";
import { partOf, Side } from "./join.js";
import { Stream } from "./stream.js";
import { WindowedStream } from "./windowed.js";

/** A stream partitioned by a key: all records of one key are handled in one place, in order. */
export class KeyedStream<K, out T> {
  /** @internal */
  readonly stream: Stream<T>;
  /** The names of the key's columns. @internal */
  readonly key: readonly string[];
  /** @internal */
  readonly keyType: RecordType<K>;

  /** @internal */
  constructor(stream: Stream<T>, key: readonly string[], keyType: RecordType<K>) {
    this.stream = stream;
    this.key = key;
    this.keyType = keyType;
  }

  /** Cuts the stream into windows, each key for itself. */
  window<F extends NumberField<T> = never>(windows: Windows<F>): WindowedStream<K, T> {
    return new WindowedStream(this, windows);
  }

  /** Handles the stream with state and timers; see {@link ProcessFunction}. */
  process<Out extends Any, const S extends States = {}, const W extends Timers = {}, const O extends Sides = {}>(
    name: string,
    f: ProcessFunction<K, T, Out, S, W, O>,
  ): Processed<Out, O> {
    return addProcess(name, f, [this], [(ctx, record) => f.onRecord(ctx as never, record as T)]);
  }

  /** This stream beside another, all of whose records come to every worker: see {@link BroadcastFunction}. */
  connectBroadcast<B>(broadcast: Stream<B>): WithBroadcast<K, T, B> {
    return new WithBroadcast(this, broadcast);
  }

  /**
   * This stream as a side of a join. The name is that of its record in a result, and finds what the join keeps of it again when the
   * job changes.
   */
  side<const N extends string>(name: N): Side<K, { [P in N]: T }, { [P in N]: T }> {
    return new Side([partOf(name, this as unknown as KeyedStream<unknown, unknown>)]);
  }

  /** This stream and another of the same key, cut into windows together: a window holds the records of both. */
  coGroup<U, F extends NumberField<T> & NumberField<U> = never>(other: KeyedStream<K, U>, windows: Windows<F>): CoGroup<K, T, U> {
    return new CoGroup(this, other, windows);
  }

  /** This stream and another of the same key, to be handled by one function with common state. */
  connect<U>(other: KeyedStream<K, U>): Connected<K, T, U> {
    return new Connected(this, other);
  }

  /** Combines each record with the result so far of its key, and emits the new result. */
  reduce(name: string, f: (before: Readonly<T>, record: T) => T): Stream<T> {
    const { type } = this.stream;
    const reduce: ProcessFunction<K, T, T, { readonly "so-far": StateDeclaration<ValueRef<T>> }, {}, {}> = {
      out: type,
      state: { "so-far": valueState(type) },
      onRecord(ctx, record) {
        const before = ctx.state["so-far"].get();
        const result = before === undefined ? record : f(before, record);
        ctx.state["so-far"].set(result);
        ctx.emit(result);
      },
    };
    return addProcess(name, reduce, [this], [(ctx, record) => reduce.onRecord(ctx as never, record as T)]);
  }

  /** Counts the records of each key; every record emits the new count. The host computes it. */
  count(name: string): Stream<KeyCount<K>> {
    return this.#rolling(name, "count", keyCount(this.keyType), [{ name: "count", type: "i64", optional: false }]);
  }

  /** Sums a field for each key; every record emits the new sum. The host computes it. */
  sum<F extends NumberField<T>>(name: string, field: F): Stream<KeyValue<K, T[F]>> {
    const column = this.column(field);
    const type = sumType(this.stream.type.field(field).type);
    return this.#rolling(name, { sum: column.name }, keyValue(this.keyType, type as RecordType<T[F]>), [sumColumn(column)]);
  }

  /** The least value of a field so far; every record emits it. The host computes it. */
  min<F extends FieldName<T>>(name: string, field: F): Stream<KeyValue<K, T[F]>> {
    return this.#extreme(name, { min: this.column(field).name }, field);
  }

  /** The greatest value of a field so far; every record emits it. The host computes it. */
  max<F extends FieldName<T>>(name: string, field: F): Stream<KeyValue<K, T[F]>> {
    return this.#extreme(name, { max: this.column(field).name }, field);
  }

  /** The record with the least value of a field so far; every record emits it. The host computes it. */
  minBy(name: string, field: FieldName<T>): Stream<T> {
    return this.#rolling(name, { "min-by": this.column(field).name }, this.stream.type);
  }

  /** The record with the greatest value of a field so far; every record emits it. The host computes it. */
  maxBy(name: string, field: FieldName<T>): Stream<T> {
    return this.#rolling(name, { "max-by": this.column(field).name }, this.stream.type);
  }

  #extreme<F extends FieldName<T>>(name: string, aggregate: HostAggregate, field: F): Stream<KeyValue<K, T[F]>> {
    const type = this.stream.type.field(field).type as RecordType<T[F]>;
    return this.#rolling(name, aggregate, keyValue(this.keyType, type), [this.column(field)]);
  }

  /** The column of a field as the plan names it. @internal */
  column(field: string): Column {
    return this.stream.schema[this.stream.type.field(field).first]!;
  }

  /** The columns of the key. @internal */
  keySchema(): Schema {
    return this.key.map((name) => this.stream.schema.find((column) => column.name === name)!);
  }

  /** A running aggregate: the key and a column, or the whole record. */
  #rolling<Out>(name: string, aggregate: HostAggregate, type: RecordType<Out>, columns?: Schema): Stream<Out> {
    const { stream } = this;
    const schema = columns === undefined ? stream.schema : [...this.keySchema(), ...columns];
    const kind = { rolling: { key: this.key, aggregate } };
    return stream.add(stream.newNode(name, kind, [stream.keyedInput()], type, schema), type, schema);
  }
}

/** The type of a sum: 64 bits for integers. */
export function sumType(type: RecordType<unknown>): RecordType<number> | RecordType<bigint> {
  const { shape } = type;
  if (shape.kind === "cell" && shape.cell.zero === "0n") return bigint64;
  return type.schema[0]!.type === "f64" ? f64 : i64;
}

/** The column of a sum. */
export function sumColumn(column: Column): Column {
  return column.type === "i32" ? { ...column, type: "i64" } : column;
}

/** Two streams with the same key, about to be handled by one function. */
export class Connected<K, First, Second> {
  readonly #first: KeyedStream<K, First>;
  readonly #second: KeyedStream<K, Second>;

  /** @internal */
  constructor(first: KeyedStream<K, First>, second: KeyedStream<K, Second>) {
    this.#first = first;
    this.#second = second;
  }

  /** Handles both streams with common state and timers; see {@link ProcessFunction2}. */
  process<Out extends Any, const S extends States = {}, const W extends Timers = {}, const O extends Sides = {}>(
    name: string,
    f: ProcessFunction2<K, First, Second, Out, S, W, O>,
  ): Processed<Out, O> {
    const onFirst = (ctx: unknown, record: unknown): unknown => f.onFirst(ctx as never, record as First);
    const onSecond = (ctx: unknown, record: unknown): unknown => f.onSecond(ctx as never, record as Second);
    return addProcess(name, f, [this.#first, this.#second] as never, [onFirst, onSecond]);
  }
}

/** The results of a process function. */
export class Processed<Out, O extends Sides> extends Stream<Out> {
  /** The records of a side output that the function declares under this name. */
  sideOutput<N extends keyof O & string>(name: N): Stream<O[N] extends RecordType<infer R> ? R : never> {
    const node = this.graph.nodes[this.operator]!;
    const type = node.records.get(name);
    if (type === undefined || name === MAIN) {
      this.graph.errors.push(`operator ${JSON.stringify(node.plan.name)} declares no side output ${JSON.stringify(name)}`);
    }
    const side = (type ?? this.type) as RecordType<never>;
    return new Stream(this.graph, this.operator, name, side, side.schema) as never;
  }
}

/** A broadcast input about to be added. */
export interface Beside {
  readonly stream: Stream<unknown>;
  readonly shared: States;
  readonly onBroadcast: Broadcast["onBroadcast"];
  readonly onKey: Broadcast["onKey"] | undefined;
}

/** Adds a process function with these inputs, and perhaps a broadcast one behind them. */
export function addProcess<K, Out, S extends States, W extends Timers, O extends Sides>(
  name: string,
  f: Declarations<K, Out, S, W, O>,
  streams: readonly KeyedStream<K, unknown>[],
  handlers: readonly KeyedInput["handle"][],
  beside?: Beside,
): Processed<Out, O> {
  const { stream: first, keyType } = streams[0]!;
  const { graph } = first;
  const cursor = new Cursor();
  const pieces = Object.entries(f.state ?? {}).map(([piece, { ttl, ...declaration }]) => ({ piece, ttl, ...declaration.make(cursor) }));
  const sharedCursor = new Cursor();
  const shared = Object.entries(beside?.shared ?? {}).map(([piece, { ttl, ...declaration }]) => ({
    piece,
    ttl,
    ...declaration.make(sharedCursor),
  }));
  const sides = Object.entries(f.sides ?? {});
  const timers = Object.entries(f.timers ?? {}).map(([timer, { domain }]) => ({ name: timer, domain }));
  for (const domain of DOMAINS) {
    // A piece of state that lives for a time is swept at a timer of its domain.
    if (!pieces.some(({ ttl }) => ttl?.domain === domain)) continue;
    cursor.expiry!.sweepers[domain] = timers.length;
    timers.push({ name: `$expire-${domain}`, domain });
  }
  if (shared.some(({ ttl }) => ttl !== undefined))
    graph.errors.push(`process ${JSON.stringify(name)}: what is shared lives until it is cleared`);
  if (beside !== undefined && streams[0]!.key.length === 0 && pieces.length + Object.keys(f.timers ?? {}).length > 0) {
    graph.errors.push(`process ${JSON.stringify(name)}: records without a key have no state but what is shared, and no timers`);
  }
  const inputs = streams.map(({ stream, key }, index): KeyedInput => {
    const indexes = key.map((column) => stream.schema.findIndex(({ name: other }) => other === column));
    return { type: stream.type, key: indexes, handle: handlers[index]! };
  });
  const keyed: Keyed = {
    keyType: keyType as RecordType<unknown>,
    inputs,
    timerNames: Object.keys(f.timers ?? {}),
    sideNames: sides.map(([side]) => side),
    handles: Object.fromEntries(pieces.map(({ piece, handle }) => [piece, handle])),
    onTimer: (ctx, event) => f.onTimer?.(ctx as never, event as never),
    broadcast: beside && {
      type: beside.stream.type,
      handles: Object.fromEntries(shared.map(({ piece, handle }) => [piece, handle])),
      cursor: sharedCursor,
      onBroadcast: beside.onBroadcast,
      onKey: (ctx, record) => beside.onKey?.(ctx, record),
    },
  };
  const { id, port } = first.next(f.out, f.out.schema);
  const ports = [port, ...sides.map(([, type], index) => new Port(id, index + 1, type, type.schema, graph.call))] as unknown as Port[];
  // The columns of what is shared stand behind those of the keys' state.
  const slots = new Slots(
    [...pieces, ...shared].map(({ piece, table }): [string, Table<unknown>] => [piece, table]),
    cursor,
  );
  const kind = {
    process: {
      keys: streams.map(({ key }) => key),
      state: pieces.map(({ piece, table }) => table.declare(piece)),
      timers,
      broadcast: beside && { state: shared.map(({ piece, table }) => table.declare(piece)), apply: beside.onKey !== undefined },
    },
  };
  const planInputs: Input[] = streams.map(({ stream, key }) => (key.length > 0 ? stream.keyedInput() : stream.input()));
  if (beside !== undefined) planInputs.push({ ...beside.stream.input(), partition: "broadcast" });
  const guest = new KeyedOperator(id, graph.call, keyed, ports, slots);
  graph.add(first.guestNode(name, kind, f.out, f.out.schema, guest, planInputs));
  const processed = new Processed<Out, O>(graph, id, MAIN, f.out, f.out.schema);
  for (const [side, type] of sides) processed.declareOutput(side, type);
  return processed;
}
