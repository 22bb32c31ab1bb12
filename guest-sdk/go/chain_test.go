package tidemill_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

var at runtime.Moment

// letters emits a text letter by letter; it refuses it at a `!`, when some letters have been emitted already.
func letters(item Item, out *tidemill.Emitter[Item]) error {
	for _, letter := range item.Text {
		out.Emit(Item{item.Key, string(letter)})
		if letter == '!' {
			return errors.New("too loud")
		}
	}
	return nil
}

func TestWhatARefusedRecordEmittedIsTakenBackThroughTheChain(t *testing.T) {
	instance, heard := instanceOf(t, func(job *tidemill.Job) error {
		items := tidemill.Source[Item](job, "items", tidemill.JSON())
		all := tidemill.TryFlatMap(items, "letters", letters).OnError(tidemill.OnErrorDeadLetter)
		tidemill.Filter(all, "not-x", func(item Item) bool { return item.Text != "x" }).Sink("out", tidemill.JSON())
		return nil
	})
	instance.Link(0, []uint32{1, 2})
	outcome := instance.Process(0, 0, at, blockOf(t, Item{1, "ab"}, Item{2, "cd!e"}, Item{3, "xf"}), nil, nil)
	equal(t, "failures", failures(outcome), "1 1 too loud")
	equal(t, "letters", read[Item](t, heard.take()...), "{1 a}@100", "{1 b}@100", "{3 f}@102")
}

// What job.wit says of `failure`: a chain means the same as its operators one by one.
func TestAMemberOfAChainRefusesItsOwnRecordAndNoOtherOfTheRow(t *testing.T) {
	instance, heard := instanceOf(t, func(job *tidemill.Job) error {
		items := tidemill.Source[Item](job, "items", tidemill.JSON())
		all := tidemill.TryFlatMap(items, "letters", letters).OnError(tidemill.OnErrorSkip)
		tidemill.TryFlatMap(all, "certain", func(item Item, out *tidemill.Emitter[Item]) error {
			out.Emit(item)
			out.Emit(Item{-item.Key, item.Text})
			if item.Text == "?" {
				return errors.New("unsure")
			}
			return nil
		}).OnError(tidemill.OnErrorDeadLetter).Sink("out", tidemill.JSON())
		return nil
	})
	instance.Link(0, []uint32{1, 2})
	outcome := instance.Process(0, 0, at, blockOf(t, Item{1, "a?b?"}, Item{2, "c?!"}, Item{3, "d"}), nil, nil)
	equal(t, "failures", failures(outcome), "0 2 unsure", "0 2 unsure", "1 1 too loud")
	equal(t, "letters", read[Item](t, heard.take()...), "{1 a}@100", "{-1 a}@100", "{1 b}@100", "{-1 b}@100", "{3 d}@102", "{-3 d}@102")
}

func TestAFilterMayRefuseAloneAndBehindOthers(t *testing.T) {
	job := func(job *tidemill.Job) error {
		numbers := tidemill.Source[int64](job, "n", tidemill.JSON())
		odd := func(n int64) (bool, error) {
			if n < 0 {
				return false, fmt.Errorf("%d is negative", n)
			}
			return n%2 == 1, nil
		}
		first := tidemill.TryFilter(numbers, "first", odd).OnError(tidemill.OnErrorSkip)
		tidemill.TryFilter(first, "second", odd).OnError(tidemill.OnErrorSkip).Sink("out", tidemill.JSON())
		return nil
	}
	for _, members := range [][]uint32{{1}, {1, 2}} {
		instance, heard := instanceOf(t, job)
		instance.Link(0, members)
		outcome := instance.Process(0, 0, at, blockOf[int64](t, 1, 2, -3, 5), nil, nil)
		equal(t, "failures", failures(outcome), "2 1 -3 is negative")
		equal(t, "kept", read[int64](t, heard.take()...), "1@100", "5@103")
	}
}

func TestDeadLettersTellWhatWasRefusedAndWhy(t *testing.T) {
	test := tidemilltest.Start(t, func(job *tidemill.Job) error {
		numbers := tidemill.Source[int64](job, "n", tidemill.JSON())
		halves := tidemill.TryMap(numbers, "halve", func(n int64) (int64, error) {
			if n%2 != 0 {
				return 0, fmt.Errorf("%d is odd", n)
			}
			return n / 2, nil
		})
		halves.DeadLetters().Sink("bad", tidemill.JSON())
		halves.Sink("out", tidemill.JSON())
		return nil
	})
	test.Push("n", int64(4), int64(5), int64(6))
	equal(t, "halves", tidemilltest.Sink[int64](test, "out"), 2, 3)
	letters := tidemilltest.Sink[tidemill.DeadLetter](test, "bad")
	if len(letters) != 1 || letters[0].Operator != "halve" || letters[0].Reason != "5 is odd" {
		t.Errorf("dead letters: %v", letters)
	}
}

