package tidemill

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
)

// ProcessFunction is a function over a keyed stream, with state, timers and full control over what is emitted when. It has a method
// OnTimer too, see [TimerFunction], where it declares timers.
type ProcessFunction[K, T, Out any] interface {
	// OnRecord handles a record. An error refuses it, and undoes what was done for it if the job goes on.
	OnRecord(ctx *Context[K, Out], record T) error
}

// ProcessFunction2 is a function over two streams with the same key: Flink's connect.
type ProcessFunction2[K, A, B, Out any] interface {
	// OnFirst handles a record of the first stream.
	OnFirst(ctx *Context[K, Out], record A) error
	// OnSecond handles a record of the second stream.
	OnSecond(ctx *Context[K, Out], record B) error
}

// TimerFunction is what a process function is that declares timers.
type TimerFunction[K, Out any] interface {
	// OnTimer handles a timer that is due.
	OnTimer(ctx *Context[K, Out], event TimerEvent) error
}

// TimerEvent is a timer that is due.
type TimerEvent struct {
	// Time that it was set for, in milliseconds.
	Time  int64
	timer uint32
}

// Is says whether it is this timer.
func (e TimerEvent) Is(timer *Timer) bool { return e.timer == timer.index }

// Context is what a process function sees besides the record: its key and times, and where results go.
type Context[K, Out any] struct {
	inner *runtime.Context[K, Out]
}

// Key is the key of the record or timer in hand.
func (c *Context[K, Out]) Key() K { return c.inner.Key() }

// Time is the event time of the record, or the time the timer was set for, in milliseconds.
func (c *Context[K, Out]) Time() int64 { return c.inner.Time }

// Watermark is that of the operator: no record before it is expected any more. The least int64 before the first.
func (c *Context[K, Out]) Watermark() int64 { return c.inner.At.Watermark }

// Now is processing time as the host hands it out, in milliseconds.
func (c *Context[K, Out]) Now() int64 { return c.inner.At.Now }

// Emit hands on a record at the time of this context.
func (c *Context[K, Out]) Emit(record Out) { c.inner.Emit(record, c.inner.Time) }

// EmitAt hands on a record at another event time.
func (c *Context[K, Out]) EmitAt(record Out, time int64) { c.inner.Emit(record, time) }

// Declare declares what a process function has. Names are part of the plan: state is found by them across versions of the job.
type Declare struct {
	graph    *graph
	operator uint32
	name     string
	cursor   *runtime.Cursor
	now      *int64
	states   []plan.State
	tables   []runtime.Table
	// shared is the cursor of broadcast state.
	shared       *runtime.Cursor
	sharedStates []plan.State
	sharedTables []runtime.Table
	timers       []plan.Timer
	sides        []side
}

// side is a declared side output.
type side struct {
	port runtime.AnyPort
	add  func()
}

// EventTimer declares a timer driven by watermarks.
func (d *Declare) EventTimer(name string) *Timer { return d.timer(name, plan.Event) }

// ProcessingTimer declares a timer driven by the host's clock.
func (d *Declare) ProcessingTimer(name string) *Timer { return d.timer(name, plan.Processing) }

func (d *Declare) timer(name, domain string) *Timer {
	d.timers = append(d.timers, plan.Timer{Name: name, Domain: domain})
	return &Timer{call: d.graph.call, cursor: d.cursor, index: uint32(len(d.timers) - 1)}
}

func (d *Declare) table(name string, table runtime.Table) {
	d.states = append(d.states, table.Declare(name))
	d.tables = append(d.tables, table)
}

// Timer is a declared timer: any number of times per key at which OnTimer is called. Its methods are about the key in hand.
type Timer struct {
	call   *runtime.Call
	cursor *runtime.Cursor
	index  uint32
}

// Add sets a timer beside those that are set; one of the same time is the same timer.
func (t *Timer) Add(time int64) { t.cursor.Timer(t.call, t.index, runtime.AddTimer, time) }

// Replace sets a timer in place of all others of this name.
func (t *Timer) Replace(time int64) { t.cursor.Timer(t.call, t.index, runtime.ReplaceTimer, time) }

// Delete removes the timer of exactly this time, if there is one.
func (t *Timer) Delete(time int64) { t.cursor.Timer(t.call, t.index, runtime.DeleteTimer, time) }

// Clear removes all timers of this name.
func (t *Timer) Clear() { t.cursor.Timer(t.call, t.index, runtime.ClearTimers, 0) }

// Side is a declared side output.
type Side[S any] struct {
	push    runtime.Push[S]
	declare *Declare
	out     S
}

// Emit hands on a record at the time of the record or timer in hand.
func (s *Side[S]) Emit(record S) {
	if d := s.declare; !d.cursor.Active() && !d.shared.Active() {
		panic("a side output takes records only while the function that declared it handles a record or a timer")
	}
	s.out = record
	s.push(&s.out, *s.declare.now)
}

