/**
 * The plan document (`plan.md` of the contract), as the SDK writes it. Objects are made with their keys in one order, so that the
 * same job gives the same bytes.
 *
 * Only what the fluent API can say is here; the host's reader is the authority.
 */

import type { Schema } from "./schema.js";
import { schemaText } from "./schema.js";

/** The version of the contract this SDK speaks. */
export const CONTRACT = "0.2.0";
/** The port that every operator has. */
export const MAIN = "out";
/** The implied port of windows for records that came too late. */
export const LATE = "late";
/** The implied ports of joins for records that came too late begin with it; the name of the side follows. */
export const LATE_SIDE = "late-";
/** The ports of joins for records that found nobody begin with it. */
export const UNMATCHED = "unmatched-";
/** The implied port of operators whose policy is `dead-letter`. */
export const DEAD_LETTER = "dead-letter";

/** What happens to a record that an operator refuses: the job fails and names it, or it is counted and left out, or it goes to the operator's dead letters. */
export type OnError = "fail" | "skip" | "dead-letter";

/** How bytes become records. */
export type FormatName = "json" | "csv" | "text";

/** How records are spread over workers. */
export type Partition = "forward" | "rebalance" | "shuffle" | "rescale" | "broadcast" | "global" | { readonly custom: string };

/** How watermarks follow event time. */
export type PlanWatermarks = "monotonic" | { readonly bounded: { readonly ms: number } };

/** Watermarks that the component makes. */
export interface PlanGenerator {
  readonly guest: { readonly "every-ms"?: number };
}

/** Which clock drives timers and windows. */
export type Domain = "event" | "processing";
/** Both. */
export const DOMAINS: readonly Domain[] = ["event", "processing"];

/** Which windows a record belongs to. */
export type Assigner =
  | { readonly tumbling: { readonly size_ms: number; readonly offset_ms: number } }
  | { readonly sliding: { readonly size_ms: number; readonly slide_ms: number; readonly offset_ms: number } }
  | { readonly session: { readonly gap_ms: number } }
  | { readonly "session-by": { readonly field: string } }
  | { readonly days: { readonly timezone: string; readonly days: number } }
  | { readonly count: CountWindows }
  | "global";

/** So much time of a domain. */
export interface PlanSpan {
  readonly ms: number;
  readonly domain: Domain;
}

/** Windows of so many records. */
export interface CountWindows {
  readonly records: number;
  readonly slide?: number;
  readonly "or-after"?: PlanSpan;
}

/** When a window fires. */
export type When =
  | "at-watermark"
  | "late-each"
  | "guest"
  | { readonly "early-every": PlanSpan }
  | { readonly after: PlanSpan }
  | { readonly count: { readonly records: number } }
  | { readonly any: readonly When[] }
  | { readonly all: readonly When[] };

/** When a window fires, and whether that empties it. */
export interface PlanTrigger {
  readonly when: When;
  readonly purge: boolean;
}

/** What an evictor takes out of a window. */
export type PlanEvict =
  | { readonly count: { readonly records: number } }
  | { readonly time: { readonly ms: number } }
  | { readonly delta: { readonly field: string; readonly threshold: number } }
  | "guest";

/** An evictor, and whether it comes behind the window's function. */
export interface PlanEvictor {
  readonly evict: PlanEvict;
  readonly after: boolean;
}

/** What the host computes. */
export type HostAggregate =
  | "count"
  | { readonly sum: string }
  | { readonly min: string }
  | { readonly max: string }
  | { readonly "min-by": string }
  | { readonly "max-by": string };

/** Where a source reads or a sink writes. */
export interface Binding {
  readonly binding: string;
  readonly default: string | undefined;
  readonly format: FormatName;
}

/** A source. */
export interface SourceKind extends Binding {
  readonly tag: string | undefined;
  time: string | undefined;
  watermarks: PlanWatermarks | undefined;
}

/** A declared piece of state. */
export interface PlanState {
  readonly name: string;
  readonly kind: "value" | "list" | "map" | "accumulator";
  readonly schema: Schema;
  readonly ttl?: PlanTtl;
}

/** How long state lives after it was written. */
export interface PlanTtl extends PlanSpan {
  readonly "on-read"?: true;
}

/** A declared timer. */
export interface PlanTimer {
  readonly name: string;
  readonly domain: Domain;
}

/** A process function. */
export interface ProcessKind {
  readonly keys: readonly (readonly string[])[];
  readonly state: readonly PlanState[];
  readonly timers: readonly PlanTimer[];
  readonly broadcast: { readonly state: readonly PlanState[]; readonly apply: boolean } | undefined;
}

/** One input of a join. */
export interface PlanSide {
  readonly name: string;
  readonly key: readonly string[];
  /** Whether there is no result without it; said only where there is. */
  readonly required?: false;
}

/** The sides of a join, as the plan writes them. */
export interface JoinKind {
  readonly sides: readonly PlanSide[];
}

