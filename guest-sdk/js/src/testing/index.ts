/**
 * The test kit: runs a process function, one operator, or a whole job inside `node --test` or any other runner.
 *
 * There is no cluster and no clock: a test pushes records and watermarks and looks at what comes out. The code under test goes
 * through the same blocks, slots and timers as in a component; windows, timers and the aggregates of the host are played by a
 * small, slow and simple host of the kit.
 *
 * ```ts
 * const test = testJob(averages);
 * test.push("readings", { sensor: "cellar", celsius: 20.5, at: 1_000 });
 * assert.deepEqual(test.sink("averages"), []);
 * test.finish();
 * assert.deepEqual(test.sink("averages"), [{ sensor: "cellar", celsius: 20.5, until: 10_000 }]);
 * ```
 */

import { JobError } from "../errors.js";
import { givenTime, shownTime, TIME_MIN } from "../int64.js";
import type { JobFunction } from "../job.js";
import { MAIN, type FormatName, type SourceKind } from "../plan.js";
import type { ProcessFunction, Sides, Timers } from "../process.js";
import { composite, type Infer, type RecordType } from "../record/index.js";
import type { Any, CellType } from "../record/type.js";
import type { States } from "../state.js";
import { KeyedStream, jsonLines, type Stream } from "../stream/index.js";
import { Engine, watermarkOf } from "./engine.js";
export { testWatermarks, type WatermarkTest } from "./generators.js";
import { formatLine, parseLine } from "./lines.js";
import { recordsOf, rowOf, type Row } from "./row.js";

/** More about a test. */
export interface TestOptions {
  /** The arguments of the job. */
  readonly args?: Readonly<Record<string, string>>;
}

/** A record and its event time. */
export interface Timed<T> {
  readonly record: T;
  readonly time: number;
}

/**
 * Tests a whole job: records in at its sources, results out at its sinks.
 *
 * @throws JobError what the job says is wrong with it.
 */
export function testJob(job: JobFunction, options: TestOptions = {}): JobTest {
  return new JobTest(new Engine(job, options.args ?? {}));
}

/** What is wrong with a job or its arguments, if anything is. */
export function jobError(job: JobFunction, options: TestOptions = {}): string | undefined {
  try {
    new Engine(job, options.args ?? {});
    return undefined;
  } catch (error) {
    if (error instanceof JobError) return error.message;
    throw error;
  }
}

/** The plan document of a job. */
export function planOf(job: JobFunction, options: TestOptions = {}): string {
  return new Engine(job, options.args ?? {}).instance.document;
}

/** Tests one operator of a job, given by its name. */
export function testOperator(job: JobFunction, name: string, options: TestOptions = {}): OperatorTest {
  const engine = new Engine(job, options.args ?? {}, name);
  return new OperatorTest(engine, engine.find(name));
}

/** Rows that left a port, as records with their times. */
function timed<T>(engine: Engine, id: number, port: string): Timed<T>[] {
  const rows = engine.take(id, port);
  const records = recordsOf(engine.type(id, port), rows, engine.schema(id, port)) as T[];
  return records.map((value, index) => ({ record: value, time: shownTime(rows[index]!.time) }));
}

/** A job under test. Watermarks follow from the records pushed, as the plan says. */
export class JobTest {
  readonly #engine: Engine;
  /** The greatest event time of each source. */
  readonly #greatest = new Map<number, number>();

  /** @internal */
  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Gives a record to a source; its event time is the field that the source declares. */
  push(source: string, record: unknown): void {
    this.pushVariant(source, MAIN, record);
  }

