package tidemill

import (
	"fmt"
	"time"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
)

// Watermarks say how watermarks follow event time.
type Watermarks struct {
	plan plan.Watermarks
	err  error
}

// Monotonic is for event times that never fall: the watermark is the greatest time so far minus one millisecond.
func Monotonic() Watermarks { return Watermarks{} }

// OutOfOrder is for records that come at most `bound` late: the watermark is the greatest time so far minus the bound minus one
// millisecond.
func OutOfOrder(bound time.Duration) Watermarks {
	ms, err := millis("the bound of watermarks", bound)
	return Watermarks{plan: plan.Watermarks{Bounded: &ms}, err: err}
}

// millis is a span in the unit of all time in a plan.
func millis(what string, span time.Duration) (int64, error) {
	if span%time.Millisecond != 0 {
		return 0, fmt.Errorf("%s is %v: time is counted in whole milliseconds", what, span)
	}
	return span.Milliseconds(), nil
}
