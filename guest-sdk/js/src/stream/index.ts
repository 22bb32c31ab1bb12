/**
 * Streams. Whatever is outside of this folder imports from here: streams make keyed streams and keyed streams make streams, and
 * this is the order in which their modules can be evaluated.
 */

export { Connected, KeyedStream, Processed } from "./keyed.js";
export { WindowedStream, WindowResults, type Fold } from "./windowed.js";
export { CoGroup, CoGroupResults } from "./co-group.js";
export { Joinable, JoinResults, Pair, Side, WindowedSides, type Interval } from "./join.js";
export { WithBroadcast } from "./broadcast.js";
export { Stream, type KeyField, type KeyOf } from "./stream.js";
export { Source, TaggedSource } from "./source.js";
export { csv, Format, jsonLines, text } from "./format.js";
