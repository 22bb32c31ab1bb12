package main

import (
	"math"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// meters is how many there are: none may be missing for the slowest to be known.
const meters = 3

// MeterReading is what a meter read. Some tell that nothing as old as Through follows; each meter's own readings come in order, save late ones.
type MeterReading struct {
	Meter   string
	Units   int64
	At      int64
	Through *int64
}

// MeterTotal is what a meter has in a window.
type MeterTotal struct {
	By       string
	Meter    string
	Until    int64
	Readings int64
	Units    int64
}

// slowest has the greatest time of each meter.
type slowest struct{ times map[string]int64 }

func (s *slowest) see(reading MeterReading, at int64) {
	if s.times == nil {
		s.times = map[string]int64{}
	}
	if greatest, found := s.times[reading.Meter]; !found || at > greatest {
		s.times[reading.Meter] = at
	}
}

func (s *slowest) say(int64) (int64, bool) {
	least := int64(math.MaxInt64)
	for _, time := range s.times {
		least = min(least, time)
	}
	// Another reading of the same millisecond may follow.
	return least - 1, len(s.times) == meters
}

// watermarks are readings of meters in windows of ten seconds, by two rules of the job's own for event time: marks that some readings bring, and
// the slowest meter, told by the clock.
func watermarks(job *tidemill.Job) {
	readings := tidemill.Source[MeterReading](job, "readings", tidemill.JSON())
	marks := tidemill.Punctuated(func(reading MeterReading, _ int64) (int64, bool) {
		if reading.Through == nil {
			return 0, false
		}
		return *reading.Through, true
	})
	clock := tidemill.Periodic(10*time.Millisecond, (*slowest).see, (*slowest).say)
	marked := meterTotals(readings, "marked", "marks", marks)
	tidemill.Late[MeterReading](marked).Sink("late-by-marks-out", tidemill.JSON())
	clocked := meterTotals(readings, "clocked", "clock", clock)
	tidemill.Late[MeterReading](clocked).Sink("late-by-clock-out", tidemill.JSON())
	marked.Union("totals", clocked).Sink("totals-out", tidemill.JSON())
}

// meterTotals are the totals of windows behind watermarks.
func meterTotals(readings *tidemill.Stream[MeterReading], name, by string, rule tidemill.Generated[MeterReading]) *tidemill.Stream[MeterTotal] {
	timed := tidemill.GenerateWatermarks(readings, name, func(reading MeterReading) int64 { return reading.At }, rule)
	windows := tidemill.KeyBy[string](timed, "meter").Window(tidemill.Tumbling(10 * time.Second))
	units := summed(func(reading MeterReading) int64 { return reading.Units })
	return tidemill.Aggregate(windows, "by-"+by, units, func(window tidemill.Window[string], sums Hits) MeterTotal {
		return MeterTotal{By: by, Meter: window.Key(), Until: window.End, Readings: sums.Hits, Units: sums.Bytes}
	})
}
