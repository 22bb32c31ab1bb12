package main

import (
	"fmt"
	"strconv"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// Reading is a line of the input.
type Reading struct {
	Sensor string
	Text   string
}

// Number is a reading that could be parsed.
type Number struct {
	Sensor string
	Value  int64
}

// Step is a line of the output.
type Step struct {
	Sensor string
	Value  int64
	Seen   int64
}

// Refused is a dead letter without its place, which depends on how blocks are cut.
type Refused struct {
	Operator string
	Reason   string
	Record   string
}

type rising struct {
	last *tidemill.ValueState[int64]
	seen *tidemill.ListState[int64]
}

// OnRecord refuses a number below the last one, when it has changed the state for it.
func (r *rising) OnRecord(ctx *tidemill.Context[string, Step], number Number) error {
	last := r.last.Or(0)
	r.last.Set(number.Value)
	r.seen.Add(number.Value)
	ctx.Emit(Step{Sensor: ctx.Key(), Value: number.Value, Seen: int64(r.seen.Len())})
	if number.Value < last {
		return fmt.Errorf("%d falls below %d", number.Value, last)
	}
	return nil
}

func parse(reading Reading) (Number, error) {
	value, err := strconv.ParseInt(reading.Text, 10, 64)
	if err != nil {
		return Number{}, fmt.Errorf("'%s' is no number", reading.Text)
	}
	return Number{Sensor: reading.Sensor, Value: value}, nil
}

// deadLetters are those of a source, of a stateless function and of one with state, which forgets what it did for a record that it
// refuses.
func deadLetters(job *tidemill.Job) {
	readings := tidemill.Source[Reading](job, "readings", tidemill.JSON()).OnError(tidemill.OnErrorDeadLetter)
	readings.DeadLetters().Sink("unread", tidemill.JSON())
	numbers := tidemill.TryMap(readings, "numbers", parse)
	steps := tidemill.Process(tidemill.KeyBy[string](numbers, "sensor"), "rising", func(d *tidemill.Declare) *rising {
		return &rising{last: tidemill.NewValue[int64](d, "last"), seen: tidemill.NewList[int64](d, "seen")}
	})
	letters := numbers.DeadLetters().Union("letters", steps.DeadLetters())
	tidemill.Map(letters, "refused", func(letter tidemill.DeadLetter) Refused {
		return Refused{Operator: letter.Operator, Reason: letter.Reason, Record: letter.Record}
	}).Sink("refused-out", tidemill.JSON())
	steps.Sink("steps", tidemill.JSON())
}
