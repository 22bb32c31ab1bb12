/** Window arithmetic in its simplest form, after the host's rules. */

import type { Assigner } from "../plan.js";

/** The bounds of a window: its first millisecond, and the first behind it. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The windows that a record at `time` belongs to. */
export function assign(assigner: Assigner, time: number): Span[] {
  if ("tumbling" in assigner) {
    const { size_ms, offset_ms } = assigner.tumbling;
    const start = startOf(time, offset_ms, size_ms);
    return [{ start, end: start + size_ms }];
  }
  if ("session" in assigner) return [{ start: time, end: time + assigner.session.gap_ms }];
  const { size_ms, slide_ms, offset_ms } = assigner.sliding;
  const windows: Span[] = [];
  for (let start = startOf(time, offset_ms, slide_ms); start > time - size_ms; start -= slide_ms)
    windows.push({ start, end: start + size_ms });
  return windows;
}

function startOf(time: number, offset: number, size: number): number {
  const remainder = (time - offset) % size;
  return time - (remainder < 0 ? remainder + size : remainder);
}

/** Whether two sessions merge: they overlap or touch. */
export function touch(a: Span, b: Span): boolean {
  return a.start <= b.end && a.end >= b.start;
}

/** Whether a record for this window is late. */
export function isLate(window: Span, lateness: number, watermark: number): boolean {
  return window.end - 1 + lateness <= watermark;
}
