package main

import (
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// JoinEvent is a line of the input: an order or a payment.
type JoinEvent struct {
	Kind    string
	Account string
	Item    *string
	Cents   *int64
	Note    *string
	At      int64
}

// Ordered is an order of an account.
type Ordered struct {
	Account string
	Item    string
	At      int64
}

// Payment of an account. One without a note is another thing than no payment.
type Payment struct {
	Account string
	Cents   int64
	Note    *string
	At      int64
}

// Near is an order with a payment near it, where there is one.
type Near struct {
	Order   Ordered
	Payment *Payment
}

// Together are an order and a payment of one window.
type Together struct {
	Order   Ordered
	Payment Payment
}

// Paid is a line of the output.
type Paid struct {
	Account string
	Item    string
	Paid    bool
	Cents   *int64
	Note    *string
}

// Pair is a line of the other output.
type Pair struct {
	Account    string
	Start, End int64
	Item       string
	Cents      int64
}

// joins joins orders and payments of an account by their distance in time, where an order may go without, and in windows.
func joins(job *tidemill.Job) {
	events := tidemill.Source[JoinEvent](job, "events", tidemill.JSON()).EventTime("at", tidemill.OutOfOrder(2*time.Second))
	orders := tidemill.KeyBy[string](tidemill.FlatMap(events, "orders", func(event JoinEvent, out *tidemill.Emitter[Ordered]) {
		if event.Item != nil {
			out.Emit(Ordered{Account: event.Account, Item: *event.Item, At: event.At})
		}
	}), "account")
	payments := tidemill.KeyBy[string](tidemill.FlatMap(events, "payments", func(event JoinEvent, out *tidemill.Emitter[Payment]) {
		if event.Cents != nil {
			out.Emit(Payment{Account: event.Account, Cents: *event.Cents, Note: event.Note, At: event.At})
		}
	}), "account")

	near := tidemill.IntervalJoin[Near]("near", tidemill.Within(-2*time.Second, 5*time.Second).UpperExclusive(), orders, payments)
	tidemill.Unmatched[Payment](near, "payment").Sink("orphans-out", tidemill.JSON())
	tidemill.Map(near, "paid", func(row Near) Paid {
		paid := Paid{Account: row.Order.Account, Item: row.Order.Item}
		if payment := row.Payment; payment != nil {
			paid.Paid, paid.Cents, paid.Note = true, &payment.Cents, payment.Note
		}
		return paid
	}).Sink("paid-out", tidemill.JSON())

	together := tidemill.WindowJoin[Together]("together", tidemill.Tumbling(10*time.Second), orders, payments)
	tidemill.Map(together, "pair", func(row tidemill.WindowRecord[Together]) Pair {
		order, payment := row.Record.Order, row.Record.Payment
		return Pair{Account: order.Account, Start: row.Start, End: row.End, Item: order.Item, Cents: payment.Cents}
	}).Sink("pairs-out", tidemill.JSON())
}
