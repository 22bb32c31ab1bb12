package tidemill_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

// texted is the accumulator of joined, which keeps text of records.
type texted struct{ All string }

// joined are the texts of a key, one after the other.
func joined(job *tidemill.Job) error {
	items := tidemill.Source[Item](job, "items", tidemill.JSON()).EventTime("key", tidemill.Monotonic())
	windows := tidemill.KeyByFunc(items, "one", func(Item) bool { return true }).Window(tidemill.Sliding(10*time.Second, 2*time.Second))
	join := tidemill.Aggregator[Item, texted, string]{
		Add:    func(acc *texted, item Item) { acc.All += item.Text },
		Merge:  func(acc *texted, other texted) { acc.All += other.All },
		Result: func(acc texted) string { return acc.All },
	}
	texts := tidemill.Aggregate(windows, "join", join, func(w tidemill.Window[bool], all string) string {
		return fmt.Sprint(w.Key(), w.Start, w.End, w.Firing, all)
	})
	tidemill.Map(texts, "marked", func(all string) string { return "<" + all + ">" }).Sink("out", tidemill.JSON())
	return nil
}

// fired is what a host hands over for a window to fire.
type fired struct {
	Key        bool
	Start, End int64
	Firing     int32
}

func TestAWindowIsTheMergeOfItsPanesAndLeavesThemAsTheyAre(t *testing.T) {
	instance, heard := instanceOf(t, joined)
	instance.Link(0, []uint32{2, 3})
	instance.Process(0, 0, at, blockOf(t, Item{1, "a"}, Item{2, "b"}, Item{1, "c"}, Item{1, "d"}), nil, []uint32{0, 1, 2, 3})
	windows := blockOf(t, fired{true, 0, 10, 3}, fired{true, 10, 20, 0})
	for range 2 {
		instance.Fire(0, at, windows, []uint32{0, 3, 5}, []uint32{0, 2, 3, 2, 3})
		equal(t, "results", read[string](t, heard.take()...), "<true 0 10 3acd>@100", "<true 10 20 0cd>@101")
	}
	instance.Merge(2, []uint32{0}, []uint32{3})
	instance.Fire(0, at, windows, []uint32{0, 1, 2}, []uint32{0, 3})
	equal(t, "the source of a merge is empty", read[string](t, heard.take()...), "<true 0 10 3ad>@100")
}

func TestARowMayBelongToSeveralWindows(t *testing.T) {
	instance, heard := instanceOf(t, joined)
	instance.Link(0, []uint32{2})
	instance.Process(0, 0, at, blockOf(t, Item{1, "a"}, Item{1, "b"}, Item{1, "c"}), []uint32{0, 0, 2}, []uint32{4, 5, 5})
	instance.Fire(0, at, blockOf(t, fired{}, fired{}), []uint32{0, 1, 2}, []uint32{4, 5})
	equal(t, "results", read[string](t, heard.take()...), "false 0 0 0a@100", "false 0 0 0ac@101")
}

func TestAccumulatorsSurviveARestart(t *testing.T) {
	test := tidemilltest.Start(t, joined)
	test.Push("items", Item{1_000, "a"}, Item{1_500, "b"})
	test.Restart()
	test.Push("items", Item{2_500, "c"})
	test.Finish()
	lines := strings.Join(test.SinkLines("out"), " ")
	contains(t, lines, "<true -8000 2000 0ab>", "<true 0 10000 0abc>", "<true 2000 12000 0c>")
}

func TestSessionsMergeTheirAccumulatorsAndLateRecordsFireAgain(t *testing.T) {
	type event struct{ Key, At int64 }
	job := func(job *tidemill.Job) error {
		events := tidemill.Source[event](job, "events", tidemill.JSON())
		timed := tidemill.AssignEventTime(events, "time", func(e event) int64 { return e.At }, tidemill.OutOfOrder(50*time.Millisecond))
		windows := tidemill.KeyByFunc(timed, "key", func(e event) int64 { return e.Key }).Window(tidemill.Session(10 * time.Millisecond))
		lists := tidemill.ProcessWindow(windows.AllowedLateness(100*time.Millisecond), "list",
			func(w tidemill.Window[int64], records []event, out *tidemill.Emitter[string]) {
				out.Emit(fmt.Sprint(w.Start, w.End, w.Firing, len(records)))
			})
		lists.Sink("out", tidemill.Text())
		tidemill.Late[event](lists).Sink("late", tidemill.JSON())
		return nil
	}
	test := tidemilltest.Start(t, job)
	for _, at := range []int64{100, 120, 110, 100, 300, 115, 500, 105} {
		test.Push("events", event{1, at})
	}
	equal(t, "results", test.SinkLines("out"), "100 130 0 4", "300 310 0 1")
	equal(t, "late", tidemilltest.Sink[event](test, "late"), event{1, 115}, event{1, 105})
	test.Restart()
	test.Push("events", event{1, 435})
	equal(t, "results", test.SinkLines("out"), "435 445 0 1")
	test.Push("events", event{1, 440})
	equal(t, "a late record lets its session fire again", test.SinkLines("out"), "435 450 1 2")
}

