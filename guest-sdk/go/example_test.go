package tidemill_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

type Reading struct {
	Sensor  string
	Celsius float64
	At      int64
}

type Average struct {
	Sensor  string
	Celsius float64
	Until   int64
}

func averages(job *tidemill.Job) error {
	readings := tidemill.Source[Reading](job, "readings", tidemill.JSON().Default("stdin:")).
		EventTime("at", tidemill.OutOfOrder(2*time.Second))
	windows := tidemill.KeyBy[string](readings, "sensor").Window(tidemill.Tumbling(10 * time.Second))
	celsius := tidemill.Mean(func(r Reading) float64 { return r.Celsius })
	tidemill.Aggregate(windows, "average", celsius, func(w tidemill.Window[string], celsius float64) Average {
		return Average{Sensor: w.Key(), Celsius: celsius, Until: w.End}
	}).Sink("averages", tidemill.JSON().Default("stdout:"))
	return nil
}

// The whole of a job. In a project, `func init() { tidemill.Export(averages) }` makes a component of it.
func Example() {
	t := &testing.T{}
	test := tidemilltest.Start(t, averages)
	test.Push("readings", Reading{Sensor: "cellar", Celsius: 20, At: 1_000}, Reading{Sensor: "cellar", Celsius: 22, At: 9_999})
	test.Finish()
	fmt.Println(test.SinkLines("averages"))
	// Output: [{"sensor":"cellar","celsius":21.0,"until":10000}]
}

type Visit struct {
	User string
	At   int64
}

type Visits struct {
	User  string
	Count int64
}

// visits emits a user's number of visits when none has come for a minute.
type visits struct {
	count *tidemill.ValueState[int64]
	quiet *tidemill.Timer
}

func newVisits(d *tidemill.Declare) *visits {
	return &visits{count: tidemill.NewValue[int64](d, "count"), quiet: d.EventTimer("quiet")}
}

func (v *visits) OnRecord(ctx *tidemill.Context[string, Visits], visit Visit) error {
	v.count.Update(func(count *int64) { *count++ })
	v.quiet.Replace(visit.At + time.Minute.Milliseconds())
	return nil
}

func (v *visits) OnTimer(ctx *tidemill.Context[string, Visits], _ tidemill.TimerEvent) error {
	if count, found := v.count.Take(); found {
		ctx.Emit(Visits{User: ctx.Key(), Count: count})
	}
	return nil
}

// A process function, alone under test.
func ExampleProcess() {
	t := &testing.T{}
	test := tidemilltest.StartProcess(t, newVisits)
	test.Push("ada", Visit{User: "ada", At: 1_000}, 1_000)
	test.Push("ada", Visit{User: "ada", At: 30_000}, 30_000)
	fmt.Println(test.Timers())
	test.Watermark(90_000)
	fmt.Println(test.Emitted())
	// Output:
	// [{quiet 90000}]
	// [{{ada 2} 90000}]
}

// What README.md shows is what runs here.
func TestTheReadmeShowsThisCode(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, file := range []string{"example_test.go", "watermark_test.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	_, rest, found := strings.Cut(string(readme), "```go\n")
	if !found {
		t.Fatal("README.md shows no code")
	}
	for found {
		var code string
		code, rest, _ = strings.Cut(rest, "```")
		if !strings.Contains(source.String(), code) {
			t.Errorf("README.md shows code that is not tested:\n%s", code)
		}
		_, rest, found = strings.Cut(rest, "```go\n")
	}
}

func status(row PaidOrder) string {
	if row.Payment == nil {
		return row.Order.Item + ": not paid"
	}
	return fmt.Sprintf("%s: %d", row.Order.Item, row.Payment.Cents)
}

// PaidOrder is an order and what was paid for it, where somebody did.
type PaidOrder struct {
	Order   Order
	Payment *Payment // nil where nobody paid: so a left join
}

