package tidemill_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

// command is what a record asks for, and a number to do it with.
type command struct {
	Key  int64
	What string
	N    int64
}

// expiring sets, adds and puts what it is told, and shows all that can be seen.
type expiring struct {
	value   *tidemill.ExpiringValue[int64]
	list    *tidemill.ExpiringList[int64]
	entries *tidemill.ExpiringMap[int64, int64]
}

func newExpiring(ttl tidemill.TTL) func(*tidemill.Declare) *expiring {
	return func(d *tidemill.Declare) *expiring {
		return &expiring{
			value:   tidemill.NewExpiringValue[int64](d, "value", ttl),
			list:    tidemill.NewExpiringList[int64](d, "list", ttl),
			entries: tidemill.NewExpiringMap[int64, int64](d, "map", ttl),
		}
	}
}

func (e *expiring) OnRecord(ctx *tidemill.Context[int64, string], in command) error {
	refused := in.What == "refuse"
	if in.What == "set" || refused {
		e.value.Set(in.N)
	}
	if in.What == "add" || refused {
		e.list.Add(in.N)
	}
	if in.What == "put" || refused {
		e.entries.Set(in.N%3, in.N)
	}
	switch in.What {
	case "refuse":
		return errors.New("refused")
	case "clear":
		e.value.Clear()
		e.list.Clear()
		e.entries.Clear()
	case "read":
		ctx.Emit(e.seen())
	}
	return nil
}

func (e *expiring) seen() string {
	value, found := e.value.Get()
	text := fmt.Sprint(value, found, e.list.Get())
	for key, value := range e.entries.All() {
		text += fmt.Sprint(" ", key, "=", value)
	}
	return text
}

// written is a number and when it was written.
type written struct{ n, at int64 }

// model is what a key has, by a simple account of writes.
type model struct {
	value   *written
	list    []written
	entries map[int64]written
}

const life = 10

func (m *model) expire(clock int64) {
	gone := func(w written) bool { return clock >= w.at+life }
	if m.value != nil && gone(*m.value) {
		m.value = nil
	}
	m.list = slices.DeleteFunc(m.list, gone)
	for key, w := range m.entries {
		if gone(w) {
			delete(m.entries, key)
		}
	}
}

func (m *model) do(in command, at int64, byReads bool) {
	switch in.What {
	case "set":
		if m.value != nil {
			at = max(at, m.value.at)
		}
		m.value = &written{in.N, at}
	case "add":
		m.list = append(m.list, written{in.N, at})
	case "put":
		if before, found := m.entries[in.N%3]; found {
			at = max(at, before.at)
		}
		m.entries[in.N%3] = written{in.N, at}
	case "clear":
		*m = model{entries: map[int64]written{}}
	case "read":
		if !byReads {
			return
		}
		if m.value != nil {
			m.value.at = max(m.value.at, at)
		}
		for i := range m.list {
			m.list[i].at = max(m.list[i].at, at)
		}
		for key, w := range m.entries {
			m.entries[key] = written{w.n, max(w.at, at)}
		}
	}
}

func (m *model) seen() string {
	var value written
	if m.value != nil {
		value = *m.value
	}
	list := []int64{}
	for _, w := range m.list {
		list = append(list, w.n)
	}
	text := fmt.Sprint(value.n, m.value != nil, list)
	for key := range int64(3) {
		if w, found := m.entries[key]; found {
			text += fmt.Sprint(" ", key, "=", w.n)
		}
	}
	return text
}

