package tidemill_test

import (
	"errors"
	"fmt"
	"testing"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

// folding keeps the longest text of a key, and the mean length of all.
type folding struct {
	longest *tidemill.ReducingState[string]
	mean    *tidemill.AggregatingState[Item, tidemill.MeanOf, float64]
	least   *tidemill.AggregatingState[Item, int64, int64]
}

func newFolding(d *tidemill.Declare) *folding {
	length := func(item Item) int64 { return int64(len(item.Text)) }
	return &folding{
		longest: tidemill.NewReducing(d, "longest", func(a, b string) string {
			if len(b) > len(a) {
				return b
			}
			return a
		}),
		mean:  tidemill.NewAggregating(d, "mean", tidemill.Mean(length)),
		least: tidemill.NewAggregating(d, "least", tidemill.Min(length)),
	}
}

func (f *folding) OnRecord(ctx *tidemill.Context[int64, string], item Item) error {
	if item.Text == "clear" {
		f.longest.Clear()
		f.mean.Clear()
		f.least.Clear()
		return nil
	}
	if item.Text != "look" {
		f.longest.Add(item.Text)
		f.mean.Add(item)
		f.least.Add(item)
	}
	if item.Text == "bad" {
		return errors.New("bad is refused")
	}
	longest, _ := f.longest.Get()
	mean, some := f.mean.Get()
	least, _ := f.least.Get()
	ctx.Emit(fmt.Sprint(longest, " ", mean, " ", least, " ", some))
	return nil
}

func TestStateFoldsWhatIsAddedToIt(t *testing.T) {
	test := tidemilltest.StartProcess(t, newFolding)
	for _, text := range []string{"look", "ab", "a", "abcd", "abc", "clear", "look", "z"} {
		test.Push(1, Item{1, text}, 0)
		test.Restart()
	}
	equal(t, "folded", texts(test.Emitted()), " 0 0 false", "ab 2 2 true", "ab 1.5 1 true", "abcd 2.3333333333333335 1 true", "abcd 2.5 1 true",
		" 0 0 false", "z 1 1 true")
	mean, _ := tidemilltest.ValueOf[tidemill.MeanOf](test.Operator, int64(1), "mean")
	is(t, "what is kept of the mean", mean, tidemill.MeanOf{Sum: 1, N: 1})
}

func foldingJob(job *tidemill.Job) error {
	items := tidemill.KeyBy[int64](tidemill.Source[Item](job, "items", tidemill.JSON()), "key")
	tidemill.Process(items, "folding", newFolding).OnError(tidemill.OnErrorSkip).Sink("out", tidemill.Text())
	return nil
}

func TestARefusedRecordIsNotFolded(t *testing.T) {
	test := tidemilltest.Start(t, foldingJob)
	test.Push("items", Item{1, "ab"}, Item{1, "bad"}, Item{1, "look"})
	equal(t, "folded", test.SinkLines("out"), "ab 2 2 true", "ab 2 2 true")
}

func TestThePlanSaysThatFoldedStateIsAValue(t *testing.T) {
	process := operatorOf(t, planOf(t, foldingJob), "folding")["kind"].(map[string]any)["process"].(map[string]any)
	says(t, process["state"], `[{"name": "longest", "kind": "value", "schema": "value:string"},
		{"name": "mean", "kind": "value", "schema": "f0:f64,f1:i64"}, {"name": "least", "kind": "value", "schema": "value:i64"}]`)
	contains(t, fmt.Sprint(tidemilltest.BuildError(func(job *tidemill.Job) error {
		items := tidemill.KeyBy[int64](tidemill.Source[Item](job, "items", tidemill.JSON()), "key")
		tidemill.Process(items, "p", func(d *tidemill.Declare) processFunc[int64, Item, string] {
			tidemill.NewAggregating(d, "none", tidemill.Aggregator[Item, int64, int64]{})
			return nil
		}).Sink("out", tidemill.Text())
		return nil
	})), `the aggregator of state "none" of operator "p" lacks Add or Result`)
}

func TestThePlanSaysHowOperatorsAreChained(t *testing.T) {
	plan := planOf(t, func(job *tidemill.Job) error {
		items := tidemill.Source[Item](job, "items", tidemill.JSON())
		same := func(item Item) Item { return item }
		first := tidemill.Map(tidemill.Map(items, "fused", same), "first", same).StartNewChain()
		tidemill.Map(tidemill.Map(first, "alone", same).DisableChaining(), "last", same).Sink("out", tidemill.JSON())
		return nil
	})
	for name, want := range map[string]any{"items": nil, "fused": nil, "first": "start", "alone": "never", "last": nil, "out": nil} {
		is(t, "chaining of "+name, operatorOf(t, plan, name)["chaining"], want)
	}
}
