package tidemill

import (
	"iter"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
)

// ValueState is a value per key: a record, or nothing. Its methods are about the key of the record or timer in hand.
type ValueState[T any] struct{ table *runtime.ValueTable[T] }

// NewValue declares a value per key.
func NewValue[T any](d *Declare, name string) *ValueState[T] {
	table := runtime.NewValueTable[T](d.cursor, plan.Value, layoutOf[T](d.graph))
	d.table(name, table)
	return &ValueState[T]{table: table}
}

// Get gives the value, and whether there is one. Slices in it are not to be changed in place: use Set or Update.
func (v *ValueState[T]) Get() (T, bool) {
	value, found := v.table.Get()
	return *value, found
}

// Or gives the value, or another one where there is none.
func (v *ValueState[T]) Or(otherwise T) T {
	if value, found := v.table.Get(); found {
		return *value
	}
	return otherwise
}

// Set replaces the value.
func (v *ValueState[T]) Set(value T) { v.table.Set(value) }

// Update changes the value; where there is none yet, it is the zero value.
func (v *ValueState[T]) Update(change func(value *T)) {
	change(v.table.Change())
	v.table.Settle()
}

// Take removes the value and gives what it was.
func (v *ValueState[T]) Take() (T, bool) { return v.table.Take() }

// Clear removes the value.
func (v *ValueState[T]) Clear() { v.table.Take() }

// ReducingState is a record per key, to which others are added by a function. Its methods are about the key in hand.
type ReducingState[T any] struct {
	value  *ValueState[T]
	reduce func(a, b T) T
}

// NewReducing declares a record per key, to which others are added by a function: the first argument is what there is, the second what
// comes.
func NewReducing[T any](d *Declare, name string, reduce func(a, b T) T) *ReducingState[T] {
	return &ReducingState[T]{value: NewValue[T](d, name), reduce: reduce}
}

// Add adds a record; the first is kept as it is.
func (r *ReducingState[T]) Add(record T) {
	if before, found := r.value.Get(); found {
		record = r.reduce(before, record)
	}
	r.value.Set(record)
}

// Get gives what all records added so far come to, and whether there was one.
func (r *ReducingState[T]) Get() (T, bool) { return r.value.Get() }

// Clear begins anew.
func (r *ReducingState[T]) Clear() { r.value.Clear() }

// AggregatingState is an accumulator per key: an [Aggregator] outside of windows. Its methods are about the key in hand.
type AggregatingState[T, Acc, R any] struct {
	value      *ValueState[Acc]
	aggregator Aggregator[T, Acc, R]
}

// NewAggregating declares an accumulator per key.
func NewAggregating[T, Acc, R any](d *Declare, name string, aggregator Aggregator[T, Acc, R]) *AggregatingState[T, Acc, R] {
	if aggregator.Add == nil || aggregator.Result == nil {
		d.graph.fault("the aggregator of state %q of operator %q lacks Add or Result", name, d.name)
	}
	return &AggregatingState[T, Acc, R]{value: NewValue[Acc](d, name), aggregator: aggregator}
}

// Add adds a record.
func (a *AggregatingState[T, Acc, R]) Add(record T) {
	if _, found := a.value.Get(); !found && a.aggregator.Start != nil {
		a.value.Set(a.aggregator.Start())
	}
	a.value.Update(func(acc *Acc) { a.aggregator.Add(acc, record) })
}

// Get gives the result of all records added so far, and whether there was one.
func (a *AggregatingState[T, Acc, R]) Get() (result R, found bool) {
	acc, found := a.value.Get()
	if !found {
		return result, false
	}
	return a.aggregator.Result(acc), true
}

// Clear begins anew.
func (a *AggregatingState[T, Acc, R]) Clear() { a.value.Clear() }

// ListState is a list of records per key, in the order they were added. Its methods are about the key of the record or timer in hand.
//
// The whole list is loaded and saved with its key: it is meant for tens or hundreds of records, not for a log.
type ListState[T any] struct{ table *runtime.ListTable[T] }

// NewList declares a list per key.
func NewList[T any](d *Declare, name string) *ListState[T] {
	table := runtime.NewListTable[T](d.cursor, layoutOf[T](d.graph))
	d.table(name, table)
	return &ListState[T]{table: table}
}

// Get gives the list. It is not to be changed in place: use Add, Set or Retain.
func (l *ListState[T]) Get() []T { return l.table.Get() }

// Len is how many records it has.
func (l *ListState[T]) Len() int { return len(l.table.Get()) }

// Add appends a record.
func (l *ListState[T]) Add(record T) { l.table.Add(record) }

// Set replaces the list.
func (l *ListState[T]) Set(records []T) { l.table.Set(records) }

// Retain keeps the records for which a function says so.
func (l *ListState[T]) Retain(keep func(T) bool) {
	list := l.table.Get()
	kept := make([]T, 0, len(list))
	for _, record := range list {
		if keep(record) {
			kept = append(kept, record)
		}
	}
	if len(kept) < len(list) {
		l.table.Set(kept)
	}
}

// Take empties the list and gives what it held.
func (l *ListState[T]) Take() []T { return l.table.Take() }

// Clear empties the list.
func (l *ListState[T]) Clear() { l.table.Take() }

// MapState is a map per key of the stream. Its entries are in the order of their keys, so that a job does the same every time. Its
// methods are about the stream's key of the record or timer in hand.
//
// The whole map is loaded and saved with the stream's key: it is meant for tens or hundreds of entries.
type MapState[K, V any] struct{ table *runtime.MapTable[K, V] }

// NewMap declares a map per key of the stream.
func NewMap[K, V any](d *Declare, name string) *MapState[K, V] {
	keys := keyLayoutOf[K](d.graph)
	layoutOf[V](d.graph)
	table, err := runtime.NewMapTable[K, V](d.cursor, keys)
	if err != nil {
		// What is wrong with the key or the value has been noted.
		return &MapState[K, V]{}
	}
	d.table(name, table)
	return &MapState[K, V]{table: table}
}

// Get gives the value of a key, and whether it has one.
func (m *MapState[K, V]) Get(key K) (V, bool) { return m.table.Get(key) }

// Set sets the value of a key.
func (m *MapState[K, V]) Set(key K, value V) { m.table.Set(key, value) }

// Update changes the value of a key; where there is none yet, it is the zero value.
func (m *MapState[K, V]) Update(key K, change func(value *V)) {
	value, _ := m.table.Get(key)
	change(&value)
	m.table.Set(key, value)
}

// Delete removes a key and says whether it had a value.
func (m *MapState[K, V]) Delete(key K) bool { return m.table.Delete(key) }

// Len is how many entries it has.
func (m *MapState[K, V]) Len() int { return m.table.Len() }

// All goes through the entries in the order of their keys. The map may be changed meanwhile; that does not change what All goes through.
func (m *MapState[K, V]) All() iter.Seq2[K, V] { return m.table.Each }

// Clear empties the map.
func (m *MapState[K, V]) Clear() { m.table.Clear() }
