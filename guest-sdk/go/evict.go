package tidemill

import (
	"math"
	"time"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// Evictor says what a window of records T leaves out when it fires: see [WindowedStream.Evictor]. What is evicted is gone for good: a later
// firing of the window does not see it either. Records stand in the order of their arrival.
type Evictor[T any] struct {
	plan   plan.Evictor
	choose func(times []int64, records []T) []int
	err    error
}

// AllButLast keeps the last `count` records.
func AllButLast[T any](count uint64) Evictor[T] {
	return Evictor[T]{
		plan: plan.Evictor{Evict: plan.Evict{Count: &plan.Records{Records: count}}},
		choose: func(times []int64, _ []T) []int {
			return goers(times, func(i int) bool { return uint64(len(times)-i) > count })
		},
	}
}

// OlderThan keeps the records that are at most this much older than the latest one, by their event times.
func OlderThan[T any](span time.Duration) Evictor[T] {
	ms, err := millis("the span of an evictor", span)
	return Evictor[T]{
		plan: plan.Evictor{Evict: plan.Evict{Time: &plan.Age{Ms: ms}}},
		err:  err,
		choose: func(times []int64, _ []T) []int {
			latest := int64(math.MinInt64)
			for _, time := range times {
				latest = max(latest, time)
			}
			return goers(times, func(i int) bool { return latest >= math.MinInt64+ms && times[i] < latest-ms })
		},
	}
}

// DifferingBy keeps the records whose field differs from that of the last one by less than a threshold; a function gives the field's
// value.
func DifferingBy[T any, V Number](field string, threshold float64, value func(T) V) Evictor[T] {
	return Evictor[T]{
		plan: plan.Evictor{Evict: plan.Evict{Delta: &plan.Delta{Field: field, Threshold: threshold}}},
		choose: func(times []int64, records []T) []int {
			last := float64(value(records[len(records)-1]))
			return goers(times, func(i int) bool { return math.Abs(float64(value(records[i]))-last) >= threshold })
		},
	}
}

// EvictBy leaves out what a function says: it is given the event times and the records, and answers with their places.
func EvictBy[T any](goes func(times []int64, records []T) []int) Evictor[T] {
	return Evictor[T]{choose: goes}
}

// goers are the places for which a function says so.
func goers(times []int64, goes func(i int) bool) (places []int) {
	for i := range times {
		if goes(i) {
			places = append(places, i)
		}
	}
	return places
}

// After leaves records out behind the function rather than in front of it: the next firing does not see them.
func (e Evictor[T]) After() Evictor[T] {
	e.plan.After = true
	return e
}

// Evictor says what a window leaves out when it fires. Only for [ProcessWindow]: an aggregate does not keep its records.
func (w *WindowedStream[K, T]) Evictor(evictor Evictor[T]) *WindowedStream[K, T] {
	g := w.keyed.stream.graph
	g.check(evictor.err)
	if delta := evictor.plan.Evict.Delta; delta != nil {
		column, _ := w.keyed.stream.column("an evictor", delta.Field)
		if column.Type != 0 && (column.Optional || column.Type != schema.I32 && column.Type != schema.I64 && column.Type != schema.F64) {
			g.fault("an evictor compares field %q, which is no number", delta.Field)
		}
	}
	copied := *w
	copied.evictor = &evictor
	return &copied
}

// processEvicting is ProcessWindow where there is an evictor.
func processEvicting[K, T, Out any](
	windowed *WindowedStream[K, T], name string, f func(window Window[K], records []T, out *Emitter[Out]),
) *Stream[Out] {
	evicting, err := runtime.NewEvicting[T]()
	if err != nil {
		// What is wrong with the type has been noted.
		return &Stream[Out]{graph: windowed.keyed.stream.graph}
	}
	evicting.After, evicting.Choose = windowed.evictor.plan.After, windowed.evictor.choose
	return guestWindow(windowed, name, evicting, func(window func() Window[K], out *Emitter[Out]) {
		evicting.Done = func(records []T) { f(window(), records, out) }
	})
}
