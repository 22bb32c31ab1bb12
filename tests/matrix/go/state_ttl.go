package main

import (
	"fmt"
	"strings"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// Every user is told about one second before the end of each twelve.
const (
	tellEveryMs  = 12_000
	tellBeforeMs = 1_000
)

// Look is a look at an item; without one, a user asks what is known.
type Look struct {
	User string
	Item string
	At   int64
}

// Told is what is known of a user.
type Told struct {
	User   string
	At     int64
	Since  *int64
	Recent string
	Counts string
}

type looks struct {
	since  *tidemill.ExpiringValue[int64]
	recent *tidemill.ExpiringList[string]
	counts *tidemill.ExpiringMap[string, int64]
	tell   *tidemill.Timer
}

func (l *looks) OnRecord(ctx *tidemill.Context[string, Told], look Look) error {
	if look.Item == "" {
		l.tellAt(ctx, look.At)
		return nil
	}
	if _, found := l.since.Get(); !found {
		l.since.Set(look.At)
	}
	l.counts.Update(look.Item, func(count *int64) { *count++ })
	l.recent.Add(look.Item)
	next := (look.At/tellEveryMs + 1) * tellEveryMs
	l.tell.Replace(next - tellBeforeMs)
	return nil
}

func (l *looks) OnTimer(ctx *tidemill.Context[string, Told], event tidemill.TimerEvent) error {
	l.tellAt(ctx, event.Time)
	return nil
}

func (l *looks) tellAt(ctx *tidemill.Context[string, Told], at int64) {
	told := Told{User: ctx.Key(), At: at}
	if since, found := l.since.Get(); found {
		told.Since = &since
	}
	told.Recent = strings.Join(l.recent.Get(), ",")
	var counts []string
	for item, count := range l.counts.All() {
		counts = append(counts, fmt.Sprintf("%s=%d", item, count))
	}
	told.Counts = strings.Join(counts, ",")
	ctx.Emit(told)
}

// stateTTL is what users looked at, for ten seconds of event time: a value that reading renews, a list and a map whose entries expire one
// by one.
func stateTTL(job *tidemill.Job) {
	ttl := tidemill.EventTimeTTL(10 * time.Second)
	keyed := tidemill.KeyBy[string](tidemill.Source[Look](job, "looks", tidemill.JSON()).EventTime("at", tidemill.Monotonic()), "user")
	tidemill.Process(keyed, "looks-of", func(d *tidemill.Declare) *looks {
		return &looks{
			since:  tidemill.NewExpiringValue[int64](d, "since", ttl.RenewedByReads()),
			recent: tidemill.NewExpiringList[string](d, "recent", ttl),
			counts: tidemill.NewExpiringMap[string, int64](d, "counts", ttl),
			tell:   d.EventTimer("tell"),
		}
	}).Sink("told", tidemill.JSON())
}
