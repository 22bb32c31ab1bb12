package tidemill_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/cells"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

func logger() *slog.Logger { return slog.Default() }

// last keeps the last text of each key; it refuses `bad` after writing it.
type last struct {
	last   *tidemill.ValueState[string]
	seen   *tidemill.ListState[int64]
	counts *tidemill.MapState[string, int64]
	timer  *tidemill.Timer
	side   *tidemill.Side[string]
}

func newLast(d *tidemill.Declare) *last {
	return &last{
		last:   tidemill.NewValue[string](d, "last"),
		seen:   tidemill.NewList[int64](d, "seen"),
		counts: tidemill.NewMap[string, int64](d, "counts"),
		timer:  d.EventTimer("t"),
		side:   tidemill.NewSide[string](d, "side"),
	}
}

func (l *last) OnRecord(ctx *tidemill.Context[int64, string], item Item) error {
	switch item.Text {
	case "look":
		ctx.Emit(l.last.Or(""))
		return nil
	case "clear":
		l.last.Clear()
		l.seen.Clear()
		l.counts.Clear()
		l.timer.Clear()
		return nil
	}
	l.last.Set(item.Text)
	l.seen.Add(ctx.Time())
	l.counts.Update(item.Text, func(n *int64) { *n++ })
	l.timer.Add(ctx.Time() + 1)
	l.side.Emit("side of " + item.Text)
	ctx.Emit(item.Text)
	if item.Text == "bad" {
		return errors.New("bad is refused")
	}
	return nil
}

func (l *last) OnTimer(ctx *tidemill.Context[int64, string], event tidemill.TimerEvent) error {
	if !event.Is(l.timer) {
		return errors.New("another timer")
	}
	ctx.Emit(fmt.Sprintf("timer of %d at %d", ctx.Key(), event.Time))
	return nil
}

func lastJob(job *tidemill.Job) error {
	items := tidemill.Source[Item](job, "items", tidemill.JSON())
	out := tidemill.Process(tidemill.KeyBy[int64](items, "key"), "last", newLast).OnError(tidemill.OnErrorSkip)
	out.Sink("out", tidemill.JSON())
	tidemill.SideOutput[string](out, "side").Sink("side", tidemill.JSON())
	return nil
}

func texts(events []tidemilltest.Event[string]) []string {
	var out []string
	for _, event := range events {
		out = append(out, event.Record)
	}
	return out
}

func TestARefusedRecordLeavesStateTimersAndOutputAsTheyWere(t *testing.T) {
	test := tidemilltest.StartOperator(t, lastJob, "last")
	for _, text := range []string{"a", "bad", "look"} {
		test.Push(Item{1, text}, 10)
	}
	test.Push(Item{2, "bad"}, 20)
	test.Push(Item{2, "look"}, 20)
	equal(t, "output", texts(tidemilltest.Emitted[string](test)), "a", "a", "")
	equal(t, "side output", texts(tidemilltest.EmittedTo[string](test, "side")), "side of a")
	equal(t, "timers", test.Timers(), tidemilltest.SetTimer{Name: "t", Time: 11})
	equal(t, "refused", test.Refused(), "bad is refused", "bad is refused")
	if _, found := tidemilltest.ValueOf[string](test, int64(2), "last"); found {
		t.Error("the refused record left a value")
	}
	equal(t, "seen", tidemilltest.ListOf[int64](test, int64(1), "seen"), 10)
	equal(t, "counts", tidemilltest.MapOf[string, int64](test, int64(1), "counts"), tidemilltest.Entry[string, int64]{Key: "a", Value: 1})
}

func TestTimersFireInTheirOrderAndOnlyWhenDue(t *testing.T) {
	test := tidemilltest.StartProcess(t, newLast)
	test.Push(2, Item{2, "b"}, 30)
	test.Push(1, Item{1, "a"}, 10)
	test.Emitted()
	test.Watermark(30)
	equal(t, "fired", texts(test.Emitted()), "timer of 1 at 11")
	test.Restart()
	test.Watermark(31)
	equal(t, "fired", texts(test.Emitted()), "timer of 2 at 31")
	equal(t, "timers", test.Timers())
	value, found := tidemilltest.ValueOf[string](test.Operator, int64(2), "last")
	if !found || value != "b" {
		t.Errorf("the value is %q", value)
	}
}

