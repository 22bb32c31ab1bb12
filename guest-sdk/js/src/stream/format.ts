/** The formats that sources and sinks have. */

import type { Binding, FormatName } from "../plan.js";

/** How bytes become records and back, and where they come from or go to unless `--bind` says otherwise. */
export class Format {
  readonly #name: FormatName;
  readonly #url: string | undefined;
  /** @internal */
  readonly tagField: string | undefined;

  /** @internal */
  constructor(name: FormatName, url?: string, tagField?: string) {
    this.#name = name;
    this.#url = url;
    this.tagField = tagField;
  }

  /** The URL used when nothing is bound, such as `stdin:`, `stdout:` or `file:data.json`. */
  default(url: string): Format {
    return new Format(this.#name, url, this.tagField);
  }

  /** The string field whose value tells what kind of record it is; see {@link TaggedSource.variant}. */
  tag(field: string): Format {
    return new Format(this.#name, this.#url, field);
  }

  /** @internal */
  binding(name: string): Binding {
    return { binding: name, default: this.#url, format: this.#name };
  }
}

/** One JSON object a line. */
export function jsonLines(): Format {
  return new Format("json");
}

/** Comma-separated values; a source reads a header line. */
export function csv(): Format {
  return new Format("csv");
}

/** A line as one string: a source of `string`. */
export function text(): Format {
  return new Format("text");
}
