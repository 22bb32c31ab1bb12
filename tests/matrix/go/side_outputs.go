package main

import (
	"strconv"
	"strings"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// large is the amount from which on an order leaves by the side output.
const large = 1000

// Order is a line of the input.
type Order struct {
	Customer string
	Amount   int64
	At       int64
}

// Large is an order that leaves by the side output.
type Large struct {
	Customer string
	Amount   int64
	// Number is which of the customer's orders it is.
	Number int64
}

// Bill is a line of the output.
type Bill struct {
	Customer string
	Until    int64
	Amounts  string
}

type check struct {
	orders *tidemill.ValueState[int64]
	large  *tidemill.Side[Large]
}

// OnRecord sends large orders aside.
func (c *check) OnRecord(ctx *tidemill.Context[string, Order], order Order) error {
	number := c.orders.Or(0) + 1
	c.orders.Set(number)
	if order.Amount >= large {
		c.large.Emit(Large{Customer: ctx.Key(), Amount: order.Amount, Number: number})
	} else {
		ctx.Emit(order)
	}
	return nil
}

// sideOutputs are bills of ten seconds: large orders leave by a side output, orders that come behind their bill by the late one.
func sideOutputs(job *tidemill.Job) {
	orders := tidemill.Source[Order](job, "orders", tidemill.JSON()).EventTime("at", tidemill.Monotonic())
	checked := tidemill.Process(tidemill.KeyBy[string](orders, "customer"), "check", func(d *tidemill.Declare) *check {
		return &check{orders: tidemill.NewValue[int64](d, "orders"), large: tidemill.NewSide[Large](d, "large")}
	})
	tidemill.SideOutput[Large](checked, "large").Sink("large-out", tidemill.JSON())
	windows := tidemill.KeyBy[string](checked, "customer").Window(tidemill.Tumbling(10 * time.Second))
	bills := tidemill.ProcessWindow(windows, "bills",
		func(window tidemill.Window[string], orders []Order, out *tidemill.Emitter[Bill]) {
			amounts := make([]string, len(orders))
			for i, order := range orders {
				amounts[i] = strconv.FormatInt(order.Amount, 10)
			}
			out.Emit(Bill{Customer: window.Key(), Until: window.End, Amounts: strings.Join(amounts, "+")})
		})
	tidemill.Late[Order](bills).Sink("late-out", tidemill.JSON())
	bills.Sink("bills-out", tidemill.JSON())
}