func TestACallSaysWhichSlotsAreEmptyAndWhichUnchanged(t *testing.T) {
	instance, _ := instanceOf(t, lastJob)
	instance.Link(0, []uint32{1})
	input := blockOf(t, Item{1, "a"}, Item{2, "look"}, Item{3, "a"}, Item{1, "look"}, Item{3, "clear"}, Item{4, "bad"})
	outcome := instance.Process(0, 0, at, input, nil, []uint32{0, 1, 2, 0, 2, 3})
	equal(t, "never written, cleared, undone", outcome.Cleared, 1, 2, 3)
	equal(t, "unchanged", outcome.Unchanged)
	if len(outcome.Timers) != 3 {
		t.Errorf("of `bad` there is no timer: %v", outcome.Timers)
	}
	outcome = instance.Process(0, 0, at, blockOf(t, Item{1, "look"}), nil, []uint32{0})
	equal(t, "cleared", outcome.Cleared)
	equal(t, "unchanged", outcome.Unchanged, 0)
}

func TestRowsMayBeGivenWithTheirSlots(t *testing.T) {
	instance, heard := instanceOf(t, lastJob)
	instance.Link(0, []uint32{1})
	instance.Process(0, 0, at, blockOf(t, Item{1, "a"}, Item{2, "b"}, Item{1, "c"}), []uint32{0, 2}, []uint32{5, 5})
	equal(t, "output", read[string](t, heard.take()[0]), "a@100", "c@102")
}

func TestStateIsExportedAndLoadedAgainAsItWas(t *testing.T) {
	first, _ := instanceOf(t, lastJob)
	first.Link(0, []uint32{1})
	first.Process(0, 0, at, blockOf(t, Item{1, "a"}, Item{1, "b"}, Item{2, "c"}), nil, []uint32{7, 7, 1})
	exported := slices.Clone(first.ExportState(1, []uint32{7, 3, 1}))
	second, heard := instanceOf(t, lastJob)
	second.Link(0, []uint32{1})
	slots := []uint32{0, 1, 2}
	if err := second.ImportState(1, slots, exported); err != nil {
		t.Fatal(err)
	}
	equal(t, "state", second.ExportState(1, slots), exported...)
	second.Process(0, 0, at, blockOf(t, Item{1, "look"}), nil, []uint32{0})
	equal(t, "output", read[string](t, heard.take()[0]), "b@100")
	second.DropState(1, []uint32{0})
	if slices.Equal(second.ExportState(1, slots), exported) {
		t.Error("dropped state is exported")
	}
	for text, err := range map[string]error{
		"a block of 3 rows does not fit 1 slots":          second.ImportState(1, []uint32{0}, exported),
		"column 0 has type i64, not optional string":      second.ImportState(1, []uint32{0}, blockOf(t, Item{1, "a"})),
		"not a block of version 1: another length":        second.ImportState(1, []uint32{0}, exported[:len(exported)-8]),
		"not a block of version 1: shorter than a header": second.ImportState(1, []uint32{0}, nil),
	} {
		if err == nil {
			t.Errorf("no error %q", text)
		} else {
			contains(t, err.Error(), text)
		}
	}
}

// What a job keeps of a record must not change with the records behind it, nor with what it was made of.
func TestStateSharesNothingWithRecords(t *testing.T) {
	type Note struct {
		Tags []Item
		Raw  []byte
		Name *string
	}
	type input struct {
		Key  int64
		Note Note `tidemill:",flatten"`
	}
	raw, name := []byte("raw"), "name"
	given := input{Key: 1, Note: Note{Tags: []Item{{1, "x"}}, Raw: raw, Name: &name}}
	test := tidemilltest.StartProcess(t, func(d *tidemill.Declare) processFunc[int64, input, bool] {
		note := tidemill.NewValue[Note](d, "note")
		return func(ctx *tidemill.Context[int64, bool], in input) error {
			note.Set(in.Note)
			in.Note.Tags[0].Text, in.Note.Raw[0], *in.Note.Name = "changed", 'X', "changed"
			kept, _ := note.Get()
			ctx.Emit(kept.Tags[0].Text == "x" && string(kept.Raw) == "raw" && *kept.Name == "name")
			return nil
		}
	})
	test.Push(1, given, 0)
	for _, event := range test.Emitted() {
		if !event.Record {
			t.Error("state changed with the record that it was set from")
		}
	}
}

// processFunc makes a process function of a function.
type processFunc[K, T, Out any] func(*tidemill.Context[K, Out], T) error

func (f processFunc[K, T, Out]) OnRecord(ctx *tidemill.Context[K, Out], record T) error {
	return f(ctx, record)
}

