/** How long state lives. */

import { JobError } from "./errors.js";
import type { Domain, PlanTtl } from "./plan.js";
import { span } from "./time.js";

/**
 * How long state lives after it was written last: a value as a whole, of a list each record and of a map each entry. Made by
 * {@link eventTtl} and {@link processingTtl}.
 *
 * What has expired is never seen again, and is removed in the end, also of a key that no record comes for. In event time an entry is as
 * old as the record it was written for, or as the watermark where that is further on, and expires when the watermark comes to its end;
 * in processing time the host's clock counts.
 */
export class Ttl {
  /** In milliseconds. */
  readonly ms: number;
  /** Which clock counts. */
  readonly domain: Domain;
  /** Whether reading an entry lets it live on. */
  readonly byReads: boolean;

  /** @internal */
  constructor(ms: number, domain: Domain, byReads = false) {
    if (span(ms, "a time-to-live") < 1) throw new JobError(`state lives for a positive time, not ${ms}`);
    this.ms = ms;
    this.domain = domain;
    this.byReads = byReads;
  }

  /** Reading an entry lets it live on as writing it does. */
  renewedByReads(): Ttl {
    return new Ttl(this.ms, this.domain, true);
  }

  /** As the plan writes it. @internal */
  get inPlan(): PlanTtl {
    return { ms: this.ms, domain: this.domain, ...(this.byReads ? { "on-read": true as const } : {}) };
  }
}

/** State that lives for so long in event time. */
export function eventTtl(time: number): Ttl {
  return new Ttl(time, "event");
}

/** State that lives for so long by the host's clock. */
export function processingTtl(time: number): Ttl {
  return new Ttl(time, "processing");
}
