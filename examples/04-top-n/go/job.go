// The three products that sold most in each minute, as `until,rank,product,amount`.
package main

import (
	"cmp"
	"slices"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// kept is how many products a minute keeps.
const kept = 3

// Sale is a line of the input.
type Sale struct {
	Product string
	Amount  int64
	At      int64
}

// Total is what a product sold in a minute.
type Total struct {
	Until   int64
	Product string
	Amount  int64
}

// Ranked is a line of the output.
type Ranked struct {
	Until   int64
	Rank    int64
	Product string
	Amount  int64
}

func topProducts(job *tidemill.Job) error {
	sales := tidemill.Source[Sale](job, "sales", tidemill.JSON().Default("stdin:")).
		EventTime("at", tidemill.OutOfOrder(5*time.Second))
	minutes := tidemill.KeyBy[string](sales, "product").Window(tidemill.Tumbling(time.Minute))
	amount := tidemill.Sum(func(s Sale) int64 { return s.Amount })
	totals := tidemill.Aggregate(minutes, "total", amount, func(w tidemill.Window[string], amount int64) Total {
		return Total{Until: w.End, Product: w.Key(), Amount: amount}
	})
	// All totals of a minute have its last millisecond as event time, so that they meet in one window again.
	ranks := tidemill.KeyBy[int64](totals, "until").Window(tidemill.Tumbling(time.Minute))
	tidemill.ProcessWindow(ranks, "rank", rank).Sink("top", tidemill.CSV().Default("stdout:"))
	return nil
}

func rank(_ tidemill.Window[int64], totals []Total, out *tidemill.Emitter[Ranked]) {
	totals = slices.Clone(totals)
	slices.SortFunc(totals, func(a, b Total) int {
		return cmp.Or(cmp.Compare(b.Amount, a.Amount), cmp.Compare(a.Product, b.Product))
	})
	for i, total := range totals[:min(kept, len(totals))] {
		out.Emit(Ranked{Until: total.Until, Rank: int64(i + 1), Product: total.Product, Amount: total.Amount})
	}
}

func init() { tidemill.Export(topProducts) }

func main() {}
