package tidemilltest

import (
	"testing"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/cells"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// Operator is one operator of a job under test, alone. Time stands still unless the test moves it, and what it refuses fails nothing.
type Operator struct {
	t      testing.TB
	engine *engine
	id     int
}

// SetTimer is a timer that is set.
type SetTimer struct {
	// Name that the operator declared it by.
	Name string
	// Time when it is due, in milliseconds.
	Time int64
}

// StartOperator starts one operator of a job, given by its name.
func StartOperator(t testing.TB, job func(*tidemill.Job) error, name string, arguments ...Argument) *Operator {
	t.Helper()
	e, err := newEngine(job, arguments, name)
	if err != nil {
		t.Fatalf("the job cannot start: %v", err)
	}
	return &Operator{t: t, engine: e, id: e.find(name)}
}

// Push gives a record with an event time in milliseconds to the operator.
func (o *Operator) Push(record any, time int64) {
	o.t.Helper()
	o.PushTo(0, record, time)
}

// PushTo gives a record to one of several inputs.
func (o *Operator) PushTo(input int, record any, time int64) {
	o.t.Helper()
	columns := o.engine.inputSchema(o.id, input)
	row := rowOf(o.t, "operator \""+o.engine.plan(o.id).Name+"\"", record, time, columns)
	o.engine.accept(o.id, input, []cells.Row{row})
}

// Watermark raises the watermark.
func (o *Operator) Watermark(watermark int64) { o.engine.raise(o.id, watermark) }

// SetProcessingTime sets the host's clock, in milliseconds.
func (o *Operator) SetProcessingTime(now int64) { o.engine.setNow(now) }

// Emitted takes what the operator has emitted so far.
func Emitted[T any](o *Operator) []Event[T] {
	o.t.Helper()
	return outputOf[T](o.t, o.engine, o.id, plan.Main)
}

// EmittedTo takes what the operator has emitted so far on a side output, `late` or `dead-letter`.
func EmittedTo[T any](o *Operator, port string) []Event[T] {
	o.t.Helper()
	return outputOf[T](o.t, o.engine, o.id, port)
}

// Timers are those that are set, the earliest first.
func (o *Operator) Timers() []SetTimer {
	process := o.engine.plan(o.id).Kind.Process
	if process == nil {
		return nil
	}
	var set []SetTimer
	for _, timer := range o.engine.keeping[o.id].timers.set {
		set = append(set, SetTimer{Name: process.Timers[timer.index].Name, Time: timer.time})
	}
	return set
}

// Refused says what refused records were refused for.
func (o *Operator) Refused() []string { return o.engine.refused }

// Log is what was logged.
func (o *Operator) Log() []string { return o.engine.host.log }

// Restart exports all state, drops it and loads it again, as a restart from a checkpoint does.
func (o *Operator) Restart() { o.engine.restart(o.id) }

// piece is a piece of state of a key: its block, and the columns of it.
func (o *Operator) piece(key any, name string) (block.Block, int, plan.State, bool) {
	o.t.Helper()
	process := o.process()
	columns := keySchema(process.Keys[0], o.engine.inputSchema(o.id, 0))
	row := rowOf(o.t, "the key of operator \""+o.engine.plan(o.id).Name+"\"", key, 0, columns)
	return o.pieceAt(place{key: row.Cells}, name, process.State, 0)
}

// sharedPiece is a piece of state that all keys share.
func (o *Operator) sharedPiece(name string) (block.Block, int, plan.State, bool) {
	o.t.Helper()
	process := o.process()
	if process.Broadcast == nil {
		o.t.Fatalf("nothing is broadcast to operator %q", o.engine.plan(o.id).Name)
	}
	first := 0
	for _, state := range process.State {
		first += len(state.Schema)
	}
	return o.pieceAt(shared, name, process.Broadcast.State, first)
}

func (o *Operator) process() *plan.Process {
	o.t.Helper()
	process := o.engine.plan(o.id).Kind.Process
	if process == nil {
		o.t.Fatalf("operator %q is no process function", o.engine.plan(o.id).Name)
	}
	return process
}

// pieceAt finds a piece of state at a place; the columns of these states begin at a column of an export.
func (o *Operator) pieceAt(at place, name string, states []plan.State, first int) (block.Block, int, plan.State, bool) {
	o.t.Helper()
	for _, state := range states {
		if state.Name != name {
			first += len(state.Schema)
			continue
		}
		slot, found := o.engine.keeping[o.id].slots.lookup(at)
		if !found {
			return block.Block{}, 0, state, false
		}
		b, err := block.Open(append([]byte(nil), o.engine.instance.ExportState(uint32(o.id), []uint32{slot})...))
		if err != nil {
			o.t.Fatal(err)
		}
		return b, first, state, true
	}
	o.t.Fatalf("operator %q declares no such state %q", o.engine.plan(o.id).Name, name)
	return block.Block{}, 0, plan.State{}, false
}

// layoutOf finds the columns of a record type.
func layoutOf[T any](t testing.TB) *record.Layout {
	t.Helper()
	layout, err := record.Of[T]()
	if err != nil {
		t.Fatal(err)
	}
	return layout
}

// ValueOf looks at a declared value of a key, and whether there is one.
func ValueOf[T any](o *Operator, key any, name string) (value T, found bool) {
	o.t.Helper()
	b, first, state, found := o.piece(key, name)
	if !found {
		return value, false
	}
	return valueIn[T](o, b, first, state)
}

// SharedValueOf looks at a declared value that all keys share, and whether there is one.
func SharedValueOf[T any](o *Operator, name string) (value T, found bool) {
	o.t.Helper()
	b, first, state, found := o.sharedPiece(name)
	if !found {
		return value, false
	}
	return valueIn[T](o, b, first, state)
}

// SharedMapOf looks at a declared map that all keys share: its entries, in the order of their keys.
func SharedMapOf[K, V any](o *Operator, name string) []Entry[K, V] {
	o.t.Helper()
	entries, _ := SharedValueOf[[]Entry[K, V]](o, name)
	return entries
}

// valueIn reads a piece of state out of an export of one slot.
func valueIn[T any](o *Operator, b block.Block, first int, state plan.State) (value T, found bool) {
	o.t.Helper()
	reader := record.NewReader[T](layoutOf[T](o.t), true)
	if err := reader.Open(b, record.Source{First: first, State: true}); err != nil {
		o.t.Fatalf("state %q has the columns %s: %v", state.Name, schema.Schema(state.Schema), err)
	}
	if !reader.Any(0) {
		return value, false
	}
	return reader.One(0), true
}

// ListOf looks at a declared list of a key.
func ListOf[T any](o *Operator, key any, name string) []T {
	o.t.Helper()
	list, _ := ValueOf[[]T](o, key, name)
	return list
}

// Entry is an entry of a map.
type Entry[K, V any] struct {
	Key   K `tidemill:",flatten"`
	Value V `tidemill:",flatten"`
}

// MapOf looks at a declared map of a key: its entries, in the order of their keys.
func MapOf[K, V any](o *Operator, key any, name string) []Entry[K, V] {
	o.t.Helper()
	return ListOf[Entry[K, V]](o, key, name)
}

// Process is a process function under test, alone. Time stands still unless the test moves it, and what it refuses fails nothing.
type Process[K, T, Out any] struct {
	// Operator has what does not depend on types: watermarks, timers, what was refused.
	*Operator
}

// keyed is a record with its key.
type keyed[K, T any] struct {
	Record T `tidemill:",flatten"`
	Key    K `tidemill:",flatten"`
}

// StartProcess starts a process function, made as [tidemill.Process] makes it.
func StartProcess[F tidemill.ProcessFunction[K, T, Out], K, T, Out any](t testing.TB, make func(*tidemill.Declare) F) *Process[K, T, Out] {
	t.Helper()
	const name = "process"
	job := func(job *tidemill.Job) error {
		source := tidemill.Source[T](job, "source", tidemill.JSON())
		// The operator runs alone: the key behind the record comes from the test.
		var nobody func(T) K
		tidemill.Process(tidemill.KeyByFunc(source, "key", nobody), name, make)
		return nil
	}
	return &Process[K, T, Out]{Operator: StartOperator(t, job, name)}
}

// Push gives a record with its key and an event time in milliseconds to the function.
func (p *Process[K, T, Out]) Push(key K, record T, time int64) {
	p.t.Helper()
	p.Operator.Push(keyed[K, T]{Record: record, Key: key}, time)
}

// Emitted takes what the function has emitted so far.
func (p *Process[K, T, Out]) Emitted() []Event[Out] {
	p.t.Helper()
	return Emitted[Out](p.Operator)
}
