/**
 * q0, pass through: every bid as `auction,bidder,price,dateTime,extra`.
 *
 * Nothing is computed, so no code of this component runs: the host decodes and writes.
 */

import { i64, record, string, type Job } from "tidemill";

import { bids, lines } from "../events.js";

const Bid = record({
  auction: i64,
  bidder: i64,
  price: i64,
  dateTime: i64,
  extra: string,
});

export function q0(job: Job): void {
  bids(job, Bid).sink("results", lines());
}
