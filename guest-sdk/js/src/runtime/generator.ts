/** The operator that gives event time, with a generator of watermarks for each split. */

import type { Block } from "../block/reader.js";
import { shownTime, timeAt } from "../int64.js";
import type { RecordType } from "../record/type.js";
import type { WatermarkGenerator } from "../watermark.js";
import type { Call } from "./call.js";
import type { Port } from "./port.js";
import { StatelessOperator, type Compose } from "./stateless.js";

/** See the module. */
export class GeneratedOperator<T> extends StatelessOperator<T, T> {
  readonly #type: RecordType<T>;
  readonly #make: () => WatermarkGenerator<T>;
  readonly #splits = new Map<number, WatermarkGenerator<T>>();

  constructor(
    id: number,
    call: Call,
    type: RecordType<T>,
    ports: readonly Port[],
    compose: Compose<T, T>,
    make: () => WatermarkGenerator<T>,
  ) {
    super(id, call, type, ports, compose);
    this.#type = type;
    this.#make = make;
  }

  /** The watermark of a split: behind a block that left the operator, or by the clock. */
  watermark(split: number, now: number, block: Block | undefined, call: Call): number | undefined {
    let generator = this.#splits.get(split);
    if (generator === undefined) this.#splits.set(split, (generator = this.#make()));
    if (block === undefined) return said(generator.onPeriodic?.(now));
    const read = this.#type.open(block);
    let greatest: number | undefined;
    for (let row = 0; row < block.rows; row++) {
      call.row = row;
      const watermark = said(generator.onEvent(read(row), shownTime(timeAt(block.times, row))));
      if (watermark !== undefined && (greatest === undefined || watermark > greatest)) greatest = watermark;
    }
    return greatest;
  }

  /** Lets the generators begin anew, as in a fresh instance. */
  forgetSplits(): void {
    this.#splits.clear();
  }
}

/** A watermark that a generator gave. */
export function said(watermark: number | null | undefined): number | undefined {
  if (watermark === undefined || watermark === null) return undefined;
  if (Number.isSafeInteger(watermark)) return watermark;
  throw new TypeError(`a watermark is a whole number of milliseconds below 2^53, or undefined, not ${String(watermark)}`);
}
