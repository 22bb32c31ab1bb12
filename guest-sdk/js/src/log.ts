/**
 * The log of the job: `log.info("…")`. In a component `console` writes to the same log, in tests it is Node's own. A line carries
 * the operator that wrote it; the host cuts lines at 4 KiB and counts what comes too fast.
 */

import { currentCall } from "./runtime/call.js";
import type { Level } from "./runtime/host.js";

const at =
  (level: Level) =>
  (message: string): void =>
    currentCall()?.log(level, message);

/** Writes to the log, at five levels. */
export const log = {
  /** For the author of the job, while looking for a bug. */
  trace: at("trace"),
  /** For the author of the job. */
  debug: at("debug"),
  /** Worth knowing in normal operation. */
  info: at("info"),
  /** Somebody should look at it some day. */
  warn: at("warn"),
  /** Somebody should look at it now. */
  error: at("error"),
} as const;
