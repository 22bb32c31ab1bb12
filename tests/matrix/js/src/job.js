/** The one case that JavaScript has for itself: no types stand between its lines and those that are run. */

import { defineJob, JobError } from "tidemill";

import { failures } from "./cases/failures.js";

export default defineJob((job) => {
  const name = job.arg("case");
  if (name !== "failures")
    throw new JobError(`unknown case ${JSON.stringify(name)}`);
  failures(job);
});
