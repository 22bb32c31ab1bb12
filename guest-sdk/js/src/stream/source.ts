/** Sources. */

import { JobError } from "../errors.js";
import type { Graph, Node } from "../job.js";
import { MAIN, type PlanWatermarks, type SourceKind } from "../plan.js";
import type { FieldName, RecordType } from "../record/type.js";
import type { Watermarks } from "../time.js";
import type { Format } from "./format.js";
import { Stream } from "./stream.js";

/** The fields of a record that can be its event time. */
export type TimeField<T> = { [K in FieldName<T>]: T[K] extends number | bigint ? K : never }[FieldName<T>];

function node(name: string, format: Format): { readonly node: Node; readonly source: SourceKind } {
  const source: SourceKind = { ...format.binding(name), tag: format.tagField, time: undefined, watermarks: undefined };
  const plan = { name, kind: { source }, inputs: [], outputs: [], parallelism: undefined, onError: "fail" as const };
  return { node: { plan, guest: undefined, records: new Map() }, source };
}

/** What the plan says of watermarks at a source. */
function rule(watermarks: Watermarks): PlanWatermarks {
  if ("make" in watermarks) {
    throw new JobError("a generator sees no record before it is decoded: use assignEventTime, without event time at the source");
  }
  return watermarks.inPlan;
}

/** A source of records of one type: a stream whose event time can be declared. */
export class Source<T> extends Stream<T> {
  #source!: SourceKind;

  /** @internal */
  static add<T>(graph: Graph, name: string, type: RecordType<T>, format: Format): Source<T> {
    if (format.tagField !== undefined)
      graph.errors.push(`source ${JSON.stringify(name)} has a tag: use taggedSource, or leave the tag out`);
    const { node: added, source } = node(name, format);
    added.plan.outputs.push({ name: MAIN, schema: type.schema, variant: undefined });
    added.records.set(MAIN, type);
    const stream = new Source<T>(graph, graph.add(added), MAIN, type, type.schema);
    stream.#source = source;
    return stream;
  }

  /** Says which field holds the event time, in milliseconds since 1970 in UTC, and how watermarks follow. */
  eventTime(field: TimeField<T>, watermarks: Watermarks): Source<T> {
    const { first } = this.type.field(field);
    this.#source.time = this.type.schema[first]!.name;
    this.#source.watermarks = rule(watermarks);
    return this;
  }
}

/** A source whose records are of several types, told apart by a tag field. */
export class TaggedSource {
  readonly #graph: Graph;
  readonly #operator: number;
  readonly #source: SourceKind;

  /** @internal */
  constructor(graph: Graph, name: string, format: Format) {
    if (format.tagField === undefined) {
      graph.errors.push(`source ${JSON.stringify(name)} has no tag: say which field it is, as in jsonLines().tag("type")`);
    }
    const { node: added, source } = node(name, format);
    this.#graph = graph;
    this.#operator = graph.add(added);
    this.#source = source;
  }

  /**
   * Says which field of every variant holds the event time, in milliseconds since 1970 in UTC, and how watermarks follow. The
   * field need not be one that the job reads.
   */
  eventTimeField(name: string, watermarks: Watermarks): TaggedSource {
    this.#source.time = name;
    this.#source.watermarks = rule(watermarks);
    return this;
  }

  /** The records with this value of the tag. Variants that no job asks for are not decoded. */
  variant<T>(value: string, type: RecordType<T>): Stream<T> {
    const { plan, records } = this.#graph.nodes[this.#operator]!;
    if (records.has(value)) this.#graph.errors.push(`variant ${JSON.stringify(value)} is asked for twice: use one stream twice`);
    plan.outputs.push({ name: value, schema: type.schema, variant: value });
    records.set(value, type);
    return new Stream(this.#graph, this.#operator, value, type, type.schema);
  }
}