func TestAPanicTellsTheHostItsRecordAndTheUsersLine(t *testing.T) {
	instance, heard := instanceOf(t, func(job *tidemill.Job) error {
		numbers := tidemill.Source[int64](job, "n", tidemill.JSON())
		same := tidemill.Map(numbers, "same", func(n int64) int64 { return n })
		tidemill.Map(same, "inverse", func(n int64) int64 { return 100 / n }).Sink("out", tidemill.JSON())
		return nil
	})
	instance.Link(0, []uint32{1, 2})
	func() {
		defer func() { instance.Call().Report(recover()) }()
		instance.Process(0, 0, at, blockOf[int64](t, 5, 0, 7), nil, nil)
	}()
	if len(heard.lines) != 1 {
		t.Fatalf("heard %q", heard.lines)
	}
	contains(t, heard.lines[0], "operator 2 row 1: runtime error: integer divide by zero at ", "chain_test.go:", "TestAPanic")
	// The instance is not left locked, as a test would otherwise hang.
	instance.Process(0, 0, at, blockOf[int64](t, 5), nil, nil)
}

func TestARecordThatEmitsMuchIsHandedOnInPieces(t *testing.T) {
	job := func(policy tidemill.ErrorPolicy) func(*tidemill.Job) error {
		return func(job *tidemill.Job) error {
			numbers := tidemill.Source[int64](job, "n", tidemill.JSON())
			tidemill.FlatMap(numbers, "many", func(n int64, out *tidemill.Emitter[int64]) {
				for i := range n {
					out.Emit(i)
				}
			}).OnError(policy).Sink("out", tidemill.JSON())
			return nil
		}
	}
	instance, heard := instanceOf(t, job(tidemill.OnErrorFail))
	instance.Link(0, []uint32{1})
	instance.Process(0, 0, at, blockOf[int64](t, 10_000, 600_000, 1), nil, nil)
	total := 0
	for _, text := range heard.take() {
		b, err := block.Open(text)
		if err != nil || b.Rows() > 1<<18 {
			t.Fatalf("a block of %d rows: %v", b.Rows(), err)
		}
		total += b.Rows()
	}
	if total != 610_001 {
		t.Errorf("%d rows", total)
	}
	instance, _ = instanceOf(t, job(tidemill.OnErrorSkip))
	instance.Link(0, []uint32{1})
	words := panics(t, func() { instance.Process(0, 0, at, blockOf[int64](t, 600_000), nil, nil) })
	contains(t, words, "cannot be undone")
}

func TestStreamsAreSplitUnitedAndPartitioned(t *testing.T) {
	test := tidemilltest.Start(t, func(job *tidemill.Job) error {
		numbers := tidemill.Source[int64](job, "n", tidemill.JSON())
		large, small := tidemill.Split(numbers, "split", "small", func(n int64, large *tidemill.Emitter[int64], small *tidemill.Emitter[string]) {
			if n > 9 {
				large.Emit(n)
			} else {
				small.Emit(fmt.Sprint(n))
			}
		})
		words := tidemill.Map(tidemill.PartitionBy(large, "spread", func(n int64) int64 { return n }), "words", func(n int64) string { return fmt.Sprint(n) })
		words.Union("all", small.Rebalance()).Sink("out", tidemill.Text())
		return nil
	})
	test.Push("n", int64(3), int64(12), int64(4))
	equal(t, "lines", test.SinkLines("out"), "3", "12", "4")
}

func TestLogLinesNameTheirOperator(t *testing.T) {
	test := tidemilltest.Start(t, func(job *tidemill.Job) error {
		numbers := tidemill.Source[int64](job, "n", tidemill.JSON())
		tidemill.Map(numbers, "loud", func(n int64) int64 {
			logger().With("unit", "m").WithGroup("g").Warn("it is here", "n", n)
			logger().Log(t.Context(), tidemill.LevelTrace, "traced")
			return n
		}).Sink("out", tidemill.JSON())
		return nil
	})
	test.Push("n", int64(7))
	equal(t, "log", test.Log(), "warn operator 1: it is here unit=m g.n=7", "trace operator 1: traced")
}

func TestEventTimeIsAssignedAndDrivesWindows(t *testing.T) {
	test := tidemilltest.Start(t, func(job *tidemill.Job) error {
		lines := tidemill.Source[string](job, "lines", tidemill.Text())
		timed := tidemill.AssignEventTime(lines, "time", func(line string) int64 { return int64(1000 * len(line)) }, tidemill.Monotonic())
		tidemill.WindowAll(timed, tidemill.Tumbling(2*time.Second)).Count("count").Sink("out", tidemill.CSV())
		return nil
	})
	test.PushLines("lines", "a\nbb\nccc\n"+strings.Repeat("d", 4))
	equal(t, "counts", test.SinkLines("out"), "0,2000,1", "2000,4000,2")
	test.Finish()
	equal(t, "counts", test.SinkLines("out"), "4000,6000,1")
}
