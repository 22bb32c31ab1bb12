package main

import (
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// Call is a line of the input.
type Call struct {
	Caller string
	Cents  int64
	At     int64
}

// CallFigure is what a window of calls comes to.
type CallFigure struct {
	What   string
	Caller string
	Until  int64
	Firing int32
	Calls  int64
	Cents  int64
}

// Listed are the calls of a window.
type Listed struct {
	Caller string
	Firing int32
	Cents  string
}

// late is who calls late, and is not seen where late records are left out.
const late = "ivy"

// windowsTriggers are calls of callers in windows that fire when their triggers say so: early, some time after the first record, at late
// ones, by number.
func windowsTriggers(job *tidemill.Job) {
	calls := tidemill.Source[Call](job, "calls", tidemill.JSON()).EventTime("at", tidemill.Monotonic())
	keyed := tidemill.KeyBy[string](calls, "caller")
	punctual := tidemill.KeyBy[string](tidemill.Filter(calls, "punctual", func(call Call) bool { return call.Caller != late }), "caller")
	tumbling := tidemill.Tumbling(10 * time.Second)

	early := tidemill.AnyOf(tidemill.AtEnd(), tidemill.EarlyEvery(4*time.Second).EventTime(), tidemill.LateEach())
	figures := callFigures(keyed.Window(tumbling.Trigger(early).AllowedLateness(time.Minute)), "early")
	after := tidemill.AnyOf(tidemill.AtEnd(), tidemill.After(4*time.Second).EventTime())
	figures.Union("figures", callFigures(punctual.Window(tumbling.Trigger(after)), "after")).Sink("figures-out", tidemill.JSON())

	purged := tidemill.AnyOf(tidemill.AtEnd(), tidemill.EveryRecords(2)).Purging()
	listed(punctual.Window(tumbling.Trigger(purged)), "purged").Sink("purged-out", tidemill.JSON())
	both := tidemill.AllOf(tidemill.AtEnd(), tidemill.EveryRecords(2))
	punctual.Window(tumbling.Trigger(both)).Count("both").Sink("both-out", tidemill.JSON())
	listed(punctual.Window(tidemill.GlobalWindow().Trigger(tidemill.EveryRecords(3))), "global").Sink("global-out", tidemill.JSON())
}

func callFigures(windows *tidemill.WindowedStream[string, Call], name string) *tidemill.Stream[CallFigure] {
	sums := summed(func(call Call) int64 { return call.Cents })
	return tidemill.Aggregate(windows, name, sums, func(window tidemill.Window[string], sums Hits) CallFigure {
		return CallFigure{
			What: name, Caller: window.Key(), Until: window.End, Firing: int32(window.Firing), Calls: sums.Hits, Cents: sums.Bytes,
		}
	})
}

func listed(windows *tidemill.WindowedStream[string, Call], name string) *tidemill.Stream[Listed] {
	return tidemill.ProcessWindow(windows, name, func(window tidemill.Window[string], calls []Call, out *tidemill.Emitter[Listed]) {
		cents := joined(calls, func(call Call) int64 { return call.Cents })
		out.Emit(Listed{Caller: window.Key(), Firing: int32(window.Firing), Cents: cents})
	})
}
