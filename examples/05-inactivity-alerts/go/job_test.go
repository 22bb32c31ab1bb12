package main

import (
	"cmp"
	"slices"
	"testing"

	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

func TestADeviceIsSilentThirtySecondsAfterItsLastSignal(t *testing.T) {
	test := tidemilltest.Start(t, inactivityAlerts)
	test.Push("signals", Signal{"pump", 0}, Signal{"fan", 1_000}, Signal{"pump", 20_000}, Signal{"fan", 60_000})
	test.Restart()
	got := tidemilltest.Sink[Alert](test, "alerts")
	slices.SortFunc(got, func(a, b Alert) int { return cmp.Compare(a.SilentSince, b.SilentSince) })
	if want := []Alert{{"fan", 1_000, 1}, {"pump", 20_000, 2}}; !slices.Equal(got, want) {
		t.Errorf("alerts are %v, not %v", got, want)
	}
	test.Finish()
	if got := tidemilltest.Sink[Alert](test, "alerts"); len(got) != 1 {
		t.Errorf("at the end of input the last one is silent too: %v", got)
	}
}
