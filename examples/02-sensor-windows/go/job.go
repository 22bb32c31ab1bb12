// The average temperature of every sensor in windows of ten seconds.
package main

import (
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// Reading is a line of the input.
type Reading struct {
	Sensor  string
	Celsius float64
	At      int64
}

// Average is a line of the output.
type Average struct {
	Sensor  string
	Celsius float64
	Until   int64
}

func sensorAverages(job *tidemill.Job) error {
	readings := tidemill.Source[Reading](job, "readings", tidemill.JSON().Default("stdin:")).
		EventTime("at", tidemill.OutOfOrder(2*time.Second))
	windows := tidemill.KeyBy[string](readings, "sensor").Window(tidemill.Tumbling(10 * time.Second))
	celsius := tidemill.Mean(func(r Reading) float64 { return r.Celsius })
	tidemill.Aggregate(windows, "average", celsius, func(w tidemill.Window[string], celsius float64) Average {
		return Average{Sensor: w.Key(), Celsius: celsius, Until: w.End}
	}).Sink("averages", tidemill.JSON().Default("stdout:"))
	return nil
}

func init() { tidemill.Export(sensorAverages) }

func main() {}