func TestProcessingTimeWindowsCloseByTheClock(t *testing.T) {
	test := tidemilltest.Start(t, func(job *tidemill.Job) error {
		numbers := tidemill.Source[int64](job, "n", tidemill.JSON())
		tidemill.WindowAll(numbers, tidemill.Tumbling(time.Second).ProcessingTime()).Count("count").Sink("out", tidemill.JSON())
		return nil
	})
	test.SetProcessingTime(1_500)
	test.Push("n", int64(1), int64(2))
	test.SetProcessingTime(1_998)
	equal(t, "counts", tidemilltest.Sink[tidemill.WindowCount[struct{}]](test, "out"))
	test.SetProcessingTime(1_999)
	want := tidemill.WindowCount[struct{}]{Start: 1_000, End: 2_000, Count: 2}
	equal(t, "counts", tidemilltest.Sink[tidemill.WindowCount[struct{}]](test, "out"), want)
}

// All aggregates over the same records, by the host and by the component.
func TestAggregatesOfWindows(t *testing.T) {
	test := tidemilltest.Start(t, func(job *tidemill.Job) error {
		readings := tidemill.Source[Reading](job, "readings", tidemill.JSON()).EventTime("at", tidemill.Monotonic())
		windows := tidemill.KeyBy[string](readings, "sensor").Window(tidemill.Tumbling(10 * time.Second))
		windows.Count("host-count").Sink("a", tidemill.CSV())
		tidemill.WindowSum[float64](windows, "host-sum", "celsius").Sink("b", tidemill.CSV())
		tidemill.WindowMin[float64](windows, "host-min", "celsius").Sink("c", tidemill.CSV())
		tidemill.WindowMax[int64](windows, "host-max", "at").Sink("d", tidemill.CSV())
		tidemill.WindowMinBy(windows, "host-min-by", "celsius").Sink("e", tidemill.CSV())
		tidemill.WindowMaxBy(windows, "host-max-by", "celsius").Sink("f", tidemill.CSV())
		tidemill.WindowReduce(windows, "reduce", func(a, b Reading) Reading { return Reading{a.Sensor + b.Sensor, a.Celsius, b.At} }).Sink("g", tidemill.CSV())
		guest(windows, "count", tidemill.Count[Reading]())
		guest(windows, "sum", tidemill.Sum(func(r Reading) int64 { return r.At }))
		guest(windows, "sum-float", tidemill.SumFloat(func(r Reading) float64 { return r.Celsius }))
		guest(windows, "min", tidemill.Min(func(r Reading) float64 { return r.Celsius }))
		guest(windows, "max", tidemill.Max(func(r Reading) int32 { return int32(r.Celsius) }))
		guest(windows, "min-int", tidemill.Min(func(r Reading) int64 { return r.At }))
		return nil
	})
	test.Push("readings", Reading{"x", 2.5, 1_000}, Reading{"x", -1, 2_000}, Reading{"x", 4, 3_000})
	test.Finish()
	for sink, want := range map[string]string{
		"a": "x,0,10000,3", "b": "x,0,10000,5.5", "c": "x,0,10000,-1.0", "d": "x,0,10000,3000", "e": "0,10000,x,-1.0,2000",
		"f": "0,10000,x,4.0,3000", "g": "xxx,2.5,3000", "count-out": "3", "sum-out": "6000", "sum-float-out": "5.5", "min-out": "-1.0",
		"max-out": "4", "min-int-out": "1000",
	} {
		equal(t, sink, test.SinkLines(sink), want)
	}
}

func guest[Acc, R any](windows *tidemill.WindowedStream[string, Reading], name string, aggregator tidemill.Aggregator[Reading, Acc, R]) {
	results := tidemill.Aggregate(windows, name, aggregator, func(_ tidemill.Window[string], result R) R { return result })
	results.Sink(name+"-out", tidemill.CSV())
}
