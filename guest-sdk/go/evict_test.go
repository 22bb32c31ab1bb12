package tidemill_test

import (
	"fmt"
	"testing"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

// evicted is a job that shows the numbers that windows have left: each fires at every second record and at its end.
func evicted(evictor tidemill.Evictor[Click]) func(*tidemill.Job) error {
	return func(job *tidemill.Job) error {
		clicks := tidemill.Source[Click](job, "clicks", tidemill.JSON()).EventTime("at", tidemill.OutOfOrder(10*ms))
		windows := tidemill.Tumbling(10 * ms).Trigger(tidemill.AnyOf(tidemill.AtEnd(), tidemill.EveryRecords(2)))
		tidemill.ProcessWindow(tidemill.KeyBy[string](clicks, "user").Window(windows).Evictor(evictor), "w",
			func(w tidemill.Window[string], records []Click, out *tidemill.Emitter[string]) {
				text := fmt.Sprint(w.Firing, ":")
				for _, record := range records {
					text += fmt.Sprint(" ", record.N)
				}
				out.Emit(text)
			}).Sink("seen", tidemill.Text())
		return nil
	}
}

func TestEvictorsTakeRecordsOutOfWindowsThatFire(t *testing.T) {
	input := []Click{click("a", 1, 4), click("a", 8, 1), click("a", 7, 9), click("a", 6, 8), click("a", 9, 5)}
	odd := tidemill.EvictBy(func(times []int64, clicks []Click) (places []int) {
		for i := range clicks {
			if clicks[i].N%2 == 1 && times[i] == clicks[i].At {
				places = append(places, i)
			}
		}
		return append(places, -1, len(clicks))
	})
	for _, one := range []struct {
		what    string
		evictor tidemill.Evictor[Click]
		want    []string
	}{
		{"the last", tidemill.AllButLast[Click](2), []string{"0: 1 8", "1: 7 6", "2: 6 9"}},
		{"the last, behind", tidemill.AllButLast[Click](1).After(), []string{"0: 1 8", "1: 8 7 6", "2: 6 9"}},
		{"the latest", tidemill.OlderThan[Click](4 * ms), []string{"0: 1 8", "1: 7 6", "2: 7 6 9"}},
		{"near the last", tidemill.DifferingBy("n", 2, func(c Click) int64 { return c.N }), []string{"0: 8", "1: 7 6", "2: 9"}},
		{"what a function says", odd, []string{"0: 8", "1: 8 6", "2: 8 6"}},
	} {
		test := tidemilltest.Start(t, evicted(one.evictor))
		for _, click := range input {
			test.Push("clicks", click)
			test.Restart()
		}
		test.Finish()
		equal(t, one.what, test.SinkLines("seen"), one.want...)
	}
}

func TestThePlanSaysWhatIsEvicted(t *testing.T) {
	near := tidemill.DifferingBy("n", 5.5, func(c Click) int64 { return c.N })
	for want, evictor := range map[string]tidemill.Evictor[Click]{
		`{"evict": {"count": {"records": 2}}, "after": true}`:    tidemill.AllButLast[Click](2).After(),
		`{"evict": {"time": {"ms": 1000}}}`:                      tidemill.OlderThan[Click](time.Second),
		`{"evict": {"delta": {"field": "n", "threshold": 5.5}}}`: near,
		`{"evict": "guest"}`:                                     tidemill.EvictBy(func([]int64, []Click) []int { return nil }),
	} {
		window := operatorOf(t, planOf(t, evicted(evictor)), "w")["kind"].(map[string]any)["window"].(map[string]any)
		says(t, window["evictor"], want)
		says(t, window["state"], `[{"name": "acc", "kind": "list", "schema": "block:bytes"}]`)
	}
	text := tidemill.DifferingBy("user", 1, func(c Click) int64 { return c.N })
	contains(t, fmt.Sprint(tidemilltest.BuildError(evicted(text))), `an evictor compares field "user", which is no number`)
	contains(t, fmt.Sprint(tidemilltest.BuildError(evicted(tidemill.OlderThan[Click](time.Nanosecond)))), "the span of an evictor is 1ns")
	contains(t, fmt.Sprint(tidemilltest.BuildError(func(job *tidemill.Job) error {
		clicks := tidemill.Source[Click](job, "clicks", tidemill.JSON())
		tidemill.WindowAll(clicks, tidemill.Records(3)).Evictor(tidemill.AllButLast[Click](2)).Count("counts").Sink("out", tidemill.CSV())
		return nil
	})), `window "counts" keeps an aggregate and no records, so it has no evictor: use ProcessWindow`)
}
