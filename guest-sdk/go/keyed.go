package tidemill

import (
	"reflect"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// KeyedStream is a stream partitioned by a key: all records of one key are handled in one place, in order.
type KeyedStream[K, T any] struct {
	stream *Stream[T]
	key    *record.Layout
	// fields are the names of the key's columns.
	fields []string
}

// KeyCount is how many records a key has had: what [KeyedStream.Count] gives.
type KeyCount[K any] struct {
	// Key of the records.
	Key K `tidemill:",flatten"`
	// Count of records so far.
	Count int64
}

// KeyValue is a running aggregate of a key: what [RollingSum], [RollingMin] and [RollingMax] give.
type KeyValue[K, V any] struct {
	// Key of the records.
	Key K `tidemill:",flatten"`
	// Value of the aggregate so far.
	Value V `tidemill:",flatten"`
}

// Window cuts the stream into windows, each key for itself.
func (k *KeyedStream[K, T]) Window(windows Windows) *WindowedStream[K, T] {
	k.stream.graph.check(windows.err)
	if by := windows.assigner.SessionBy; by != nil {
		if column, _ := k.stream.column("the gap of sessions", by.Field); column.Type != 0 && (column.Type != schema.I64 || column.Optional) {
			k.stream.graph.fault("the gap of sessions is field %q, which is no int64", by.Field)
		}
	}
	return &WindowedStream[K, T]{keyed: k, windows: windows}
}

// WindowAll makes windows over all records, in one place. Partition by a key where you can: this does not run in parallel.
func WindowAll[T any](stream *Stream[T], windows Windows) *WindowedStream[struct{}, T] {
	keyed := &KeyedStream[struct{}, T]{stream: stream, key: layoutOf[struct{}](stream.graph)}
	return keyed.Window(windows)
}

// Count counts the records of each key; every record emits the new count. The host computes it.
func (k *KeyedStream[K, T]) Count(name string) *Stream[KeyCount[K]] {
	column := schema.Column{Name: "count", Type: schema.I64}
	return rolling[KeyCount[K]](k, name, plan.Aggregate{Name: plan.Count}, &column)
}

// MinBy is the record with the least value of a field so far; every record emits it. The host computes it.
func (k *KeyedStream[K, T]) MinBy(name, field string) *Stream[T] {
	k.stream.column("operator \""+name+"\"", field)
	return rolling[T](k, name, plan.Aggregate{Name: plan.MinBy, Field: field}, nil)
}

// MaxBy is the record with the greatest value of a field so far; every record emits it. The host computes it.
func (k *KeyedStream[K, T]) MaxBy(name, field string) *Stream[T] {
	k.stream.column("operator \""+name+"\"", field)
	return rolling[T](k, name, plan.Aggregate{Name: plan.MaxBy, Field: field}, nil)
}

// RollingSum sums a field for each key; every record emits the new sum, an int64 or float64. The host computes it.
func RollingSum[V, K, T any](keyed *KeyedStream[K, T], name, field string) *Stream[KeyValue[K, V]] {
	return rollingOf[V](keyed, name, plan.Sum, field)
}

// RollingMin is the least value of a field so far; every record emits it. The host computes it.
func RollingMin[V, K, T any](keyed *KeyedStream[K, T], name, field string) *Stream[KeyValue[K, V]] {
	return rollingOf[V](keyed, name, plan.Min, field)
}

// RollingMax is the greatest value of a field so far; every record emits it. The host computes it.
func RollingMax[V, K, T any](keyed *KeyedStream[K, T], name, field string) *Stream[KeyValue[K, V]] {
	return rollingOf[V](keyed, name, plan.Max, field)
}

func rollingOf[V, K, T any](keyed *KeyedStream[K, T], name, aggregate, field string) *Stream[KeyValue[K, V]] {
	column := aggregated[V](keyed.stream, name, aggregate, field)
	return rolling[KeyValue[K, V]](keyed, name, plan.Aggregate{Name: aggregate, Field: field}, &column)
}

// aggregated is the column of an aggregate of a field, which must be what V reads.
func aggregated[V, T any](stream *Stream[T], name, aggregate, field string) schema.Column {
	column, _ := stream.column("operator \""+name+"\"", field)
	if aggregate == plan.Sum && column.Type == schema.I32 {
		column.Type = schema.I64
	}
	value := layoutOf[V](stream.graph)
	if column.Type != 0 && (len(value.Schema) != 1 || value.Schema[0].Type != column.Type || value.Schema[0].Optional != column.Optional) {
		stream.graph.fault("operator %q: the %s of %q is %s, not %s", name, aggregate, field, column.Type, reflect.TypeFor[V]())
	}
	return column
}

// rolling is a running aggregate: the key and a column, or the whole record.
func rolling[Out, K, T any](k *KeyedStream[K, T], name string, aggregate plan.Aggregate, column *schema.Column) *Stream[Out] {
	columns := k.stream.schema
	if column != nil {
		columns = k.schema().With(*column)
	}
	layout, err := record.Of[Out]()
	if err != nil {
		k.stream.graph.check(err)
		layout = &record.Layout{Type: reflect.TypeFor[Out]()}
	}
	operator := &plan.Operator{
		Name:   name,
		Kind:   plan.Kind{Rolling: &plan.Rolling{Key: k.fields, Aggregate: aggregate}},
		Inputs: []plan.Input{k.stream.keyedInput()},
	}
	return added[Out](k.stream.graph, operator, nil, layout, columns)
}

// schema has the columns of the key.
func (k *KeyedStream[K, T]) schema() schema.Schema {
	var columns schema.Schema
	for _, field := range k.fields {
		if index := k.stream.schema.Index(field); index >= 0 {
			columns = append(columns, k.stream.schema[index])
		}
	}
	return columns
}

// indexes are those of the key's columns.
func (k *KeyedStream[K, T]) indexes() []int {
	indexes := make([]int, len(k.fields))
	for i, field := range k.fields {
		indexes[i] = max(0, k.stream.schema.Index(field))
	}
	return indexes
}

// Reduce combines each record with the result so far of its key, and emits the new result.
func Reduce[K, T any](keyed *KeyedStream[K, T], name string, f func(soFar, record T) T) *Stream[T] {
	return Process(keyed, name, func(d *Declare) *reduce[K, T] {
		return &reduce[K, T]{soFar: NewValue[T](d, "so-far"), f: f}
	})
}

type reduce[K, T any] struct {
	soFar *ValueState[T]
	f     func(T, T) T
}

func (r *reduce[K, T]) OnRecord(ctx *Context[K, T], record T) error {
	if soFar, found := r.soFar.Get(); found {
		record = r.f(soFar, record)
	}
	r.soFar.Set(record)
	ctx.Emit(record)
	return nil
}
