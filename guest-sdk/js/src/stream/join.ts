/**
 * Joins of keyed streams, which the host runs: in windows, by distance in time, by key, and with the version of a time.
 *
 * Each stream becomes a {@link Side} with a name, which may be `optional()`; sides are joined, and then it is said how. What a join gives
 * is an object with the record of each side under its name:
 *
 * ```ts
 * orders.keyBy("id").side("order")
 *   .join(payments.keyBy("order").side("payment"))
 *   .join(parcels.keyBy("order").side("parcel").optional())
 *   .latest("table")
 *   .map("status", Status, ({ order, payment, parcel }) => ({
 *     order: order.id, cents: payment.cents, place: parcel === null ? null : parcel.place,
 *   }))
 *   .sink("statuses", jsonLines());
 * ```
 */

import { JobError } from "../errors.js";
import { LATE_SIDE, MAIN, UNMATCHED, type Kind, type PlanSide } from "../plan.js";
import { windowRecord, type WindowRecord } from "../record/index.js";
import { joined, maybe } from "../record/joined.js";
import type { RecordType } from "../record/type.js";
import { span } from "../time.js";
import type { Windows } from "../window.js";
import { sameKeys } from "./co-group.js";
import type { KeyedStream } from "./keyed.js";
import { Stream } from "./stream.js";
import { BOUNDS } from "./windowed.js";

/** What a join knows of a side. */
export interface Part {
  readonly name: string;
  readonly keyed: KeyedStream<unknown, unknown>;
  readonly required: boolean;
}

/** A keyed stream as a side. */
export function partOf(name: string, keyed: KeyedStream<unknown, unknown>): Part {
  const { stream } = keyed;
  if (stream.schema.length > stream.type.schema.length) {
    throw new JobError(
      `side ${JSON.stringify(name)} has a key that is computed: a join needs it in a field, so give it one in a map in front of it`,
    );
  }
  return { name, keyed, required: true };
}

/** The rows of a result as the compiler shows them: one object rather than an intersection. */
type Flat<Row> = { [P in keyof Row]: Row[P] };

/** Sides about to be joined: `All` has the record of each under its name, `Row` what a result has there. */
export class Sides<K, All, Row> {
  /** @internal */
  readonly parts: readonly Part[];
  /** There for the compiler only. */
  declare readonly key: K;

  /** @internal */
  constructor(parts: readonly Part[]) {
    this.parts = parts;
  }

  /** @internal */
  protected with<A, R>(other: Sides<K, A, R>): readonly Part[] {
    const [part] = other.parts;
    if (part === undefined) throw new JobError('what is joined is a side, as in stream.keyBy(…).side("name")');
    if (this.parts.some(({ name }) => name === part.name))
      throw new JobError(`two sides of a join are called ${JSON.stringify(part.name)}`);
    sameKeys("sides of a join", this.parts[0]!.keyed.keyType, part.keyed.keyType);
    return [...this.parts, part];
  }

  /** @internal */
  protected inPlan(): readonly PlanSide[] {
    return this.parts.map(({ name, keyed, required }) => ({ name, key: keyed.key, ...(required ? {} : { required: false as const }) }));
  }

  /** @internal */
  add<Out>(name: string, kind: Kind, wrap: (type: RecordType<Flat<Row>>) => RecordType<Out>, bounds = false): JoinResults<Out, All> {
    const sides = this.parts.map((part) => ({
      name: part.name,
      type: part.required ? part.keyed.stream.type : maybe(part.keyed.stream.type),
    }));
    const row = joined<Flat<Row>>(sides);
    const type = wrap(row);
    const schema = bounds ? [...BOUNDS, ...row.schema] : row.schema;
    const { stream } = this.parts[0]!.keyed;
    const inputs = this.parts.map((part) => part.keyed.stream.keyedInput());
    const id = stream.graph.add(stream.newNode(name, kind, inputs, type, schema));
    return JoinResults.of<Out, All>(stream, id, type, schema, this.parts);
  }
}

/** A keyed stream as a side of a join. */
export class Side<K, All, Row> extends Sides<K, All, Row> {
  /** Lets the others be joined where this side has nothing: a left or right join of two, of two such sides a full one. */
  optional(): Side<K, All, { [P in keyof Row]: Row[P] | null }> {
    return new Side(this.parts.map((part) => ({ ...part, required: false })));
  }

  /** Joins another side. */
  join<A, R>(other: Side<K, A, R>): Pair<K, All & A, Row & R> {
    return new Pair(this.with(other));
  }
}

/** Sides about to be joined, of which there are two or more. */
export class Joinable<K, All, Row> extends Sides<K, All, Row> {
  /** Joins another side. */
  join<A, R>(other: Side<K, A, R>): Joinable<K, All & A, Row & R> {
    return new Joinable(this.with(other));
  }

  /**
   * The last record of each side by key, as a table: each record that comes gives the row of its key, once every side that is not
   * optional has one, with the record's event time.
   */
  latest(name: string): JoinResults<Flat<Row>, All> {
    return this.add(name, { "keyed-join": { sides: this.inPlan() } }, same);
  }

  /** Each record of a side with each of the others that has the same key and is in the same window. */
  window(windows: Windows): WindowedSides<All, Row> {
    return new WindowedSides(this as unknown as Joinable<unknown, All, Row>, windows, 0);
  }

