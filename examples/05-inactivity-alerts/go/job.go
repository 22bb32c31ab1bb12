// An alert when a device has sent nothing for thirty seconds, and the number of signals until then.
//
// Signals may arrive out of order, and a file is read faster than its time passes. So that alerts depend on the signals alone, each
// waits in state until the watermark says that nothing earlier will come.
package main

import (
	"slices"
	"sort"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// silence is how long a device may be silent, in milliseconds.
const silence = 30_000

// Signal is a line of the input.
type Signal struct {
	Device string
	At     int64
}

// Alert is a line of the output.
type Alert struct {
	Device      string
	SilentSince int64
	Signals     int64
}

// Seen is what is known of a device that is not silent.
type Seen struct {
	Last    int64
	Signals int64
}

type watch struct {
	waiting *tidemill.ListState[int64]
	seen    *tidemill.ValueState[Seen]
	wake    *tidemill.Timer
}

// OnRecord lets a signal wait.
func (w *watch) OnRecord(_ *tidemill.Context[string, Alert], signal Signal) error {
	w.waiting.Add(signal.At)
	w.wake.Add(signal.At)
	return nil
}

// OnTimer looks at the signals whose time has come, and at the silence behind them.
func (w *watch) OnTimer(ctx *tidemill.Context[string, Alert], _ tidemill.TimerEvent) error {
	now := ctx.Watermark()
	due := slices.Sorted(slices.Values(w.waiting.Take()))
	split := sort.Search(len(due), func(i int) bool { return due[i] > now })
	if later := due[split:]; len(later) > 0 {
		w.waiting.Set(later)
	}
	seen, known := w.seen.Take()
	for _, at := range due[:split] {
		if known && at > seen.Last+silence {
			alert(ctx, seen)
			seen.Signals = 0
		}
		seen, known = Seen{Last: at, Signals: seen.Signals + 1}, true
	}
	switch {
	case !known:
	case now > seen.Last+silence:
		alert(ctx, seen)
	default:
		w.wake.Add(seen.Last + silence + 1)
		w.seen.Set(seen)
	}
	return nil
}

func alert(ctx *tidemill.Context[string, Alert], seen Seen) {
	ctx.Emit(Alert{Device: ctx.Key(), SilentSince: seen.Last, Signals: seen.Signals})
}

func inactivityAlerts(job *tidemill.Job) error {
	signals := tidemill.Source[Signal](job, "signals", tidemill.JSON().Default("stdin:")).
		EventTime("at", tidemill.OutOfOrder(2*time.Second))
	alerts := tidemill.Process(tidemill.KeyBy[string](signals, "device"), "watch", func(d *tidemill.Declare) *watch {
		return &watch{
			waiting: tidemill.NewList[int64](d, "waiting"),
			seen:    tidemill.NewValue[Seen](d, "seen"),
			wake:    d.EventTimer("wake"),
		}
	})
	alerts.Sink("alerts", tidemill.JSON().Default("stdout:"))
	return nil
}

func init() { tidemill.Export(inactivityAlerts) }

func main() {}
