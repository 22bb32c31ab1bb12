package tidemill

import (
	"time"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
)

// WatermarkGenerator makes the watermarks of one split of a source: a file, a partition, a connection. A watermark says that no record of its
// time or before it is expected any more.
//
// What a generator remembers is no state: after a restart from a checkpoint every split begins with a new one, and event time stays where
// it was until that has caught up.
type WatermarkGenerator[T any] interface {
	// OnEvent sees a record and its event time, and may give a watermark behind it. The host asks once for each block of records, not once
	// for each record: of the watermarks given within a block the greatest counts, behind the block. One that is lower than before changes
	// nothing.
	OnEvent(record T, eventTime int64) (watermark int64, given bool)
	// OnPeriodic is asked every so often, at the processing time now, where [Generated.Every] says so; not while the split is idle.
	OnPeriodic(now int64) (watermark int64, given bool)
}

// Generated says how watermarks are made by the job itself, for [GenerateWatermarks].
type Generated[T any] struct {
	make  func() WatermarkGenerator[T]
	every *int64
	err   error
}

// Generator are the watermarks of a generator that a function makes for each split.
func Generator[G WatermarkGenerator[T], T any](make func() G) Generated[T] {
	return Generated[T]{make: func() WatermarkGenerator[T] { return make() }}
}

// Every has [WatermarkGenerator.OnPeriodic] asked every so often, in processing time.
func (g Generated[T]) Every(interval time.Duration) Generated[T] {
	ms, err := millis("the interval of watermarks", interval)
	g.every = &ms
	if g.err == nil {
		g.err = err
	}
	return g
}

// Punctuated are the watermarks that records bring: mark sees each with its event time and may give one.
func Punctuated[T any](mark func(record T, eventTime int64) (watermark int64, given bool)) Generated[T] {
	return Generator(func() punctuated[T] { return mark })
}

// Periodic are watermarks by the clock: see notes what it wants of each record and its event time, and say is asked every so often, with what
// was noted of the split, at first the zero value, and the processing time.
func Periodic[T, Noted any](every time.Duration, see func(noted *Noted, record T, eventTime int64),
	say func(noted *Noted, now int64) (watermark int64, given bool),
) Generated[T] {
	return Generator(func() *periodic[T, Noted] { return &periodic[T, Noted]{see: see, say: say} }).Every(every)
}

// GenerateWatermarks gives each record an event time in milliseconds, as [AssignEventTime] does, and leaves to the job which watermarks
// follow, where neither [Monotonic] nor [OutOfOrder] says it: from marks in the records, or by the clock. It must come right behind a source.
// Each split of the source has a generator of its own, and event time behind it is the least over the splits.
func GenerateWatermarks[T any](stream *Stream[T], name string, eventTime func(T) int64, watermarks Generated[T]) *Stream[T] {
	g := stream.graph
	g.check(watermarks.err)
	id := g.nextID()
	layout := layoutOf[T](g)
	guest := &runtime.Timestamps[T]{
		Stateless: runtime.Stateless[T, T]{
			Call: g.call, ID: id, In: stream.layout, Out: runtime.NewPort[T](g.call, id, 0, layout, layout.Schema),
			Compose: func(down runtime.Push[T], _ *runtime.Exits) runtime.Push[T] {
				return func(record *T, _ int64) {
					g.call.Operator = id
					down(record, eventTime(*record))
				}
			},
		},
		Layout: layout,
		Make:   func() runtime.Generator[T] { return watermarks.make() },
	}
	kind := plan.Kind{Timestamps: &plan.Watermarks{Guest: &plan.Generated{EveryMs: watermarks.every}}}
	return added[T](g, &plan.Operator{Name: name, Kind: kind, Inputs: []plan.Input{stream.input()}}, guest, layout, layout.Schema)
}

// punctuated is a generator that keeps nothing.
type punctuated[T any] func(record T, eventTime int64) (int64, bool)

func (p punctuated[T]) OnEvent(record T, eventTime int64) (int64, bool) { return p(record, eventTime) }

func (p punctuated[T]) OnPeriodic(int64) (int64, bool) { return 0, false }

// periodic is a generator that speaks only when it is asked.
type periodic[T, Noted any] struct {
	noted Noted
	see   func(noted *Noted, record T, eventTime int64)
	say   func(noted *Noted, now int64) (int64, bool)
}

func (p *periodic[T, Noted]) OnEvent(record T, eventTime int64) (int64, bool) {
	p.see(&p.noted, record, eventTime)
	return 0, false
}

func (p *periodic[T, Noted]) OnPeriodic(now int64) (int64, bool) { return p.say(&p.noted, now) }
