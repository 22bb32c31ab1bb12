package tidemill_test

import (
	"fmt"
	"testing"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

// Heap is what a trigger remembers of a window.
type Heap struct {
	Sum   int64
	Times int64
}

// full fires when the numbers of a window come to ten, and empties it; three milliseconds after each record too, by event time or the
// clock, while nothing more comes.
type full struct{ byClock bool }

func (f full) OnRecord(window *tidemill.Deciding[Heap], click Click) tidemill.Action {
	window.State.Sum += click.N
	if click.N == 0 {
		return tidemill.Purge
	}
	if window.State.Sum >= 10 {
		window.State.Sum = 0
		return tidemill.FireAndPurge
	}
	if f.byClock {
		window.AtProcessingTime(window.Now + 3)
	} else {
		window.AtEventTime(window.Time + 3)
	}
	return tidemill.Continue
}

func (f full) OnEventTime(window *tidemill.Deciding[Heap]) tidemill.Action {
	window.State.Times++
	return tidemill.Fire
}

func (f full) OnProcessingTime(window *tidemill.Deciding[Heap]) tidemill.Action {
	return f.OnEventTime(window)
}

func (f full) Merge(state *Heap, other Heap) {
	state.Sum += other.Sum
	state.Times += other.Times
}

// decided is a job that shows the numbers of each window.
func decided(windows tidemill.Windows, function full) func(*tidemill.Job) error {
	return func(job *tidemill.Job) error {
		clicks := tidemill.Source[Click](job, "clicks", tidemill.JSON()).EventTime("at", tidemill.Monotonic())
		windowed := tidemill.TriggeredBy(tidemill.KeyBy[string](clicks, "user").Window(windows), function)
		tidemill.ProcessWindow(windowed, "w", func(w tidemill.Window[string], records []Click, out *tidemill.Emitter[string]) {
			text := fmt.Sprint(w.Key(), w.Firing, ":")
			for _, record := range records {
				text += fmt.Sprint(" ", record.N)
			}
			out.Emit(text)
		}).Sink("seen", tidemill.Text())
		return nil
	}
}

func TestATriggerFunctionDecidesWhenWindowsFire(t *testing.T) {
	for _, one := range []struct {
		what    string
		windows tidemill.Windows
		input   []Click
		want    []string
	}{
		{"when ten are there", tidemill.Tumbling(100 * ms), []Click{click("a", 4, 1), click("b", 3, 1), click("a", 6, 1), click("a", 1, 1)},
			[]string{"a0: 4 6", "a1: 1", "b0: 3"}},
		{"three later, unless something comes", tidemill.GlobalWindow(), []Click{click("a", 1, 1), click("a", 2, 3), click("b", 9, 8), click("a", 3, 9)},
			[]string{"a0: 1 2", "b0: 9", "a1: 1 2 3"}},
		{"emptied, but what is remembered stays", tidemill.Tumbling(100 * ms), []Click{click("a", 1, 1), click("a", 0, 2), click("a", 2, 2), click("a", 7, 3), click("a", 3, 4)},
			[]string{"a0: 2 7", "a1: 3"}},
		{"sessions that grow together", tidemill.Session(10 * ms), []Click{click("a", 4, 1), click("a", 5, 2), click("a", 1, 3), click("a", 2, 4)},
			[]string{"a0: 4 5 1", "a1: 2"}},
	} {
		test := tidemilltest.Start(t, decided(one.windows, full{}))
		for _, click := range one.input {
			test.Push("clicks", click)
			test.Restart()
		}
		test.Finish()
		equal(t, one.what, test.SinkLines("seen"), one.want...)
	}
	test := tidemilltest.Start(t, decided(tidemill.Tumbling(100*ms), full{byClock: true}))
	test.SetProcessingTime(10)
	test.Push("clicks", click("a", 1, 1))
	test.SetProcessingTime(12)
	test.Push("clicks", click("a", 2, 2))
	test.SetProcessingTime(14)
	equal(t, "asked anew", test.SinkLines("seen"))
	test.SetProcessingTime(15)
	equal(t, "three later", test.SinkLines("seen"), "a0: 1 2")
}

func TestThePlanSaysThatTheTriggerIsTheJobs(t *testing.T) {
	window := operatorOf(t, planOf(t, decided(tidemill.GlobalWindow(), full{})), "w")["kind"].(map[string]any)["window"].(map[string]any)
	says(t, window["trigger"], `{"when": "guest"}`)
	says(t, window["state"], `[{"name": "acc", "kind": "list", "schema": "block:bytes"},
		{"name": "trigger", "kind": "value", "schema": "sum:i64,times:i64"}]`)
	contains(t, fmt.Sprint(tidemilltest.BuildError(func(job *tidemill.Job) error {
		clicks := tidemill.KeyBy[string](tidemill.Source[Click](job, "clicks", tidemill.JSON()), "user")
		tidemill.TriggeredBy(clicks.Window(tidemill.GlobalWindow()), full{}).Count("counts").Sink("out", tidemill.CSV())
		return nil
	})), `window "counts" is computed by the host, so its trigger is no function`)
}
