package tidemilltest

import (
	"math"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
)

// bounds of a window: its first millisecond and the first behind it.
type bounds struct{ start, end int64 }

// assign gives the windows that a record at a time belongs to (with a gap of its own, where sessions have such), after the host's rules in their simplest form.
func assign(assigner plan.Assigner, time, gap int64) []bounds {
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
	case assigner.SessionBy != nil:
		return []bounds{{time, plusMs(time, gap)}}
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

// plusMs is a time so much later, at most the greatest.
func plusMs(time, ms int64) int64 {
	if time > math.MaxInt64-ms {
		return math.MaxInt64
	}
	return time + ms
}