  /** Gives a record of a variant to a tagged source. */
  pushVariant(source: string, variant: string, record: unknown): void {
    const { id, spec } = this.#source(source);
    const schema = this.#engine.schema(id, variant);
    const row = rowOf(this.#engine.type(id, variant), record, TIME_MIN);
    const at = schema.findIndex((column) => column.name === spec.time);
    this.#carry(id, spec, at < 0 ? undefined : Number(row.values[at]), [[variant, row]]);
  }

  /** Gives lines in the source's format (for CSV without a header) to a source. */
  pushLines(source: string, text: string): void {
    const { id, spec } = this.#source(source);
    for (const line of text.split(/\r?\n/).filter((one) => one !== "")) {
      const { time, rows } = parseLine(line, spec, this.#engine.plan(id).outputs);
      this.#carry(
        id,
        spec,
        time,
        rows.map(({ port, values }) => [port, { time: TIME_MIN, values }]),
      );
    }
  }

  #source(name: string): { readonly id: number; readonly spec: SourceKind } {
    const id = this.#engine.find(name);
    const { kind } = this.#engine.plan(id);
    if (typeof kind === "string" || !("source" in kind)) throw new Error(`${JSON.stringify(name)} is no source`);
    return { id, spec: kind.source };
  }

  /** Carries rows through the job, and lets the watermark follow their event time. */
  #carry(id: number, { watermarks }: SourceKind, time: number | undefined, rows: readonly (readonly [string, Row])[]): void {
    for (const [port, row] of rows) this.#engine.carry(id, port, [time === undefined ? row : { ...row, time: givenTime(time) }]);
    if (watermarks === undefined || time === undefined) {
      this.#engine.spread();
    } else if (time > (this.#greatest.get(id) ?? -Infinity)) {
      this.#greatest.set(id, time);
      this.#engine.watermark(id, watermarkOf(watermarks, time));
    }
  }

  /** Sets the processing time, in milliseconds. */
  setProcessingTime(now: number): void {
    this.#engine.setNow(now);
  }

  /** Ends all sources: every window closes and every event timer fires. */
  finish(): void {
    this.#engine.nodes.forEach(({ plan }, id) => {
      if (typeof plan.kind === "object" && "source" in plan.kind) this.#engine.watermark(id, Infinity);
    });
  }

  /** Takes what a sink has been given so far. */
  sink<T = unknown>(name: string): T[] {
    const { id } = this.#sink(name);
    const { from, port } = this.#engine.plan(id).inputs[0]!;
    const type = this.#engine.type(this.#engine.find(from), port);
    return recordsOf(type, this.#engine.take(id, MAIN), this.#engine.inputSchema(id, 0)) as T[];
  }

  /** Takes what a sink has been given so far, as lines in its format. */
  sinkLines(name: string): string[] {
    const { id, format } = this.#sink(name);
    const schema = this.#engine.inputSchema(id, 0);
    return this.#engine.take(id, MAIN).map((row) => formatLine(row.values, schema, format));
  }

  #sink(name: string): { readonly id: number; readonly format: FormatName } {
    const id = this.#engine.find(name);
    const { kind } = this.#engine.plan(id);
    if (typeof kind === "string" || !("sink" in kind)) throw new Error(`${JSON.stringify(name)} is no sink`);
    return { id, format: kind.sink.format };
  }

  /** Takes what has left an operator's output so far, with event times. */
  output<T = unknown>(operator: string, port: string = MAIN): Timed<T>[] {
    return timed(this.#engine, this.#engine.find(operator), port);
  }

  /** What refused records were refused for, where the job goes on. */
  get refused(): readonly string[] {
    return this.#engine.refused;
  }

  /** What was logged by `log`; `console` is Node's own in a test. */
  get log(): readonly string[] {
    return this.#engine.host.lines;
  }

  /** Exports the state that the job's code keeps, drops it and loads it again, as a restart from a checkpoint does. */
  restart(): void {
    this.#engine.nodes.forEach((_, id) => this.#engine.restart(id));
  }
}

/** An operator under test. Time stands still unless the test moves it. */
export class OperatorTest {
  readonly #engine: Engine;
  readonly #id: number;

  /** @internal */
  constructor(engine: Engine, id: number) {
    this.#engine = engine;
    this.#id = id;
  }

