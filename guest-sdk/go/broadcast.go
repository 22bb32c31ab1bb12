package tidemill

import (
	"iter"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
)

// BroadcastFunction is a function over a stream and a broadcast one, of which every worker gets every record. Only records of the
// broadcast stream can change what is shared, so all workers come to the same, whatever their share of the data. In which order
// records of the two streams meet is not said.
//
// It has a method OnKey too, see [KeyFunction], where broadcast records are to be applied to every key, and a method OnTimer, see
// [TimerFunction], where it declares timers.
type BroadcastFunction[K, T, B, Out any] interface {
	// OnRecord handles a record of the stream, which can read what is shared.
	OnRecord(ctx *Context[K, Out], record T) error
	// OnBroadcast handles a record of the broadcast stream, which can change what is shared. It runs on every worker, and what it
	// emits is emitted by each.
	OnBroadcast(ctx *BroadcastContext[Out], record B) error
}

// KeyFunction is what a broadcast function is whose broadcast records are applied to every key.
type KeyFunction[K, B, Out any] interface {
	// OnKey applies a record of the broadcast stream to a key that has state or a timer, each key once. It follows OnBroadcast, unless
	// that refused the record.
	OnKey(ctx *Context[K, Out], record B) error
}

// BroadcastContext is what a record of a broadcast stream sees.
type BroadcastContext[Out any] struct {
	inner *runtime.Emitting[Out]
}

// Time is the event time of the record, in milliseconds.
func (c *BroadcastContext[Out]) Time() int64 { return c.inner.Time }

// Watermark is that of the operator. The least int64 before the first.
func (c *BroadcastContext[Out]) Watermark() int64 { return c.inner.At.Watermark }

// Now is processing time as the host hands it out, in milliseconds.
func (c *BroadcastContext[Out]) Now() int64 { return c.inner.At.Now }

// Emit hands on a record at the time of this context, on every worker.
func (c *BroadcastContext[Out]) Emit(record Out) { c.inner.Emit(record, c.inner.Time) }

func (c *BroadcastContext[Out]) changing() {}

// Changing is the context in which what is shared may be changed: a [BroadcastContext].
type Changing interface{ changing() }

// BroadcastValue is a value that all keys share: a record, or nothing.
type BroadcastValue[T any] struct{ value ValueState[T] }

// NewBroadcastValue declares a value that all keys share.
func NewBroadcastValue[T any](d *Declare, name string) *BroadcastValue[T] {
	table := runtime.NewValueTable[T](d.shared, plan.Value, layoutOf[T](d.graph))
	d.share(name, table)
	return &BroadcastValue[T]{ValueState[T]{table: table}}
}

// Get gives the value, and whether there is one. Slices in it are not to be changed in place.
func (v *BroadcastValue[T]) Get() (T, bool) { return v.value.Get() }

// Or gives the value, or another one where there is none.
func (v *BroadcastValue[T]) Or(otherwise T) T { return v.value.Or(otherwise) }

// Change gives the value to change, until OnBroadcast returns.
func (v *BroadcastValue[T]) Change(Changing) *ValueState[T] { return &v.value }

// BroadcastMap is a map that all keys share. Its entries are in the order of their keys.
type BroadcastMap[K, V any] struct{ entries MapState[K, V] }

// NewBroadcastMap declares a map that all keys share.
func NewBroadcastMap[K, V any](d *Declare, name string) *BroadcastMap[K, V] {
	keys := keyLayoutOf[K](d.graph)
	layoutOf[V](d.graph)
	table, err := runtime.NewMapTable[K, V](d.shared, keys)
	if err != nil {
		// What is wrong with the key or the value has been noted.
		return &BroadcastMap[K, V]{}
	}
	d.share(name, table)
	return &BroadcastMap[K, V]{MapState[K, V]{table: table}}
}

// Get gives the value of a key, and whether it has one.
func (m *BroadcastMap[K, V]) Get(key K) (V, bool) { return m.entries.Get(key) }

