package tidemilltest

import (
	"math"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
)

// never is the time of what is not waited for.
const never = math.MaxInt64

// memory is what a trigger remembers of a window, after the host's rules in their simplest form: a tree beside the plan's, with one
// number for each of its parts.
type memory struct {
	// number is a count, whether it has fired, or when it is to.
	number int64
	of     []memory
}

// moment is what a window is at.
type moment struct {
	end            int64
	domain         string
	watermark, now int64
	fresh          bool
}

func (m moment) time(domain string) int64 {
	if domain == plan.Event {
		return m.watermark
	}
	return m.now
}

func (m moment) over() bool { return m.time(m.domain) >= m.end-1 }

// newMemory is that of a new window.
func newMemory(trigger plan.When) memory {
	made := memory{}
	if trigger.Span != nil {
		made.number = never
	}
	for _, one := range trigger.Of {
		made.of = append(made.of, newMemory(one))
	}
	return made
}

// step says whether the window fires: a record of this time came, or time went on.
func (m *memory) step(trigger plan.When, at moment, record *int64) bool {
	switch trigger.Name {
	case plan.AtWatermark:
		if !at.over() || m.number != 0 {
			return false
		}
		m.number = 1
		return true
	case plan.LateEach:
		return at.over() && record != nil
	case plan.EveryRecords:
		if record == nil {
			return false
		}
		m.number++
		if uint64(m.number) < trigger.Records.Records {
			return false
		}
		m.number = 0
		return true
	case plan.EarlyEvery:
		ms := trigger.Span.Ms
		if record != nil && m.number == never && !at.over() {
			m.number = startOf(m.from(trigger, at, *record), 0, ms) + ms
		}
		return m.isDue(at.time(trigger.Span.Domain)) && (record != nil || at.fresh)
	case plan.AfterSpan:
		if record != nil && m.number == never {
			m.number = plusMs(m.from(trigger, at, *record), trigger.Span.Ms)
		}
		return m.isDue(at.time(trigger.Span.Domain))
	case plan.Guest:
		// The job is asked instead.
		return false
	default:
		return m.several(trigger, at, record)
	}
}

// from is the time of a record in the domain of a trigger.
func (m *memory) from(trigger plan.When, at moment, record int64) int64 {
	if trigger.Span.Domain == plan.Event {
		return record
	}
	return at.now
}

func (m *memory) several(trigger plan.When, at moment, record *int64) bool {
	some, fired := false, int64(0)
	for i, one := range trigger.Of {
		if m.of[i].step(one, at, record) {
			some, fired = true, fired|1<<i
		}
	}
	if trigger.Name == plan.Any {
		return some
	}
	m.number |= fired
	if m.number != 1<<len(trigger.Of)-1 {
		return false
	}
	m.number = 0
	return true
}

func (m *memory) isDue(now int64) bool {
	if m.number > now {
		return false
	}
	m.number = never
	return true
}

// due is when time has to be looked at next in a domain.
func (m *memory) due(trigger plan.When, at moment, domain string) int64 {
	switch {
	case trigger.Name == plan.AtWatermark && domain == at.domain && m.number == 0:
		return at.end - 1
	case trigger.Span != nil && trigger.Span.Domain == domain:
		return m.number
	}
	due := int64(never)
	for i, one := range trigger.Of {
		due = min(due, m.of[i].due(one, at, domain))
	}
	return due
}

// fired notes that the window has.
func (m *memory) fired(trigger plan.When) {
	if trigger.Name == plan.AfterSpan {
		m.number = never
	}
	for i, one := range trigger.Of {
		m.of[i].fired(one)
	}
}

// merge notes that the window takes in another, and reaches to the moment's end now.
func (m *memory) merge(trigger plan.When, other memory, at moment) {
	switch {
	case trigger.Name == plan.EveryRecords:
		m.number += other.number
	case trigger.Span != nil:
		m.number = min(m.number, other.number)
	case trigger.Name == plan.All:
		m.number |= other.number
	case trigger.Name == plan.AtWatermark && !at.over():
		m.number = 0
	}
	for i, one := range trigger.Of {
		m.of[i].merge(one, other.of[i], at)
	}
}
