/** Dead letters of a source, of a stateless function and of one with state, which forgets what it did for a record that it refuses. */

import {
  i64,
  jsonLines,
  listState,
  record,
  refuse,
  string,
  valueState,
  type JobFunction,
} from "tidemill";

const Reading = record({ sensor: string, text: string });
const Number = record({ sensor: string, value: i64 });
const Step = record({ sensor: string, value: i64, seen: i64 });

/** A dead letter without its place, which depends on how blocks are cut. */
const Refused = record({ operator: string, reason: string, record: string });

export const errors: JobFunction = (job) => {
  const readings = job
    .source("readings", Reading, jsonLines())
    .onError("dead-letter");
  readings.deadLetters().sink("unread", jsonLines());
  const numbers = readings.map("numbers", Number, (reading) => {
    if (!/^-?\d+$/.test(reading.text)) refuse(`'${reading.text}' is no number`);
    return { sensor: reading.sensor, value: parseInt(reading.text, 10) };
  });
  const rising = numbers.keyBy("sensor").process("rising", {
    out: Step,
    state: { last: valueState(i64), seen: listState(i64) },

    onRecord(ctx, number) {
      const last = ctx.state.last.get() ?? 0;
      ctx.state.last.set(number.value);
      ctx.state.seen.push(number.value);
      ctx.emit({
        sensor: ctx.key,
        value: number.value,
        seen: ctx.state.seen.get().length,
      });
      if (number.value < last) refuse(`${number.value} falls below ${last}`);
    },
  });
  numbers
    .deadLetters()
    .union("letters", rising.deadLetters())
    .map("refused", Refused, ({ operator, reason, record }) => ({
      operator,
      reason,
      record,
    }))
    .sink("refused-out", jsonLines());
  rising.sink("steps", jsonLines());
};
