package tidemilltest

import (
	"math"
	"testing"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/cells"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
)

// split is the only one that sources of the kit have.
const split = 0

// show shows rows that left an operator to its generator of watermarks.
func (e *engine) show(id int, rows []cells.Row) {
	if len(rows) > 0 {
		e.mark(id, cells.Encode(rows, e.schema(id, plan.Main)))
	}
}

// askByClock asks the generators of watermarks that are due.
func (e *engine) askByClock() {
	if e.only >= 0 {
		return
	}
	for id, node := range e.instance.Nodes {
		watermarks := node.Plan.Kind.Timestamps
		if watermarks == nil || watermarks.Guest == nil || watermarks.Guest.EveryMs == nil {
			continue
		}
		if keeping := &e.keeping[id]; e.now-keeping.asked >= *watermarks.Guest.EveryMs {
			keeping.asked = e.now
			e.mark(id, nil)
			e.raise(id, keeping.watermark)
		}
	}
}

// mark asks the generator of watermarks of an operator, by the clock where there is no block.
func (e *engine) mark(id int, block []byte) {
	if watermark, given := e.instance.Watermark(uint32(id), split, e.now, block); given {
		e.keeping[id].watermark = max(e.keeping[id].watermark, watermark)
	}
}

// Watermarks are a generator of watermarks under test, of one split. The clock stands at 0 unless the test moves it.
type Watermarks[T any] struct {
	t      testing.TB
	engine *engine
	id     int
}

// StartWatermarks starts a generator of watermarks, given as [tidemill.GenerateWatermarks] takes it.
func StartWatermarks[T any](t testing.TB, watermarks tidemill.Generated[T]) *Watermarks[T] {
	t.Helper()
	const name = "times"
	e, err := newEngine(func(job *tidemill.Job) error {
		// The times come from the test.
		var nobody func(T) int64
		tidemill.GenerateWatermarks(tidemill.Source[T](job, "source", tidemill.JSON()), name, nobody, watermarks)
		return nil
	}, nil, "")
	if err != nil {
		t.Fatalf("the generator cannot start: %v", err)
	}
	return &Watermarks[T]{t: t, engine: e, id: e.find(name)}
}

// Push shows the generator a record with its event time in milliseconds.
func (w *Watermarks[T]) Push(record T, eventTime int64) {
	w.t.Helper()
	columns := w.engine.schema(w.id, plan.Main)
	w.engine.show(w.id, []cells.Row{rowOf(w.t, "the generator", record, eventTime, columns)})
}

// SetProcessingTime sets the host's clock, in milliseconds, and asks the generator where that is due.
func (w *Watermarks[T]) SetProcessingTime(now int64) { w.engine.setNow(now) }

// Restart lets the generator begin anew, as a restart from a checkpoint does; the watermark stays where it was.
func (w *Watermarks[T]) Restart() { w.engine.restart(w.id) }

// Watermark is the greatest that was given, and whether one was.
func (w *Watermarks[T]) Watermark() (watermark int64, given bool) {
	watermark = w.engine.keeping[w.id].watermark
	return watermark, watermark != math.MinInt64
}
