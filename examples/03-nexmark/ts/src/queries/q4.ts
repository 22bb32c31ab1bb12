/**
 * q4, average price per category: `windowEnd,category,average,n` over the winning bids of auctions that expire in ten seconds.
 *
 * The winning bid is the highest one between the auction's beginning and its end, both inclusive. It is known when the
 * watermark reaches `expires`. Bids may come before their auction: they are kept until the watermark has passed them, for an
 * auction that comes later than that begins later too.
 */

import {
  eventTimer,
  i64,
  listState,
  record,
  seconds,
  tumbling,
  tuple,
  valueState,
  type Infer,
  type Job,
  type ValueRef,
} from "tidemill";

import { events, lines } from "../events.js";

const Auction = record({ id: i64, category: i64, dateTime: i64, expires: i64 });
type Auction = Infer<typeof Auction>;

const Bid = record({ auction: i64, price: i64, dateTime: i64 });
type Bid = Infer<typeof Bid>;

const Sale = record({ category: i64, price: i64 });

const Average = record(
  { windowEnd: i64, category: i64, price: i64, sales: i64 },
  { columns: "snake_case" },
);

/** Takes a bid into account. */
function consider(best: ValueRef<number>, auction: Auction, bid: Bid): void {
  const inTime =
    auction.dateTime <= bid.dateTime && bid.dateTime <= auction.expires;
  if (inTime && bid.price > (best.get() ?? -Infinity)) best.set(bid.price);
}

export function q4(job: Job): void {
  const source = events(job);
  const auctions = source.variant("auction", Auction).keyBy("id");
  const bids = source.variant("bid", Bid).keyBy("auction");
  auctions
    .connect(bids)
    .process("winning-bid", {
      out: Sale,
      // Bids in `early` came before their auction.
      state: {
        auction: valueState(Auction),
        best: valueState(i64),
        early: listState(Bid),
      },
      timers: { expires: eventTimer(), forget: eventTimer() },

      onFirst(ctx, auction) {
        for (const bid of ctx.state.early.take())
          consider(ctx.state.best, auction, bid);
        ctx.timers.expires.add(auction.expires);
        ctx.state.auction.set(auction);
      },

      onSecond(ctx, bid) {
        const auction = ctx.state.auction.get();
        if (auction !== undefined)
          return consider(ctx.state.best, auction, bid);
        ctx.timers.forget.add(bid.dateTime);
        ctx.state.early.push(bid);
      },

      onTimer(ctx, event) {
        if (event.name === "forget")
          return ctx.state.early.retain((bid) => bid.dateTime > event.time);
        const auction = ctx.state.auction.take();
        const price = auction && ctx.state.best.take();
        if (auction !== undefined && price !== undefined)
          ctx.emit({ category: auction.category, price });
      },
    })
    .keyBy("category")
    .window(tumbling(seconds(10)))
    .fold(
      "average",
      {
        acc: tuple(i64, i64),
        start: () => [0, 0],
        add: ([sum, n], sale) => [sum + sale.price, n + 1],
        merge: ([sum, n], [more, m]) => [sum + more, n + m],
      },
      Average,
      (window, [sum, n]) => ({
        windowEnd: window.end,
        category: window.key,
        price: Math.trunc(sum / n),
        sales: n,
      }),
    )
    .sink("results", lines());
}
