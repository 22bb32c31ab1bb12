/** The call in progress: who runs, on which row, and what went wrong so far. One belongs to an instance. */

import { Refusal } from "../errors.js";
import type { Time } from "../int64.js";
import { NONE, type Failure, type Host, type Level, type TimerOp } from "./host.js";
import type { Port } from "./port.js";

/** What takes a record and its event time. */
export type Push<T> = (record: T, time: Time) => void;

/** What can be undone besides what was emitted: the state and timers of the operator at the head of a chain. */
export interface Undoable {
  rollBack(): void;
}

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

  /**
   * Runs an operator's function on one record. What it refuses is undone, whatever became of it in the members behind it, and
   * stands as one failure of this operator; the members before it do not notice.
   */
  guard<A, B>(operator: number, behind: readonly Port[], body: (a: A, b: B) => void, a: A, b: B, state?: Undoable): boolean {
    const before = this.operator;
    this.operator = operator;
    const failures = this.failures.length;
    const timers = this.timers.length;
    const marks = this.undoes ? behind.map((port) => port.mark()) : undefined;
    try {
      body(a, b);
    } catch (error) {
      if (!(error instanceof Refusal)) {
        // A function in front of this one may catch what is thrown here; the instance is broken all the same.
        this.broken ??= { error };
        this.full = true;
        throw error;
      }
      if (marks !== undefined) behind.forEach((port, index) => port.undo(marks[index]!));
      this.failures.length = failures;
      this.timers.length = timers;
      state?.rollBack();
      this.failures.push({ row: this.row, operator, message: error.message });
      this.operator = before;
      return false;
    }
    this.operator = before;
    return true;
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
