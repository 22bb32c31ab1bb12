package tidemilltest

import (
	"slices"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/cells"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
)

// place is a key and, for windows, the window's bounds.
type place struct {
	key        []any
	windowed   bool
	start, end int64
}

func (p place) name() string {
	key := cells.Key(p.key)
	if p.windowed {
		key += cells.Key([]any{p.start, p.end})
	}
	return key
}

// slots say which slot belongs to which key and window.
type slots struct {
	numbers map[string]uint32
	places  []*place
	free    []uint32
}

// slot is that of a place, a new one if need be.
func (s *slots) slot(p place) uint32 {
	name := p.name()
	if slot, found := s.numbers[name]; found {
		return slot
	}
	if s.numbers == nil {
		s.numbers = map[string]uint32{}
	}
	slot := uint32(len(s.places))
	if last := len(s.free) - 1; last >= 0 {
		slot, s.free = s.free[last], s.free[:last]
	} else {
		s.places = append(s.places, nil)
	}
	s.places[slot] = &p
	s.numbers[name] = slot
	return slot
}

// lookup is the slot of a place, if it has one.
func (s *slots) lookup(p place) (uint32, bool) {
	slot, found := s.numbers[p.name()]
	return slot, found
}

// forget gives up a slot, whose number may come back.
func (s *slots) forget(slot uint32) {
	if p := s.places[slot]; p != nil {
		delete(s.numbers, p.name())
		s.places[slot] = nil
		s.free = append(s.free, slot)
	}
}

// all are the slots in use.
func (s *slots) all() []uint32 {
	var all []uint32
	for slot, p := range s.places {
		if p != nil {
			all = append(all, uint32(slot))
		}
	}
	return all
}

// timer is when, which, and of which key.
type timer struct {
	time  int64
	index uint32
	key   []any
}

func compareTimers(a, b timer) int {
	switch {
	case a.time != b.time && a.time < b.time:
		return -1
	case a.time != b.time:
		return 1
	case a.index != b.index:
		return int(a.index) - int(b.index)
	default:
		return cells.CompareAll(a.key, b.key)
	}
}

// timers of one operator, the earliest first.
type timers struct{ set []timer }

// apply applies a change.
func (t *timers) apply(op runtime.TimerOp, key []any) {
	if op.Action == runtime.ReplaceTimer || op.Action == runtime.ClearTimers {
		t.set = slices.DeleteFunc(t.set, func(other timer) bool {
			return other.index == op.Timer && cells.CompareAll(other.key, key) == 0
		})
	}
	one := timer{time: op.Time, index: op.Timer, key: key}
	at, found := slices.BinarySearchFunc(t.set, one, compareTimers)
	switch op.Action {
	case runtime.AddTimer, runtime.ReplaceTimer:
		if !found {
			t.set = slices.Insert(t.set, at, one)
		}
	case runtime.DeleteTimer:
		if found {
			t.set = slices.Delete(t.set, at, at+1)
		}
	}
}

// due takes the earliest timer that is due: limit gives for each timer up to when it is.
func (t *timers) due(limit func(index uint32) int64) (timer, bool) {
	for i, one := range t.set {
		if one.time <= limit(one.index) {
			t.set = slices.Delete(t.set, i, i+1)
			return one, true
		}
	}
	return timer{}, false
}
