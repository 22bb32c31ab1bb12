/** An instance: a job that was built, ready to be linked and called. The host calls it by the words of the contract. */

import { Block } from "../block/reader.js";
import { Job, type Graph, type JobFunction } from "../job.js";
import { Call, enter } from "./call.js";
import type { Decision, TriggerEvent } from "./deciding.js";
import { NONE, type Host, type Moment, type Outcome } from "./host.js";
import { Exits, type Down, type GuestOperator, type Head } from "./operator.js";

interface Chain {
  readonly head: Head;
  readonly exits: Exits;
  readonly undoes: boolean;
}

/** See the module. */
export class Instance {
  /** The plan document. */
  readonly document: string;
  /** The job as it was built. */
  readonly graph: Graph;
  /** The call in progress. */
  readonly call: Call;
  readonly #chains: Chain[] = [];

  /**
   * Builds the job.
   *
   * @throws JobError what is wrong with the job or its arguments.
   */
  constructor(job: JobFunction, args: readonly (readonly [string, string])[], host: Host) {
    this.call = new Call(host);
    const builder = new Job(args, this.call);
    this.document = enter(this.call, () => {
      job(builder);
      return builder.finish();
    });
    this.graph = builder.graph;
  }

  /** Puts a chain of operators together. */
  link(chain: number, members: readonly number[]): void {
    const operators = members.map((member) => this.#operator(member));
    const last = operators.at(-1)!;
    let down: Down = { push: last.ports[0]!.push, ports: last.ports };
    for (let i = operators.length - 1; i > 0; i--) {
      const operator = operators[i]!;
      if (operator.stage === undefined) throw new Error(`operator ${members[i]} has state and cannot stand behind another in a chain`);
      // What a member pushes may end up in its side outputs or anywhere behind it.
      const before = operators[i - 1]!;
      down = { push: operator.stage(down, before.passesOn !== true), ports: [...before.ports, ...down.ports] };
    }
    const undoes = members.some((member) => this.graph.nodes[member]!.plan.onError !== "fail");
    const exits = new Exits(this.call, down.ports);
    this.#chains[chain] = { head: operators[0]!.head(down), exits, undoes };
  }

  /** Processes a block of records. */
  process(chain: number, input: number, at: Moment, block: Uint8Array, rows: readonly number[], slots: readonly number[]): Outcome {
    return this.#run(chain, block, (head, parsed, exits) => head.process(input, at, parsed, rows, slots, exits));
  }

  /** Applies the one record of a block to keys, one per row of `keys`. */
  apply(chain: number, at: Moment, block: Uint8Array, keys: Uint8Array, slots: readonly number[]): Outcome {
    return this.#run(chain, keys, (head, parsed, exits) => {
      if (head.apply === undefined) throw new Error("the host applied a record of an input that the job does not broadcast");
      return head.apply(at, new Block(block), parsed, slots, exits);
    });
  }

  /** Fires timers, one per row. */
  onTimer(chain: number, at: Moment, block: Uint8Array, slots: readonly number[]): Outcome {
    return this.#run(chain, block, (head, parsed, exits) => {
      if (head.onTimer === undefined) throw new Error("the host fired a timer of an operator that has none");
      return head.onTimer(at, parsed, slots, exits);
    });
  }

  /** Fires windows, one per row. */
  fire(chain: number, at: Moment, block: Uint8Array, offsets: readonly number[], slots: readonly number[]): Outcome {
    return this.#run(chain, block, (head, parsed, exits) => {
      if (head.fire === undefined) throw new Error("the host fired a window of an operator that has none");
      return head.fire(at, parsed, offsets, slots, exits);
    });
  }

  #run(chain: number, block: Uint8Array, body: (head: Head, block: Block, exits: Exits) => Outcome): Outcome {
    const linked = this.#chains[chain];
    if (linked === undefined) throw new Error(`the host calls chain ${chain}, which it has not linked`);
    const { call } = this;
    call.failures = [];
    call.undoes = linked.undoes;
    return enter(call, () => {
      const outcome = body(linked.head, new Block(block), linked.exits);
      call.row = NONE;
      linked.exits.flush();
      outcome.failures = call.failures;
      return outcome;
    });
  }

  /** Merges accumulators pairwise, in order. */
  merge(operator: number, targets: readonly number[], sources: readonly number[]): void {
    const merger = this.#operator(operator);
    enter(this.call, () => {
      this.call.operator = operator;
      targets.forEach((target, index) => merger.merge?.(target, sources[index]!));
    });
  }

  /** Asks the trigger of a window operator about windows, one a row; for records they are rows of a block. */
  trigger(
    operator: number,
    event: TriggerEvent,
    at: Moment,
    windows: Uint8Array,
    slots: readonly number[],
    records: Uint8Array,
    rows: readonly number[],
  ): Decision[] {
    const guest = this.#operator(operator);
    if (guest.trigger === undefined) throw new Error(`the host asks for a trigger of operator ${operator}, which has none of its own`);
    return enter(this.call, () => {
      this.call.operator = operator;
      const block = records.length === 0 ? undefined : new Block(records);
      const decisions = guest.trigger!({ event, at, windows: new Block(windows), slots, records: block, rows }, this.call);
      this.call.row = NONE;
      return decisions;
    });
  }

  /** Asks for the watermark of a split: behind a block of it, or by the clock where the block is empty. */
  watermark(operator: number, split: number, now: number, block: Uint8Array): number | undefined {
    const guest = this.#operator(operator);
    if (guest.watermark === undefined)
      throw new Error(`the host asks for a watermark of operator ${operator}, which makes none of its own`);
    return enter(this.call, () => {
      this.call.operator = operator;
      this.call.row = NONE;
      const watermark = guest.watermark!(split, now, block.length === 0 ? undefined : new Block(block), this.call);
      this.call.row = NONE;
      return watermark;
    });
  }

  /** Empties slots of what their windows have gathered; what a trigger keeps there stays. */
  purge(operator: number, slots: readonly number[]): void {
    this.#operator(operator).purge?.(slots);
  }

  /** Encodes the state of slots as a block; nothing for an operator without state. */
  exportState(operator: number, slots: readonly number[]): Uint8Array {
    this.call.operator = operator;
    return this.#operator(operator).slots?.export(slots) ?? new Uint8Array(0);
  }

  /**
   * Loads what {@link exportState} wrote into empty slots.
   *
   * @throws Error what is wrong with the block.
   */
  importState(operator: number, slots: readonly number[], block: Uint8Array): void {
    this.#operator(operator).slots?.import(slots, block);
  }

  /** Empties slots. */
  dropState(operator: number, slots: readonly number[]): void {
    this.#operator(operator).slots?.clear(slots);
  }

  #operator(id: number): GuestOperator {
    const guest = this.graph.nodes[id]?.guest;
    if (guest === undefined) throw new Error(`operator ${id} is not one that this component computes`);
    return guest;
  }
}
