package main

import (
	"errors"
	"fmt"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// Counted is a line of the input and of the output.
type Counted struct {
	Sensor string
	N      int64
}

// words are fewer than what is asked of them.
var words = []string{"zero", "one", "two"}

func thrown(number Counted) Counted {
	if number.N == 13 {
		panic("thirteen is bad luck")
	}
	return number
}

func fault(number Counted) Counted {
	if number.N != 14 {
		return number
	}
	word := words[number.N] // fourteen is beyond the words
	return Counted{Sensor: word, N: number.N}
}

func refuse(number Counted) (Counted, error) {
	if number.N == 15 {
		return number, errors.New("fifteen is refused")
	}
	return number, nil
}

func aside(number Counted) (Counted, error) {
	if number.N == 16 {
		return number, errors.New("sixteen is put aside")
	}
	return number, nil
}

type counting struct {
	seen *tidemill.ValueState[int64]
}

// OnRecord counts.
func (c *counting) OnRecord(ctx *tidemill.Context[string, Counted], number Counted) error {
	seen := c.seen.Or(0)
	c.seen.Set(seen + 1)
	if number.N == 17 {
		panic(fmt.Sprintf("seventeen after %d of its key", seen))
	}
	ctx.Emit(number)
	return nil
}

// failures are ways to fail at one certain record, for `tests/e2e/tests/errors.rs`: what each says, and at which line, is compared over
// the languages.
func failures(job *tidemill.Job) {
	numbers := tidemill.Source[Counted](job, "numbers", tidemill.JSON())
	numbers = tidemill.Map(tidemill.Map(numbers, "thrown", thrown), "fault", fault)
	kept := tidemill.TryMap(tidemill.TryMap(numbers, "refused", refuse), "aside", aside).OnError(tidemill.OnErrorDeadLetter)
	kept.DeadLetters().Sink("letters", tidemill.JSON())
	tidemill.Process(tidemill.KeyBy[string](kept, "sensor"), "counting", func(d *tidemill.Declare) *counting {
		return &counting{seen: tidemill.NewValue[int64](d, "seen")}
	}).Sink("results", tidemill.JSON())
}
