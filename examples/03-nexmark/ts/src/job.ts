/**
 * Queries of the Nexmark benchmark over an auction house: persons open auctions, others bid.
 *
 * `--arg query=q4` chooses one. Each stands in a module of its own with what it computes; the events are in `events.ts`. A query
 * declares only the fields that it reads, since the host decodes no others.
 */

import { defineJob, JobError, type JobFunction } from "tidemill";

import { q0 } from "./queries/q0.js";
import { q1 } from "./queries/q1.js";
import { q4 } from "./queries/q4.js";
import { q8 } from "./queries/q8.js";

/** The queries, by name. */
const QUERIES: Readonly<Record<string, JobFunction>> = { q0, q1, q4, q8 };

export default defineJob((job) => {
  const name = job.arg("query", "q0");
  const query = QUERIES[name];
  if (query === undefined)
    throw new JobError(
      `unknown query ${JSON.stringify(name)}: there are ${Object.keys(QUERIES).join(", ")}`,
    );
  query(job);
});
