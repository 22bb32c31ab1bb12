/** Generators of watermarks: asked by the kit's clock in a job, and under test alone. */

import { said } from "../runtime/generator.js";
import type { GeneratedWatermarks, WatermarkGenerator } from "../watermark.js";
import type { Engine } from "./engine.js";

/** The kit's sources have one split. */
export const SPLIT = 0;
const NOTHING = new Uint8Array(0);

/** Says when the generators of a job are due. The clock begins at 0. */
export class GeneratorClock {
  readonly #engine: Engine;
  /** When each operator was asked last. */
  readonly #asked = new Map<number, number>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Asks those that are due. */
  ask(): void {
    const { nodes, instance, now } = this.#engine;
    nodes.forEach(({ plan: { kind } }, id) => {
      if (typeof kind === "string" || !("timestamps" in kind)) return;
      const { timestamps } = kind;
      if (typeof timestamps === "string" || !("guest" in timestamps)) return;
      const every = timestamps.guest["every-ms"];
      if (every === undefined || now - (this.#asked.get(id) ?? 0) < every) return;
      this.#asked.set(id, now);
      const watermark = instance.watermark(id, SPLIT, now, NOTHING);
      if (watermark !== undefined) this.#engine.watermark(id, watermark);
    });
  }
}

/** Tests watermarks that a job makes itself, of one split. */
export function testWatermarks<T>(watermarks: GeneratedWatermarks<T>): WatermarkTest<T> {
  return new WatermarkTest(watermarks);
}

/** A generator of watermarks under test. The clock stands at 0 unless the test moves it. */
export class WatermarkTest<T> {
  readonly #generator: WatermarkGenerator<T>;
  readonly #every: number | undefined;
  #asked = 0;
  #watermark: number | undefined;

  /** @internal */
  constructor(watermarks: GeneratedWatermarks<T>) {
    this.#generator = watermarks.make();
    this.#every = watermarks.inPlan.guest["every-ms"];
  }

  /** Shows the generator a record with its event time. */
  push(record: T, time: number): void {
    this.#hear(this.#generator.onEvent(record, time));
  }

  /** Sets the processing time, and asks the generator where that is due. */
  setProcessingTime(now: number): void {
    if (this.#every === undefined || now - this.#asked < this.#every) return;
    this.#asked = now;
    this.#hear(this.#generator.onPeriodic?.(now));
  }

  #hear(watermark: number | null | undefined): void {
    const heard = said(watermark);
    if (heard !== undefined && (this.#watermark === undefined || heard > this.#watermark)) this.#watermark = heard;
  }

  /** The watermark; `undefined` before the first. */
  get watermark(): number | undefined {
    return this.#watermark;
  }
}
