/** Operators that keep nothing between records: map, filter, flat_map, key_by and timestamps. */

import type { Block } from "../block/reader.js";
import { timeAt, type Time } from "../int64.js";
import type { RecordType } from "../record/type.js";
import type { Call, Push } from "./call.js";
import { plainOutcome, type Moment, type Outcome } from "./host.js";
import type { Down, Exits, GuestOperator, Head } from "./operator.js";
import type { Mark, Port } from "./port.js";

/** Puts the operator's function in front of what follows it. */
export type Compose<In, Out> = (down: Push<Out>) => Push<In>;

/** Any of them. */
export class StatelessOperator<In, Out> implements GuestOperator {
  readonly ports: readonly Port[];
  readonly passesOn: boolean;
  readonly #id: number;
  readonly #call: Call;
  readonly #input: RecordType<In>;
  readonly #compose: Compose<In, Out>;

  constructor(id: number, call: Call, input: RecordType<In>, ports: readonly Port[], compose: Compose<In, Out>, passesOn = false) {
    this.#id = id;
    this.passesOn = passesOn;
    this.#call = call;
    this.#input = input;
    this.ports = ports;
    this.#compose = compose;
  }

  stage(down: Down, made: boolean): Push<never> {
    const [id, call, behind, input] = [this.#id, this.#call, down.ports, this.#input];
    const body = this.#compose(down.push as Push<Out>);
    return (record: In, time: Time) => {
      // A chain means the same as its operators one by one: what one makes is checked, and stripped of what has no column, before
      // the next one sees it. The operator that made it is still the one that runs, so that it is the one named.
      const given = made ? input.copy(record) : record;
      const before = call.operator;
      const marks = call.marks(behind);
      const failures = call.failures.length;
      call.operator = id;
      try {
        body(given, time);
      } catch (error) {
        call.refuse(error, id, behind, marks, failures, call.timers.length);
      }
      call.operator = before;
    };
  }

  head(down: Down): Head {
    return new StatelessHead(this.#id, this.#input, this.#compose(down.push as Push<Out>), down.ports);
  }
}

/** Makes records of blocks and pushes them into a chain. */
class StatelessHead<In> implements Head {
  readonly #id: number;
  readonly #input: RecordType<In>;
  readonly #push: Push<In>;
  readonly #behind: readonly Port[];

  constructor(id: number, input: RecordType<In>, push: Push<In>, behind: readonly Port[]) {
    this.#id = id;
    this.#input = input;
    this.#push = push;
    this.#behind = behind;
  }

  process(_input: number, _at: Moment, block: Block, _rows: readonly number[], _slots: readonly number[], exits: Exits): Outcome {
    const read = this.#input.open(block);
    const [id, push, behind, { call }] = [this.#id, this.#push, this.#behind, exits];
    const { rows, times } = block;
    let marks: readonly Mark[] | undefined;
    let failures = 0;
    for (let row = 0; row < rows; row++) {
      // One `try` around all rows up to the next refusal costs less than one around each. Reading is inside of it: a record that
      // holds a number too large for its type is refused.
      try {
        for (; row < rows; row++) {
          call.row = row;
          call.operator = id;
          failures = call.failures.length;
          if (call.undoes) marks = call.marks(behind);
          push(read(row), timeAt(times, row));
          if (call.full) exits.end();
        }
      } catch (error) {
        call.refuse(error, id, behind, marks, failures, call.timers.length);
      }
    }
    return plainOutcome();
  }
}
