/**
 * Streams: the fluent face of a job.
 *
 * A method adds an operator and returns the stream of its results. Every operator has a name, given first: it is what plans,
 * metrics and errors show, and how state is found again when the job changes. Operators that make records say of which type, for
 * TypeScript's types are gone when the job runs.
 */

import { JobError } from "../errors.js";
import { givenTime, type Time } from "../int64.js";
import type { Graph, Node } from "../job.js";
import { DEAD_LETTER, MAIN, type Chaining, type Input, type Kind, type OnError, type Partition } from "../plan.js";
import type { NumberField } from "../aggregate.js";
import type { Emit } from "../process.js";
import { DeadLetter, i64, noKey, tuple, type CellType } from "../record/index.js";
import { composite, type Any, type FieldName, type RecordType } from "../record/type.js";
import type { Push } from "../runtime/call.js";
import { answered } from "../runtime/keyed.js";
import { GeneratedOperator } from "../runtime/generator.js";
import { Port } from "../runtime/port.js";
import { StatelessOperator, type Compose } from "../runtime/stateless.js";
import type { Schema } from "../schema.js";
import type { Watermarks } from "../time.js";
import type { GeneratedWatermarks } from "../watermark.js";
import type { Windows } from "../window.js";
import type { Format } from "./format.js";
import type { WithBroadcast } from "./broadcast.js";
import { KeyedStream } from "./keyed.js";
import type { WindowedStream } from "./windowed.js";

/** A value that can be a key. */
export type KeyCell = string | number | bigint | boolean | Uint8Array | null;

/** The fields of a record that can be keys. */
export type KeyField<T> = { [K in FieldName<T>]: T[K] extends KeyCell | readonly KeyCell[] ? K : never }[FieldName<T>];

/**
 * The key that some fields make: the value of one, or an array of several. Of any fields it is any key: that is what the compiler asks
 * for where it finds out whether a stream of one type of records is one of another.
 */
export type KeyOf<T, F extends readonly (keyof T)[]> = 0 extends 1 & F
  ? any
  : F extends readonly [infer One extends keyof T]
    ? T[One]
    : { -readonly [I in keyof F]: T[F[I]] };

/** The output of an operator, as a new one is added. */
interface Added<Out> {
  readonly id: number;
  readonly port: Port<Out>;
}

/** A stream of records. Every use of it is a reader of its own. */
export class Stream<out T> {
  /** The type of its records. */
  readonly type: RecordType<T>;
  /** @internal */
  readonly graph: Graph;
  /** @internal */
  readonly operator: number;
  /** @internal */
  readonly port: string;
  /** The columns as the plan names them; the record's own may be followed by hidden ones. @internal */
  readonly schema: Schema;
  /** @internal */
  readonly partition: Partition;

  /** @internal */
  constructor(graph: Graph, operator: number, port: string, type: RecordType<T>, schema: Schema, partition: Partition = "forward") {
    this.graph = graph;
    this.operator = operator;
    this.port = port;
    this.type = type;
    this.schema = schema;
    this.partition = partition;
  }

  /** Turns each record into one. */
  map<Out extends Any>(name: string, out: RecordType<Out>, f: (record: T) => NoInfer<Out>): Stream<Out> {
    return this.stateless(name, "map", out, out.schema, (down) => (record, time) => down(f(record), time));
  }

  /** Keeps the records for which `keep` says so. */
  filter(name: string, keep: (record: T) => boolean): Stream<T> {
    const compose: Compose<T, T> = (down) => (record, time) => {
      const kept: unknown = keep(record);
      if (typeof kept !== "boolean") throw new TypeError("a filter answers true or false");
      if (kept) down(record, time);
    };
    return this.stateless(name, "filter", this.type, this.type.schema, compose, true);
  }

  /** Turns each record into any number of records: those of the array or generator that `f` returns, and those it emits on `out`. */
  flatMap<Out extends Any>(
    name: string,
    type: RecordType<Out>,
    f: (record: T, out: Emit<Out>) => Iterable<NoInfer<Out>> | void,
  ): Stream<Out> {
    return this.stateless(name, "flat-map", type, type.schema, (down) => {
      const out = new Emitter(down);
      return (record, time) => {
        out.time = time;
        const results = f(record, out);
        if (results === undefined) return;
        if (Array.isArray(results)) {
          for (let i = 0; i < results.length; i++) down(results[i] as Out, time);
          return;
        }
        answered(results);
        for (const result of results) down(result, time);
      };
    });
  }

  /** Sends each record to a main output, to a side output of the given port name, to both or to neither. */
  split<Out extends Any, Side extends Any>(
    name: string,
    type: RecordType<Out>,
    sideName: string,
    sideType: RecordType<Side>,
    f: (record: T, out: Emit<Out>, side: Emit<Side>) => void,
  ): [Stream<Out>, Stream<Side>] {
    const { id, port } = this.next(type, type.schema);
    const side = new Port(id, 1, sideType, sideType.schema, this.graph.call);
    const compose: Compose<T, Out> = (down) => {
      const [out, beside] = [new Emitter(down), new Emitter(side.push)];
      return (record, time) => {
        out.time = beside.time = time;
        answered(f(record, out, beside));
      };
    };
    const operator = new StatelessOperator(id, this.graph.call, this.type, [port, side] as unknown as Port[], compose);
    const main = this.add(this.guestNode(name, "flat-map", type, type.schema, operator), type, type.schema);
    return [main, main.declareOutput(sideName, sideType)];
  }

