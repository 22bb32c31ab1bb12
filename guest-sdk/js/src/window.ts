/** Windows: which records belong together, and what a result is told about them. */

import { JobError } from "./errors.js";
import type { Assigner, Domain } from "./plan.js";
import { counted, span } from "./time.js";

/** Which windows a record belongs to; `F` are fields that it depends on. */
export class Windows<out F extends string = never> {
  /** @internal */
  readonly assigner: Assigner;
  /** @internal */
  readonly domain: Domain;
  /** The field of {@link sessionBy}. */
  readonly field: F | undefined;

  /** @internal */
  constructor(assigner: Assigner, domain: Domain = "event", field?: F) {
    this.assigner = assigner;
    this.domain = domain;
    this.field = field;
  }

  /**
   * Moves the beginnings of the windows, which otherwise are multiples of their size since 1970 in UTC: days in China are
   * `tumbling(days(1)).offset(-hours(8))`, and also `calendarDays("Asia/Shanghai")`.
   */
  offset(by: number): Windows<F> {
    const offset_ms = span(by, "an offset");
    const { assigner } = this;
    if (typeof assigner === "object") {
      if ("tumbling" in assigner) return this.#as({ tumbling: { ...assigner.tumbling, offset_ms } });
      if ("sliding" in assigner) return this.#as({ sliding: { ...assigner.sliding, offset_ms } });
      if ("session" in assigner) throw new JobError("a session begins with its first record: it has no offset");
    }
    throw new JobError("only tumbling and sliding windows have an offset");
  }

  /** Makes windows of {@link calendarDays} so many days long, counted from 1970-01-01. */
  every(days: number): Windows<F> {
    const { assigner } = this;
    if (typeof assigner === "string" || !("days" in assigner)) throw new JobError("only windows of calendarDays are so many days long");
    return this.#as({ days: { ...assigner.days, days: counted(days, "the number of days") } });
  }

  /** Lets a window of {@link records} fire although it is not full, so long of processing time after its first record. */
  orAfter(time: number): Windows<F> {
    return this.#cutShort(time, "processing");
  }

  /** As {@link orAfter}, in event time. */
  orAfterEventTime(time: number): Windows<F> {
    return this.#cutShort(time, "event");
  }

  #cutShort(time: number, domain: Domain): Windows<F> {
    const { assigner } = this;
    if (typeof assigner === "string" || !("count" in assigner) || assigner.count.slide !== undefined) {
      throw new JobError("only windows of records, which do not slide, fire although they are not full");
    }
    return this.#as({ count: { ...assigner.count, "or-after": { ms: span(time, "the time of windows that are not full"), domain } } });
  }

  /** Lets the host's clock drive the windows rather than the records' event time. */
  processingTime(): Windows<F> {
    return new Windows(this.assigner, "processing", this.field);
  }

  /** The same of sessions whose gap is in a column of this name. @internal */
  byColumn(field: string): Assigner {
    return { "session-by": { field } };
  }

  #as(assigner: Assigner): Windows<F> {
    return new Windows(assigner, this.domain, this.field);
  }
}

/** Every record in one window of this size. */
export function tumbling(size: number): Windows {
  return new Windows({ tumbling: { size_ms: span(size, "the size of a window"), offset_ms: 0 } });
}

/** A window of this size begins every `slide`. The host shares work between the windows where the slide divides the size. */
export function sliding(size: number, slide: number): Windows {
  const sizes = { size_ms: span(size, "the size of a window"), slide_ms: span(slide, "the slide of a window") };
  return new Windows({ sliding: { ...sizes, offset_ms: 0 } });
}

/** Records that lie at most `gap` apart share a window, which ends `gap` after its last record. */
export function session(gap: number): Windows {
  return new Windows({ session: { gap_ms: span(gap, "the gap of a session") } });
}

/** As {@link session}, with a gap of its own for each record, in a field that holds it in milliseconds. */
export function sessionBy<const F extends string>(field: F): Windows<F> {
  return new Windows({ "session-by": { field } }, "event", field);
}

/**
 * Calendar days of a time zone, by its IANA name such as `Asia/Shanghai`: each begins where the day does there, also where the clock is
 * changed.
 */
export function calendarDays(timezone: string): Windows {
  return new Windows({ days: { timezone, days: 1 } });
}

/**
 * So many records of a key, one behind the other, whenever they come. A window that is not full when the input ends gives nothing;
 * {@link Windows.orAfter} lets it fire earlier. Its bounds are those of its records' times.
 */
export function records(count: number): Windows {
  return new Windows({ count: { records: counted(count, "the number of records of a window") } });
}

/** The last `count` records of a key, every `slide` records. */
export function recordsSliding(count: number, slide: number): Windows {
  const number = counted(count, "the number of records of a window");
  return new Windows({ count: { records: number, slide: counted(slide, "the slide of records") } });
}

/**
 * One window for ever, from `-Infinity` to `Infinity`. It fires when its trigger says so, and without one the job is refused. The event
 * time of a result is that of the record or timer that made it fire.
 */
export function globalWindow(): Windows {
  return new Windows("global");
}

/** The window that a result is for. */
export interface Window<K> {
  /** The key. */
  readonly key: K;
  /** The first millisecond. */
  readonly start: number;
  /** The first millisecond behind it. */
  readonly end: number;
  /**
   * How often the window has fired before: more than 0 only for late records within the allowed lateness, when the result replaces
   * the one before.
   */
  readonly firing: number;
}
