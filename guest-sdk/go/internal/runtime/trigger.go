package runtime

import (
	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// TriggerEvent is what happened to a window whose trigger is the job's.
type TriggerEvent uint8

// Events, as the contract numbers them.
const (
	TriggerRecord TriggerEvent = iota
	TriggerEventTime
	TriggerProcessingTime
)

// Decision is the answer of a trigger.
type Decision struct {
	// Action is what becomes of the window, as the contract numbers it.
	Action uint8
	// EventTime and ProcessingTime are when to ask again; where there is none, what was asked for before stays.
	EventTime, ProcessingTime *int64
}

// Question is what a trigger is asked about a window.
type Question struct {
	// Event is what happened.
	Event TriggerEvent
	// Slot of the window.
	Slot uint32
	// Start and End are its first millisecond and the first behind it.
	Start, End int64
	// Firing is how often it has fired.
	Firing int32
	// Time is the record's, or the one that was asked for.
	Time int64
	// At is the moment of the call.
	At Moment
}

// Deciding is a trigger function with what it remembers of windows, whose type only it knows.
type Deciding[T any] struct {
	// States has what it remembers.
	States Table
	// Decide asks it; the record is nil where none came.
	Decide func(Question, *T) Decision
	// Merge joins what it remembers of a window with what it does of another one.
	Merge func(target, source uint32)
}

// asked is an operator with a trigger of its own.
type asked interface {
	trigger(event TriggerEvent, at Moment, windows block.Block, slots []uint32, records []byte, rows []uint32) []Decision
	purge(slots []uint32)
}

func (o *Windowed[K, T, Acc, Out]) trigger(
	event TriggerEvent, at Moment, windows block.Block, slots []uint32, records []byte, rows []uint32,
) []Decision {
	if o.Deciding == nil {
		panic("the host asked the trigger of a window that has none of its own")
	}
	o.Slots.reserve(slots)
	var bounds [3]block.Column
	for i, kind := range []schema.Type{schema.I64, schema.I64, schema.I32} {
		column, err := windows.Expect(len(o.Key.Schema)+i, kind, false)
		if err != nil {
			panic(wrongBlock(err))
		}
		bounds[i] = column
	}
	reader := record.NewReader[T](o.In, true)
	if event == TriggerRecord {
		b, err := block.Open(records)
		if err == nil {
			err = reader.Open(b, record.Source{})
		}
		if err != nil {
			panic(wrongBlock(err))
		}
	}
	decisions := make([]Decision, len(slots))
	for row, time := range windows.Times() {
		question := Question{
			Event: event, Slot: slots[row], Start: block.View[int64](&bounds[0])[row], End: block.View[int64](&bounds[1])[row],
			Firing: block.View[int32](&bounds[2])[row], Time: time, At: at,
		}
		var one *T
		if event == TriggerRecord {
			came := reader.One(int(rows[row]))
			one = &came
		}
		decisions[row] = o.Deciding.Decide(question, one)
	}
	return decisions
}

// purge empties slots of what windows have gathered; what a trigger remembers stays.
func (o *Windowed[K, T, Acc, Out]) purge(slots []uint32) {
	o.Slots.reserve(slots)
	for _, slot := range slots {
		o.Compute.Table().clear(slot)
	}
}

// Remembered is what a trigger function remembers of a slot, the zero value at first.
func Remembered[S any](states *ValueTable[S], slot uint32) *S {
	states.reserve(int(slot) + 1)
	entry := &states.slots[slot]
	entry.present = true
	return &entry.value
}

// Forgotten takes what a trigger function remembers of a slot, where it does.
func Forgotten[S any](states *ValueTable[S], slot uint32) (S, bool) {
	states.reserve(int(slot) + 1)
	entry := states.slots[slot]
	states.clear(slot)
	return entry.value, entry.present
}
