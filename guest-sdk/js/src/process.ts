/**
 * Process functions: keyed state, timers, and full control over what is emitted when.
 *
 * ```ts
 * visits.keyBy("user").process("count", {
 *   out: Count,
 *   state: { count: valueState(i64) },
 *   timers: { quiet: eventTimer() },
 *   onRecord(ctx, visit) {
 *     ctx.state.count.update((n) => (n ?? 0) + 1);
 *     ctx.timers.quiet.replace(visit.at + minutes(1));
 *   },
 *   onTimer(ctx) {
 *     ctx.emit({ user: ctx.key, visits: ctx.state.count.take() ?? 0 });
 *   },
 * });
 * ```
 */

import type { Domain } from "./plan.js";
import type { RecordType } from "./record/type.js";
import type { Handles, Readings, States } from "./state.js";

/** A timer as it is declared. */
export interface TimerDeclaration {
  /** Which clock drives it. */
  readonly domain: Domain;
}

/** Declared timers by name. */
export type Timers = Readonly<Record<string, TimerDeclaration>>;

/** Declared side outputs by name: the record type of each. */
export type Sides = Readonly<Record<string, RecordType<unknown>>>;

/** A timer driven by watermarks. */
export function eventTimer(): TimerDeclaration {
  return { domain: "event" };
}

/** A timer driven by the host's clock. */
export function processingTimer(): TimerDeclaration {
  return { domain: "processing" };
}

/** The timers of one name of the key in hand. */
export interface TimerRef {
  /** Sets a timer beside those that are set; one of the same time is the same timer. */
  add(time: number): void;
  /** Sets a timer in place of all others of this name. */
  replace(time: number): void;
  /** Removes the timer of exactly this time, if there is one. */
  delete(time: number): void;
  /** Removes all timers of this name. */
  clear(): void;
}

/** Takes the records of one output. */
export interface Emit<T> {
  /** Emits a record; its event time is that of the record, timer or window in hand. */
  emit(record: T): void;
}

/** A timer that is due. */
export interface TimerEvent<N extends string = string> {
  /** The name it was declared under. */
  readonly name: N;
  /** The time it was set for, in milliseconds. */
  readonly time: number;
}

/** What a process function sees besides the record: its key, times, state, timers and outputs. */
export interface Context<K, Out, S extends States, T extends Timers, O extends Sides> extends Emit<Out> {
  /** The key. */
  readonly key: K;
  /** The event time of the record, or the time the timer was set for, in milliseconds; minus infinity when there is none. */
  readonly time: number;
  /** The watermark of the operator: no record before it is expected any more. Minus infinity before the first, infinity after the last record. */
  readonly watermark: number;
  /** Processing time as the host hands it out, in milliseconds. */
  readonly now: number;
  /** The key's declared state. */
  readonly state: Handles<S>;
  /** The key's declared timers. */
  readonly timers: { readonly [N in keyof T]: TimerRef };
  /** The declared side outputs. */
  readonly sides: { readonly [N in keyof O]: O[N] extends RecordType<infer R> ? Emit<R> : never };
  /** Emits a record at another event time. */
  emitAt(record: Out, time: number): void;
}

/** What every process function declares. Names are part of the plan: state is found by them across versions of the job. */
export interface Declarations<K, Out, S extends States, T extends Timers, O extends Sides> {
  /** What it emits. */
  readonly out: RecordType<Out>;
  /** Its state. */
  readonly state?: S;
  /** Its timers. */
  readonly timers?: T;
  /** Its side outputs. */
  readonly sides?: O;
  /** Handles a timer that is due. */
  onTimer?(ctx: Context<K, Out, S, T, O>, event: TimerEvent<keyof T & string>): void;
}

/** A function over a keyed stream. */
export interface ProcessFunction<K, In, Out, S extends States, T extends Timers, O extends Sides> extends Declarations<K, Out, S, T, O> {
  /** Handles a record. */
  onRecord(ctx: Context<K, Out, S, T, O>, record: In): void;
}

/** A function over two streams with the same key: Flink's `connect`. */
export interface ProcessFunction2<K, First, Second, Out, S extends States, T extends Timers, O extends Sides> extends Declarations<
  K,
  Out,
  S,
  T,
  O
> {
  /** Handles a record of the first stream. */
  onFirst(ctx: Context<K, Out, S, T, O>, record: First): void;
  /** Handles a record of the second stream. */
  onSecond(ctx: Context<K, Out, S, T, O>, record: Second): void;
}

/** What a function beside a broadcast stream sees: a context that can also read what all keys share. */
export interface SharingContext<K, Out, B extends States, S extends States, T extends Timers, O extends Sides> extends Context<
  K,
  Out,
  S,
  T,
  O
> {
  /** What all keys share, to read. */
  readonly shared: Readings<B>;
}

/** What a record of a broadcast stream sees: what all keys share, to change, and no key. What it emits is emitted on every worker. */
export interface BroadcastContext<Out, B extends States, O extends Sides> extends Pick<
  Context<null, Out, {}, {}, O>,
  "time" | "watermark" | "now" | "sides" | "emit" | "emitAt"
> {
  /** What all keys share, to change. */
  readonly shared: Handles<B>;
}

/**
 * A function over a stream, keyed or not, and a broadcast one, of which every worker gets every record. Only `onBroadcast` can change
 * what is shared, so every worker comes to the same. In which order records of the two streams meet is not said.
 */
export interface BroadcastFunction<
  K,
  In,
  Broadcast,
  Out,
  B extends States,
  S extends States,
  T extends Timers,
  O extends Sides,
> extends Omit<Declarations<K, Out, S, T, O>, "onTimer"> {
  /** What all keys share: state that is kept once. */
  readonly shared: B;
  /** Handles a record of the stream. */
  onRecord(ctx: SharingContext<K, Out, B, S, T, O>, record: In): void;
  /** Handles a record of the broadcast stream. It runs on every worker. */
  onBroadcast(ctx: BroadcastContext<Out, B, O>, record: Broadcast): void;
  /**
   * Applies a record of the broadcast stream to a key that has state or a timer, each key once, after `onBroadcast`, unless that
   * refused it. Where it is not given, no key is gone through.
   */
  onKey?(ctx: SharingContext<K, Out, B, S, T, O>, record: Broadcast): void;
  /** Handles a timer that is due. */
  onTimer?(ctx: SharingContext<K, Out, B, S, T, O>, event: TimerEvent<keyof T & string>): void;
}
