package main

import tidemill "github.com/tidemill/tidemill/guest-sdk/go"

// Bid is a bid with all that q0 and q1 write.
type Bid struct {
	Auction  int64
	Bidder   int64
	Price    int64
	DateTime int64 `tidemill:"dateTime"`
	Extra    string
}

// q0, pass through: every bid as `auction,bidder,price,dateTime,extra`. Nothing is computed, so no code of this component runs: the host
// decodes and writes.
func q0(job *tidemill.Job) {
	tidemill.Variant[Bid](events(job), "bid").Sink("results", lines())
}

// q1, currency conversion: every bid as `auction,bidder,price,dateTime,extra` with the price in euros.
func q1(job *tidemill.Job) {
	bids := tidemill.Variant[Bid](events(job), "bid")
	tidemill.Map(bids, "to-euros", func(bid Bid) Bid {
		bid.Price = bid.Price * 908 / 1000
		return bid
	}).Sink("results", lines())
}

// Price is what q2 reads of a bid.
type Price struct {
	Auction int64
	Price   int64
}

// q2, selection: bids on auctions whose number 123 divides, as `auction,price`.
func q2(job *tidemill.Job) {
	bids := tidemill.Variant[Price](events(job), "bid")
	tidemill.Filter(bids, "some-auctions", func(bid Price) bool { return bid.Auction%123 == 0 }).Sink("results", lines())
}