  /** This stream and others of the same records as one. */
  union(name: string, ...others: readonly Stream<T>[]): Stream<T> {
    const inputs = [this, ...others].map((stream) => stream.input());
    return this.add(this.newNode(name, "union", inputs, this.type, this.schema), this.type, this.schema);
  }

  /**
   * Gives each record an event time in milliseconds, from which watermarks follow: by a rule of the host's or as the job says, see
   * {@link GeneratedWatermarks}. Prefer {@link Source.eventTime}, which costs nothing, where the host's rules do; this must come
   * directly behind a source.
   */
  assignEventTime(name: string, time: (record: T) => number, watermarks: Watermarks | GeneratedWatermarks<T>): Stream<T> {
    const [kind, { type }] = [{ timestamps: watermarks.inPlan }, this];
    const compose: Compose<T, T> = (down) => (record) => down(record, givenTime(time(record)));
    if (!("make" in watermarks)) return this.stateless(name, kind, type, type.schema, compose);
    const { id, port } = this.next(type, type.schema);
    const operator = new GeneratedOperator(id, this.graph.call, type, [port] as unknown as Port[], compose, watermarks.make);
    return this.add(this.guestNode(name, kind, type, type.schema, operator), type, type.schema);
  }

  /** Partitions the stream by a field, or by several. The host does it. */
  keyBy<F extends readonly [KeyField<T>, ...KeyField<T>[]]>(...fields: F): KeyedStream<KeyOf<T, F>, T> {
    const places = fields.map((field) => this.type.field(field));
    const names = places.flatMap(({ first, count }) => this.schema.slice(first, first + count).map((column) => column.name));
    const type = places.length === 1 ? places[0]!.type : tuple(...(places.map((place) => place.type) as CellType<unknown>[]));
    if (!type.isKey) {
      throw new JobError(
        `${fields.join(", ")} cannot be a key: bool, i32, i64, bigint64, string, bytes and tuples of them can; round an f64`,
      );
    }
    return new KeyedStream(this, names, type as RecordType<KeyOf<T, F>>);
  }

  /** Partitions the stream by a key that is computed. */
  keyByComputed<K extends Any>(name: string, type: RecordType<K>, key: (record: T) => NoInfer<K>): KeyedStream<K, T> {
    if (!type.isKey) throw new JobError(`the key of ${JSON.stringify(name)} has a type that cannot be one: f64, list and json cannot`);
    const columns = type.schema.map((column, index) => ({ ...column, name: `$key${index}` }));
    const names = columns.map((column) => column.name);
    return new KeyedStream(this.#withColumns(name, type, columns, key), names, type);
  }

  /** Sends each record to the worker of the number that `worker` gives, modulo the parallelism. */
  partitionBy(name: string, worker: (record: T) => number): Stream<T> {
    const column = { name: "$partition", type: "i64" as const, optional: false };
    return this.#withColumns(name, i64, [column], worker).#partitioned({ custom: column.name });
  }

  /** Spreads blocks over all workers in turn. */
  rebalance(): Stream<T> {
    return this.#partitioned("rebalance");
  }

  /** Sends each record to a random worker. */
  shuffle(): Stream<T> {
    return this.#partitioned("shuffle");
  }

  /** Spreads blocks over a local subset of workers in turn. */
  rescale(): Stream<T> {
    return this.#partitioned("rescale");
  }

  /** Sends every record to all workers. */
  broadcast(): Stream<T> {
    return this.#partitioned("broadcast");
  }

  /** Sends all records to the first worker. */
  global(): Stream<T> {
    return this.#partitioned("global");
  }

  /** This stream, without a key, beside another, all of whose records come to every worker: see {@link BroadcastFunction}. */
  connectBroadcast<B>(broadcast: Stream<B>): WithBroadcast<null, T, B> {
    return new KeyedStream(this, [], noKey).connectBroadcast(broadcast);
  }

  /** Windows over all records, in one place. Partition by a key where you can: this does not run in parallel. */
  windowAll<F extends NumberField<T> = never>(windows: Windows<F>): WindowedStream<null, T> {
    return new KeyedStream(this, [], noKey).window(windows);
  }

  /** Writes the stream. The name is also the name of the binding: `--bind NAME=URL` replaces the default. */
  sink(name: string, format: Format): void {
    if (format.tagField !== undefined) this.graph.errors.push(`sink ${JSON.stringify(name)} has a tag: only sources have one`);
    const plan = {
      name,
      kind: { sink: format.binding(name) },
      inputs: [this.input()],
      outputs: [],
      parallelism: undefined,
      onError: "fail" as const,
    };
    this.graph.add({ plan, guest: undefined, records: new Map([[MAIN, this.type as RecordType<unknown>]]) });
  }

  /** Sets the parallelism of the operator that makes this stream; nothing overrides it. Rarely needed: without it `--parallelism` holds. */
  parallelism(workers: number): this {
    this.graph.nodes[this.operator]!.plan.parallelism = workers;
    return this;
  }

  /**
   * Begins a new chain with the operator that makes this stream: it is not in one call with the operators before it. Errors name the
   * operator also inside of a chain, so this is for measuring, or for a function whose call has to be short.
   */
  startNewChain(): this {
    return this.#chained("start");
  }

  /** Gives the operator that makes this stream a call of its own, with no operator before or behind it. */
  disableChaining(): this {
    return this.#chained("never");
  }

  #chained(chaining: Chaining): this {
    const { plan, guest } = this.graph.nodes[this.operator]!;
    if (guest === undefined) throw new JobError(`operator ${JSON.stringify(plan.name)} is run by the host and stands in no chain`);
    plan.chaining = chaining;
    return this;
  }