/** A join by distance in time. */
export interface IntervalJoinKind extends JoinKind {
  readonly "lower-ms": number;
  readonly "upper-ms": number;
  readonly "lower-exclusive"?: true;
  readonly "upper-exclusive"?: true;
}

/** A join in windows. */
export interface WindowJoinKind extends JoinKind {
  readonly assigner: Assigner;
  readonly domain: Domain;
  readonly "lateness-ms": number;
}

/** A co-group. */
export interface CoGroupKind extends WindowJoinKind {
  readonly trigger: PlanTrigger | undefined;
  readonly state: readonly PlanState[];
}

/** A window. */
export interface WindowKind {
  readonly key: readonly string[];
  readonly assigner: Assigner;
  readonly domain: Domain;
  readonly latenessMs: number;
  readonly trigger: PlanTrigger | undefined;
  readonly evictor: PlanEvictor | undefined;
  readonly compute: "guest" | { readonly host: HostAggregate };
  readonly state: readonly PlanState[];
}

/** What an operator does. */
export type Kind =
  | "map"
  | "filter"
  | "flat-map"
  | "key-by"
  | "union"
  | { readonly source: SourceKind }
  | { readonly timestamps: PlanWatermarks | PlanGenerator }
  | { readonly process: ProcessKind }
  | { readonly window: WindowKind }
  | { readonly "window-join": WindowJoinKind }
  | { readonly "interval-join": IntervalJoinKind }
  | { readonly "keyed-join": JoinKind }
  | { readonly "temporal-join": JoinKind }
  | { readonly "co-group": CoGroupKind }
  | { readonly rolling: { readonly key: readonly string[]; readonly aggregate: HostAggregate } }
  | { readonly sink: Binding };

/** An input of an operator. */
export interface Input {
  readonly from: string;
  readonly port: string;
  readonly partition: Partition;
}

/** An output of an operator. */
export interface Output {
  readonly name: string;
  schema: Schema;
  readonly variant: string | undefined;
}

/** An operator. */
export interface Operator {
  readonly name: string;
  readonly kind: Kind;
  readonly inputs: readonly Input[];
  readonly outputs: Output[];
  parallelism: number | undefined;
  onError: OnError;
  /** Whether it shares its call with others, where it is not as the host likes. */
  chaining?: Chaining;
}

/** An operator does not stand in one call with those in front of it, or with none at all. */
export type Chaining = "start" | "never";

/** Leaves out what is undefined or has no items. */
function compact(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(object).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)),
  );
}

function kindDocument(kind: Kind): unknown {
  if (typeof kind === "string") return kind;
  if ("source" in kind) {
    const { binding, default: url, format, tag, time, watermarks } = kind.source;
    return { source: compact({ binding, default: url, format, tag, time, watermarks }) };
  }
  if ("sink" in kind) {
    const { binding, default: url, format } = kind.sink;
    return { sink: compact({ binding, default: url, format }) };
  }
  if ("process" in kind) {
    const { keys, state, timers, broadcast } = kind.process;
    const shared = broadcast && { state: broadcast.state.map(stateDocument), apply: broadcast.apply };
    return { process: { keys, ...compact({ state: state.map(stateDocument), timers, broadcast: shared }) } };
  }
  if ("window" in kind) {
    const { key, assigner, domain, latenessMs, trigger, evictor, compute, state } = kind.window;
    const rest = compact({ trigger, evictor, state: state.map(stateDocument) });
    return { window: { key, assigner, domain, "lateness-ms": latenessMs, compute, ...rest } };
  }
  if ("co-group" in kind) return { "co-group": { ...kind["co-group"], state: kind["co-group"].state.map(stateDocument) } };
  return kind;
}

/** The sides of a join or a co-group; none of anything else. */
export function sidesOf(kind: Kind): readonly PlanSide[] {
  if (typeof kind === "string") return [];
  const found = Object.values(kind)[0] as Partial<JoinKind> | string;
  return typeof found === "object" && found.sides !== undefined ? found.sides : [];
}

function stateDocument(state: PlanState): unknown {
  return compact({ name: state.name, kind: state.kind, schema: schemaText(state.schema), ttl: state.ttl });
}

function operatorDocument(operator: Operator): unknown {
  const inputs = operator.inputs.map((input) =>
    compact({
      from: input.from,
      port: input.port === MAIN ? undefined : input.port,
      partition: input.partition === "forward" ? undefined : input.partition,
    }),
  );
  const outputs = operator.outputs.map((output) =>
    compact({ name: output.name === MAIN ? undefined : output.name, schema: schemaText(output.schema), variant: output.variant }),
  );
  return compact({
    name: operator.name,
    kind: kindDocument(operator.kind),
    inputs,
    outputs,
    parallelism: operator.parallelism,
    "on-error": operator.onError === "fail" ? undefined : operator.onError,
    chaining: operator.chaining,
  });
}

/** The plan document. */
export function planDocument(name: string | undefined, operators: readonly Operator[]): string {
  return JSON.stringify({ ...compact({ contract: CONTRACT, name }), operators: operators.map(operatorDocument) });
}