func TestMapsKeepTheOrderOfTheirKeysAndListsThatOfTheirRecords(t *testing.T) {
	type Place struct {
		Shelf *string
		Row   int64
	}
	shelf := "b"
	test := tidemilltest.StartProcess(t, func(d *tidemill.Declare) processFunc[string, int64, string] {
		places := tidemill.NewMap[Place, string](d, "places")
		list := tidemill.NewList[int64](d, "list")
		return func(ctx *tidemill.Context[string, string], n int64) error {
			places.Set(Place{nil, -n}, "none")
			places.Set(Place{&shelf, n}, "b")
			if places.Delete(Place{nil, 99}) {
				return errors.New("99 was never set")
			}
			list.Add(n)
			list.Retain(func(n int64) bool { return n != 2 })
			text := ""
			for place, value := range places.All() {
				places.Update(place, func(v *string) { *v += "'" })
				text += fmt.Sprint(place.Row, value, " ")
			}
			ctx.Emit(fmt.Sprint(text, list.Get(), places.Len()))
			return nil
		}
	})
	for _, n := range []int64{2, 1} {
		test.Push("k", n, 0)
		test.Restart()
	}
	equal(t, "output", texts(test.Emitted()), "-2none 2b [] 2", "-2none' -1none 1b 2b' [1] 4")
}

func TestStateAndTimersAreOnlyThereForARecord(t *testing.T) {
	var kept *last
	tidemilltest.StartProcess(t, func(d *tidemill.Declare) *last {
		kept = newLast(d)
		return kept
	})
	contains(t, panics(t, func() { kept.last.Get() }), "state belongs to a key")
	contains(t, panics(t, func() { kept.timer.Add(1) }), "timers belong to a key")
	contains(t, panics(t, func() { kept.side.Emit("") }), "a side output takes records only while")
}

// both adds what the second stream says to what the first one did.
type both struct{ sum *tidemill.ValueState[int64] }

func (b *both) OnFirst(ctx *tidemill.Context[string, int64], word string) error {
	b.sum.Update(func(sum *int64) { *sum += int64(len(word)) })
	return b.emit(ctx)
}

func (b *both) OnSecond(ctx *tidemill.Context[string, int64], item Item) error {
	b.sum.Update(func(sum *int64) { *sum += 100 * item.Key })
	return b.emit(ctx)
}

func (b *both) emit(ctx *tidemill.Context[string, int64]) error {
	ctx.Emit(b.sum.Or(-1))
	return nil
}

func TestTwoStreamsShareTheStateOfTheirKeys(t *testing.T) {
	test := tidemilltest.Start(t, func(job *tidemill.Job) error {
		words := tidemill.KeyByFunc(tidemill.Source[string](job, "words", tidemill.Text()), "by-letter", func(w string) string { return w[:1] })
		items := tidemill.KeyBy[string](tidemill.Source[Item](job, "items", tidemill.JSON()), "text")
		tidemill.Process2(words, items, "both", func(d *tidemill.Declare) *both {
			return &both{sum: tidemill.NewValue[int64](d, "sum")}
		}).Sink("out", tidemill.JSON())
		return nil
	})
	test.PushLines("words", "tide\nmill\ntea")
	test.Push("items", Item{1, "t"}, Item{2, "m"})
	equal(t, "sums", tidemilltest.Sink[int64](test, "out"), 4, 4, 7, 107, 204)
}

func TestRunningAggregatesFollowTheRecords(t *testing.T) {
	test := tidemilltest.Start(t, func(job *tidemill.Job) error {
		items := tidemill.KeyBy[string](tidemill.Source[Item](job, "items", tidemill.JSON()), "text")
		items.Count("n").Sink("counts", tidemill.CSV())
		tidemill.RollingSum[int64](items, "sum", "key").Sink("sums", tidemill.CSV())
		tidemill.RollingMin[int64](items, "min", "key").Sink("mins", tidemill.CSV())
		tidemill.RollingMax[int64](items, "max", "key").Sink("maxs", tidemill.CSV())
		items.MaxBy("max-by", "key").Sink("best", tidemill.CSV())
		items.MinBy("min-by", "key").Sink("least", tidemill.CSV())
		tidemill.Reduce(items, "join", func(a, b Item) Item { return Item{a.Key*10 + b.Key, a.Text} }).Sink("joined", tidemill.CSV())
		return nil
	})
	test.Push("items", Item{3, "a"}, Item{9, "b"}, Item{1, "a"}, Item{4, "a"})
	equal(t, "counts", test.SinkLines("counts"), "a,1", "b,1", "a,2", "a,3")
	equal(t, "sums", test.SinkLines("sums"), "a,3", "b,9", "a,4", "a,8")
	equal(t, "mins", test.SinkLines("mins"), "a,3", "b,9", "a,1", "a,1")
	equal(t, "maxs", test.SinkLines("maxs"), "a,3", "b,9", "a,3", "a,4")
	equal(t, "best", test.SinkLines("best"), "3,a", "9,b", "3,a", "4,a")
	equal(t, "least", test.SinkLines("least"), "3,a", "9,b", "1,a", "1,a")
	equal(t, "joined", test.SinkLines("joined"), "3,a", "9,b", "31,a", "314,a")
}

// Processing timers follow the clock, and replace keeps one.
type heartbeat struct{ beat *tidemill.Timer }

