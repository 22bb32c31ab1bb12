/** q1, currency conversion: every bid as `auction,bidder,price,dateTime,extra` with the price in euros. */

import { i64, record, string, type Job } from "tidemill";

import { bids, lines } from "../events.js";

const Bid = record({
  auction: i64,
  bidder: i64,
  price: i64,
  dateTime: i64,
  extra: string,
});

export function q1(job: Job): void {
  bids(job, Bid)
    .map("to-euros", Bid, (bid) => ({
      ...bid,
      price: Math.trunc((bid.price * 908) / 1000),
    }))
    .sink("results", lines());
}
