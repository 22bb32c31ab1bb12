/** Triggers in their simplest form, after the host's rules: a tree beside the plan's, with one number for each of its parts. */

import type { Domain, PlanSpan, When } from "../plan.js";

/** What a window is at. */
export interface At {
  readonly end: number;
  readonly domain: Domain;
  readonly watermark: number;
  readonly now: number;
  /** Some records have come since it fired last. */
  readonly fresh: boolean;
}

function timeOf(at: At, domain: Domain): number {
  return domain === "event" ? at.watermark : at.now;
}

function isOver(at: At): boolean {
  return timeOf(at, at.domain) >= at.end - 1;
}

/** The span of a trigger that waits for one. */
function waits(when: When): PlanSpan | undefined {
  if (typeof when === "string") return undefined;
  return "early-every" in when ? when["early-every"] : "after" in when ? when.after : undefined;
}

function partsOf(when: When): readonly When[] {
  if (typeof when === "string") return [];
  return "any" in when ? when.any : "all" in when ? when.all : [];
}

/** What a trigger remembers of a window. */
export class Memory {
  readonly #when: When;
  readonly #parts: readonly Memory[];
  /** A count, whether it has fired, or when it is to. */
  #number: number;

  constructor(when: When) {
    this.#when = when;
    this.#parts = partsOf(when).map((part) => new Memory(part));
    this.#number = waits(when) === undefined ? 0 : Infinity;
  }

  /** Whether the window fires: a record of this time came, or time went on. */
  step(at: At, record: number | undefined): boolean {
    const when = this.#when;
    const span = waits(when);
    if (span !== undefined) return this.#waited(span, at, record);
    if (when === "late-each") return isOver(at) && record !== undefined;
    if (when === "at-watermark") {
      if (!isOver(at) || this.#number !== 0) return false;
      this.#number = 1;
      return true;
    }
    if (typeof when === "string") return false;
    if ("count" in when) {
      if (record === undefined) return false;
      this.#number++;
      return this.#full(this.#number >= when.count.records);
    }
    const fired = this.#parts.map((part) => part.step(at, record));
    if ("any" in when) return fired.includes(true);
    fired.forEach((one, bit) => (this.#number |= one ? 1 << bit : 0));
    return this.#full(this.#number === 2 ** this.#parts.length - 1);
  }

  #waited({ ms, domain }: PlanSpan, at: At, record: number | undefined): boolean {
    const early = typeof this.#when === "object" && "early-every" in this.#when;
    if (record !== undefined && this.#number === Infinity && !(early && isOver(at))) {
      const since = domain === "event" ? record : at.now;
      this.#number = since + ms - (early ? ((since % ms) + ms) % ms : 0);
    }
    if (this.#number > timeOf(at, domain)) return false;
    this.#number = Infinity;
    return !early || record !== undefined || at.fresh;
  }

  #full(full: boolean): boolean {
    if (full) this.#number = 0;
    return full;
  }

  /** When time has to be looked at next in a domain. */
  due(at: At, domain: Domain): number {
    const span = waits(this.#when);
    if (span !== undefined) return span.domain === domain ? this.#number : Infinity;
    if (this.#when === "at-watermark") return domain === at.domain && this.#number === 0 ? at.end - 1 : Infinity;
    return Math.min(Infinity, ...this.#parts.map((part) => part.due(at, domain)));
  }

  /** The window has fired. */
  fired(): void {
    if (typeof this.#when === "object" && "after" in this.#when) this.#number = Infinity;
    this.#parts.forEach((part) => part.fired());
  }

  /** The window takes in another, and reaches to the moment's end now. */
  merge(other: Memory, at: At): void {
    const when = this.#when;
    if (waits(when) !== undefined) this.#number = Math.min(this.#number, other.#number);
    else if (when === "at-watermark") this.#number = isOver(at) ? this.#number : 0;
    else if (typeof when === "object" && "count" in when) this.#number += other.#number;
    else if (typeof when === "object" && "all" in when) this.#number |= other.#number;
    this.#parts.forEach((part, index) => part.merge(other.#parts[index]!, at));
  }
}
