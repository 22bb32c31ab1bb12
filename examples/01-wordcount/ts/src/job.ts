/** Counts words: a line `word,n` for every word, each time it is seen. */

import { csv, defineJob, record, string, text } from "tidemill";

const Word = record({ word: string });

export default defineJob((job) => {
  job
    .source("lines", string, text().default("stdin:"))
    .flatMap("split", Word, (line) =>
      line
        .toLowerCase()
        .split(/\s+/)
        .filter(Boolean)
        .map((word) => ({ word })),
    )
    .keyBy("word")
    .count("count")
    .sink("counts", csv().default("stdout:"));
});