// NewSide declares an output beside the main one; [SideOutput] of the same name gives the stream of its records.
func NewSide[S any](d *Declare, name string) *Side[S] {
	layout := layoutOf[S](d.graph)
	port := runtime.NewPort[S](d.graph.call, d.operator, uint32(len(d.sides)+1), layout, layout.Schema)
	d.sides = append(d.sides, side{port: port, add: func() { addOutput[S](d.graph, d.operator, name, layout) }})
	return &Side[S]{push: port.Push(), declare: d}
}

// Process handles the stream with state and timers: a function makes the [ProcessFunction] from what it declares.
func Process[F ProcessFunction[K, T, Out], K, T, Out any](stream *KeyedStream[K, T], name string, make func(*Declare) F) *Stream[Out] {
	p := newProcess[K, Out](stream.stream.graph, name, stream.key)
	function := make(p.declare)
	addInput(p, stream, func(record T) error { return function.OnRecord(p.context, record) })
	return p.finish(function)
}

// Process2 handles two streams of the same key with common state and timers: a function makes the [ProcessFunction2] from what it
// declares.
func Process2[F ProcessFunction2[K, A, B, Out], K, A, B, Out any](
	first *KeyedStream[K, A], second *KeyedStream[K, B], name string, make func(*Declare) F,
) *Stream[Out] {
	p := newProcess[K, Out](first.stream.graph, name, first.key)
	function := make(p.declare)
	addInput(p, first, func(record A) error { return function.OnFirst(p.context, record) })
	addInput(p, second, func(record B) error { return function.OnSecond(p.context, record) })
	return p.finish(function)
}

// process is a process function being added.
type process[K, Out any] struct {
	graph    *graph
	declare  *Declare
	context  *Context[K, Out]
	guest    *runtime.Keyed[K, Out]
	layout   *record.Layout
	operator *plan.Operator
	body     *plan.Process
}

func newProcess[K, Out any](g *graph, name string, key *record.Layout) *process[K, Out] {
	id := g.nextID()
	inner := runtime.NewContext[K, Out](g.call, id, key)
	layout := layoutOf[Out](g)
	body := &plan.Process{}
	return &process[K, Out]{
		graph: g,
		declare: &Declare{
			graph: g, operator: id, name: name, cursor: &runtime.Cursor{}, shared: runtime.NewSharedCursor(), now: &inner.Time,
		},
		context:  &Context[K, Out]{inner: inner},
		layout:   layout,
		body:     body,
		operator: &plan.Operator{Name: name, Kind: plan.Kind{Process: body}},
		guest: &runtime.Keyed[K, Out]{
			Call: g.call, ID: id, Key: key, Context: inner, Out: runtime.NewPort[Out](g.call, id, 0, layout, layout.Schema),
		},
	}
}

func addInput[K, T, Out any](p *process[K, Out], stream *KeyedStream[K, T], function func(T) error) {
	p.guest.Inputs = append(p.guest.Inputs, runtime.NewInput(stream.stream.layout, false, function))
	p.guest.Keys = append(p.guest.Keys, stream.indexes())
	p.operator.Inputs = append(p.operator.Inputs, stream.stream.keyedInput())
	p.body.Keys = append(p.body.Keys, stream.fields)
}

func (p *process[K, Out]) finish(function any) *Stream[Out] {
	d := p.declare
	timers, handles := function.(TimerFunction[K, Out])
	// Those that sweep state begin with a dollar sign and are the runtime's.
	own := slices.ContainsFunc(d.timers, func(timer plan.Timer) bool { return !strings.HasPrefix(timer.Name, "$") })
	if own && !handles {
		var context *Context[K, Out]
		p.graph.fault("operator %q declares timers, so %T needs a method OnTimer(ctx %s, event tidemill.TimerEvent) error", p.operator.Name, function,
			reflect.TypeOf(context))
	}
	p.guest.Timer = func(timer uint32, time int64) error {
		if !handles {
			panic(fmt.Sprintf("the host fired timer %d of an operator that has none", timer))
		}
		return timers.OnTimer(p.context, TimerEvent{timer: timer, Time: time})
	}
	p.body.State, p.body.Timers = d.states, d.timers
	p.guest.Slots = runtime.NewSlots(d.cursor, slices.Concat(d.states, d.sharedStates), slices.Concat(d.tables, d.sharedTables))
	if p.body.Broadcast != nil {
		p.body.Broadcast.State = append(p.body.Broadcast.State, d.sharedStates...)
		p.guest.Slots.Share(d.shared)
	} else if len(d.sharedStates) > 0 {
		p.graph.fault("operator %q declares broadcast state, but no stream is broadcast to it: see ProcessBroadcast", p.operator.Name)
	}
	for _, side := range d.sides {
		p.guest.Sides = append(p.guest.Sides, side.port)
	}
	stream := added[Out](p.graph, p.operator, p.guest, p.layout, p.layout.Schema)
	for _, side := range d.sides {
		side.add()
	}
	return stream
}
