package runtime

import (
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
)

// timed is a record with its event time, which evictors ask for.
type timed[T any] struct {
	Value T     `tidemill:",flatten"`
	Time  int64 `tidemill:"$time"`
}

// Evicting is a Compute that keeps all records but those that an evictor takes out when a window fires.
type Evicting[T any] struct {
	lists *ListTable[timed[T]]
	// After says that records are taken out behind the function rather than in front of it.
	After bool
	// Choose says which places go: it is given the event times and the records.
	Choose func(times []int64, records []T) []int
	// Done emits the results.
	Done func(records []T)
}

// NewEvicting makes the records of an operator's windows.
func NewEvicting[T any]() (*Evicting[T], error) {
	layout, err := record.Of[timed[T]]()
	if err != nil {
		return nil, err
	}
	return &Evicting[T]{lists: NewListTable[timed[T]](&Cursor{}, layout)}, nil
}

// evicts is a Compute that takes something out of a window that fires.
type evicts interface {
	// evict does so in front of the function or behind it.
	evict(slot uint32, after bool)
}

// Table keeps the records.
func (e *Evicting[T]) Table() Table { return e.lists }

// At gives the records of a slot.
func (e *Evicting[T]) At(slot uint32) (*[]timed[T], bool) {
	return &e.lists.slots[slot], len(e.lists.slots[slot]) > 0
}

// Add adds a record to those of a slot.
func (e *Evicting[T]) Add(slot uint32, record *T, time int64) {
	e.lists.slots[slot] = append(e.lists.slots[slot], timed[T]{Value: *record, Time: time})
}

// MergeInto adds records to others.
func (e *Evicting[T]) MergeInto(into *[]timed[T], _ bool, from *[]timed[T]) {
	*into = append(*into, *from...)
}

// MergeSlots adds the records of a slot to those of another.
func (e *Evicting[T]) MergeSlots(target, source uint32) {
	from := e.lists.slots[source]
	e.lists.slots[source] = nil
	e.lists.slots[target] = append(e.lists.slots[target], from...)
}

// Finish emits the results.
func (e *Evicting[T]) Finish(entries *[]timed[T]) {
	_, records := split(*entries)
	e.Done(records)
}

func split[T any](entries []timed[T]) ([]int64, []T) {
	times, records := make([]int64, len(entries)), make([]T, len(entries))
	for i, entry := range entries {
		times[i], records[i] = entry.Time, entry.Value
	}
	return times, records
}

func (e *Evicting[T]) evict(slot uint32, after bool) {
	entries := e.lists.slots[slot]
	if after != e.After || len(entries) == 0 {
		return
	}
	goes := make([]bool, len(entries))
	for _, at := range e.Choose(split(entries)) {
		// A place that does not exist is nobody's record.
		if at >= 0 && at < len(goes) {
			goes[at] = true
		}
	}
	var kept []timed[T]
	for i, entry := range entries {
		if !goes[i] {
			kept = append(kept, entry)
		}
	}
	e.lists.slots[slot] = kept
}
