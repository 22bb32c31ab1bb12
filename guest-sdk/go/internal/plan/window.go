package plan

import (
	"encoding/json"
	"fmt"
)

// Window is a stream cut into windows.
type Window struct {
	Key        []string `json:"key"`
	Assigner   Assigner `json:"assigner"`
	Domain     string   `json:"domain,omitempty"`
	LatenessMs int64    `json:"lateness-ms"`
	Trigger    *Trigger `json:"trigger,omitempty"`
	Evictor    *Evictor `json:"evictor,omitempty"`
	Compute    Compute  `json:"compute"`
	State      []State  `json:"state,omitempty"`
}

// Assigner says which windows a record belongs to: one of its fields is set, or none for `global`.
type Assigner struct {
	Tumbling *Tumbling
	Sliding  *Sliding
	Session  *Session
	// SessionBy is the field that holds each record's gap.
	SessionBy *SessionBy
	Days      *Days
	Count     *CountWindows
}

// Tumbling windows lie side by side.
type Tumbling struct {
	SizeMs   int64 `json:"size_ms"`
	OffsetMs int64 `json:"offset_ms"`
}

// Sliding windows overlap.
type Sliding struct {
	SizeMs   int64 `json:"size_ms"`
	SlideMs  int64 `json:"slide_ms"`
	OffsetMs int64 `json:"offset_ms"`
}

// Session windows grow while records come.
type Session struct {
	GapMs int64 `json:"gap_ms"`
}

// SessionBy are sessions whose gap is in a field of each record.
type SessionBy struct {
	Field string `json:"field"`
}

// Days are calendar days of a time zone.
type Days struct {
	Timezone string `json:"timezone"`
	Days     uint32 `json:"days,omitempty"`
}

// CountWindows hold so many records.
type CountWindows struct {
	Records uint64 `json:"records"`
	Slide   uint64 `json:"slide,omitempty"`
	OrAfter *Span  `json:"or-after,omitempty"`
}

// Span is a length of time, of processing time where the domain is not said.
type Span struct {
	Ms     int64  `json:"ms"`
	Domain string `json:"domain,omitempty"`
}

func (a *Assigner) body() (string, any) {
	switch {
	case a.Tumbling != nil:
		return "tumbling", a.Tumbling
	case a.Sliding != nil:
		return "sliding", a.Sliding
	case a.Session != nil:
		return "session", a.Session
	case a.SessionBy != nil:
		return "session-by", a.SessionBy
	case a.Days != nil:
		return "days", a.Days
	case a.Count != nil:
		return "count", a.Count
	default:
		return "", nil
	}
}

// MarshalJSON writes an object with one entry, or `"global"`.
func (a Assigner) MarshalJSON() ([]byte, error) {
	if name, body := a.body(); body != nil {
		return json.Marshal(map[string]any{name: body})
	}
	return json.Marshal("global")
}

// UnmarshalJSON reads the same.
func (a *Assigner) UnmarshalJSON(text []byte) error {
	var name string
	return either(text, &name, func(name string, body json.RawMessage) error {
		switch name {
		case "tumbling":
			a.Tumbling = new(Tumbling)
		case "sliding":
			a.Sliding = new(Sliding)
		case "session":
			a.Session = new(Session)
		case "session-by":
			a.SessionBy = new(SessionBy)
		case "days":
			a.Days = new(Days)
		case "count":
			a.Count = new(CountWindows)
		default:
			return fmt.Errorf("there is no assigner %q", name)
		}
		_, into := a.body()
		return strict(body, into)
	})
}

// Trigger says when a window fires.
type Trigger struct {
	When  When `json:"when"`
	Purge bool `json:"purge,omitempty"`
}

// Names of triggers.
const (
	AtWatermark  = "at-watermark"
	LateEach     = "late-each"
	EarlyEvery   = "early-every"
	AfterSpan    = "after"
	EveryRecords = "count"
	Any          = "any"
	All          = "all"
	Guest        = "guest"
)

// When is a trigger: a name, and a span, a number of records or other triggers where the name asks for them.
type When struct {
	Name    string
	Span    *Span
	Records *Records
	Of      []When
}

// Records is a number of records.
type Records struct {
	Records uint64 `json:"records"`
}

// MarshalJSON writes a name, or an object of a name and what belongs to it.
func (w When) MarshalJSON() ([]byte, error) {
	switch {
	case w.Span != nil:
		return json.Marshal(map[string]any{w.Name: w.Span})
	case w.Records != nil:
		return json.Marshal(map[string]any{w.Name: w.Records})
	case w.Of != nil:
		return json.Marshal(map[string]any{w.Name: w.Of})
	default:
		return json.Marshal(w.Name)
	}
}

// UnmarshalJSON reads the same.
func (w *When) UnmarshalJSON(text []byte) error {
	return either(text, &w.Name, func(name string, body json.RawMessage) error {
		w.Name = name
		switch name {
		case EarlyEvery, AfterSpan:
			w.Span = new(Span)
			return strict(body, w.Span)
		case EveryRecords:
			w.Records = new(Records)
			return strict(body, w.Records)
		case Any, All:
			return strict(body, &w.Of)
		default:
			return fmt.Errorf("there is no trigger %q", name)
		}
	})
}

// Evictor says what is taken out of a window.
type Evictor struct {
	Evict Evict `json:"evict"`
	After bool  `json:"after,omitempty"`
}

// Evict is which records are taken out: one of its fields is set, or none where the guest chooses.
type Evict struct {
	Count *Records
	Time  *Age
	Delta *Delta
}

// Age is how much older than the latest record the others may be.
type Age struct {
	Ms int64 `json:"ms"`
}

// Delta takes out what differs from the last record by so much.
type Delta struct {
	Field     string  `json:"field"`
	Threshold float64 `json:"threshold"`
}

func (e *Evict) body() (string, any) {
	switch {
	case e.Count != nil:
		return "count", e.Count
	case e.Time != nil:
		return "time", e.Time
	case e.Delta != nil:
		return "delta", e.Delta
	default:
		return "", nil
	}
}

// MarshalJSON writes an object with one entry, or `"guest"`.
func (e Evict) MarshalJSON() ([]byte, error) {
	if name, body := e.body(); body != nil {
		return json.Marshal(map[string]any{name: body})
	}
	return json.Marshal(Guest)
}

// UnmarshalJSON reads the same.
func (e *Evict) UnmarshalJSON(text []byte) error {
	var name string
	return either(text, &name, func(name string, body json.RawMessage) error {
		switch name {
		case "count":
			e.Count = new(Records)
		case "time":
			e.Time = new(Age)
		case "delta":
			e.Delta = new(Delta)
		default:
			return fmt.Errorf("there is no evictor %q", name)
		}
		_, into := e.body()
		return strict(body, into)
	})
}
