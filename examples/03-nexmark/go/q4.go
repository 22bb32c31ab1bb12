package main

import (
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// Auction is what q4 reads of an auction.
type Auction struct {
	ID       int64
	Category int64
	DateTime int64 `tidemill:"dateTime"`
	Expires  int64
}

// Offer is what q4 reads of a bid.
type Offer struct {
	Auction  int64
	Price    int64
	DateTime int64 `tidemill:"dateTime"`
}

// Sale is a winning bid.
type Sale struct {
	Category int64
	Price    int64
}

// CategoryAverage is a line of q4.
type CategoryAverage struct {
	WindowEnd int64
	Category  int64
	Price     int64
	Sales     int64
}

// winning finds the winning bid of each auction: the highest one between the auction's beginning and its end, both inclusive. It is known
// when the watermark reaches `expires`. Bids may come before their auction: they are kept until the watermark has passed them, for an
// auction that comes later than that begins later too.
type winning struct {
	auction *tidemill.ValueState[Auction]
	best    *tidemill.ValueState[int64]
	// early bids came before their auction.
	early   *tidemill.ListState[Offer]
	expires *tidemill.Timer
	forget  *tidemill.Timer
}

func newWinning(d *tidemill.Declare) *winning {
	return &winning{
		auction: tidemill.NewValue[Auction](d, "auction"),
		best:    tidemill.NewValue[int64](d, "best"),
		early:   tidemill.NewList[Offer](d, "early"),
		expires: d.EventTimer("expires"),
		forget:  d.EventTimer("forget"),
	}
}

func (w *winning) bid(auction Auction, bid Offer) {
	if bid.DateTime < auction.DateTime || bid.DateTime > auction.Expires {
		return
	}
	if best, found := w.best.Get(); !found || bid.Price > best {
		w.best.Set(bid.Price)
	}
}

// OnFirst handles an auction.
func (w *winning) OnFirst(_ *tidemill.Context[int64, Sale], auction Auction) error {
	for _, bid := range w.early.Take() {
		w.bid(auction, bid)
	}
	w.expires.Add(auction.Expires)
	w.auction.Set(auction)
	return nil
}

// OnSecond handles a bid.
func (w *winning) OnSecond(_ *tidemill.Context[int64, Sale], bid Offer) error {
	if auction, found := w.auction.Get(); found {
		w.bid(auction, bid)
		return nil
	}
	w.forget.Add(bid.DateTime)
	w.early.Add(bid)
	return nil
}

// OnTimer ends an auction, or forgets bids that had none.
func (w *winning) OnTimer(ctx *tidemill.Context[int64, Sale], event tidemill.TimerEvent) error {
	if event.Is(w.forget) {
		w.early.Retain(func(bid Offer) bool { return bid.DateTime > event.Time })
		return nil
	}
	auction, ended := w.auction.Take()
	if price, sold := w.best.Take(); ended && sold {
		ctx.Emit(Sale{Category: auction.Category, Price: price})
	}
	return nil
}

// sales is the accumulator of q4.
type sales struct {
	Sum int64 `tidemill:"f0"`
	N   int64 `tidemill:"f1"`
}

// q4, average price per category: `windowEnd,category,average,n` over the winning bids of auctions that expire in ten seconds.
func q4(job *tidemill.Job) {
	events := events(job)
	auctions := tidemill.KeyBy[int64](tidemill.Variant[Auction](events, "auction"), "id")
	bids := tidemill.KeyBy[int64](tidemill.Variant[Offer](events, "bid"), "auction")
	won := tidemill.Process2(auctions, bids, "winning-bid", newWinning)
	windows := tidemill.KeyBy[int64](won, "category").Window(tidemill.Tumbling(10 * time.Second))
	average := tidemill.Aggregator[Sale, sales, sales]{
		Add:    func(acc *sales, sale Sale) { acc.Sum, acc.N = acc.Sum+sale.Price, acc.N+1 },
		Merge:  func(acc *sales, other sales) { acc.Sum, acc.N = acc.Sum+other.Sum, acc.N+other.N },
		Result: func(acc sales) sales { return acc },
	}
	tidemill.Aggregate(windows, "average", average, func(w tidemill.Window[int64], s sales) CategoryAverage {
		return CategoryAverage{WindowEnd: w.End, Category: w.Key(), Price: s.Sum / s.N, Sales: s.N}
	}).Sink("results", lines())
}
