/** The job being built: its arguments, its sources, and the graph that streams add operators to. */

import { JobError } from "./errors.js";
import { planDocument, type Operator } from "./plan.js";
import type { RecordType } from "./record/type.js";
import type { Call } from "./runtime/call.js";
import type { GuestOperator } from "./runtime/operator.js";
import { Source, TaggedSource, type Format } from "./stream/index.js";

/** A function that builds a job. */
export type JobFunction = (job: Job) => void;

/** An operator of the graph. */
export interface Node {
  readonly plan: Operator;
  /** What computes it, where the component does. */
  guest: GuestOperator | undefined;
  /** The record types of its outputs, by port. */
  readonly records: Map<string, RecordType<unknown>>;
}

/** The operators so far; an operator's id is its index. */
export class Graph {
  readonly call: Call;
  readonly nodes: Node[] = [];
  /** What is wrong with the job, found while it was built. */
  readonly errors: string[] = [];

  constructor(call: Call) {
    this.call = call;
  }

  add(node: Node): number {
    return this.nodes.push(node) - 1;
  }
}

/**
 * Marks a function as a job, and gives its parameter the type {@link Job}: `export default defineJob((job) => { … })`. The default
 * export of the file that `tidemill build` starts from is the job.
 */
export function defineJob(job: JobFunction): JobFunction {
  return job;
}

/** Builds a job: what the function of {@link defineJob} is given. */
export class Job {
  /** @internal */
  readonly graph: Graph;
  readonly #args: ReadonlyMap<string, string>;
  readonly #asked = new Set<string>();
  #name: string | undefined;

  /** @internal */
  constructor(args: readonly (readonly [string, string])[], call: Call) {
    this.graph = new Graph(call);
    this.#args = new Map(args);
  }

  /** Names the job, unless the command line does. */
  name(name: string): void {
    this.#name = name;
  }

  /** The value of `--arg name=value`; without a default, an error that names it when it is missing. */
  arg(name: string, otherwise?: string): string {
    const value = this.argIfGiven(name) ?? otherwise;
    if (value === undefined) throw new JobError(`missing argument ${JSON.stringify(name)}: give it as --arg ${name}=VALUE`);
    return value;
  }

  /** The value of `--arg name=value`, if it is given. */
  argIfGiven(name: string): string | undefined {
    this.#asked.add(name);
    return this.#args.get(name);
  }

  /** The value of `--arg name=value` as a number; an error when it is none. */
  argNumber(name: string, otherwise?: number): number {
    const text = this.arg(name, otherwise === undefined ? undefined : String(otherwise));
    const value = Number(text);
    if (text.trim() === "" || Number.isNaN(value)) throw new JobError(`argument ${name}=${JSON.stringify(text)}: it is not a number`);
    return value;
  }

  /** A source of records of one type. Its name is also the name of its binding: `--bind NAME=URL` replaces the default. */
  source<T>(name: string, type: RecordType<T>, format: Format): Source<T> {
    return Source.add(this.graph, name, type, format);
  }

  /** A source whose records are of several types, told apart by a field: see {@link Format.tag}. */
  taggedSource(name: string, format: Format): TaggedSource {
    return new TaggedSource(this.graph, name, format);
  }

  /** Checks what only the whole job shows and writes the plan. @internal */
  finish(): string {
    const { nodes } = this.graph;
    const errors = [...this.graph.errors, ...this.#unknownArguments()];
    const names = new Set<string>();
    for (const { plan } of nodes) {
      if (names.has(plan.name)) {
        errors.push(`two operators are called ${JSON.stringify(plan.name)}: names are how state is found, so each is used once`);
      }
      names.add(plan.name);
    }
    if (errors.length > 0) throw new JobError(errors.join("\n"));
    return planDocument(
      this.#name,
      nodes.map((node) => node.plan),
    );
  }

  #unknownArguments(): string[] {
    const known = [...this.#asked].sort();
    const takes = known.length === 0 ? "this job takes none" : `this job takes ${known.join(", ")}`;
    return [...this.#args.keys()]
      .filter((name) => !this.#asked.has(name))
      .map((name) => `unknown argument ${JSON.stringify(name)}: ${takes}`);
  }
}
