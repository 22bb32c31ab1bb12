/**
 * The cases of the language matrix that are not examples; `--arg case=NAME` chooses one. README.md of the folder above says what
 * each computes.
 */

import { defineJob, JobError, type JobFunction } from "tidemill";

import { broadcast } from "./cases/broadcast.js";
import { errors } from "./cases/errors.js";
import { failures } from "./cases/failures.js";
import { keyedCount, map } from "./cases/figures.js";
import { joins } from "./cases/joins.js";
import { sessions } from "./cases/sessions.js";
import { sideOutputs } from "./cases/side-outputs.js";
import { state } from "./cases/state.js";
import { stateTtl } from "./cases/state-ttl.js";
import { watermarks } from "./cases/watermarks.js";
import { windowsCount } from "./cases/windows-count.js";
import { windowsDay } from "./cases/windows-day.js";
import { windowsTriggers } from "./cases/windows-triggers.js";

/** The cases, by name. */
const CASES: Readonly<Record<string, JobFunction>> = {
  sessions,
  "side-outputs": sideOutputs,
  errors,
  state,
  joins,
  broadcast,
  failures,
  "windows-count": windowsCount,
  "windows-triggers": windowsTriggers,
  "state-ttl": stateTtl,
  "windows-day": windowsDay,
  watermarks,
  map,
  "keyed-count": keyedCount,
};

export default defineJob((job) => {
  const name = job.arg("case");
  const build = CASES[name];
  if (build === undefined)
    throw new JobError(`unknown case ${JSON.stringify(name)}`);
  build(job);
});