// Len is how many entries it has.
func (m *BroadcastMap[K, V]) Len() int { return m.entries.Len() }

// All goes through the entries in the order of their keys.
func (m *BroadcastMap[K, V]) All() iter.Seq2[K, V] { return m.entries.All() }

// Change gives the map to change, until OnBroadcast returns.
func (m *BroadcastMap[K, V]) Change(Changing) *MapState[K, V] { return &m.entries }

func (d *Declare) share(name string, table runtime.Table) {
	d.sharedStates = append(d.sharedStates, table.Declare(name))
	d.sharedTables = append(d.sharedTables, table)
}

// ProcessBroadcast handles a keyed stream beside a broadcast one: a function makes the [BroadcastFunction] from what it declares.
func ProcessBroadcast[F BroadcastFunction[K, T, B, Out], K, T, B, Out any](
	stream *KeyedStream[K, T], broadcast *Stream[B], name string, make func(*Declare) F,
) *Stream[Out] {
	p := newProcess[K, Out](stream.stream.graph, name, stream.key)
	function := make(p.declare)
	addInput(p, stream, func(record T) error { return function.OnRecord(p.context, record) })
	addBroadcast(p, broadcast, function)
	return p.finish(function)
}

// ProcessBroadcastAll handles a stream without a key beside a broadcast one. There is no state but what is shared, and no timer.
func ProcessBroadcastAll[F BroadcastFunction[struct{}, T, B, Out], T, B, Out any](
	stream *Stream[T], broadcast *Stream[B], name string, make func(*Declare) F,
) *Stream[Out] {
	g := stream.graph
	keyed := &KeyedStream[struct{}, T]{stream: stream, key: layoutOf[struct{}](g), fields: []string{}}
	p := newProcess[struct{}, Out](g, name, keyed.key)
	function := make(p.declare)
	addInput(p, keyed, func(record T) error { return function.OnRecord(p.context, record) })
	p.operator.Inputs[0] = stream.input()
	addBroadcast(p, broadcast, function)
	if len(p.declare.states)+len(p.declare.timers) > 0 {
		g.fault("operator %q has records without a key, so it has no state but what is shared, and no timers", name)
	}
	if p.body.Broadcast.Apply {
		g.fault("operator %q has records without a key, so there is no key for OnKey", name)
	}
	return p.finish(function)
}

func addBroadcast[F BroadcastFunction[K, T, B, Out], K, T, B, Out any](p *process[K, Out], stream *Stream[B], function F) {
	context := &BroadcastContext[Out]{inner: &p.context.inner.Emitting}
	broadcast := &runtime.Broadcast{
		Input:  runtime.NewInput(stream.layout, false, func(record B) error { return function.OnBroadcast(context, record) }),
		Cursor: p.declare.shared,
	}
	applied, applies := any(function).(KeyFunction[K, B, Out])
	if applies {
		broadcast.Applied = runtime.NewInput(stream.layout, false, func(record B) error { return applied.OnKey(p.context, record) })
	}
	p.guest.Broadcast = broadcast
	p.body.Broadcast = &plan.Broadcast{State: []plan.State{}, Apply: applies}
	input := stream.input()
	input.Partition = &plan.Partition{Name: "broadcast"}
	p.operator.Inputs = append(p.operator.Inputs, input)
}

// sameKeys notes where keys of several streams do not have the same columns.
func (g *graph) sameKeys(what string, keys ...*record.Layout) {
	for _, key := range keys[1:] {
		same := len(key.Schema) == len(keys[0].Schema)
		for i := range min(len(key.Schema), len(keys[0].Schema)) {
			same = same && key.Schema[i].Type == keys[0].Schema[i].Type && key.Schema[i].Optional == keys[0].Schema[i].Optional
		}
		if !same {
			g.fault("%s: keys are of the same types, not %s and %s", what, keys[0].Type, key.Type)
		}
	}
}
