/**
 * Ways to fail at one certain record, for `tests/e2e/tests/errors.rs`: what each says, and at which line, is compared over the
 * languages.
 */

import { i64, jsonLines, record, refuse, string, valueState } from "tidemill";

const Number = record({ sensor: string, n: i64 });

/** Shorter than what is asked of it. */
const words = ["zero", "one", "two"];

function thrown(number) {
  if (number.n === 13) {
    throw new RangeError("thirteen is bad luck");
  }
  return number;
}

function fault(number) {
  if (number.n !== 14) return number;
  const word = words[number.n].trim(); // fourteen is beyond the words
  return { ...number, sensor: word };
}

function refused(number) {
  if (number.n === 15) refuse("fifteen is refused");
  return number;
}

function aside(number) {
  if (number.n === 16) refuse("sixteen is put aside");
  return number;
}

export const failures = (job) => {
  const kept = job
    .source("numbers", Number, jsonLines())
    .map("thrown", Number, thrown)
    .map("fault", Number, fault)
    .map("refused", Number, refused)
    .map("aside", Number, aside)
    .onError("dead-letter");
  kept.deadLetters().sink("letters", jsonLines());
  kept
    .keyBy("sensor")
    .process("counting", {
      out: Number,
      state: { seen: valueState(i64) },

      onRecord(ctx, number) {
        const seen = ctx.state.seen.get() ?? 0;
        ctx.state.seen.set(seen + 1);
        if (number.n === 17) {
          throw new Error(`seventeen after ${seen} of its key`);
        }
        ctx.emit(number);
      },
    })
    .sink("results", jsonLines());
};