func paidOrders(job *tidemill.Job) error {
	orders := tidemill.KeyBy[int64](tidemill.Source[Order](job, "orders", tidemill.JSON()).EventTime("at", tidemill.Monotonic()), "id")
	payments := tidemill.KeyBy[int64](tidemill.Source[Payment](job, "payments", tidemill.JSON()).EventTime("at", tidemill.Monotonic()), "order")
	paid := tidemill.IntervalJoin[PaidOrder]("paid", tidemill.Within(0, 30*time.Second), orders, payments)
	tidemill.Map(paid, "status", status).Sink("statuses", tidemill.JSON())
	tidemill.Unmatched[Payment](paid, "payment").Sink("orphans", tidemill.JSON())
	return nil
}

// A join gives a struct with a field for each side; one that is a pointer may be nil.
func ExampleIntervalJoin() {
	test := tidemilltest.Start(&testing.T{}, paidOrders)
	test.Push("orders", Order{ID: 1, Item: "tea", At: 1_000}, Order{ID: 2, Item: "milk", At: 2_000})
	test.Push("payments", Payment{Order: 2, Cents: 150, At: 3_000}, Payment{Order: 3, Cents: 90, At: 4_000})
	fmt.Println(tidemilltest.Sink[string](test, "statuses"))
	test.Finish()
	fmt.Println(tidemilltest.Sink[string](test, "statuses"), len(tidemilltest.Sink[Payment](test, "orphans")))
	// Output:
	// [milk: 150]
	// [tea: not paid] 1
}

// Limit of a user's visits.
type Limit struct {
	User   string
	Visits int64
}

// limited tells users who visit more often than their limit says.
type limited struct {
	count  *tidemill.ValueState[int64]
	limits *tidemill.BroadcastMap[string, int64]
}

func (l *limited) OnRecord(ctx *tidemill.Context[string, Visits], _ Visit) error {
	l.count.Update(func(count *int64) { *count++ })
	if limit, found := l.limits.Get(ctx.Key()); found && l.count.Or(0) > limit {
		ctx.Emit(Visits{User: ctx.Key(), Count: l.count.Or(0)})
	}
	return nil
}

func (l *limited) OnBroadcast(ctx *tidemill.BroadcastContext[Visits], limit Limit) error {
	l.limits.Change(ctx).Set(limit.User, limit.Visits)
	return nil
}

// Only broadcast records change what is shared, on every worker.
func ExampleProcessBroadcast() {
	test := tidemilltest.Start(&testing.T{}, func(job *tidemill.Job) error {
		visits := tidemill.KeyBy[string](tidemill.Source[Visit](job, "visits", tidemill.JSON()), "user")
		limits := tidemill.Source[Limit](job, "limits", tidemill.JSON())
		tidemill.ProcessBroadcast(visits, limits, "limited", func(d *tidemill.Declare) *limited {
			return &limited{count: tidemill.NewValue[int64](d, "count"), limits: tidemill.NewBroadcastMap[string, int64](d, "limits")}
		}).Sink("above", tidemill.JSON())
		return nil
	})
	test.Push("visits", Visit{User: "ann"})
	test.Push("limits", Limit{User: "ann", Visits: 1})
	test.Push("visits", Visit{User: "ann"})
	fmt.Println(test.SinkLines("above"))
	// Output: [{"user":"ann","count":2}]
}

// once lets the first record of a key through, and again one when none was let through for an hour.
type once struct {
	seen *tidemill.ExpiringValue[bool]
}

func newOnce(d *tidemill.Declare) *once {
	return &once{seen: tidemill.NewExpiringValue[bool](d, "seen", tidemill.ProcessingTimeTTL(time.Hour))}
}

func (o *once) OnRecord(ctx *tidemill.Context[string, Visit], visit Visit) error {
	if !o.seen.Or(false) {
		o.seen.Set(true)
		ctx.Emit(visit)
	}
	return nil
}

// State with a time-to-live is gone when its time is over, also of a key that no record comes for.
func ExampleNewExpiringValue() {
	test := tidemilltest.StartProcess(&testing.T{}, newOnce)
	test.Push("ann", Visit{User: "ann", At: 1}, 0)
	test.Push("ann", Visit{User: "ann", At: 2}, 0)
	test.SetProcessingTime(time.Hour.Milliseconds())
	test.Push("ann", Visit{User: "ann", At: 3}, 0)
	for _, event := range test.Emitted() {
		fmt.Println(event.Record)
	}
	// Output:
	// {ann 1}
	// {ann 3}
}

