package tidemill

import (
	"time"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
)

// Trigger says when a window fires, see [Windows.Trigger]. The host runs it.
type Trigger struct {
	when  plan.When
	purge bool
	err   error
}

// AtEnd is when time has come to the window's end.
func AtEnd() Trigger { return Trigger{when: plan.When{Name: plan.AtWatermark}} }

// LateEach is at each record that comes behind the window's end.
func LateEach() Trigger { return Trigger{when: plan.When{Name: plan.LateEach}} }

// EarlyEvery is every so long of processing time until the window's end, at multiples of it, when a record has come since the last firing.
func EarlyEvery(span time.Duration) Trigger { return spanned(plan.EarlyEvery, span) }

// After is so long of processing time after the first record since the last firing.
func After(span time.Duration) Trigger { return spanned(plan.AfterSpan, span) }

func spanned(name string, span time.Duration) Trigger {
	ms, err := millis("the span of a trigger", span)
	return Trigger{when: plan.When{Name: name, Span: &plan.Span{Ms: ms, Domain: plan.Processing}}, err: err}
}

// EveryRecords is at every so many records.
func EveryRecords(count uint64) Trigger {
	return Trigger{when: plan.When{Name: plan.EveryRecords, Records: &plan.Records{Records: count}}}
}

// AnyOf is when one of some triggers fires.
func AnyOf(triggers ...Trigger) Trigger { return combined(plan.Any, triggers) }

// AllOf is when each of some triggers has fired since all had.
func AllOf(triggers ...Trigger) Trigger { return combined(plan.All, triggers) }

func combined(name string, triggers []Trigger) Trigger {
	trigger := Trigger{when: plan.When{Name: name, Of: []plan.When{}}}
	for _, one := range triggers {
		trigger.when.Of = append(trigger.when.Of, one.when)
		if trigger.err == nil {
			trigger.err = one.err
		}
	}
	return trigger
}

// EventTime lets event time drive an [EarlyEvery] or [After].
func (t Trigger) EventTime() Trigger {
	if t.when.Span != nil {
		t.when.Span = &plan.Span{Ms: t.when.Span.Ms, Domain: plan.Event}
	}
	return t
}

// Purging empties a window when it has fired; it goes on all the same.
func (t Trigger) Purging() Trigger {
	t.purge = true
	return t
}
