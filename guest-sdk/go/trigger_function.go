package tidemill

import (
	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
)

// Action is what becomes of a window.
type Action uint8

// Actions of a trigger function.
const (
	// Continue does nothing.
	Continue Action = iota
	// Fire lets the window fire; it keeps what it has.
	Fire
	// Purge empties the window, which does not fire.
	Purge
	// FireAndPurge lets the window fire, and empties it.
	FireAndPurge
)

// TriggerFunction decides by itself when windows of records T fire, see [TriggeredBy]. What is to be remembered of a window is its S; a field
// of the function is not kept. It has the methods of [EventTimeTrigger] and [ProcessingTimeTrigger] too, where it asks for times.
type TriggerFunction[T, S any] interface {
	// OnRecord says what becomes of a window to which a record is being added.
	OnRecord(window *Deciding[S], record T) Action
	// Merge lets what is remembered of a session take in what is of another one.
	Merge(state *S, other S)
}

// EventTimeTrigger is a [TriggerFunction] that asks for event times.
type EventTimeTrigger[S any] interface {
	// OnEventTime says what becomes of a window when event time has come to what was asked for.
	OnEventTime(window *Deciding[S]) Action
}

// ProcessingTimeTrigger is a [TriggerFunction] that asks for processing times.
type ProcessingTimeTrigger[S any] interface {
	// OnProcessingTime says what becomes of a window when processing time has come to what was asked for.
	OnProcessingTime(window *Deciding[S]) Action
}

// Deciding is what a [TriggerFunction] sees of a window.
type Deciding[S any] struct {
	// State is what is remembered of the window. It stays when the window fires or is purged.
	State *S
	// Start is the window's first millisecond, End the first behind it.
	Start, End int64
	// Firing is how often it has fired.
	Firing int
	// Time is the record's event time, or the time that was asked for.
	Time int64
	// Watermark is that of the operator, Now processing time.
	Watermark, Now int64

	decision runtime.Decision
}

// AtEventTime asks to be called when event time has come to a time, instead of at what was asked for before.
func (d *Deciding[S]) AtEventTime(time int64) { d.decision.EventTime = &time }

// AtProcessingTime asks to be called when processing time has come to a time, instead of at what was asked for before.
func (d *Deciding[S]) AtProcessingTime(time int64) { d.decision.ProcessingTime = &time }

// trigger is the name of the state that a trigger function keeps.
const trigger = "trigger"

// TriggeredBy lets a function say when windows fire, with state of its own for every window. The windows are computed by the job, not by
// the host.
func TriggeredBy[F TriggerFunction[T, S], K, T, S any](windowed *WindowedStream[K, T], function F) *WindowedStream[K, T] {
	copied := *windowed
	copied.windows.trigger = &plan.Trigger{When: plan.When{Name: plan.Guest}}
	g := windowed.keyed.stream.graph
	copied.deciding = func() *runtime.Deciding[T] {
		states := runtime.NewValueTable[S](&runtime.Cursor{}, plan.Value, layoutOf[S](g))
		return &runtime.Deciding[T]{
			States: states,
			Decide: func(q runtime.Question, record *T) runtime.Decision {
				window := &Deciding[S]{
					State: runtime.Remembered(states, q.Slot), Start: q.Start, End: q.End, Firing: int(q.Firing), Time: q.Time,
					Watermark: q.At.Watermark, Now: q.At.Now,
				}
				window.decision.Action = uint8(decide(function, window, q.Event, record))
				return window.decision
			},
			Merge: func(target, source uint32) {
				if other, found := runtime.Forgotten(states, source); found {
					function.Merge(runtime.Remembered(states, target), other)
				}
			},
		}
	}
	return &copied
}

func decide[F TriggerFunction[T, S], T, S any](function F, window *Deciding[S], event runtime.TriggerEvent, record *T) Action {
	switch event {
	case runtime.TriggerRecord:
		return function.OnRecord(window, *record)
	case runtime.TriggerEventTime:
		if timed, does := any(function).(EventTimeTrigger[S]); does {
			return timed.OnEventTime(window)
		}
	default:
		if timed, does := any(function).(ProcessingTimeTrigger[S]); does {
			return timed.OnProcessingTime(window)
		}
	}
	return Continue
}
