package tidemill_test

import (
	"errors"
	"fmt"
	"testing"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

// Rule is about numbers of so much and more.
type Rule struct {
	Name  string
	Least int64
}

// Amount is a number of an account.
type Amount struct {
	Account string
	N       int64
}

// rules finds the numbers that a rule is about, in whatever order they come. It refuses rules of no name when it has changed what is
// shared, and numbers below zero when it has changed its own state.
type rules struct {
	seen  *tidemill.ListState[int64]
	timer *tidemill.Timer
	rules *tidemill.BroadcastMap[string, int64]
	count *tidemill.BroadcastValue[int64]
	side  *tidemill.Side[string]
}

func newRules(d *tidemill.Declare) *rules {
	return &rules{
		seen: tidemill.NewList[int64](d, "seen"), timer: d.EventTimer("t"), rules: tidemill.NewBroadcastMap[string, int64](d, "rules"),
		count: tidemill.NewBroadcastValue[int64](d, "count"), side: tidemill.NewSide[string](d, "side"),
	}
}

func (r *rules) OnRecord(ctx *tidemill.Context[string, string], amount Amount) error {
	r.seen.Add(amount.N)
	r.timer.Replace(100)
	for rule, least := range r.rules.All() {
		if amount.N >= least {
			ctx.Emit(fmt.Sprint(ctx.Key(), " ", amount.N, " ", rule))
		}
	}
	if amount.N < 0 {
		return errors.New("below zero")
	}
	return nil
}

func (r *rules) OnBroadcast(ctx *tidemill.BroadcastContext[string], rule Rule) error {
	r.rules.Change(ctx).Set(rule.Name, rule.Least)
	r.count.Change(ctx).Update(func(count *int64) { *count++ })
	r.side.Emit("rule " + rule.Name)
	ctx.Emit(fmt.Sprint("rule ", rule.Name, " at ", ctx.Time()))
	if rule.Name == "" {
		return errors.New("a rule has a name")
	}
	if rule.Name == "none" {
		r.rules.Change(ctx).Clear()
		r.count.Change(ctx).Clear()
	}
	return nil
}

func (r *rules) OnKey(ctx *tidemill.Context[string, string], rule Rule) error {
	for _, n := range r.seen.Get() {
		if least, found := r.rules.Get(rule.Name); found && n >= least {
			ctx.Emit(fmt.Sprint(ctx.Key(), " ", n, " ", rule.Name))
		}
	}
	if rule.Least == 13 {
		r.seen.Clear()
		return fmt.Errorf("no luck for %s", ctx.Key())
	}
	return nil
}

func (r *rules) OnTimer(ctx *tidemill.Context[string, string], _ tidemill.TimerEvent) error {
	ctx.Emit(fmt.Sprint(ctx.Key(), " has ", r.seen.Len(), " under ", r.count.Or(0), " of ", r.rules.Len()))
	return nil
}

func rulesJob(job *tidemill.Job) error {
	amounts := tidemill.Source[Amount](job, "amounts", tidemill.JSON())
	rules := tidemill.Source[Rule](job, "rules", tidemill.JSON())
	out := tidemill.ProcessBroadcast(tidemill.KeyBy[string](amounts, "account"), rules, "match", newRules).OnError(tidemill.OnErrorSkip)
	out.Sink("out", tidemill.JSON())
	tidemill.SideOutput[string](out, "side").Sink("side", tidemill.JSON())
	return nil
}

func TestARuleFindsWhatCameBeforeItAndBehindIt(t *testing.T) {
	test := tidemilltest.StartOperator(t, rulesJob, "match")
	test.Push(Amount{"ann", 5}, 1)
	test.Push(Amount{"bob", 20}, 2)
	test.PushTo(1, Rule{"some", 5}, 3)
	equal(t, "what came before", texts(tidemilltest.Emitted[string](test)), "rule some at 3", "ann 5 some", "bob 20 some")
	test.Restart()
	test.PushTo(1, Rule{"many", 10}, 4)
	test.Push(Amount{"ann", 30}, 5)
	test.Restart()
	equal(t, "what comes behind", texts(tidemilltest.Emitted[string](test)), "rule many at 4", "bob 20 many", "ann 30 many", "ann 30 some")
	equal(t, "side", texts(tidemilltest.EmittedTo[string](test, "side")), "rule some", "rule many")
	equal(t, "rules", tidemilltest.SharedMapOf[string, int64](test, "rules"),
		tidemilltest.Entry[string, int64]{Key: "many", Value: 10}, tidemilltest.Entry[string, int64]{Key: "some", Value: 5})
	count, found := tidemilltest.SharedValueOf[int64](test, "count")
	is(t, "count", fmt.Sprint(count, found), "2 true")
	equal(t, "a key's state is its own", tidemilltest.ListOf[int64](test, "ann", "seen"), 5, 30)
	test.Watermark(100)
	equal(t, "timers see what is shared", texts(tidemilltest.Emitted[string](test)), "ann has 2 under 2 of 2", "bob has 1 under 2 of 2")
}

func TestARefusedRecordLeavesWhatIsSharedAsItWas(t *testing.T) {
	test := tidemilltest.StartOperator(t, rulesJob, "match")
	test.Push(Amount{"ann", 15}, 1)
	test.PushTo(1, Rule{"some", 20}, 2)
	tidemilltest.Emitted[string](test)
	test.PushTo(1, Rule{"", 0}, 3)
	test.Push(Amount{"ann", -1}, 4)
	equal(t, "refused rules are not applied", texts(tidemilltest.Emitted[string](test)))
	test.PushTo(1, Rule{"luck", 13}, 5)
	equal(t, "what is refused for a key stands for the others", texts(tidemilltest.Emitted[string](test)), "rule luck at 5")
	equal(t, "refusals", test.Refused(), "a rule has a name", "below zero", "no luck for ann")
	equal(t, "seen", tidemilltest.ListOf[int64](test, "ann", "seen"), 15)
	is(t, "rules", len(tidemilltest.SharedMapOf[string, int64](test, "rules")), 2)
	test.PushTo(1, Rule{"none", 99}, 6)
	_, found := tidemilltest.SharedValueOf[int64](test, "count")
	is(t, "what was cleared is gone", found, false)
}

// What the host is told of slots: the shared one is its own only where a broadcast record may change it.
func TestSlotsOfACallAreTold(t *testing.T) {
	instance, _ := instanceOf(t, rulesJob)
	instance.Link(0, []uint32{2})
	outcome := instance.Process(0, 1, at, blockOf(t, Rule{"none", 1}), nil, []uint32{7})
	equal(t, "a shared slot that is empty", outcome.Cleared, 7)
	outcome = instance.Process(0, 1, at, blockOf(t, Rule{"a", 1}, Rule{"", 1}), nil, []uint32{7})
	is(t, "cleared", len(outcome.Cleared)+len(outcome.Unchanged), 0)
	equal(t, "refused", failures(outcome), "1 2 a rule has a name")
	outcome = instance.Process(0, 0, at, blockOf(t, Amount{"ann", 1}), nil, []uint32{3, 7})
	is(t, "cleared or unchanged", len(outcome.Cleared)+len(outcome.Unchanged), 0)
	keys := blockOf(t, struct{ Account string }{"ann"}, struct{ Account string }{"bob"})
	outcome = instance.Apply(0, 1, at, blockOf(t, Rule{"a", 13}), keys, []uint32{3, 4, 7})
	equal(t, "both rows are about the one record", failures(outcome), "0 2 no luck for ann", "0 2 no luck for bob")
	equal(t, "unchanged", outcome.Unchanged, 3)
	equal(t, "cleared", outcome.Cleared, 4)
}

// limits lets numbers through that are not above the limit.
type limits struct {
	limit *tidemill.BroadcastValue[int64]
}

func newLimits(d *tidemill.Declare) *limits {
	return &limits{tidemill.NewBroadcastValue[int64](d, "limit")}
}

func (l *limits) OnRecord(ctx *tidemill.Context[struct{}, int64], n int64) error {
	if limit, found := l.limit.Get(); !found || n <= limit {
		ctx.Emit(n)
	}
	return nil
}

func (l *limits) OnBroadcast(ctx *tidemill.BroadcastContext[int64], limit int32) error {
	l.limit.Change(ctx).Set(int64(limit))
	return nil
}

func limitsJob(job *tidemill.Job) error {
	numbers := tidemill.Source[int64](job, "numbers", tidemill.JSON())
	limits := tidemill.Source[int32](job, "limits", tidemill.JSON())
	tidemill.ProcessBroadcastAll(numbers, limits, "limited", newLimits).Sink("out", tidemill.JSON())
	return nil
}

func TestAStreamWithoutAKeySeesWhatIsShared(t *testing.T) {
	test := tidemilltest.Start(t, limitsJob)
	test.Push("numbers", int64(7))
	test.Push("limits", int32(5))
	test.Restart()
	test.Push("numbers", int64(6), int64(5))
	equal(t, "what passes", tidemilltest.Sink[int64](test, "out"), 7, 5)
	says(t, operatorOf(t, planOf(t, limitsJob), "limited"), `{"name": "limited",
		"kind": {"process": {"keys": [[]], "broadcast": {"state": [{"name": "limit", "kind": "value", "schema": "value:i64"}]}}},
		"inputs": [{"from": "numbers"}, {"from": "limits", "partition": "broadcast"}], "outputs": [{"schema": "value:i64"}]}`)
	says(t, operatorOf(t, planOf(t, rulesJob), "match")["kind"], `{"process": {"keys": [["account"]],
		"state": [{"name": "seen", "kind": "list", "schema": "block:bytes"}], "timers": [{"name": "t", "domain": "event"}],
		"broadcast": {"state": [{"name": "rules", "kind": "map", "schema": "block:bytes"}, {"name": "count", "kind": "value", "schema": "value:i64"}],
			"apply": true}}}`)
	instance, _ := instanceOf(t, limitsJob)
	instance.Link(0, []uint32{2})
	outcome := instance.Process(0, 0, at, blockOf(t, int64(1), int64(2)), nil, []uint32{0})
	is(t, "a call about no key tells no slot", len(outcome.Cleared)+len(outcome.Unchanged), 0)
}

// stray changes what is shared where it cannot.
type stray struct {
	limits
	kept *tidemill.ValueState[int64]
}

func (s *stray) OnRecord(ctx *tidemill.Context[string, int64], amount Amount) error {
	changing := &tidemill.BroadcastContext[int64]{}
	s.limit.Change(changing).Set(amount.N)
	return nil
}

func (s *stray) OnBroadcast(_ *tidemill.BroadcastContext[int64], limit int32) error {
	s.kept.Set(int64(limit))
	return nil
}

func TestOnlyABroadcastRecordChangesWhatIsSharedAndNothingElse(t *testing.T) {
	job := func(job *tidemill.Job) error {
		amounts := tidemill.KeyBy[string](tidemill.Source[Amount](job, "amounts", tidemill.JSON()), "account")
		tidemill.ProcessBroadcast(amounts, tidemill.Source[int32](job, "limits", tidemill.JSON()), "p", func(d *tidemill.Declare) *stray {
			return &stray{*newLimits(d), tidemill.NewValue[int64](d, "kept")}
		})
		return nil
	}
	test := tidemilltest.StartOperator(t, job, "p")
	contains(t, panics(t, func() { test.Push(Amount{"ann", 1}, 0) }), "changed in OnBroadcast only")
	test = tidemilltest.StartOperator(t, job, "p")
	contains(t, panics(t, func() { test.PushTo(1, int32(1), 0) }), "state belongs to a key")
	var kept *limits
	test = tidemilltest.StartOperator(t, func(job *tidemill.Job) error {
		numbers, shared := tidemill.Source[int64](job, "numbers", tidemill.JSON()), tidemill.Source[int32](job, "limits", tidemill.JSON())
		tidemill.ProcessBroadcastAll(numbers, shared, "p", func(d *tidemill.Declare) *limits { kept = newLimits(d); return kept })
		return nil
	}, "p")
	test.PushTo(1, int32(1), 0)
	contains(t, panics(t, func() { kept.limit.Get() }), "broadcast state is there only while")
}

// wanting asks for what records without a key do not have.
type wanting struct{ limits }

func (w *wanting) OnKey(*tidemill.Context[struct{}, int64], int32) error { return nil }

func TestWhatIsWrongWithBroadcastStateIsSaidWhenTheJobIsBuilt(t *testing.T) {
	err := tidemilltest.BuildError(func(job *tidemill.Job) error {
		numbers, shared := tidemill.Source[int64](job, "numbers", tidemill.JSON()), tidemill.Source[int32](job, "limits", tidemill.JSON())
		tidemill.ProcessBroadcastAll(numbers, shared, "a", func(d *tidemill.Declare) *wanting {
			tidemill.NewValue[int64](d, "value")
			return &wanting{*newLimits(d)}
		})
		items := tidemill.KeyBy[int64](tidemill.Source[Item](job, "items", tidemill.JSON()), "key")
		tidemill.Process(items, "b", func(d *tidemill.Declare) *last {
			newLimits(d)
			return newLast(d)
		})
		return nil
	})
	contains(t, fmt.Sprint(err), `operator "a" has records without a key, so it has no state`, `there is no key for OnKey`,
		`operator "b" declares broadcast state, but no stream is broadcast to it`)
}
