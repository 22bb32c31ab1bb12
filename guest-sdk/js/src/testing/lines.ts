/** Lines of text as records and back, so that a test can run an example's own input. */

import type { FormatName, Output, SourceKind } from "../plan.js";
import type { Column, Schema } from "../schema.js";
import { decodeText, encodeText } from "../text.js";
import type { Value } from "./row.js";

/** The event time of a line, and the values it gives by port. */
export interface ParsedLine {
  readonly time: number | undefined;
  readonly rows: readonly { readonly port: string; readonly values: readonly Value[] }[];
}

/** Takes a line apart. */
export function parseLine(line: string, source: SourceKind, outputs: readonly Output[]): ParsedLine {
  const [first] = outputs;
  if (source.format === "text") return { time: undefined, rows: [{ port: first!.name, values: [line] }] };
  if (source.format === "csv") {
    const cells = line.split(",");
    const values = first!.schema.map((column, index) => fromText(cells[index] ?? "", column));
    const at = first!.schema.findIndex((column) => column.name === source.time);
    return { time: at < 0 ? undefined : Number(cells[at]), rows: [{ port: first!.name, values }] };
  }
  const object = JSON.parse(line) as Readonly<Record<string, unknown>>;
  const tag = source.tag === undefined ? undefined : object[source.tag];
  const rows = outputs
    .filter((output) => output.variant === tag)
    .map((output) => ({ port: output.name, values: output.schema.map((column) => fromJson(object[column.name], column)) }));
  const time = source.time === undefined ? undefined : Number(object[source.time]);
  return { time, rows };
}

function fromJson(json: unknown, column: Column): Value {
  if (json === undefined || json === null) return absent(column, "null");
  switch (column.type) {
    case "bool":
      return typeof json === "boolean" ? json : absent(column, JSON.stringify(json));
    case "i64":
      return Number.isInteger(json) ? BigInt(json as number) : absent(column, JSON.stringify(json));
    case "i32":
      return Number.isInteger(json) ? (json as number) : absent(column, JSON.stringify(json));
    case "f64":
      return typeof json === "number" ? json : absent(column, JSON.stringify(json));
    case "string":
      return typeof json === "string" ? json : absent(column, JSON.stringify(json));
    case "bytes":
      return typeof json === "string" ? encodeText(json) : absent(column, JSON.stringify(json));
  }
}

function fromText(cell: string, column: Column): Value {
  switch (column.type) {
    case "string":
      return cell;
    case "bytes":
      return encodeText(cell);
    case "bool":
      return cell === "true" || cell === "false" ? cell === "true" : absent(column, cell);
    default:
      return /^-?\d/.test(cell) ? fromJson(Number(cell), column) : absent(column, cell);
  }
}

function absent(column: Column, shown: string): null {
  if (column.optional) return null;
  throw new Error(`field ${JSON.stringify(column.name)} cannot be ${shown}: it is ${column.type}`);
}

/** A row as a line without its end. */
export function formatLine(values: readonly Value[], schema: Schema, format: FormatName): string {
  const shown = schema.map((column, index) => ({ column, value: values[index]! })).filter(({ column }) => !column.name.startsWith("$"));
  if (format !== "json") return shown.map(({ value, column }) => csvCell(value, column)).join(",");
  return `{${shown.map(({ column, value }) => `${JSON.stringify(column.name)}:${jsonValue(value, column)}`).join(",")}}`;
}

/** A number with a fraction as the host writes it: a whole one keeps a `.0`. */
function fraction(value: number): string {
  if (!Number.isFinite(value)) return "null";
  return Number.isInteger(value) && Math.abs(value) < 1e16 ? value.toFixed(1) : String(value);
}

function jsonValue(value: Value, column: Column): string {
  if (value instanceof Uint8Array) return JSON.stringify(decodeText(value));
  if (typeof value === "bigint") return String(value);
  return column.type === "f64" && value !== null ? fraction(value as number) : JSON.stringify(value);
}

function csvCell(value: Value, column: Column): string {
  if (value === null) return "";
  if (column.type === "f64") return fraction(value as number);
  const text = value instanceof Uint8Array ? decodeText(value) : String(value);
  return /[,"\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