  /** Gives a record with an event time in milliseconds to the operator, on its first input or on another. */
  push(record: unknown, time: number, input = 0): void {
    const { from, port } = this.#engine.plan(this.#id).inputs[input]!;
    const source = this.#engine.find(from);
    const schema = this.#engine.inputSchema(this.#id, input);
    const type = this.#engine.type(source, port);
    if (schema.length !== type.schema.length) {
      throw new Error(`operator ${JSON.stringify(this.#engine.plan(this.#id).name)} reads computed columns: test it with its job`);
    }
    this.#engine.accept(this.#id, input, [rowOf(type, record, givenTime(time))]);
  }

  /** Raises the watermark. */
  watermark(watermark: number): void {
    this.#engine.watermark(this.#id, watermark);
  }

  /** Sets the processing time. */
  setProcessingTime(now: number): void {
    this.#engine.setNow(now);
  }

  /** Takes what was emitted so far, with event times: on the main output, a side output, `late` or `dead-letter`. */
  output<T = unknown>(port: string = MAIN): Timed<T>[] {
    return timed(this.#engine, this.#id, port);
  }

  /** The timers that are set: name and time, the earliest first. */
  get timers(): [string, number][] {
    return this.#engine.timers(this.#id);
  }

  /** What refused records were refused for. */
  get refused(): readonly string[] {
    return this.#engine.refused;
  }

  /** What was logged by `log`. */
  get log(): readonly string[] {
    return this.#engine.host.lines;
  }

  /** Exports all state, drops it and loads it again, as a restart from a checkpoint does. */
  restart(): void {
    this.#engine.restart(this.#id);
  }
}

/** Tests a process function over records of one type, with a key that is given with each record. */
export function testProcess<
  K,
  In extends Any,
  Out extends Any,
  const S extends States = {},
  const W extends Timers = {},
  const O extends Sides = {},
>(key: CellType<K>, input: RecordType<In>, f: ProcessFunction<K, In, Out, S, W, O>): ProcessTest<K, In, Out, O> {
  const NAME = "process";
  const keyed = composite<{ key: K; record: In }>({ key, record: input });
  const job: JobFunction = (builder) => {
    const source = builder.source("source", keyed, jsonLines()) as Stream<{ key: K; record: In }>;
    const stream = new KeyedStream(source, ["key"], key);
    stream.process(NAME, { ...f, onRecord: (ctx: never, both: { record: In }) => f.onRecord(ctx, both.record) } as never);
  };
  return new ProcessTest<K, In, Out, O>(testOperator(job, NAME));
}

/** A process function under test. Time stands still unless the test moves it. */
export class ProcessTest<K, In, Out, O extends Sides> {
  readonly #test: OperatorTest;

  /** @internal */
  constructor(test: OperatorTest) {
    this.#test = test;
  }

  /** Gives a record with its key and an event time in milliseconds to the function. */
  push(key: K, value: In, time: number): void {
    this.#test.push({ key, record: value }, time);
  }

  /** Raises the watermark. */
  watermark(watermark: number): void {
    this.#test.watermark(watermark);
  }

  /** Sets the processing time. */
  setProcessingTime(now: number): void {
    this.#test.setProcessingTime(now);
  }

  /** Takes what was emitted so far, with event times. */
  output(): Timed<Out>[] {
    return this.#test.output();
  }

  /** Takes what was emitted so far on a side output. */
  side<N extends keyof O & string>(name: N): Timed<Infer<O[N]>>[] {
    return this.#test.output(name);
  }

  /** The timers that are set: name and time, the earliest first. */
  get timers(): [string, number][] {
    return this.#test.timers;
  }

  /** What refused records were refused for. */
  get refused(): readonly string[] {
    return this.#test.refused;
  }

  /** Exports all state, drops it and loads it again, as a restart from a checkpoint does. */
  restart(): void {
    this.#test.restart();
  }
}
