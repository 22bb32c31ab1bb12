/** A stream beside a broadcast one. */

import { JobError } from "../errors.js";
import type { BroadcastFunction, Declarations, Sides, Timers } from "../process.js";
import type { Any } from "../record/type.js";
import type { States } from "../state.js";
import { addProcess, KeyedStream, type Processed } from "./keyed.js";
import type { Stream } from "./stream.js";

/** A stream and a broadcast one, about to be handled by one function. */
export class WithBroadcast<K, T, B> {
  readonly #data: KeyedStream<K, T>;
  readonly #broadcast: Stream<B>;

  /** @internal */
  constructor(data: KeyedStream<K, T>, broadcast: Stream<B>) {
    if ((broadcast as unknown) instanceof KeyedStream) throw new JobError("connectBroadcast takes a stream without a key");
    this.#data = data;
    this.#broadcast = broadcast;
  }

  /** Handles both streams; see {@link BroadcastFunction}. */
  process<
    Out extends Any,
    const Shared extends States,
    const S extends States = {},
    const W extends Timers = {},
    const O extends Sides = {},
  >(name: string, f: BroadcastFunction<K, T, B, Out, Shared, S, W, O>): Processed<Out, O> {
    const onRecord = (ctx: unknown, record: unknown): unknown => f.onRecord(ctx as never, record as T);
    const beside = {
      stream: this.#broadcast as Stream<unknown>,
      shared: f.shared,
      onBroadcast: (ctx: unknown, record: unknown): unknown => f.onBroadcast(ctx as never, record as B),
      onKey: f.onKey === undefined ? undefined : (ctx: unknown, record: unknown): unknown => f.onKey!(ctx as never, record as B),
    };
    return addProcess(name, f as Declarations<K, Out, S, W, O>, [this.#data] as never, [onRecord], beside);
  }
}
