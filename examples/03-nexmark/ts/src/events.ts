/**
 * The source that all queries read, and the sink that they write.
 *
 * Every line is one JSON object; its field `type` says whether it is a person, an auction or a bid. Events come up to four
 * seconds late.
 */

import {
  csv,
  jsonLines,
  outOfOrder,
  seconds,
  type Format,
  type Job,
  type RecordType,
  type Stream,
  type TaggedSource,
} from "tidemill";

/** How late an event may come. */
const LATENESS = seconds(4);

/** The source of events. */
export function events(job: Job): TaggedSource {
  return job
    .taggedSource("events", jsonLines().tag("type").default("stdin:"))
    .eventTimeField("dateTime", outOfOrder(LATENESS));
}

/** Only the bids. */
export function bids<T>(job: Job, type: RecordType<T>): Stream<T> {
  return events(job).variant("bid", type);
}

/** The format of results: a line of values separated by commas. */
export function lines(): Format {
  return csv().default("stdout:");
}
