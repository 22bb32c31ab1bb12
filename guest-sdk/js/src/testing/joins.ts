/** The joins of the kit's host, by going through all that is kept. */

import { shownTime } from "../int64.js";
import { LATE_SIDE, MAIN, sidesOf, UNMATCHED, type IntervalJoinKind, type PlanSide } from "../plan.js";
import type { Engine } from "./engine.js";
import type { Key } from "./keyed.js";
import type { Row, Value } from "./row.js";

/** A record of a join that may find somebody yet. */
interface Held {
  readonly key: Key;
  readonly side: number;
  readonly row: Row;
  matched: boolean;
}

const timeOf = ({ row }: Held): number => shownTime(row.time);
const isRequired = (side: PlanSide): boolean => side.required !== false;

/** What a join keeps and does that has no windows. */
export class JoinKeeper {
  readonly #engine: Engine;
  readonly #id: number;
  readonly #sides: readonly PlanSide[];
  readonly #interval: IntervalJoinKind | undefined;
  readonly #temporal: boolean;
  /** In the order of arrival. */
  #held: Held[] = [];
  /** The last record of each side, by key. */
  readonly #latest = new Map<string, (Row | undefined)[]>();

  constructor(engine: Engine, id: number) {
    this.#engine = engine;
    this.#id = id;
    const { kind } = engine.plan(id);
    this.#sides = sidesOf(kind);
    this.#interval = typeof kind === "object" && "interval-join" in kind ? kind["interval-join"] : undefined;
    this.#temporal = typeof kind === "object" && "temporal-join" in kind;
  }

  get #watermark(): number {
    return this.#engine.moment(this.#id).watermark;
  }

  /** Gives a row to an input. */
  add(input: number, row: Row): void {
    const side = this.#sides[input]!;
    const key = this.#engine.key(side.key, this.#engine.inputSchema(this.#id, input), row);
    const held = { key, side: input, row, matched: false };
    const time = timeOf(held);
    const watermark = this.#watermark;
    const late =
      this.#interval !== undefined ? time < watermark : this.#temporal && input === 0 && time <= watermark && watermark > -Infinity;
    if (late) {
      this.#engine.carry(this.#id, `${LATE_SIDE}${side.name}`, [row]);
    } else if (this.#interval !== undefined) {
      this.#meet(this.#interval, held);
      this.release();
    } else if (this.#temporal) {
      this.#held.push(held);
    } else {
      this.#last(held);
    }
  }

  /** Lets go of what finds nobody any more, and joins what has waited for the watermark. */
  release(): void {
    const watermark = this.#watermark;
    const interval = this.#interval;
    if (interval !== undefined) {
      const last = (held: Held): number => partners(interval, held)[1];
      for (const held of this.#take(last, (one) => watermark > last(one))) if (!held.matched) this.#alone(held);
    } else if (this.#temporal) {
      for (const held of this.#take(timeOf, (one) => one.side === 0 && timeOf(one) <= watermark)) this.#lookUp(held);
    }
  }

  /** Takes out what is due, in order. */
  #take(order: (held: Held) => number, isDue: (held: Held) => boolean): Held[] {
    const due = this.#held.filter(isDue);
    this.#held = this.#held.filter((held) => !isDue(held));
    return due.sort((a, b) => order(a) - order(b));
  }

  #result(time: Row["time"], picked: readonly (Row | undefined)[]): void {
    const values = picked.flatMap((row, side): readonly Value[] => row?.values ?? nothing(this.#engine, this.#id, side));
    this.#engine.carry(this.#id, MAIN, [{ time, values }]);
  }

  #last({ key, side, row }: Held): void {
    const table = this.#latest.get(key.text) ?? this.#sides.map((): Row | undefined => undefined);
    this.#latest.set(key.text, table);
    table[side] = row;
    if (this.#sides.every((one, index) => !isRequired(one) || table[index] !== undefined)) this.#result(row.time, table);
  }

  /** Joins a row with those of the other side that are near it, and keeps it. */
  #meet(interval: IntervalJoinKind, held: Held): void {
    const [first, last] = partners(interval, held);
    const near = this.#held.filter(
      (other) => other.key.text === held.key.text && other.side !== held.side && timeOf(other) >= first && timeOf(other) <= last,
    );
    for (const other of near.sort((a, b) => timeOf(a) - timeOf(b))) {
      other.matched = held.matched = true;
      const time = timeOf(other) > timeOf(held) ? other.row.time : held.row.time;
      this.#result(time, held.side === 0 ? [held.row, other.row] : [other.row, held.row]);
    }
    this.#held.push(held);
  }

  #alone({ side, row }: Held): void {
    if (isRequired(this.#sides[1 - side]!)) unmatched(this.#engine, this.#id, this.#sides[side]!, row);
    else this.#result(row.time, side === 0 ? [row, undefined] : [undefined, row]);
  }

  /** Joins a record with the version of its time, the last that came of equals. */
  #lookUp(record: Held): void {
    const valid = this.#held.filter((held) => held.side === 1 && held.key.text === record.key.text && timeOf(held) <= timeOf(record));
    const version = valid.reduce<Held | undefined>((a, b) => (a === undefined || timeOf(b) >= timeOf(a) ? b : a), undefined);
    if (version === undefined && isRequired(this.#sides[1]!)) unmatched(this.#engine, this.#id, this.#sides[0]!, record.row);
    else this.#result(record.row.time, [record.row, version?.row]);
  }
}

/** Joins the rows of a window, each with each. */
export function joinWindow(
  engine: Engine,
  id: number,
  bounds: readonly Value[],
  time: number,
  rows: readonly (readonly [number, Row])[],
): void {
  const sides = sidesOf(engine.plan(id).kind);
  const of = sides.map((_, side) => rows.filter(([input]) => input === side).map(([, row]) => row.values));
  if (sides.some((side, index) => isRequired(side) && of[index]!.length === 0)) {
    for (const [input, row] of rows) unmatched(engine, id, sides[input]!, row);
    return;
  }
  let results: (readonly Value[])[] = [bounds];
  of.forEach((found, side) => {
    const choices = found.length === 0 ? [nothing(engine, id, side)] : found;
    results = results.flatMap((head) => choices.map((tail) => [...head, ...tail]));
  });
  engine.carry(
    id,
    MAIN,
    results.map((values) => ({ time, values })),
  );
}

function nothing(engine: Engine, id: number, side: number): readonly null[] {
  return engine.inputSchema(id, side).map(() => null);
}

function unmatched(engine: Engine, id: number, side: PlanSide, row: Row): void {
  const port = `${UNMATCHED}${side.name}`;
  if (engine.plan(id).outputs.some(({ name }) => name === port)) engine.carry(id, port, [row]);
}

/** The first and the last time of a partner of a row. */
function partners(interval: IntervalJoinKind, held: Held): readonly [number, number] {
  const lower = interval["lower-ms"] + (interval["lower-exclusive"] === true ? 1 : 0);
  const upper = interval["upper-ms"] - (interval["upper-exclusive"] === true ? 1 : 0);
  const time = timeOf(held);
  return held.side === 0 ? [time + lower, time + upper] : [time - upper, time - lower];
}
