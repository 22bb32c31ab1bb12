/** Errors with the user's own file and line: the build leaves a table from lines of the bundle to lines of the sources. */

/** For each run of lines of the bundle: its first line, the file's index (-1 for what is not the user's), and the line there. */
export interface Lines {
  readonly files: readonly string[];
  readonly runs: readonly (readonly [number, number, number])[];
}

/** How many places of a stack are told. */
const PLACES_MAX = 4;

/** The place that a line of the bundle comes from, if it is the user's. */
export function placeOf(lines: Lines, line: number): string | undefined {
  let found: readonly [number, number, number] | undefined;
  for (const run of lines.runs) {
    if (run[0] > line) break;
    found = run;
  }
  if (found === undefined || found[1] < 0) return undefined;
  return `${lines.files[found[1]]}:${found[2] + line - found[0]}`;
}

/** What an error says, and where in the user's sources it was thrown. */
export function traced(error: unknown, lines = (globalThis as { __tidemill_lines?: Lines }).__tidemill_lines): string {
  if (!(error instanceof Error)) return `a function threw ${String(error)}, which is no Error`;
  const places: string[] = [];
  for (const match of (error.stack ?? "").matchAll(/^\s*at (?:(.*?) \()?[^()\n]*?:(\d+)(?::\d+)?\)?$/gm)) {
    const place = lines === undefined ? undefined : placeOf(lines, Number(match[2]));
    if (place === undefined) continue;
    const name = match[1] === undefined || match[1] === "<anonymous>" ? "" : ` (${match[1]})`;
    places.push(`${place}${name}`);
  }
  const where = places.length === 0 ? "" : `\n  at ${places.slice(0, PLACES_MAX).join("\n  at ")}`;
  return `${error.name}: ${error.message}${where}`;
}
