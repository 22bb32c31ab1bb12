/**
 * Triggers: when a window fires, where that is not at its end and at each late record.
 *
 * A declared trigger is put together of a few words and run by the host:
 *
 * ```ts
 * clicks
 *   .keyBy("user")
 *   .window(tumbling(hours(1)))
 *   .trigger(triggers.any(triggers.atEnd(), triggers.earlyEvery(seconds(10)), triggers.lateEach()))
 *   .count("clicks an hour, every ten seconds");
 * ```
 *
 * A {@link TriggerFunction} decides by itself, with state of its own for every window.
 */

import { JobError } from "./errors.js";
import type { PlanTrigger, When } from "./plan.js";
import type { RecordType } from "./record/type.js";
import { counted, span } from "./time.js";

/** When a window fires. It replaces the usual trigger, which is {@link any} of {@link atEnd} and {@link lateEach}. */
export class Trigger {
  /** As the plan writes it. @internal */
  readonly plan: PlanTrigger;

  /** @internal */
  constructor(when: When, purge = false) {
    this.plan = { when, purge };
  }

  /** Lets event time drive an {@link earlyEvery} or {@link after}. */
  eventTime(): Trigger {
    const { when, purge } = this.plan;
    if (typeof when === "object" && "early-every" in when) {
      return new Trigger({ "early-every": { ...when["early-every"], domain: "event" } }, purge);
    }
    if (typeof when === "object" && "after" in when) return new Trigger({ after: { ...when.after, domain: "event" } }, purge);
    throw new JobError("only earlyEvery and after have a span of time that event time can drive");
  }

  /** Empties a window when it has fired; it goes on all the same. */
  purging(): Trigger {
    return new Trigger(this.plan.when, true);
  }
}

/** When time has come to the window's end. */
export function atEnd(): Trigger {
  return new Trigger("at-watermark");
}

/** At each record that comes behind the window's end. */
export function lateEach(): Trigger {
  return new Trigger("late-each");
}

/** Until the window's end every so long of processing time, at multiples of it, when a record has come since the last firing. */
export function earlyEvery(every: number): Trigger {
  return new Trigger({ "early-every": { ms: span(every, "the span of a trigger"), domain: "processing" } });
}

/** So long of processing time after the first record since the last firing. */
export function after(time: number): Trigger {
  return new Trigger({ after: { ms: span(time, "the span of a trigger"), domain: "processing" } });
}

/** At every so many records. */
export function everyRecords(count: number): Trigger {
  return new Trigger({ count: { records: counted(count, "the number of records of a trigger") } });
}

/** When one of these fires. */
export function any(...triggers: readonly Trigger[]): Trigger {
  return new Trigger({ any: triggers.map(part) });
}

/** When each of these has fired since all had. */
export function all(...triggers: readonly Trigger[]): Trigger {
  return new Trigger({ all: triggers.map(part) });
}

function part({ plan }: Trigger): When {
  if (plan.purge) throw new JobError("a window is purged by the whole of its trigger: triggers.any(…).purging()");
  return plan.when;
}

/** What becomes of a window: nothing, it fires and keeps what it has, it is emptied and does not fire, or both. */
export type Action = "continue" | "fire" | "purge" | "fire-and-purge";

/** What a {@link TriggerFunction} sees of a window. */
export interface TriggerWindow<S> {
  /** What is remembered of the window, to be changed or replaced. It stays when the window fires or is purged. */
  state: S;
  /** The window's first millisecond. */
  readonly start: number;
  /** The first millisecond behind it. */
  readonly end: number;
  /** How often it has fired. */
  readonly firing: number;
  /** The record's event time, or the time that was asked for. */
  readonly time: number;
  /** The watermark; `-Infinity` before the first. */
  readonly watermark: number;
  /** Processing time. */
  readonly now: number;
  /** Asks to be called when event time has come to `time`, instead of at what was asked for before. */
  atEventTime(time: number): void;
  /** Asks to be called when processing time has come to `time`, instead of at what was asked for before. */
  atProcessingTime(time: number): void;
}

/** A trigger that decides by itself. What is to be remembered of a window belongs into its state. */
export interface TriggerFunction<T, S> {
  /** What it remembers of a window. */
  readonly state: RecordType<S>;
  /** What it remembers of a new one. */
  start(): NoInfer<S>;
  /** A record is being added. */
  onRecord(window: TriggerWindow<NoInfer<S>>, record: T): Action;
  /** Event time has come to what was asked for. */
  onEventTime?(window: TriggerWindow<NoInfer<S>>): Action;
  /** Processing time has come to what was asked for. */
  onProcessingTime?(window: TriggerWindow<NoInfer<S>>): Action;
  /** What is remembered of a session, `into`, that takes in another one. */
  merge(into: NoInfer<S>, from: NoInfer<S>): NoInfer<S>;
}