  /** @internal */
  planSides(): readonly PlanSide[] {
    return this.inPlan();
  }
}

/** How far apart in time two records may be: see {@link Pair.within}. */
export interface Interval {
  /** How much later than the record of the first side at least; may be negative. */
  readonly from: number;
  /** How much later at most; may be negative. */
  readonly to: number;
  /** Leaves the lower bound itself out. */
  readonly fromExclusive?: boolean;
  /** Leaves the upper bound itself out. */
  readonly toExclusive?: boolean;
}

/** Two sides about to be joined, which may also be joined within some time of each other and as of a time. */
export class Pair<K, All, Row> extends Joinable<K, All, Row> {
  /**
   * Records of one key of which the second is so much later than the first; the bounds are included unless it is said otherwise. A
   * result has the greater time; it takes event time.
   */
  within(name: string, interval: Interval): JoinResults<Flat<Row>, All> {
    const [lower, upper] = [span(interval.from, "a bound of a join"), span(interval.to, "a bound of a join")];
    const join = {
      sides: this.inPlan(),
      "lower-ms": lower,
      "upper-ms": upper,
      ...(interval.fromExclusive === true ? { "lower-exclusive": true as const } : {}),
      ...(interval.toExclusive === true ? { "upper-exclusive": true as const } : {}),
    };
    return this.add(name, { "interval-join": join }, same);
  }

  /**
   * Each record of the first side with what the second said last at its time: a temporal join. Results come when the watermark has
   * come to their time, since an earlier version may still be on its way.
   */
  asOf(name: string): JoinResults<Flat<Row>, All> {
    return this.add(name, { "temporal-join": { sides: this.inPlan() } }, same);
  }
}

function same<T>(type: RecordType<T>): RecordType<T> {
  return type;
}

/** Sides about to be joined in windows. */
export class WindowedSides<All, Row> {
  readonly #sides: Joinable<unknown, All, Row>;
  readonly #windows: Windows;
  readonly #latenessMs: number;

  /** @internal */
  constructor(sides: Joinable<unknown, All, Row>, windows: Windows, latenessMs: number) {
    this.#sides = sides;
    this.#windows = windows;
    this.#latenessMs = latenessMs;
  }

  /** Keeps a window for this long after its end: a late record until then lets it fire again. */
  allowedLateness(lateness: number): WindowedSides<All, Row> {
    return new WindowedSides(this.#sides, this.#windows, span(lateness, "the allowed lateness"));
  }

  /** Joins each with each. A result's time is the last millisecond of its window. */
  join(name: string): JoinResults<WindowRecord<Flat<Row>>, All> {
    const { assigner, domain } = this.#windows;
    const join = { sides: this.#sides.planSides(), assigner, domain, "lateness-ms": this.#latenessMs };
    return this.#sides.add(name, { "window-join": join }, windowRecord, true);
  }
}

/** The record of the side of a name. */
export type Named<All, N> = N extends keyof All ? All[N] : never;

/** The results of a join, and what did not come into them. */
export class JoinResults<Out, All> extends Stream<Out> {
  #parts!: readonly Part[];

  /** @internal */
  static of<Out, All>(
    of: Stream<unknown>,
    id: number,
    type: RecordType<Out>,
    schema: Stream<Out>["schema"],
    parts: readonly Part[],
  ): JoinResults<Out, All> {
    const results = new JoinResults<Out, All>(of.graph, id, MAIN, type, schema);
    results.#parts = parts;
    return results;
  }

  /** The records of a side that found nobody where somebody was required. */
  unmatched<const N extends string>(side: N & keyof All): Stream<Named<All, N>> {
    const { type, schema } = this.#side(side);
    const port = `${UNMATCHED}${side}`;
    const { plan, records } = this.graph.nodes[this.operator]!;
    if (!records.has(port)) {
      plan.outputs.push({ name: port, schema, variant: undefined });
      records.set(port, type);
    }
    return new Stream(this.graph, this.operator, port, type as RecordType<Named<All, N>>, schema);
  }

  /** The records of a side that came too late. Without a reader the host counts them. */
  late<const N extends string>(side: N & keyof All): Stream<Named<All, N>> {
    const { type, schema } = this.#side(side);
    const { name, kind } = this.graph.nodes[this.operator]!.plan;
    const is = (what: string): void => void this.graph.errors.push(`join ${JSON.stringify(name)} ${what}, where nothing is late`);
    if (typeof kind === "object" && "keyed-join" in kind) is("joins whenever a record comes");
    if (typeof kind === "object" && "window-join" in kind && kind["window-join"].domain === "processing") is("is in processing time");
    return new Stream(this.graph, this.operator, `${LATE_SIDE}${side}`, type as RecordType<Named<All, N>>, schema);
  }

  #side(name: string): Stream<unknown> {
    const found = this.#parts.find((part) => part.name === name);
    if (found !== undefined) return found.keyed.stream;
    const there = this.#parts.map((part) => part.name).join(", ");
    throw new JobError(
      `join ${JSON.stringify(this.graph.nodes[this.operator]!.plan.name)} has no side ${JSON.stringify(name)}: it has ${there}`,
    );
  }
}
