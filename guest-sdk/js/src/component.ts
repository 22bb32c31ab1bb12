/**
 * The component: binds a job to the exports of the contract and to the host's imports. The entry that `tidemill build` makes
 * imports this before the job's own files, so that what they do at once already finds the log and no clock.
 */

import "./component/console.js";
import "./component/clock.js";

import { emit, log, reportFailure } from "tidemill:job/host@0.2.0";

import { flushConsole } from "./component/console.js";
import { traced } from "./component/trace.js";
import { JobError } from "./errors.js";
import { heardTime } from "./int64.js";
import type { JobFunction } from "./job.js";
import type { Decision, TriggerEvent } from "./runtime/deciding.js";
import { NONE, type Host, type Moment, type Outcome } from "./runtime/host.js";
import { Instance } from "./runtime/instance.js";

/** One `--arg name=value`. */
interface Argument {
  readonly name: string;
  readonly value: string;
}

/** The exports of the contract, as the compiler of components calls them. */
export interface Operators {
  plan(args: readonly Argument[]): string;
  link(chain: number, members: readonly number[]): void;
  process(chain: number, input: number, watermark: number, now: number, block: Uint8Array, rows: number[], slots: number[]): Outcome;
  onTimer(chain: number, watermark: number, now: number, block: Uint8Array, slots: number[]): Outcome;
  fire(chain: number, watermark: number, now: number, block: Uint8Array, offsets: number[], slots: number[]): Outcome;
  merge(operator: number, targets: number[], sources: number[]): void;
  trigger(
    operator: number,
    event: TriggerEvent,
    watermark: number,
    now: number,
    windows: Uint8Array,
    slots: number[],
    records: Uint8Array,
    rows: number[],
  ): Decision[];
  purge(operator: number, slots: number[]): void;
  apply(chain: number, input: number, watermark: number, now: number, block: Uint8Array, keys: Uint8Array, slots: number[]): Outcome;
  watermark(operator: number, split: number, now: number, block: Uint8Array): number | undefined;
  exportState(operator: number, slots: number[]): Uint8Array;
  importState(operator: number, slots: number[], block: Uint8Array): void;
  migrateState(operator: number): never;
  dropState(operator: number, slots: number[]): void;
}

const imports: Host = { log, emit, reportFailure };

function at(watermark: number, now: number): Moment {
  return { watermark: heardTime(watermark), now: heardTime(now) };
}

/** The exports for a job. */
export function component(job: JobFunction): Operators {
  let instance: Instance;
  /** Runs a call; what a job throws is told with its record before it becomes a trap. */
  const run = <R>(body: () => R): R => {
    try {
      return body();
    } catch (error) {
      const { operator, row } = instance.call;
      if (row === NONE) log("error", operator, traced(error));
      else reportFailure(operator, row, traced(error));
      throw error;
    }
  };
  return {
    plan: (args) => {
      flushConsole(log);
      if (typeof job !== "function") throw "the file has no job: end it with `export default defineJob((job) => { … })`";
      try {
        instance = new Instance(
          job,
          args.map(({ name, value }) => [name, value] as const),
          imports,
        );
      } catch (error) {
        // A result's error is whatever is thrown, as a string.
        throw error instanceof JobError ? error.message : traced(error);
      }
      return instance.document;
    },
    link: (chain, members) => run(() => instance.link(chain, members)),
    process: (chain, input, watermark, now, block, rows, slots) =>
      run(() => instance.process(chain, input, at(watermark, now), block, rows, slots)),
    onTimer: (chain, watermark, now, block, slots) => run(() => instance.onTimer(chain, at(watermark, now), block, slots)),
    fire: (chain, watermark, now, block, offsets, slots) => run(() => instance.fire(chain, at(watermark, now), block, offsets, slots)),
    merge: (operator, targets, sources) => run(() => instance.merge(operator, targets, sources)),
    trigger: (operator, event, watermark, now, windows, slots, records, rows) =>
      run(() => instance.trigger(operator, event, at(watermark, now), windows, slots, records, rows)),
    purge: (operator, slots) => run(() => instance.purge(operator, slots)),
    apply: (chain, _input, watermark, now, block, keys, slots) => run(() => instance.apply(chain, at(watermark, now), block, keys, slots)),
    watermark: (operator, split, now, block) => run(() => instance.watermark(operator, split, heardTime(now), block)),
    exportState: (operator, slots) => run(() => instance.exportState(operator, slots)),
    importState: (operator, slots, block) => {
      try {
        instance.importState(operator, slots, block);
      } catch (error) {
        throw error instanceof Error ? error.message : String(error);
      }
    },
    migrateState: (operator) => {
      throw `operator ${operator} does not say that it migrates state`;
    },
    dropState: (operator, slots) => run(() => instance.dropState(operator, slots)),
  };
}