// longest tells the longest word of each initial so far, and the mean length of all.
type longest struct {
	word *tidemill.ReducingState[string]
	mean *tidemill.AggregatingState[string, tidemill.MeanOf, float64]
}

func newLongest(d *tidemill.Declare) *longest {
	longer := func(a, b string) string {
		if len(b) > len(a) {
			return b
		}
		return a
	}
	length := tidemill.Mean(func(word string) int64 { return int64(len(word)) })
	return &longest{word: tidemill.NewReducing(d, "word", longer), mean: tidemill.NewAggregating(d, "mean", length)}
}

func (l *longest) OnRecord(ctx *tidemill.Context[string, string], word string) error {
	l.word.Add(word)
	l.mean.Add(word)
	soFar, _ := l.word.Get()
	mean, _ := l.mean.Get()
	ctx.Emit(fmt.Sprintf("%s, on average %.1f", soFar, mean))
	return nil
}

// State that folds what is added to it keeps one accumulator of a key.
func ExampleNewReducing() {
	test := tidemilltest.StartProcess(&testing.T{}, newLongest)
	for _, word := range []string{"a", "apple", "ape"} {
		test.Push("a", word, 0)
	}
	for _, event := range test.Emitted() {
		fmt.Println(event.Record)
	}
	// Output:
	// a, on average 1.0
	// apple, on average 3.0
	// apple, on average 3.0
}

// A window leaves out all but its last two records.
func ExampleWindowedStream_Evictor() {
	test := tidemilltest.Start(&testing.T{}, func(job *tidemill.Job) error {
		readings := tidemill.Source[Reading](job, "readings", tidemill.JSON()).EventTime("at", tidemill.Monotonic())
		windows := tidemill.KeyBy[string](readings, "sensor").Window(tidemill.Tumbling(10 * time.Second))
		tidemill.ProcessWindow(windows.Evictor(tidemill.AllButLast[Reading](2)), "last-two",
			func(w tidemill.Window[string], readings []Reading, out *tidemill.Emitter[string]) {
				out.Emit(fmt.Sprint(w.Key(), " at last: ", readings[0].Celsius, " and ", readings[1].Celsius))
			}).Sink("last", tidemill.Text())
		return nil
	})
	for n := range 4 {
		test.Push("readings", Reading{Sensor: "cellar", Celsius: float64(20 + n), At: int64(n)})
	}
	test.Finish()
	fmt.Println(test.SinkLines("last"))
	// Output: [cellar at last: 22 and 23]
}

// tenPoints fires when the points of a window come to ten, and begins anew.
type tenPoints struct{}

func (tenPoints) OnRecord(window *tidemill.Deciding[int64], visits Visits) tidemill.Action {
	*window.State += visits.Count
	if *window.State < 10 {
		return tidemill.Continue
	}
	*window.State = 0
	return tidemill.FireAndPurge
}

func (tenPoints) Merge(state *int64, other int64) { *state += other }

// A function says when windows fire, and remembers something of each.
func ExampleTriggeredBy() {
	test := tidemilltest.Start(&testing.T{}, func(job *tidemill.Job) error {
		visits := tidemill.KeyBy[string](tidemill.Source[Visits](job, "visits", tidemill.JSON()), "user")
		windows := tidemill.TriggeredBy(visits.Window(tidemill.GlobalWindow()), tenPoints{})
		sum := tidemill.Sum(func(v Visits) int64 { return v.Count })
		tidemill.Aggregate(windows, "ten-points", sum, func(w tidemill.Window[string], sum int64) Visits {
			return Visits{User: w.Key(), Count: sum}
		}).Sink("tens", tidemill.CSV())
		return nil
	})
	for _, count := range []int64{4, 7, 3, 8} {
		test.Push("visits", Visits{User: "ann", Count: count})
	}
	fmt.Println(test.SinkLines("tens"))
	// Output: [ann,11 ann,11]
}