  /** Says what happens to records that the operator which makes this stream refuses. */
  onError(policy: OnError): this {
    this.graph.nodes[this.operator]!.plan.onError = policy;
    return this;
  }

  /** The records that the operator which makes this stream refuses; without it a refused record fails the job. */
  deadLetters(): Stream<DeadLetter> {
    this.onError("dead-letter");
    return new Stream(this.graph, this.operator, DEAD_LETTER, DeadLetter, DeadLetter.schema);
  }

  #partitioned(partition: Partition): Stream<T> {
    return new Stream(this.graph, this.operator, this.port, this.type, this.schema, partition);
  }

  /** The stream with columns behind each record, which readers of its records do not see. */
  #withColumns<X>(name: string, extraType: RecordType<X>, columns: Schema, extra: (record: T) => X): Stream<T> {
    const schema = [...this.type.schema, ...columns];
    const both = composite<{ record: T; extra: X }>({ record: this.type, extra: extraType });
    const stream = this.stateless(name, "key-by", both, schema, (down) => (record, time) => down({ record, extra: extra(record) }, time));
    return new Stream(this.graph, stream.operator, MAIN, this.type, schema);
  }

  /** Adds a stateless operator that the component computes. @internal */
  stateless<Out>(name: string, kind: Kind, type: RecordType<Out>, schema: Schema, compose: Compose<T, Out>, passesOn = false): Stream<Out> {
    const { id, port } = this.next(type, schema);
    const operator = new StatelessOperator(id, this.graph.call, this.type, [port] as unknown as Port[], compose, passesOn);
    return this.add(this.guestNode(name, kind, type, schema, operator), type, schema);
  }

  /** The id and main output of an operator about to be added. @internal */
  next<Out>(type: RecordType<Out>, schema: Schema): Added<Out> {
    const id = this.graph.nodes.length;
    return { id, port: new Port(id, 0, type, schema, this.graph.call) };
  }

  /** @internal */
  guestNode<Out>(name: string, kind: Kind, type: RecordType<Out>, schema: Schema, guest: Node["guest"], inputs = [this.input()]): Node {
    return { ...this.newNode(name, kind, inputs, type, schema), guest };
  }

  /** @internal */
  newNode<Out>(name: string, kind: Kind, inputs: readonly Input[], type: RecordType<Out>, schema: Schema): Node {
    const outputs = [{ name: MAIN, schema, variant: undefined }];
    const plan = { name, kind, inputs, outputs, parallelism: undefined, onError: "fail" as const };
    return { plan, guest: undefined, records: new Map([[MAIN, type as RecordType<unknown>]]) };
  }

  /** @internal */
  add<Out>(node: Node, type: RecordType<Out>, schema: Schema): Stream<Out> {
    return new Stream(this.graph, this.graph.add(node), MAIN, type, schema);
  }

  /** Adds a port to the operator that makes this stream. @internal */
  declareOutput<Side>(name: string, type: RecordType<Side>): Stream<Side> {
    const { plan, records } = this.graph.nodes[this.operator]!;
    if (records.has(name) || name === "late" || name === DEAD_LETTER) {
      this.graph.errors.push(`operator ${JSON.stringify(plan.name)} has two outputs called ${JSON.stringify(name)}`);
    }
    plan.outputs.push({ name, schema: type.schema, variant: undefined });
    records.set(name, type);
    return new Stream(this.graph, this.operator, name, type, type.schema);
  }

  /** @internal */
  input(): Input {
    return { from: this.graph.nodes[this.operator]!.plan.name, port: this.port, partition: this.partition };
  }

  /** The input of an operator with a key, which is partitioned by it and no other way. @internal */
  keyedInput(): Input {
    return { ...this.input(), partition: "forward" };
  }
}

/** Takes the records that a function emits. */
class Emitter<T> implements Emit<T> {
  time: Time = 0;
  readonly #push: Push<T>;

  constructor(push: Push<T>) {
    this.#push = push;
  }

  emit(record: T): void {
    this.#push(record, this.time);
  }
}
