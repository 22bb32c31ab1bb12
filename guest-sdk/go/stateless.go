package tidemill

import (
	"fmt"
	"reflect"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// Emitter takes the records that a function emits.
type Emitter[T any] struct {
	down runtime.Push[T]
	call *runtime.Call
	id   uint32
	time int64
	out  T
}

// Emit hands on a record; its event time is that of the record or window in hand.
func (e *Emitter[T]) Emit(record T) {
	e.out = record
	e.down(&e.out, e.time)
	e.call.Operator = e.id
}

// Map turns each record into one.
func Map[T, Out any](stream *Stream[T], name string, f func(T) Out) *Stream[Out] {
	return stateless(stream, name, plan.Kind{Name: plan.Map}, func(s stage[Out]) runtime.Push[T] {
		var out Out
		return func(record *T, time int64) {
			s.call.Operator = s.id
			out = f(*record)
			s.down(&out, time)
		}
	})
}

// TryMap turns each record into one, or refuses it by an error.
func TryMap[T, Out any](stream *Stream[T], name string, f func(T) (Out, error)) *Stream[Out] {
	return stateless(stream, name, plan.Kind{Name: plan.Map}, func(s stage[Out]) runtime.Push[T] {
		var out Out
		return func(record *T, time int64) {
			s.call.Operator = s.id
			var err error
			if out, err = f(*record); err != nil {
				s.call.Refuse(s.id, err)
				return
			}
			s.down(&out, time)
		}
	})
}

// FlatMap turns each record into any number of records.
func FlatMap[T, Out any](stream *Stream[T], name string, f func(record T, out *Emitter[Out])) *Stream[Out] {
	return stateless(stream, name, plan.Kind{Name: plan.FlatMap}, func(s stage[Out]) runtime.Push[T] {
		emitter := &Emitter[Out]{down: s.down, call: s.call, id: s.id}
		return func(record *T, time int64) {
			s.call.Operator = s.id
			emitter.time = time
			f(*record, emitter)
		}
	})
}

// TryFlatMap turns each record into any number of records, or refuses it by an error; what it emitted is then taken back.
func TryFlatMap[T, Out any](stream *Stream[T], name string, f func(record T, out *Emitter[Out]) error) *Stream[Out] {
	return stateless(stream, name, plan.Kind{Name: plan.FlatMap}, func(s stage[Out]) runtime.Push[T] {
		emitter := &Emitter[Out]{down: s.down, call: s.call, id: s.id}
		return func(record *T, time int64) {
			s.call.Operator = s.id
			emitter.time = time
			s.exits.Mark()
			if err := f(*record, emitter); err != nil {
				s.exits.Refuse(s.id, err)
			}
		}
	})
}

// Filter keeps the records for which a function says so.
func Filter[T any](stream *Stream[T], name string, keep func(T) bool) *Stream[T] {
	return TryFilter(stream, name, func(record T) (bool, error) { return keep(record), nil })
}

// TryFilter keeps the records for which a function says so, and refuses those for which it gives an error.
func TryFilter[T any](stream *Stream[T], name string, keep func(T) (bool, error)) *Stream[T] {
	g, layout := stream.graph, stream.layout
	id := g.nextID()
	base := runtime.Stateless[T, T]{
		Call: g.call, ID: id, In: layout, Out: runtime.NewPort[T](g.call, id, 0, layout, layout.Schema),
	}
	operator := &plan.Operator{Name: name, Kind: plan.Kind{Name: plan.Filter}, Inputs: []plan.Input{stream.input()}}
	return added[T](g, operator, runtime.NewFilter(base, keep), layout, layout.Schema)
}

// Split sends each record to a main output, to a side output of the given port name, to both or to neither.
func Split[T, Out, Side any](stream *Stream[T], name, sideName string, f func(record T, out *Emitter[Out], side *Emitter[Side]),
) (*Stream[Out], *Stream[Side]) {
	g := stream.graph
	id := g.nextID()
	layout := layoutOf[Side](g)
	port := runtime.NewPort[Side](g.call, id, 1, layout, layout.Schema)
	main := stateless(stream, name, plan.Kind{Name: plan.FlatMap}, func(s stage[Out]) runtime.Push[T] {
		out := &Emitter[Out]{down: s.down, call: s.call, id: id}
		side := &Emitter[Side]{down: port.Push(), call: s.call, id: id}
		return func(record *T, time int64) {
			s.call.Operator = id
			out.time, side.time = time, time
			f(*record, out, side)
		}
	}, port)
	return main, addOutput[Side](g, id, sideName, layout)
}

// AssignEventTime gives each record an event time in milliseconds, from which watermarks follow. Prefer [Stream.EventTime] of a source, which
// costs nothing; this must come right behind a source.
func AssignEventTime[T any](stream *Stream[T], name string, eventTime func(T) int64, watermarks Watermarks) *Stream[T] {
	stream.graph.check(watermarks.err)
	kind := plan.Kind{Timestamps: &watermarks.plan}
	return stateless(stream, name, kind, func(s stage[T]) runtime.Push[T] {
		return func(record *T, _ int64) {
			s.call.Operator = s.id
			s.down(record, eventTime(*record))
		}
	})
}

// KeyBy partitions the stream by fields, given by the names of their columns; the host does it. The type of the key is that of the field, or a
// struct of the types of several, whose own names are meant where none are given.
func KeyBy[K, T any](stream *Stream[T], fields ...string) *KeyedStream[K, T] {
	key := keyLayoutOf[K](stream.graph)
	if len(fields) == 0 {
		for _, column := range key.Schema {
			fields = append(fields, column.Name)
		}
	}
	what := fmt.Sprintf("the key %s", reflect.TypeFor[K]())
	if len(fields) != len(key.Schema) {
		stream.graph.fault("%s has %d columns, but KeyBy names %d fields", what, len(key.Schema), len(fields))
		fields = fields[:min(len(fields), len(key.Schema))]
	}
	for i, field := range fields {
		column, _ := stream.column(what, field)
		wanted := key.Schema[i]
		if column.Type != 0 && (column.Type != wanted.Type || column.Optional != wanted.Optional) {
			stream.graph.fault("%s does not fit field %q: that one is %s", what, field, schema.Schema{column}.String()[len(field)+1:])
		}
	}
	return &KeyedStream[K, T]{stream: stream, key: key, fields: fields}
}

// KeyByFunc partitions the stream by a key that is computed.
func KeyByFunc[K, T any](stream *Stream[T], name string, key func(T) K) *KeyedStream[K, T] {
	layout := keyLayoutOf[K](stream.graph)
	columns := layout.Renamed(func(i int) string { return fmt.Sprintf("$key%d", i) })
	fields := make([]string, len(columns))
	for i, column := range columns {
		fields[i] = column.Name
	}
	return &KeyedStream[K, T]{stream: withColumns(stream, name, columns, key), key: layout, fields: fields}
}

// with is a record with further columns behind it, which readers of the record do not see.
type with[T, X any] struct {
	Record T `tidemill:",flatten"`
	Extra  X `tidemill:",flatten"`
}

// withColumns puts columns behind each record.
func withColumns[T, X any](stream *Stream[T], name string, columns schema.Schema, extra func(T) X) *Stream[T] {
	g := stream.graph
	layout, err := record.Of[with[T, X]]()
	if err != nil {
		g.check(err)
		layout = &record.Layout{Type: reflect.TypeFor[with[T, X]]()}
	}
	id := g.nextID()
	whole := stream.layout.Schema.With(columns...)
	guest := &runtime.Stateless[T, with[T, X]]{
		Call: g.call, ID: id, In: stream.layout, Out: runtime.NewPort[with[T, X]](g.call, id, 0, layout, whole),
		Compose: func(down runtime.Push[with[T, X]], _ *runtime.Exits) runtime.Push[T] {
			var out with[T, X]
			return func(record *T, time int64) {
				g.call.Operator = id
				out.Record, out.Extra = *record, extra(*record)
				down(&out, time)
			}
		},
	}
	operator := &plan.Operator{Name: name, Kind: plan.Kind{Name: plan.KeyBy}, Inputs: []plan.Input{stream.input()}}
	return added[T](g, operator, guest, stream.layout, whole)
}

// stage is what a stateless operator is made of.
type stage[Out any] struct {
	call  *runtime.Call
	id    uint32
	down  runtime.Push[Out]
	exits *runtime.Exits
}

// stateless adds an operator that keeps nothing between records.
func stateless[T, Out any](stream *Stream[T], name string, kind plan.Kind, compose func(stage[Out]) runtime.Push[T],
	sides ...runtime.AnyPort,
) *Stream[Out] {
	g := stream.graph
	id := g.nextID()
	layout := layoutOf[Out](g)
	guest := &runtime.Stateless[T, Out]{
		Call: g.call, ID: id, In: stream.layout, Out: runtime.NewPort[Out](g.call, id, 0, layout, layout.Schema), Sides: sides,
		Compose: func(down runtime.Push[Out], exits *runtime.Exits) runtime.Push[T] {
			return compose(stage[Out]{call: g.call, id: id, down: down, exits: exits})
		},
	}
	operator := &plan.Operator{Name: name, Kind: kind, Inputs: []plan.Input{stream.input()}}
	return added[Out](g, operator, guest, layout, layout.Schema)
}
