/** The call in progress: who runs, on which row, and what went wrong so far. One belongs to an instance. */

import { Refusal } from "../errors.js";
import type { Time } from "../int64.js";
import { NONE, type Failure, type Host, type Level, type TimerOp } from "./host.js";
import type { Mark, Port } from "./port.js";

/** What takes a record and its event time. */
export type Push<T> = (record: T, time: Time) => void;

/** See the module. */
export class Call {
  readonly host: Host;
  operator = NONE;
  row = NONE;
  /** Whether a port is full, so that blocks are handed on when the record in flight is through. */
  full = false;
  /** Whether refused records are taken back in the chain that runs: not where one fails the job anyway. */
  undoes = false;
  /** What ended the instance, once something did. */
  broken: { readonly error: unknown } | undefined;
  failures: Failure[] = [];
  timers: TimerOp[] = [];

  constructor(host: Host) {
    this.host = host;
  }

  log(level: Level, message: string): void {
    this.host.log(level, this.operator, message);
  }

  /** How far the ports are that an operator's work on a record may have to be taken back from. */
  marks(behind: readonly Port[]): readonly Mark[] | undefined {
    return this.undoes ? behind.map((port) => port.mark()) : undefined;
  }

  /**
   * Takes back what an operator did for a record that it refused, whatever became of it in the members behind it: it stands as
   * one failure of this operator, and the members before it do not notice. Throws what is no refusal.
   *
   * `failures` and `timers` are how many there were when the operator was given the record.
   */
  refuse(
    error: unknown,
    operator: number,
    behind: readonly Port[],
    marks: readonly Mark[] | undefined,
    failures: number,
    timers: number,
  ): void {
    if (!(error instanceof Refusal)) {
      // A function in front of this one may catch what is thrown here; the instance is broken all the same.
      this.broken ??= { error };
      this.full = true;
      throw error;
    }
    if (marks !== undefined) behind.forEach((port, index) => port.undo(marks[index]!));
    this.failures.length = failures;
    this.timers.length = timers;
    this.failures.push({ row: this.row, operator, message: error.message });
  }
}

let current: Call | undefined;

/** The call that runs, if the host is inside an instance. */
export function currentCall(): Call | undefined {
  return current;
}

/** Runs `body` with a call as the current one. */
export function enter<R>(call: Call, body: () => R): R {
  const before = current;
  current = call;
  try {
    return body();
  } finally {
    current = before;
  }
}
