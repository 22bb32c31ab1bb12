/** Random values from a seed, which a failing test prints. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number below `limit` (mulberry32). */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * limit);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  /** A text of ASCII, of Chinese, of emoji, or of all. */
  text(): string {
    const alphabet = this.pick(['abc ,"\n\0', "潮汐磨坊ü", "🌊🌀", "aü潮🌊\u{10ffff}\ufeff"]);
    return Array.from({ length: this.below(12) }, () => this.pick([...alphabet])).join("");
  }

  int64(): bigint {
    return new DataView(this.bytes(8).buffer).getBigInt64(0);
  }
}
