/** What passes between an instance and its host. */

/** How much a log line matters. */
export type Level = "trace" | "debug" | "info" | "warn" | "error";

/** What the host offers. */
export interface Host {
  /** Writes a line to the log of the job. */
  log(level: Level, operator: number, message: string): void;
  /** Hands on a block of output records. */
  emit(operator: number, port: number, block: Uint8Array): void;
  /** Says which row is about to cause a trap. */
  reportFailure(operator: number, row: number, message: string): void;
}

/** What to do with timers of a key. */
export type TimerAction = "add" | "replace" | "delete" | "clear";

/** One change to the timers of a keyed operator. */
export interface TimerOp {
  /** The slot whose key it concerns. */
  readonly slot: number;
  /** The index of the timer in the plan. */
  readonly timer: number;
  readonly action: TimerAction;
  /** When the timer is due, in milliseconds of its time domain. */
  readonly time: number;
}

/** A record that the job's code refused. */
export interface Failure {
  /** The row of the block. */
  readonly row: number;
  /** The operator that refused it. */
  readonly operator: number;
  readonly message: string;
}

/** What a call did besides emitting. */
export interface Outcome {
  timers: TimerOp[];
  /** Slots of this call that are empty now. */
  cleared: number[];
  /** Slots of this call that are as they were before. */
  unchanged: number[];
  failures: Failure[];
}

/** The outcome of a call that changed no slot. */
export function plainOutcome(): Outcome {
  return { timers: [], cleared: [], unchanged: [], failures: [] };
}

/** Event time and processing time at a call, in milliseconds. */
export interface Moment {
  readonly watermark: number;
  readonly now: number;
}

/** The operator id that means the job as a whole, and the row when none is in flight. */
export const NONE = 0xffff_ffff;