// What has expired is never seen and is removed: random records, times and restarts, beside the model.
func TestWhatExpiredIsNeverSeenAndIsRemoved(t *testing.T) {
	for seed := range uint64(300) {
		inEventTime, byReads := seed%2 == 0, seed/2%2 == 0
		ttl := tidemill.ProcessingTimeTTL(life * time.Millisecond)
		if inEventTime {
			ttl = tidemill.EventTimeTTL(life * time.Millisecond)
		}
		if byReads {
			ttl = ttl.RenewedByReads()
		}
		compareWithModel(t, rand.New(rand.NewPCG(seed, 1)), ttl, inEventTime, byReads)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func compareWithModel(t *testing.T, random *rand.Rand, ttl tidemill.TTL, inEventTime, byReads bool) {
	test := tidemilltest.StartProcess(t, newExpiring(ttl))
	clock := int64(100)
	tick := func(by int64) {
		clock += by
		test.Watermark(clock)
		test.SetProcessingTime(clock)
	}
	tick(0)
	models := map[int64]*model{}
	for key := range int64(3) {
		models[key] = &model{entries: map[int64]written{}}
	}
	for range 60 {
		switch what := random.IntN(13); {
		case what == 0:
			test.Restart()
		case what < 5:
			tick(random.Int64N(7))
		default:
			names := []string{"set", "add", "put", "read", "read", "clear"}
			in := command{Key: random.Int64N(3), What: names[random.IntN(len(names))], N: random.Int64N(100)}
			offset := random.Int64N(16) - 8
			at := clock
			if inEventTime {
				at = max(clock, clock+offset)
			}
			m := models[in.Key]
			m.expire(clock)
			want := m.seen()
			m.do(in, at, byReads)
			test.Push(in.Key, in, clock+offset)
			if emitted := texts(test.Emitted()); in.What == "read" {
				equal(t, "seen", emitted, want)
			}
		}
	}
	// Twice the time is enough for everything to be removed, whatever the timers were set for.
	tick(life + 8)
	tick(life + 8)
	equal(t, "timers", test.Timers())
	for key := range int64(3) {
		_, found := tidemilltest.ValueOf[int64](test.Operator, key, "value")
		is(t, "there is a value", found, false)
		equal(t, "list", tidemilltest.ListOf[int64](test.Operator, key, "list"))
		equal(t, "map", tidemilltest.MapOf[int64, int64](test.Operator, key, "map"))
	}
}

func expiringJob(ttl tidemill.TTL) func(*tidemill.Job) error {
	return func(job *tidemill.Job) error {
		commands := tidemill.Source[command](job, "commands", tidemill.JSON())
		out := tidemill.Process(tidemill.KeyBy[int64](commands, "key"), "expiring", newExpiring(ttl)).OnError(tidemill.OnErrorSkip)
		out.Sink("out", tidemill.Text())
		return nil
	}
}

func TestWhatARefusedRecordWroteIsNotThere(t *testing.T) {
	test := tidemilltest.Start(t, expiringJob(tidemill.ProcessingTimeTTL(time.Second)))
	for i, what := range []string{"set", "refuse", "read"} {
		test.Push("commands", command{7, what, int64(i)})
	}
	equal(t, "seen", test.SinkLines("out"), "0 true []")
}

func TestAKeyThatNobodyComesBackToIsLetGo(t *testing.T) {
	test := tidemilltest.StartProcess(t, newExpiring(tidemill.EventTimeTTL(life*time.Millisecond)))
	for key := range int64(100) {
		test.Push(key, command{key, "set", key}, 0)
	}
	is(t, "timers", len(test.Timers()), 100)
	equal(t, "the first", test.Timers()[:1], tidemilltest.SetTimer{Name: "$expire-event", Time: life})
	test.Watermark(life - 1)
	is(t, "they live for the whole of their time", len(test.Timers()), 100)
	test.Watermark(life)
	equal(t, "timers", test.Timers())
}

func TestThePlanSaysHowLongStateLives(t *testing.T) {
	process := operatorOf(t, planOf(t, expiringJob(tidemill.EventTimeTTL(time.Second).RenewedByReads())), "expiring")["kind"].(map[string]any)["process"]
	says(t, process.(map[string]any), `{"keys": [["key"]], "timers": [{"name": "$expire-event", "domain": "event"}], "state": [
		{"name": "value", "kind": "value", "schema": "value:i64,$event:i64,$processing:i64", "ttl": {"ms": 1000, "domain": "event", "on-read": true}},
		{"name": "list", "kind": "list", "schema": "block:bytes", "ttl": {"ms": 1000, "domain": "event", "on-read": true}},
		{"name": "map", "kind": "map", "schema": "block:bytes", "ttl": {"ms": 1000, "domain": "event", "on-read": true}}]}`)
	contains(t, fmt.Sprint(tidemilltest.BuildError(expiringJob(tidemill.EventTimeTTL(time.Nanosecond)))), "the time-to-live of state is 1ns")
}

// forever keeps a list and a map without a time-to-live, under the names of expiring ones.
type forever struct {
	list    *tidemill.ListState[int64]
	entries *tidemill.MapState[int64, int64]
}

func (f *forever) OnRecord(_ *tidemill.Context[int64, string], in Item) error {
	f.list.Add(in.Key)
	f.entries.Set(in.Key, in.Key)
	return nil
}

// young is the same with one.
type young struct {
	list    *tidemill.ExpiringList[int64]
	entries *tidemill.ExpiringMap[int64, int64]
}

func (y *young) OnRecord(ctx *tidemill.Context[int64, string], _ Item) error {
	text := fmt.Sprint(y.list.Get())
	for key, value := range y.entries.All() {
		text += fmt.Sprint(" ", key, "=", value)
	}
	ctx.Emit(text)
	return nil
}

func TestATimeToLiveThatIsNewBeginsWhenStateIsUsed(t *testing.T) {
	job := func(process func(*tidemill.KeyedStream[int64, Item]) *tidemill.Stream[string]) func(*tidemill.Job) error {
		return func(job *tidemill.Job) error {
			process(tidemill.KeyBy[int64](tidemill.Source[Item](job, "items", tidemill.JSON()), "key")).Sink("out", tidemill.Text())
			return nil
		}
	}
	before, _ := instanceOf(t, job(func(items *tidemill.KeyedStream[int64, Item]) *tidemill.Stream[string] {
		return tidemill.Process(items, "p", func(d *tidemill.Declare) *forever {
			return &forever{tidemill.NewList[int64](d, "list"), tidemill.NewMap[int64, int64](d, "map")}
		})
	}))
	before.Link(0, []uint32{1})
	before.Process(0, 0, at, blockOf(t, Item{1, "a"}), nil, []uint32{0})
	saved := slices.Clone(before.ExportState(1, []uint32{0}))
	after, heard := instanceOf(t, job(func(items *tidemill.KeyedStream[int64, Item]) *tidemill.Stream[string] {
		ttl := tidemill.ProcessingTimeTTL(life * time.Millisecond)
		return tidemill.Process(items, "p", func(d *tidemill.Declare) *young {
			return &young{tidemill.NewExpiringList[int64](d, "list", ttl), tidemill.NewExpiringMap[int64, int64](d, "map", ttl)}
		})
	}))
	after.Link(0, []uint32{1})
	if err := after.ImportState(1, []uint32{0}, saved); err != nil {
		t.Fatal(err)
	}
	for i, now := range []int64{1000, 1000 + life - 1, 1000 + life} {
		moment := at
		moment.Now = now
		after.Process(0, 0, moment, blockOf(t, Item{1, "a"}), nil, []uint32{0})
		want := []string{"[1] 1=1@100", "[1] 1=1@100", "[]@100"}[i]
		equal(t, fmt.Sprint("at ", now), read[string](t, heard.take()[0]), want)
	}
}
