package main

import (
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// Click is a line of the input.
type Click struct {
	User  string
	Bytes int64
	At    int64
}

// Sums is what is known of a visit.
type Sums struct {
	Clicks int64
	Bytes  int64
}

// Visit is a line of the output.
type Visit struct {
	User       string
	Start, End int64
	Clicks     int64
	Bytes      int64
}

// sessions are visits of users: clicks that lie at most half a minute apart, which come out of order.
func sessions(job *tidemill.Job) {
	clicks := tidemill.Source[Click](job, "clicks", tidemill.JSON()).EventTime("at", tidemill.OutOfOrder(5*time.Second))
	windows := tidemill.KeyBy[string](clicks, "user").Window(tidemill.Session(30 * time.Second))
	sums := tidemill.Aggregator[Click, Sums, Sums]{
		Add: func(sums *Sums, click Click) {
			sums.Clicks++
			sums.Bytes += click.Bytes
		},
		Merge: func(sums *Sums, other Sums) {
			sums.Clicks += other.Clicks
			sums.Bytes += other.Bytes
		},
		Result: func(sums Sums) Sums { return sums },
	}
	tidemill.Aggregate(windows, "visits", sums, func(window tidemill.Window[string], sums Sums) Visit {
		return Visit{User: window.Key(), Start: window.Start, End: window.End, Clicks: sums.Clicks, Bytes: sums.Bytes}
	}).Sink("visits-out", tidemill.JSON())
}
