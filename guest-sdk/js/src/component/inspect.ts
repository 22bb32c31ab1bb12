/** Values in log lines, in Node's manner: short, on one line, and never in a circle. */

const DEPTH_MAX = 4;
const ITEMS_MAX = 100;

/** A value as text. */
export function inspect(value: unknown, depth = 0): string {
  switch (typeof value) {
    case "string":
      return depth === 0 ? value : JSON.stringify(value);
    case "bigint":
      return `${value}n`;
    case "function":
      return `[Function: ${value.name || "anonymous"}]`;
    case "symbol":
      return value.toString();
    case "object":
      return value === null ? "null" : inspectObject(value, depth);
    default:
      return Object.is(value, -0) ? "-0" : String(value);
  }
}

function inspectObject(value: object, depth: number): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (depth > DEPTH_MAX) return Array.isArray(value) ? "[Array]" : "[Object]";
  const inner = (item: unknown): string => inspect(item, depth + 1);
  if (value instanceof Map) return `Map(${value.size}) ${braces([...value].map(([key, item]) => `${inner(key)} => ${inner(item)}`))}`;
  if (value instanceof Set) return `Set(${value.size}) ${braces([...value].map(inner))}`;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const items = Array.from(value as unknown as ArrayLike<unknown>);
    const shown = items.slice(0, ITEMS_MAX).map(inner);
    if (items.length > ITEMS_MAX) shown.push(`… ${items.length - ITEMS_MAX} more`);
    const name = Array.isArray(value) ? "" : `${value.constructor.name}(${items.length}) `;
    return `${name}[${shown.length > 0 ? ` ${shown.join(", ")} ` : ""}]`;
  }
  const name = value.constructor?.name ?? "";
  const fields = Object.entries(value).map(
    ([key, item]) => `${/^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key)}: ${inner(item)}`,
  );
  return `${name === "" || name === "Object" ? "" : `${name} `}${braces(fields)}`;
}

const braces = (items: readonly string[]): string => (items.length === 0 ? "{}" : `{ ${items.join(", ")} }`);
