package tidemill_test

import (
	"fmt"
	"testing"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

type Reading struct {
	Sensor  string
	Celsius float64
	At      int64
}

type Average struct {
	Sensor  string
	Celsius float64
	Until   int64
}

func averages(job *tidemill.Job) error {
	readings := tidemill.Source[Reading](job, "readings", tidemill.JSON().Default("stdin:")).
		EventTime("at", tidemill.OutOfOrder(2*time.Second))
	windows := tidemill.KeyBy[string](readings, "sensor").Window(tidemill.Tumbling(10 * time.Second))
	celsius := tidemill.Mean(func(r Reading) float64 { return r.Celsius })
	tidemill.Aggregate(windows, "average", celsius, func(w tidemill.Window[string], celsius float64) Average {
		return Average{Sensor: w.Key(), Celsius: celsius, Until: w.End}
	}).Sink("averages", tidemill.JSON().Default("stdout:"))
	return nil
}

// The whole of a job. In a project, `func init() { tidemill.Export(averages) }` makes a component of it.
func Example() {
	test := tidemilltest.Start(&testing.T{}, averages)
	test.Push("readings", Reading{Sensor: "cellar", Celsius: 20, At: 1_000}, Reading{Sensor: "cellar", Celsius: 22, At: 9_999})
	test.Finish()
	fmt.Println(test.SinkLines("averages"))
	// Output: [{"sensor":"cellar","celsius":21.0,"until":10000}]
}
