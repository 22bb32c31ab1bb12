package tidemill_test

import (
	"fmt"
	"testing"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

type Order struct {
	ID   int64
	Item string
	At   int64
}

type Payment struct {
	Order int64
	Cents int64
	Note  *string
	At    int64
}

type Parcel struct {
	Order int64
	Place string
}

// Paid needs both.
type Paid struct {
	O Order
	P Payment
}

// Maybe may go without a payment.
type Maybe struct {
	O Order
	P *Payment
}

// Either may go without either.
type Either struct {
	O *Order
	P *Payment
}

const (
	orderColumns   = "id:i64,item:string,at:i64"
	paymentColumns = "order:i64,cents:i64,note:string?,at:i64"
)

type keyedOrders = *tidemill.KeyedStream[int64, Order]
type keyedPayments = *tidemill.KeyedStream[int64, Payment]

// joining is a job over orders and payments.
func joining(build func(orders keyedOrders, payments keyedPayments)) func(*tidemill.Job) error {
	return func(job *tidemill.Job) error {
		orders := tidemill.Source[Order](job, "orders", tidemill.JSON()).EventTime("at", tidemill.Monotonic())
		payments := tidemill.Source[Payment](job, "payments", tidemill.JSON()).EventTime("at", tidemill.Monotonic())
		build(tidemill.KeyBy[int64](orders, "id"), tidemill.KeyBy[int64](payments, "order"))
		return nil
	}
}

// shown shows what a side has.
func (o *Order) shown() string {
	if o == nil {
		return "-"
	}
	return o.Item
}

func (p *Payment) shown() string {
	if p == nil {
		return "-"
	}
	return fmt.Sprint(p.Cents)
}

func near[Row any](show func(Row) string) func(*tidemill.Job) error {
	return joining(func(orders keyedOrders, payments keyedPayments) {
		rows := tidemill.IntervalJoin[Row]("near", tidemill.Within(-5*time.Millisecond, 10*time.Millisecond).UpperExclusive(), orders, payments)
		tidemill.Map(rows, "shown", show).Sink("out", tidemill.JSON())
		tidemill.Unmatched[Order](rows, "o").Sink("orders-alone", tidemill.JSON())
		tidemill.Unmatched[Payment](rows, "p").Sink("payments-alone", tidemill.JSON())
		tidemill.LateSide[Payment](rows, "p").Sink("late", tidemill.JSON())
	})
}

func sums(payments []Payment) (cents []int64) {
	for _, payment := range payments {
		cents = append(cents, payment.Cents)
	}
	return cents
}

func pushed(test *tidemilltest.Job) {
	test.Push("orders", Order{1, "a", 100}, Order{2, "b", 200})
	test.Push("payments", Payment{1, 94, nil, 94}, Payment{1, 95, nil, 95}, Payment{1, 109, nil, 109}, Payment{1, 110, nil, 110})
	test.Push("orders", Order{1, "c", 400})
	test.Push("payments", Payment{2, 1, nil, 300}, Payment{1, 7, nil, 250})
}

func TestAnIntervalJoinFindsWhatIsNearAndTellsTheRest(t *testing.T) {
	test := tidemilltest.Start(t, near(func(row Paid) string { return row.O.shown() + row.P.shown() }))
	pushed(test)
	test.Finish()
	equal(t, "pairs", tidemilltest.Sink[string](test, "out"), "a95", "a109")
	is(t, "orders that nobody paid", len(tidemilltest.Sink[Order](test, "orders-alone")), 2)
	equal(t, "payments of nothing", sums(tidemilltest.Sink[Payment](test, "payments-alone")), 94, 110, 1)
	equal(t, "late", sums(tidemilltest.Sink[Payment](test, "late")), 7)
}

func TestAnOptionalSideIsNilWhereItHasNothing(t *testing.T) {
	test := tidemilltest.Start(t, near(func(row Maybe) string { return row.O.shown() + row.P.shown() }))
	pushed(test)
	test.Finish()
	equal(t, "a left join", tidemilltest.Sink[string](test, "out"), "a95", "a109", "b-", "c-")
	equal(t, "unmatched payments", sums(tidemilltest.Sink[Payment](test, "payments-alone")), 94, 110, 1)

	test = tidemilltest.Start(t, near(func(row Either) string { return row.O.shown() + row.P.shown() }))
	pushed(test)
	test.Finish()
	equal(t, "a full join", tidemilltest.Sink[string](test, "out"), "a95", "a109", "-94", "-110", "b-", "-1", "c-")
	is(t, "unmatched payments", len(tidemilltest.Sink[Payment](test, "payments-alone")), 0)
}

// Status is a row of a table of three.
type Status struct {
	Order   Order
	Payment *Payment
	Sent    Parcel `tidemill:"parcel"`
}

func TestAKeyedJoinIsATableOfAnyNumberOfSides(t *testing.T) {
	job := func(job *tidemill.Job) error {
		orders := tidemill.KeyBy[int64](tidemill.Source[Order](job, "orders", tidemill.JSON()), "id")
		payments := tidemill.KeyBy[int64](tidemill.Source[Payment](job, "payments", tidemill.JSON()), "order")
		parcels := tidemill.KeyBy[int64](tidemill.Source[Parcel](job, "parcels", tidemill.JSON()), "order")
		rows := tidemill.KeyedJoin[Status]("table", orders, payments, parcels)
		// Rows are records like others: they pass a filter and are kept as state.
		kept := tidemill.Filter(rows, "all", func(Status) bool { return true })
		tidemill.Process(tidemill.KeyBy[int64](kept, "order.id"), "before", func(d *tidemill.Declare) *before {
			return &before{tidemill.NewValue[Status](d, "row")}
		}).Sink("out", tidemill.JSON())
		return nil
	}
	test := tidemilltest.Start(t, job)
	note := "cash"
	test.Push("orders", Order{1, "a", 0})
	test.Push("parcels", Parcel{1, "hall"}, Parcel{2, "roof"})
	test.Restart()
	test.Push("payments", Payment{1, 5, &note, 0})
	test.Restart()
	test.Push("orders", Order{1, "b", 0}, Order{2, "c", 0})
	equal(t, "rows, each behind the one before", tidemilltest.Sink[string](test, "out"),
		"none; a - hall", "a - hall; a 5 hall", "a 5 hall; b 5 hall", "none; c - roof")
	plan := planOf(t, job)
	says(t, operatorOf(t, plan, "table")["kind"], `{"keyed-join": {"sides": [{"name": "order", "key": ["id"]},
		{"name": "payment", "key": ["order"], "required": false}, {"name": "parcel", "key": ["order"]}]}}`)
	says(t, operatorOf(t, plan, "before")["kind"].(map[string]any)["process"].(map[string]any)["state"],
		`[{"name": "row", "kind": "value", "schema": "order.id:i64,order.item:string,order.at:i64,payment.order:i64?,payment.cents:i64?,`+
			`payment.note:string?,payment.at:i64?,parcel.order:i64,parcel.place:string"}]`)
}

type before struct{ row *tidemill.ValueState[Status] }

func (b *before) OnRecord(ctx *tidemill.Context[int64, string], row Status) error {
	show := func(row Status) string { return row.Order.shown() + " " + row.Payment.shown() + " " + row.Sent.Place }
	last := "none"
	if before, found := b.row.Get(); found {
		last = show(before)
	}
	b.row.Set(row)
	ctx.Emit(last + "; " + show(row))
	return nil
}

func TestATemporalJoinWaitsForTheVersionOfItsTime(t *testing.T) {
	test := tidemilltest.Start(t, joining(func(orders keyedOrders, payments keyedPayments) {
		rows := tidemill.TemporalJoin[Maybe]("as-of", orders, payments)
		tidemill.Map(rows, "shown", func(row Maybe) string { return row.O.shown() + row.P.shown() }).Sink("out", tidemill.JSON())
		tidemill.LateSide[Order](rows, "o").Sink("late", tidemill.JSON())
	}))
	test.Push("payments", Payment{1, 10, nil, 10})
	test.Push("orders", Order{1, "a", 5}, Order{1, "b", 20}, Order{1, "c", 30})
	equal(t, "before the watermark came", tidemilltest.Sink[string](test, "out"), "a-")
	test.Push("payments", Payment{1, 25, nil, 25}, Payment{1, 15, nil, 15})
	equal(t, "the version of its time", tidemilltest.Sink[string](test, "out"), "b10")
	test.Finish()
	equal(t, "the end", tidemilltest.Sink[string](test, "out"), "c25")
	is(t, "late", len(tidemilltest.Sink[Order](test, "late")), 0)
}

func TestAWindowJoinJoinsEachWithEach(t *testing.T) {
	job := joining(func(orders keyedOrders, payments keyedPayments) {
		windows := tidemill.Session(10 * time.Millisecond).AllowedLateness(5 * time.Millisecond)
		rows := tidemill.WindowJoin[Paid]("together", windows, orders, payments)
		tidemill.Map(rows, "shown", func(row tidemill.WindowRecord[Paid]) string {
			return fmt.Sprint(row.Record.O.shown(), row.Record.P.shown(), "@", row.Start, "-", row.End)
		}).Sink("out", tidemill.JSON())
		tidemill.Unmatched[Order](rows, "o").Sink("alone", tidemill.JSON())
	})
	test := tidemilltest.Start(t, job)
	test.Push("orders", Order{1, "a", 100}, Order{1, "b", 108}, Order{2, "c", 100})
	test.Push("payments", Payment{1, 1, nil, 115}, Payment{1, 2, nil, 200})
	test.Finish()
	equal(t, "pairs", tidemilltest.Sink[string](test, "out"), "a1@100-125", "b1@100-125")
	is(t, "alone", len(tidemilltest.Sink[Order](test, "alone")), 1)
	says(t, operatorOf(t, planOf(t, job), "together"), `{"name": "together", "kind": {"window-join": {"sides": [{"name": "o", "key": ["id"]},
		{"name": "p", "key": ["order"]}], "assigner": {"session": {"gap_ms": 10}}, "domain": "event", "lateness-ms": 5}},
		"inputs": [{"from": "orders"}, {"from": "payments"}],
		"outputs": [{"schema": "start:i64,end:i64,o.id:i64,o.item:string,o.at:i64,p.order:i64,p.cents:i64,p.note:string?,p.at:i64"},
			{"name": "unmatched-o", "schema": "`+orderColumns+`"}]}`)
}

// grouped shows what both streams have in a window.
func grouped(window tidemill.Window[int64], orders []Order, payments []Payment, out *tidemill.Emitter[string]) {
	text := fmt.Sprint(window.Key(), "@", window.Start, "-", window.End, " ", window.Firing)
	for i := range orders {
		text += " " + orders[i].shown()
	}
	for i := range payments {
		text += " " + payments[i].shown()
	}
	out.Emit(text)
}

func coGrouped(windows tidemill.Windows) func(*tidemill.Job) error {
	return joining(func(orders keyedOrders, payments keyedPayments) {
		results := tidemill.CoGroup(orders, payments, "both", windows, grouped)
		results.Sink("out", tidemill.JSON())
		tidemill.LateSide[Order](results, tidemill.FirstSide).Sink("late-orders", tidemill.JSON())
		tidemill.LateSide[Payment](results, tidemill.SecondSide).Sink("late-payments", tidemill.JSON())
	})
}

func TestACoGroupHandlesWhatBothStreamsHaveInAWindow(t *testing.T) {
	job := coGrouped(tidemill.Session(10 * time.Millisecond).AllowedLateness(time.Millisecond))
	test := tidemilltest.Start(t, job)
	test.Push("orders", Order{1, "a", 100}, Order{2, "b", 101})
	test.Push("payments", Payment{1, 5, nil, 115}, Payment{2, 6, nil, 116})
	test.Restart()
	test.Push("orders", Order{1, "c", 108}, Order{1, "d", 200})
	test.Push("payments", Payment{1, 9, nil, 200}, Payment{2, 7, nil, 100})
	test.Restart()
	test.Finish()
	equal(t, "windows", tidemilltest.Sink[string](test, "out"),
		"2@101-111 0 b", "1@100-125 0 a c 5", "2@116-126 0 6", "1@200-210 0 d 9")
	equal(t, "late", sums(tidemilltest.Sink[Payment](test, "late-payments")), 7)
	says(t, operatorOf(t, planOf(t, job), "both"), `{"name": "both", "kind": {"co-group": {"sides": [{"name": "first", "key": ["id"]},
		{"name": "second", "key": ["order"]}], "assigner": {"session": {"gap_ms": 10}}, "domain": "event", "lateness-ms": 1,
		"state": [{"name": "first", "kind": "list", "schema": "block:bytes"}, {"name": "second", "kind": "list", "schema": "block:bytes"}]}},
		"inputs": [{"from": "orders"}, {"from": "payments"}], "outputs": [{"schema": "value:string"}]}`)
}

func TestACoGroupFiresWithThePanesOfItsWindow(t *testing.T) {
	instance, heard := instanceOf(t, coGrouped(tidemill.Sliding(10*time.Millisecond, 5*time.Millisecond)))
	instance.Link(0, []uint32{2})
	instance.Process(0, 0, at, blockOf(t, Order{1, "a", 1}, Order{1, "b", 2}), nil, []uint32{0, 1})
	instance.Process(0, 1, at, blockOf(t, Payment{1, 5, nil, 1}, Payment{1, 6, nil, 2}), []uint32{0, 0, 1}, []uint32{1, 2, 2})
	type firing struct {
		Key, Start, End int64
		Firing          int32
	}
	window := blockOf(t, firing{1, 0, 10, 2}, firing{1, 5, 15, 0})
	for range 2 {
		instance.Fire(0, at, window, []uint32{0, 3, 4}, []uint32{0, 1, 2, 2})
		equal(t, "the merge of the panes", read[string](t, heard.take()...), "1@0-10 2 a b 5 5 6@100", "1@5-15 0 5 6@101")
	}
	instance.Purge(2, []uint32{0, 1, 2})
	instance.Fire(0, at, window, []uint32{0, 3, 4}, []uint32{0, 1, 2, 2})
	is(t, "what is purged is gone", len(heard.take()), 0)
}

func TestWhatIsWrongWithAJoinIsSaidWhenTheJobIsBuilt(t *testing.T) {
	type lone struct{ O Order }
	type swapped struct {
		O Payment
		P Order
	}
	for name, test := range map[string]struct {
		build func(keyedOrders, keyedPayments)
		parts []string
	}{
		"rows": {func(orders keyedOrders, payments keyedPayments) {
			tidemill.KeyedJoin[lone]("a", orders, payments)
			tidemill.KeyedJoin[swapped]("b", orders, payments)
			tidemill.KeyedJoin[int64]("c", orders, payments)
		}, []string{`join "a" has 2 sides, so its rows are a struct with a field for each, not tidemill_test.lone`,
			`join "b": side "o" has records of type tidemill_test.Order, so field O of tidemill_test.swapped is that or a pointer to it, not ` +
				`tidemill_test.Payment`, `join "c" has 2 sides`}},
		"keys": {func(orders keyedOrders, _ keyedPayments) {
			items := tidemill.KeyBy[string](tidemill.Map(orders.Count("n"), "m", func(tidemill.KeyCount[int64]) Parcel { return Parcel{} }), "place")
			type row struct {
				O Order
				P Parcel
			}
			tidemill.IntervalJoin[row]("a", tidemill.Within(0, time.Nanosecond), orders, items)
			tidemill.CoGroup(orders, tidemill.KeyByFunc(orders.Count("n2"), "k", func(tidemill.KeyCount[int64]) int64 { return 1 }), "b",
				tidemill.Tumbling(time.Microsecond), func(tidemill.Window[int64], []Order, []tidemill.KeyCount[int64], *tidemill.Emitter[int64]) {})
		}, []string{`join "a": keys are of the same types, not int64 and string`, "the upper bound of a join is 1ns", "the size of windows is 1µs"}},
		"computed": {func(orders keyedOrders, payments keyedPayments) {
			one := tidemill.KeyByFunc(tidemill.Reduce(payments, "last", func(_, p Payment) Payment { return p }), "one", func(Payment) int64 { return 1 })
			tidemill.KeyedJoin[Paid]("a", orders, one)
		}, []string{`join "a": side "p" has a key or a worker that is computed`}},
		"ports": {func(orders keyedOrders, payments keyedPayments) {
			rows := tidemill.TemporalJoin[Paid]("a", orders, payments)
			tidemill.Unmatched[Order](rows, "q")
			tidemill.Unmatched[Payment](rows, "o")
			tidemill.LateSide[Payment](rows, "p")
			tidemill.LateSide[Order](tidemill.KeyedJoin[Paid]("b", orders, payments), "o")
			tidemill.LateSide[Order](tidemill.WindowJoin[Paid]("c", tidemill.Tumbling(time.Second).ProcessingTime(), orders, payments), "o")
			tidemill.Unmatched[Order](tidemill.CoGroup(orders, payments, "d", tidemill.Tumbling(time.Second), grouped), "first")
			tidemill.LateSide[Order](orders.Count("e"), "o")
		}, []string{`operator "a" has no side "q"; it has ["o" "p"]`, `side "o" of "a" has records of type tidemill_test.Order, not tidemill_test.Payment`,
			`none of side "p" is late`, `join "b" joins whenever a record comes`, `"c" is in processing time`, `co-group "d" has all records`,
			`operator "e" has no side "o"`}},
	} {
		t.Run(name, func(t *testing.T) {
			err := tidemilltest.BuildError(joining(test.build))
			contains(t, fmt.Sprint(err), test.parts...)
		})
	}
}
