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
