/**
 * Write [Tidemill](https://github.com/tidemill/tidemill) streaming jobs in TypeScript or JavaScript.
 *
 * A job is a function that connects sources, operators and sinks; the host does everything that is hard: decoding, partitioning,
 * event time, windows, timers, state, checkpoints, recovery. See the README for a whole one, and `tidemill/testing` for tests.
 */

export { count, max, mean, min, sum, type Aggregate, type FieldAggregate, type NumberField } from "./aggregate.js";
export { JobError, refuse, Refusal } from "./errors.js";
export { aggregatingState, reducingState, type AggregatingRef, type ReducingRef } from "./folded.js";
export { defineJob, type Job, type JobFunction } from "./job.js";
export { log } from "./log.js";
export type { OnError } from "./plan.js";
export {
  eventTimer,
  processingTimer,
  type BroadcastContext,
  type BroadcastFunction,
  type Context,
  type Emit,
  type ProcessFunction,
  type ProcessFunction2,
  type SharingContext,
  type TimerDeclaration,
  type TimerEvent,
  type TimerRef,
} from "./process.js";
export {
  bigint64,
  bool,
  bytes,
  DeadLetter,
  f64,
  i32,
  i64,
  json,
  list,
  optional,
  record,
  string,
  tuple,
  type Bounds,
  type CellType,
  type ColumnCase,
  type FieldName,
  type Infer,
  type KeyCount,
  type KeyValue,
  type RecordOptions,
  type RecordType,
  type WindowCount,
  type WindowRecord,
  type WindowValue,
} from "./record/index.js";
export { eventTtl, processingTtl, type Ttl } from "./ttl.js";
export {
  listState,
  mapState,
  valueState,
  type ListRef,
  type MapRef,
  type Reading,
  type StateDeclaration,
  type StateOptions,
  type ValueRef,
} from "./state.js";
export {
  csv,
  jsonLines,
  text,
  type CoGroup,
  type CoGroupResults,
  type Connected,
  type Fold,
  type Format,
  type Interval,
  type Joinable,
  type JoinResults,
  type KeyedStream,
  type KeyField,
  type KeyOf,
  type Pair,
  type Processed,
  type Side,
  type Source,
  type Stream,
  type TaggedSource,
  type WindowedSides,
  type WindowedStream,
  type WindowResults,
  type WithBroadcast,
} from "./stream/index.js";
export { days, hours, millis, minutes, monotonic, outOfOrder, seconds, type Watermarks } from "./time.js";
export * as evictors from "./evictors.js";
export type { Evictor } from "./evictors.js";
export * as triggers from "./triggers.js";
export type { Action, Trigger, TriggerFunction, TriggerWindow } from "./triggers.js";
export {
  generator,
  periodic,
  punctuated,
  type GeneratedWatermarks,
  type Periodic,
  type Watermark,
  type WatermarkGenerator,
} from "./watermark.js";
export {
  calendarDays,
  globalWindow,
  records,
  recordsSliding,
  session,
  sessionBy,
  sliding,
  tumbling,
  type Window,
  type Windows,
} from "./window.js";