func (h *heartbeat) OnRecord(ctx *tidemill.Context[string, int64], _ string) error {
	h.beat.Replace(ctx.Now() + 5)
	h.beat.Add(ctx.Now() + 7)
	h.beat.Delete(ctx.Now() + 7)
	return nil
}

func (h *heartbeat) OnTimer(ctx *tidemill.Context[string, int64], event tidemill.TimerEvent) error {
	ctx.EmitAt(event.Time, ctx.Watermark())
	return nil
}

func TestProcessingTimersFollowTheClock(t *testing.T) {
	test := tidemilltest.StartProcess(t, func(d *tidemill.Declare) *heartbeat { return &heartbeat{d.ProcessingTimer("beat")} })
	test.Push("a", "a", 0)
	test.SetProcessingTime(3)
	test.Push("a", "a", 0)
	equal(t, "timers", test.Timers(), tidemilltest.SetTimer{Name: "beat", Time: 8})
	test.Watermark(100)
	test.SetProcessingTime(7)
	if early := test.Emitted(); len(early) > 0 {
		t.Errorf("fired early: %v", early)
	}
	test.SetProcessingTime(8)
	equal(t, "fired", test.Emitted(), tidemilltest.Event[int64]{Record: 8, Time: 100})
}

// A member behind a process function refuses its own record, and what the function did stands.
func TestStateStandsWhenARecordIsRefusedBehindIt(t *testing.T) {
	job := func(job *tidemill.Job) error {
		items := tidemill.KeyBy[int64](tidemill.Source[Item](job, "items", tidemill.JSON()), "key")
		out := tidemill.Process(items, "last", newLast).OnError(tidemill.OnErrorSkip)
		tidemill.TryMap(out, "short", func(text string) (string, error) {
			if len(text) > 1 {
				return "", errors.New("too long")
			}
			return text, nil
		}).OnError(tidemill.OnErrorSkip).Sink("out", tidemill.JSON())
		return nil
	}
	instance, heard := instanceOf(t, job)
	instance.Link(0, []uint32{1, 2})
	outcome := instance.Process(0, 0, at, blockOf(t, Item{1, "a"}, Item{1, "long"}, Item{1, "bad"}, Item{1, "look"}), nil, []uint32{0, 0, 0, 0})
	equal(t, "failures", failures(outcome), "1 2 too long", "2 1 bad is refused", "3 2 too long")
	equal(t, "timers", outcome.Timers, runtime.TimerOp{Slot: 0, Time: 101}, runtime.TimerOp{Slot: 0, Time: 102})
	equal(t, "output", read[string](t, heard.take()[0]), "a@100")
}

// withoutID takes the schema id out of a block, as blocks within a column have none.
func withoutID(text []byte) []byte {
	clear(text[16:24])
	return text
}

// The bytes follow from block.md alone, so that every language writes and reads the same.
func TestExportedStateIsTheBlockOfTheContract(t *testing.T) {
	columns := func(text string) schema.Schema {
		parsed, err := schema.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	instance, _ := instanceOf(t, lastJob)
	instance.Link(0, []uint32{1})
	instance.Process(0, 0, at, blockOf(t, Item{1, "b"}, Item{1, "a"}, Item{1, "b"}), nil, []uint32{2, 2, 2})
	seen := withoutID(cells.Encode([]cells.Row{
		{Cells: []any{int64(100)}}, {Cells: []any{int64(101)}}, {Cells: []any{int64(102)}},
	}, columns("value:i64")))
	counts := withoutID(cells.Encode([]cells.Row{{Cells: []any{"a", int64(1)}}, {Cells: []any{"b", int64(2)}}}, columns("key:string,value:i64")))
	want := cells.Encode([]cells.Row{
		{Cells: []any{nil, nil, nil}}, {Cells: []any{"b", seen, counts}},
	}, columns("last.value:string?,seen.block:bytes?,counts.block:bytes?"))
	equal(t, "state", instance.ExportState(1, []uint32{0, 2}), want...)
}

func TestDamagedStateIsRefused(t *testing.T) {
	instance, _ := instanceOf(t, lastJob)
	instance.Link(0, []uint32{1})
	instance.Process(0, 0, at, blockOf(t, Item{1, "b"}, Item{1, "a"}), nil, []uint32{0, 0})
	exported := slices.Clone(instance.ExportState(1, []uint32{0}))
	refused := 0
	for i := range exported {
		damaged := slices.Clone(exported)
		damaged[i] ^= 0x55
		if err := instance.ImportState(1, []uint32{1}, damaged); err != nil {
			refused++
		}
	}
	// What is neither layout nor text, such as the numbers of a list, may be anything.
	if refused < len(exported)/2 {
		t.Errorf("of %d damaged blocks %d were refused", len(exported), refused)
	}
}
