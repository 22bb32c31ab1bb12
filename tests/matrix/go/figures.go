package main

import tidemill "github.com/tidemill/tidemill/guest-sdk/go"

// Row is a record of the input that is measured with.
type Row struct {
	Sensor  string
	Celsius float64
	At      int64
}

// Fahrenheit is the same in other units.
type Fahrenheit struct {
	Sensor  string
	Degrees float64
	At      int64
}

// Count is a sensor's number of rows so far.
type Count struct {
	Sensor string
	Count  int64
}

type counter struct{ count *tidemill.ValueState[int64] }

// OnRecord counts.
func (c *counter) OnRecord(ctx *tidemill.Context[string, Count], _ Row) error {
	count := c.count.Or(0) + 1
	c.count.Set(count)
	ctx.Emit(Count{Sensor: ctx.Key(), Count: count})
	return nil
}

// figureMap is what `benches/measure.py languages` measures: a function over each record.
func figureMap(job *tidemill.Job) {
	rows := tidemill.Source[Row](job, "rows", tidemill.JSON())
	tidemill.Map(rows, "work", func(row Row) Fahrenheit {
		return Fahrenheit{Sensor: row.Sensor, Degrees: row.Celsius*1.8 + 32, At: row.At}
	}).Sink("out", tidemill.JSON())
}

// figureKeyedCount is the other: one with state.
func figureKeyedCount(job *tidemill.Job) {
	rows := tidemill.Source[Row](job, "rows", tidemill.JSON())
	tidemill.Process(tidemill.KeyBy[string](rows, "sensor"), "work", func(d *tidemill.Declare) *counter {
		return &counter{count: tidemill.NewValue[int64](d, "count")}
	}).Sink("out", tidemill.JSON())
}
