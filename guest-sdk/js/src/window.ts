/** Windows: which records belong together, and what a result is told about them. */

import { JobError } from "./errors.js";
import type { Assigner, Domain } from "./plan.js";
import { span } from "./time.js";

/** Which windows a record belongs to. */
export class Windows {
  /** @internal */
  readonly assigner: Assigner;
  /** @internal */
  readonly domain: Domain;

  /** @internal */
  constructor(assigner: Assigner, domain: Domain) {
    this.assigner = assigner;
    this.domain = domain;
  }

  /**
   * Moves the beginnings of the windows, which otherwise are multiples of their size since 1970 in UTC: days in China are
   * `tumbling(days(1)).offset(-hours(8))`. A session has no offset.
   */
  offset(by: number): Windows {
    const offset_ms = span(by, "an offset");
    const { assigner } = this;
    if ("tumbling" in assigner) return new Windows({ tumbling: { ...assigner.tumbling, offset_ms } }, this.domain);
    if ("sliding" in assigner) return new Windows({ sliding: { ...assigner.sliding, offset_ms } }, this.domain);
    throw new JobError("a session begins with its first record: it has no offset");
  }

  /** Lets the host's clock drive the windows rather than the records' event time. */
  processingTime(): Windows {
    return new Windows(this.assigner, "processing");
  }
}

/** Every record in one window of this size. */
export function tumbling(size: number): Windows {
  return new Windows({ tumbling: { size_ms: span(size, "the size of a window"), offset_ms: 0 } }, "event");
}

/** A window of this size begins every `slide`. The host shares work between the windows where the slide divides the size. */
export function sliding(size: number, slide: number): Windows {
  const sizes = { size_ms: span(size, "the size of a window"), slide_ms: span(slide, "the slide of a window") };
  return new Windows({ sliding: { ...sizes, offset_ms: 0 } }, "event");
}

/** Records that lie at most `gap` apart share a window, which ends `gap` after its last record. */
export function session(gap: number): Windows {
  return new Windows({ session: { gap_ms: span(gap, "the gap of a session") } }, "event");
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
