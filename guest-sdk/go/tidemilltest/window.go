package tidemilltest

import (
	"math"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
)

// bounds of a window: its first millisecond and the first behind it.
type bounds struct{ start, end int64 }

// assign gives the windows that a record at a time belongs to, after the host's rules in their simplest form.
func assign(assigner plan.Assigner, time int64) []bounds {
	switch {
	case assigner.Tumbling != nil:
		start := startOf(time, assigner.Tumbling.OffsetMs, assigner.Tumbling.SizeMs)
		return []bounds{{start, start + assigner.Tumbling.SizeMs}}
	case assigner.Sliding != nil:
		sliding := assigner.Sliding
		var windows []bounds
		for start := startOf(time, sliding.OffsetMs, sliding.SlideMs); start > time-sliding.SizeMs; start -= sliding.SlideMs {
			windows = append(windows, bounds{start, start + sliding.SizeMs})
		}
		return windows
	case assigner.Session != nil:
		return []bounds{{time, time + assigner.Session.GapMs}}
	default:
		return []bounds{{math.MinInt64, math.MaxInt64}}
	}
}

func startOf(time, offset, size int64) int64 {
	remainder := (time - offset) % size
	if remainder < 0 {
		remainder += size
	}
	return time - remainder
}

// touches says whether two sessions merge: they overlap or touch.
func (b bounds) touches(other bounds) bool { return b.start <= other.end && b.end >= other.start }

// late says whether a record for this window is late.
func (b bounds) late(lateness, watermark int64) bool {
	last := b.end - 1
	if last > math.MaxInt64-lateness {
		return watermark == math.MaxInt64
	}
	return last+lateness <= watermark
}
