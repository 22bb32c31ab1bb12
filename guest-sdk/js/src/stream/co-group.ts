/** Co-groups: what two keyed streams have in a window, handled at once. */

import { JobError } from "../errors.js";
import { LATE_SIDE, MAIN, type PlanTrigger } from "../plan.js";
import type { Emit } from "../process.js";
import type { Any, RecordType } from "../record/type.js";
import type { Port } from "../runtime/port.js";
import { Cursor, ListTable, Slots, type Table } from "../runtime/slots.js";
import { WindowOperator } from "../runtime/windowed.js";
import { schemaText } from "../schema.js";
import { span } from "../time.js";
import type { Trigger } from "../triggers.js";
import type { Window, Windows } from "../window.js";
import type { KeyedStream } from "./keyed.js";
import { Stream } from "./stream.js";
import { gathering } from "./windowed.js";

/** The names of the two sides in the plan, and of what is kept of them. */
const SIDES = ["first", "second"] as const;

/** Two keyed streams cut into the same windows: one holds the records of both, and exists where one has some. */
export class CoGroup<K, A, B> {
  readonly #first: KeyedStream<K, A>;
  readonly #second: KeyedStream<K, B>;
  readonly #windows: Windows<string>;
  readonly #latenessMs: number;
  readonly #trigger: PlanTrigger | undefined;

  /** @internal */
  constructor(
    first: KeyedStream<K, A>,
    second: KeyedStream<K, B>,
    windows: Windows<string>,
    latenessMs = 0,
    trigger: PlanTrigger | undefined = undefined,
  ) {
    sameKeys("streams of a co-group", first.keyType, second.keyType);
    this.#first = first;
    this.#second = second;
    this.#windows = windows;
    this.#latenessMs = latenessMs;
    this.#trigger = trigger;
  }

  /** Says when a window fires, instead of at its end and at each late record: see `triggers`. */
  trigger(trigger: Trigger): CoGroup<K, A, B> {
    return new CoGroup(this.#first, this.#second, this.#windows, this.#latenessMs, trigger.plan);
  }

  /** Keeps a window for this long after its end: a late record until then lets it fire again. */
  allowedLateness(lateness: number): CoGroup<K, A, B> {
    return new CoGroup(this.#first, this.#second, this.#windows, span(lateness, "the allowed lateness"), this.#trigger);
  }

  /** Handles all records of each window at once, those of each stream in the order of their arrival. */
  process<Out extends Any>(
    name: string,
    out: RecordType<Out>,
    f: (window: Window<K>, first: readonly A[], second: readonly B[], out: Emit<Out>) => Iterable<NoInfer<Out>> | void,
  ): CoGroupResults<Out, A, B> {
    const both: readonly KeyedStream<K, unknown>[] = [this.#first, this.#second] as never;
    const { stream } = this.#first;
    const { id, port } = stream.next(out, out.schema);
    const cursor = new Cursor();
    const tables = both.map((keyed) => new ListTable(cursor, keyed.stream.type));
    const pieces = SIDES.map((side, index): [string, Table<unknown>] => [side, tables[index] as Table<unknown>]);
    const types = both.map((keyed) => keyed.stream.type);
    const compute = gathering(this.#first.keyType as RecordType<unknown>, types, (window, [first, second], emit) =>
      f(window as Window<K>, first as A[], second as B[], emit as Emit<Out>),
    );
    const guest = new WindowOperator(id, compute, [port] as unknown as Port[], tables, new Slots(pieces, cursor));
    const { field, domain } = this.#windows;
    const assigner = field === undefined ? this.#windows.assigner : this.#windows.byColumn(this.#first.column(field).name);
    const sides = both.map(({ key }, index) => ({ name: SIDES[index]!, key }));
    const state = pieces.map(([side, table]) => table.declare(side));
    const kind = { "co-group": { sides, assigner, domain, "lateness-ms": this.#latenessMs, trigger: this.#trigger, state } };
    const inputs = both.map((keyed) => keyed.stream.keyedInput());
    stream.graph.add(stream.guestNode(name, kind, out, out.schema, guest, inputs));
    return CoGroupResults.of<Out, A, B>(this.#first.stream, this.#second.stream, id, out, domain === "processing");
  }
}

/** Refuses streams that are to meet by keys of different types. */
export function sameKeys(what: string, a: RecordType<unknown>, b: RecordType<unknown>): void {
  const bare = ({ schema }: RecordType<unknown>): string => schemaText(schema.map((column, index) => ({ ...column, name: `${index}` })));
  if (bare(a) !== bare(b))
    throw new JobError(`${what} have keys of the same types, not ${schemaText(a.schema)} and ${schemaText(b.schema)}`);
}

/** The results of a co-group, and the records that came too late for their window. */
export class CoGroupResults<Out, A, B> extends Stream<Out> {
  #first!: Stream<A>;
  #second!: Stream<B>;
  #processing = false;

  /** @internal */
  static of<Out, A, B>(
    first: Stream<A>,
    second: Stream<B>,
    id: number,
    out: RecordType<Out>,
    processing: boolean,
  ): CoGroupResults<Out, A, B> {
    const results = new CoGroupResults<Out, A, B>(first.graph, id, MAIN, out, out.schema);
    results.#first = first;
    results.#second = second;
    results.#processing = processing;
    return results;
  }

  /** The records of the first stream that came too late. */
  lateFirst(): Stream<A> {
    return this.#late(this.#first, SIDES[0]);
  }

  /** The records of the second stream that came too late. */
  lateSecond(): Stream<B> {
    return this.#late(this.#second, SIDES[1]);
  }

  #late<S>(side: Stream<S>, name: string): Stream<S> {
    const { name: operator } = this.graph.nodes[this.operator]!.plan;
    if (this.#processing) this.graph.errors.push(`co-group ${JSON.stringify(operator)} is in processing time, where nothing is late`);
    return new Stream(this.graph, this.operator, `${LATE_SIDE}${name}`, side.type, side.schema);
  }
}
