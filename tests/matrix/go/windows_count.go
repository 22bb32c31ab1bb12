package main

import (
	"strconv"
	"strings"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// PageHit is a line of the input.
type PageHit struct {
	Page  string
	Bytes int64
	At    int64
}

// Batch is what three hits had.
type Batch struct {
	Page       string
	Start, End int64
	Bytes      string
}

// Hits are how many there were, and their bytes.
type Hits struct {
	Hits  int64
	Bytes int64
}

// PageFigure is what five hits come to, or those that there are at the end.
type PageFigure struct {
	Page  string
	Until int64
	Hits  int64
	Bytes int64
}

// windowsCount are hits of pages, so many at a time: in threes, the last four of them at every second one, and in fives that need not be
// full.
func windowsCount(job *tidemill.Job) {
	hits := tidemill.KeyBy[string](tidemill.Source[PageHit](job, "hits", tidemill.CSV()).EventTime("at", tidemill.Monotonic()), "page")
	threes := hits.Window(tidemill.Records(3))
	tidemill.ProcessWindow(threes, "threes", func(window tidemill.Window[string], hits []PageHit, out *tidemill.Emitter[Batch]) {
		bytes := joined(hits, func(hit PageHit) int64 { return hit.Bytes })
		out.Emit(Batch{Page: window.Key(), Start: window.Start, End: window.End, Bytes: bytes})
	}).Sink("threes-out", tidemill.JSON())
	tidemill.WindowSum[int64](hits.Window(tidemill.RecordsSliding(4, 2)), "moving", "bytes").Sink("moving-out", tidemill.JSON())
	// What is not full fires when the input ends.
	fives := hits.Window(tidemill.Records(5).OrAfterEventTime(24 * time.Hour))
	tidemill.Aggregate(fives, "fives", summed(func(hit PageHit) int64 { return hit.Bytes }), func(window tidemill.Window[string], sums Hits) PageFigure {
		return PageFigure{Page: window.Key(), Until: window.End, Hits: sums.Hits, Bytes: sums.Bytes}
	}).Sink("fives-out", tidemill.JSON())
}

// joined has a number of each record, with plus signs between them.
func joined[T any](records []T, of func(T) int64) string {
	var numbers []string
	for _, record := range records {
		numbers = append(numbers, strconv.FormatInt(of(record), 10))
	}
	return strings.Join(numbers, "+")
}

// summed counts records and sums a number of each.
func summed[T any](of func(T) int64) tidemill.Aggregator[T, Hits, Hits] {
	return tidemill.Aggregator[T, Hits, Hits]{
		Add: func(sums *Hits, record T) {
			sums.Hits++
			sums.Bytes += of(record)
		},
		Merge: func(sums *Hits, other Hits) {
			sums.Hits += other.Hits
			sums.Bytes += other.Bytes
		},
		Result: func(sums Hits) Hits { return sums },
	}
}
