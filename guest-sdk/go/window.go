package tidemill

import (
	"time"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
)

// Windows say which records belong together.
type Windows struct {
	assigner plan.Assigner
	domain   string
	// latenessMs is for how long a window is kept after its end.
	latenessMs int64
	trigger    *plan.Trigger
	err        error
}

func newWindows(assigner plan.Assigner, err error) Windows {
	return Windows{assigner: assigner, domain: plan.Event, err: err}
}

// Tumbling puts every record in one window of this size.
func Tumbling(size time.Duration) Windows {
	ms, err := millis("the size of windows", size)
	return newWindows(plan.Assigner{Tumbling: &plan.Tumbling{SizeMs: ms}}, err)
}

// Sliding begins a window of this size every `slide`. The host shares work between the windows where the slide divides the size.
func Sliding(size, slide time.Duration) Windows {
	ms, err := millis("the size of windows", size)
	slideMs, slideErr := millis("the slide of windows", slide)
	if err == nil {
		err = slideErr
	}
	return newWindows(plan.Assigner{Sliding: &plan.Sliding{SizeMs: ms, SlideMs: slideMs}}, err)
}

// Session puts records that lie at most `gap` apart in one window, which ends `gap` after its last record.
func Session(gap time.Duration) Windows {
	ms, err := millis("the gap of sessions", gap)
	return newWindows(plan.Assigner{Session: &plan.Session{GapMs: ms}}, err)
}

// SessionBy is as [Session], with a gap of its own for each record, in an int64 field that holds it in milliseconds.
func SessionBy(field string) Windows {
	return newWindows(plan.Assigner{SessionBy: &plan.SessionBy{Field: field}}, nil)
}

// CalendarDays are days of a time zone, by its IANA name such as `Asia/Shanghai`: each begins where the day does there, also where the clock
// is changed.
func CalendarDays(timezone string) Windows {
	return newWindows(plan.Assigner{Days: &plan.Days{Timezone: timezone, Days: 1}}, nil)
}

// Every makes windows of [CalendarDays] so many days long, counted from 1970-01-01.
func (w Windows) Every(days uint32) Windows {
	if w.assigner.Days != nil {
		w.assigner.Days = &plan.Days{Timezone: w.assigner.Days.Timezone, Days: days}
	}
	return w
}

// Records are so many records of a key, one behind the other, whenever they come. A window that is not full when the input ends gives
// nothing; [Windows.OrAfter] lets it fire earlier. Its bounds are those of its records' times.
func Records(count uint64) Windows {
	return newWindows(plan.Assigner{Count: &plan.CountWindows{Records: count}}, nil)
}

// RecordsSliding are the last `count` records of a key, every `slide` records.
func RecordsSliding(count, slide uint64) Windows {
	return newWindows(plan.Assigner{Count: &plan.CountWindows{Records: count, Slide: slide}}, nil)
}

// OrAfter lets a window of [Records] fire although it is not full, so long of processing time after its first record.
func (w Windows) OrAfter(span time.Duration) Windows { return w.cutShort(span, plan.Processing) }

// OrAfterEventTime is as [Windows.OrAfter], in event time.
func (w Windows) OrAfterEventTime(span time.Duration) Windows { return w.cutShort(span, plan.Event) }

func (w Windows) cutShort(span time.Duration, domain string) Windows {
	ms, err := millis("the time of windows that are not full", span)
	if w.err == nil {
		w.err = err
	}
	if w.assigner.Count != nil {
		count := *w.assigner.Count
		count.OrAfter = &plan.Span{Ms: ms, Domain: domain}
		w.assigner.Count = &count
	}
	return w
}

// GlobalWindow is one window for ever. It fires when its trigger says so, and without one the job is refused. The event time of a
// result is that of the record or timer that made it fire.
func GlobalWindow() Windows { return newWindows(plan.Assigner{}, nil) }

// Trigger says when windows fire, in place of the usual `AnyOf(AtEnd(), LateEach())`.
func (w Windows) Trigger(trigger Trigger) Windows {
	if w.err == nil {
		w.err = trigger.err
	}
	w.trigger = &plan.Trigger{When: trigger.when, Purge: trigger.purge}
	return w
}

// Offset moves the beginnings of the windows, which otherwise are multiples of their size since 1970 in UTC: days in China are
// `Tumbling(24*time.Hour).Offset(-8*time.Hour)`. A session has no offset.
func (w Windows) Offset(by time.Duration) Windows {
	ms, err := millis("the offset of windows", by)
	if w.err == nil {
		w.err = err
	}
	switch {
	case w.assigner.Tumbling != nil:
		w.assigner.Tumbling = &plan.Tumbling{SizeMs: w.assigner.Tumbling.SizeMs, OffsetMs: ms}
	case w.assigner.Sliding != nil:
		sliding := *w.assigner.Sliding
		sliding.OffsetMs = ms
		w.assigner.Sliding = &sliding
	}
	return w
}

// AllowedLateness keeps a window for this long after its end: a late record until then lets it fire again.
func (w Windows) AllowedLateness(span time.Duration) Windows {
	ms, err := millis("the allowed lateness", span)
	if w.err == nil {
		w.err = err
	}
	w.latenessMs = ms
	return w
}

// ProcessingTime lets the host's clock drive the windows rather than the records' event time.
func (w Windows) ProcessingTime() Windows {
	w.domain = plan.Processing
	return w
}

// Window is the window that a result is for.
type Window[K any] struct {
	// Start is its first millisecond.
	Start int64
	// End is the first millisecond behind it.
	End int64
	// Firing is how often it has fired before: more than 0 only for late records within the allowed lateness, when the result replaces
	// the one before.
	Firing int
	key    func() K
}

// Key is the key of the window.
func (w Window[K]) Key() K { return w.key() }
