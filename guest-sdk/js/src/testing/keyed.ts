/** Slots and timers of one operator, as a host keeps them. */

import type { TimerOp } from "../runtime/host.js";
import type { Value } from "./row.js";

/** A key, by its values and what tells it apart. */
export interface Key {
  readonly values: readonly Value[];
  readonly text: string;
}

/** Which slot belongs to which key and, in windows, bounds. */
export class SlotNumbers {
  readonly #numbers = new Map<string, number>();
  readonly #places: ({ readonly place: string; readonly key: Key } | undefined)[] = [];
  readonly #free: number[] = [];

  /** The slot of a place, a new one if need be. */
  slot(key: Key, bounds = ""): number {
    const place = `${key.text}@${bounds}`;
    const known = this.#numbers.get(place);
    if (known !== undefined) return known;
    const slot = this.#free.pop() ?? this.#places.length;
    this.#places[slot] = { place, key };
    this.#numbers.set(place, slot);
    return slot;
  }

  /** Forgets a slot, whose number may come back. */
  forget(slot: number): void {
    const found = this.#places[slot];
    if (found === undefined) return;
    this.#places[slot] = undefined;
    this.#numbers.delete(found.place);
    this.#free.push(slot);
  }

  /** The key of a slot that a call named. */
  key(slot: number): Key {
    return this.#places[slot]!.key;
  }

  /** The keys that have a slot, and what tells it apart from other slots of the key. */
  keys(): { readonly key: Key; readonly bounds: string }[] {
    return this.#places.flatMap((found) => {
      if (found === undefined) return [];
      return [{ key: found.key, bounds: found.place.slice(found.key.text.length + 1) }];
    });
  }

  /** All slots in use. */
  all(): number[] {
    return [...this.#numbers.values()];
  }
}

/** A timer that is set. */
export interface SetTimer {
  readonly time: number;
  readonly timer: number;
  readonly key: Key;
}

/** The timers of one operator: when, which, and of which key. */
export class TimerSet {
  #set: SetTimer[] = [];

  /** Applies a change. */
  apply({ timer, action, time }: TimerOp, key: Key): void {
    const same = (other: SetTimer): boolean => other.timer === timer && other.key.text === key.text;
    if (action === "replace" || action === "clear") this.#set = this.#set.filter((other) => !same(other));
    else this.#set = this.#set.filter((other) => !(same(other) && other.time === time));
    if (action === "add" || action === "replace") this.#set.push({ time, timer, key });
    this.#set.sort((a, b) => a.time - b.time || a.timer - b.timer || (a.key.text < b.key.text ? -1 : 1));
  }

  /** Takes the earliest timer that is due: `limit` gives for each timer up to when it is. */
  due(limit: (timer: number) => number): SetTimer | undefined {
    const index = this.#set.findIndex(({ time, timer }) => time <= limit(timer));
    return index < 0 ? undefined : this.#set.splice(index, 1)[0];
  }

  /** All timers, the earliest first. */
  all(): readonly SetTimer[] {
    return this.#set;
  }
}
