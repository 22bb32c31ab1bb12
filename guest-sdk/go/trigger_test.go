package tidemill_test

import (
	"fmt"
	"testing"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

type Click struct {
	User string
	N    int64
	Gap  int64
	At   int64
}

func click(user string, n, at int64) Click { return Click{User: user, N: n, Gap: 5, At: at} }

const ms = time.Millisecond

// gathered is a job that shows the numbers of each window.
func gathered(windows tidemill.Windows) func(*tidemill.Job) error {
	return func(job *tidemill.Job) error {
		clicks := tidemill.Source[Click](job, "clicks", tidemill.JSON()).EventTime("at", tidemill.Monotonic())
		tidemill.ProcessWindow(tidemill.KeyBy[string](clicks, "user").Window(windows), "w",
			func(w tidemill.Window[string], records []Click, out *tidemill.Emitter[string]) {
				text := fmt.Sprint(w.Key(), w.Firing, ":")
				for _, record := range records {
					text += fmt.Sprint(" ", record.N)
				}
				out.Emit(text)
			}).Sink("seen", tidemill.Text())
		return nil
	}
}

// gives checks what windows give for clicks, over a restart before the end.
func gives(t *testing.T, what string, windows tidemill.Windows, clicks []Click, want ...string) {
	t.Helper()
	test := tidemilltest.Start(t, gathered(windows))
	for _, click := range clicks {
		test.Push("clicks", click)
	}
	test.Restart()
	test.Finish()
	equal(t, what, test.SinkLines("seen"), want...)
}

func TestWindowsOfANumberOfRecords(t *testing.T) {
	var input []Click
	for n := range int64(5) {
		input = append(input, click("a", n+1, n+1))
	}
	gives(t, "the last one is not full", tidemill.Records(2), input, "a0: 1 2", "a0: 3 4")
	gives(t, "sliding", tidemill.RecordsSliding(3, 2), input, "a0: 1 2", "a0: 2 3 4")
	gives(t, "cut short", tidemill.Records(3).OrAfterEventTime(10*ms), []Click{click("a", 1, 1), click("a", 2, 2), click("b", 3, 20)},
		"a0: 1 2", "b0: 3")
	test := tidemilltest.Start(t, gathered(tidemill.Records(3).OrAfter(10*ms)))
	test.SetProcessingTime(100)
	test.Push("clicks", click("a", 1, 1))
	test.SetProcessingTime(109)
	test.Push("clicks", click("a", 2, 2))
	equal(t, "before the clock has come to it", test.SinkLines("seen"))
	test.SetProcessingTime(110)
	equal(t, "cut short by the clock", test.SinkLines("seen"), "a0: 1 2")
}

func TestDeclaredTriggers(t *testing.T) {
	input := []Click{click("a", 1, 1), click("a", 2, 2), click("a", 3, 3), click("a", 4, 15)}
	gives(t, "early and at the end", tidemill.Tumbling(10*ms).Trigger(tidemill.AnyOf(tidemill.AtEnd(), tidemill.EveryRecords(2))), input,
		"a0: 1 2", "a1: 1 2 3", "a0: 4")
	gives(t, "purged when it has fired", tidemill.GlobalWindow().Trigger(tidemill.EveryRecords(2).Purging()), input, "a0: 1 2", "a1: 3 4")
	all := tidemill.AllOf(tidemill.AtEnd(), tidemill.EveryRecords(3))
	gives(t, "when each has fired", tidemill.Tumbling(10*ms).AllowedLateness(100*ms).Trigger(all),
		[]Click{click("a", 1, 1), click("a", 2, 2), click("a", 3, 15), click("a", 4, 4)}, "a0: 1 2 4")
	every := tidemill.AnyOf(tidemill.AtEnd(), tidemill.EarlyEvery(4*ms).EventTime())
	gives(t, "early at multiples of event time", tidemill.Tumbling(10*ms).Trigger(every), input, "a0: 1 2 3", "a1: 1 2 3", "a0: 4", "a1: 4")
	after := tidemill.AnyOf(tidemill.AtEnd(), tidemill.After(1*ms).EventTime())
	gives(t, "some time after the first", tidemill.Tumbling(10*ms).Trigger(after), input, "a0: 1 2 3", "a1: 1 2 3", "a0: 4", "a1: 4")

	test := tidemilltest.Start(t, gathered(tidemill.Tumbling(time.Second).Trigger(tidemill.EarlyEvery(10*ms))))
	test.SetProcessingTime(101)
	test.Push("clicks", click("a", 1, 1), click("a", 2, 2))
	test.SetProcessingTime(110)
	equal(t, "early by the clock", test.SinkLines("seen"), "a0: 1 2")
	test.SetProcessingTime(200)
	equal(t, "nothing has come since", test.SinkLines("seen"))
	test.Push("clicks", click("a", 3, 3))
	test.SetProcessingTime(210)
	equal(t, "early again", test.SinkLines("seen"), "a1: 1 2 3")
}

func TestSessionsWithAGapOfEachRecord(t *testing.T) {
	long := click("a", 2, 5)
	long.Gap = 50
	gives(t, "sessions", tidemill.SessionBy("gap"), []Click{click("a", 1, 0), long, click("a", 3, 55), click("a", 4, 100)}, "a0: 1 2 3", "a0: 4")
}

func TestWindowsSayWhatTheyAre(t *testing.T) {
	for want, windows := range map[string]tidemill.Windows{
		`{"assigner": {"count": {"records": 3}}, "domain": "event"}`:             tidemill.Records(3),
		`{"assigner": {"count": {"records": 3, "slide": 2}}, "domain": "event"}`: tidemill.RecordsSliding(3, 2),
		`{"assigner": {"session-by": {"field": "gap"}}, "domain": "event"}`:      tidemill.SessionBy("gap"),
		`{"assigner": {"days": {"timezone": "Asia/Shanghai", "days": 7}}, "domain": "processing"}`: tidemill.CalendarDays("Asia/Shanghai").Every(7).
			ProcessingTime(),
		`{"assigner": {"count": {"records": 3, "or-after": {"ms": 5000, "domain": "processing"}}}, "domain": "event"}`: tidemill.Records(3).
			OrAfter(5 * time.Second),
		`{"assigner": "global", "domain": "event", "trigger": {"when": {"count": {"records": 10}}, "purge": true}}`: tidemill.GlobalWindow().
			Trigger(tidemill.EveryRecords(10).Purging()),
		`{"assigner": "global", "domain": "event", "trigger": {"when": {"any": ["at-watermark", "late-each",
			{"early-every": {"ms": 1000, "domain": "processing"}}, {"all": [{"count": {"records": 5}}, {"after": {"ms": 100, "domain": "event"}}]}]}}}`: tidemill.GlobalWindow().Trigger(tidemill.AnyOf(tidemill.AtEnd(), tidemill.LateEach(), tidemill.EarlyEvery(time.Second),
			tidemill.AllOf(tidemill.EveryRecords(5), tidemill.After(100*ms).EventTime()))),
	} {
		said := operatorOf(t, planOf(t, gathered(windows)), "w")["kind"].(map[string]any)["window"].(map[string]any)
		for _, other := range []string{"compute", "key", "lateness-ms", "state"} {
			delete(said, other)
		}
		says(t, said, want)
	}
}

func TestWhatIsWrongWithWindowsIsSaidWhenTheJobIsBuilt(t *testing.T) {
	for want, windows := range map[string]tidemill.Windows{
		`the gap of sessions is field "user", which is no int64`:         tidemill.SessionBy("user"),
		`the gap of sessions: tidemill_test.Click has no column "pause"`: tidemill.SessionBy("pause"),
		"the span of a trigger is 1ns":                                   tidemill.Tumbling(ms).Trigger(tidemill.AllOf(tidemill.After(time.Nanosecond))),
		"the time of windows that are not full is 1ns":                   tidemill.Records(3).OrAfter(time.Nanosecond),
		`window "w" has calendar days, which the kit cannot cut`:         tidemill.CalendarDays("Asia/Shanghai"),
	} {
		contains(t, fmt.Sprint(tidemilltest.BuildError(gathered(windows))), want)
	}
	contains(t, fmt.Sprint(tidemilltest.BuildError(joining(func(orders keyedOrders, payments keyedPayments) {
		tidemill.WindowJoin[Paid]("j", tidemill.Tumbling(ms).Trigger(tidemill.AtEnd()), orders, payments)
	}))), `join "j" joins windows when they end: it has no trigger`)
}

func TestAWindowThatWasPurgedIsEmptyAndFiresWhenItHasARecordAgain(t *testing.T) {
	test := tidemilltest.Start(t, func(job *tidemill.Job) error {
		clicks := tidemill.Source[Click](job, "clicks", tidemill.JSON()).EventTime("at", tidemill.Monotonic())
		windows := tidemill.Tumbling(10 * ms).Trigger(tidemill.AnyOf(tidemill.AtEnd(), tidemill.EveryRecords(2)).Purging())
		tidemill.KeyBy[string](clicks, "user").Window(windows).Count("n").Sink("out", tidemill.CSV())
		return nil
	})
	for n := range int64(5) {
		test.Push("clicks", click("a", n, n))
	}
	test.Push("clicks", click("a", 5, 11), click("a", 6, 12))
	test.Finish()
	equal(t, "counts", test.SinkLines("out"), "a,0,10,2", "a,0,10,2", "a,0,10,1", "a,10,20,2")
}
