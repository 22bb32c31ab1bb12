package tidemill

import (
	"iter"
	"time"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
)

// TTL says how long state lives after it was written last: a value as a whole, of a list each record and of a map each entry.
//
// What has expired is never seen again, and is removed in the end, also of a key that no record comes for. In event time an entry is as
// old as the record it was written for, or as the watermark where that is further on, and expires when the watermark comes to its end;
// in processing time the host's clock counts.
type TTL struct {
	ttl runtime.TTL
	err error
}

// EventTimeTTL lets state live for so long in event time.
func EventTimeTTL(span time.Duration) TTL { return newTTL(span, false) }

// ProcessingTimeTTL lets state live for so long in processing time.
func ProcessingTimeTTL(span time.Duration) TTL { return newTTL(span, true) }

func newTTL(span time.Duration, processing bool) TTL {
	ms, err := millis("the time-to-live of state", span)
	return TTL{ttl: runtime.TTL{Ms: ms, Processing: processing}, err: err}
}

// RenewedByReads says that reading an entry lets it live on as writing it does.
func (t TTL) RenewedByReads() TTL {
	t.ttl.OnRead = true
	return t
}

// expires notes that a piece of state does, and declares the timer of the runtime that sweeps it.
func (d *Declare) expires(ttl TTL) {
	d.graph.check(ttl.err)
	d.cursor.Expiry().Sweeper(ttl.ttl.Processing, func() uint32 {
		if ttl.ttl.Processing {
			return d.ProcessingTimer("$expire-processing").index
		}
		return d.EventTimer("$expire-event").index
	})
}

// ExpiringValue is a value per key that expires. Its methods are about the key of the record or timer in hand.
type ExpiringValue[T any] struct {
	table *runtime.ExpiringValueTable[T]
}

// NewExpiringValue declares a value per key that lives for a time.
func NewExpiringValue[T any](d *Declare, name string, ttl TTL) *ExpiringValue[T] {
	d.expires(ttl)
	table, err := runtime.NewExpiringValueTable[T](d.cursor, ttl.ttl, layoutOf[T](d.graph))
	if err != nil {
		// What is wrong with the type has been noted.
		return &ExpiringValue[T]{}
	}
	d.table(name, table)
	return &ExpiringValue[T]{table: table}
}

// Get gives the value, and whether there is one. Slices in it are not to be changed in place: use Set or Update.
func (v *ExpiringValue[T]) Get() (T, bool) { return v.table.Get() }

// Or gives the value, or another one where there is none.
func (v *ExpiringValue[T]) Or(otherwise T) T {
	if value, found := v.table.Get(); found {
		return value
	}
	return otherwise
}

// Set replaces the value.
func (v *ExpiringValue[T]) Set(value T) { v.table.Set(value) }

// Update changes the value; where there is none, it is the zero value.
func (v *ExpiringValue[T]) Update(change func(value *T)) {
	value, _ := v.table.Get()
	change(&value)
	v.table.Set(value)
}

// Take removes the value and gives what it was.
func (v *ExpiringValue[T]) Take() (T, bool) { return v.table.Take() }

// Clear removes the value.
func (v *ExpiringValue[T]) Clear() { v.table.Take() }

// ExpiringList is a list per key of which each record expires by itself. Its methods are about the key of the record or timer in hand.
type ExpiringList[T any] struct {
	table *runtime.ExpiringListTable[T]
}

// NewExpiringList declares a list per key, each record of which lives for a time.
func NewExpiringList[T any](d *Declare, name string, ttl TTL) *ExpiringList[T] {
	d.expires(ttl)
	table, err := runtime.NewExpiringListTable[T](d.cursor, ttl.ttl, layoutOf[T](d.graph))
	if err != nil {
		return &ExpiringList[T]{}
	}
	d.table(name, table)
	return &ExpiringList[T]{table: table}
}

// Get gives the records that have not expired, in the order they were added.
func (l *ExpiringList[T]) Get() []T { return l.table.Get() }

// Add appends a record.
func (l *ExpiringList[T]) Add(record T) { l.table.Add(record) }

// Set replaces the list; all of it is written now.
func (l *ExpiringList[T]) Set(records []T) { l.table.Set(records) }

// Clear empties the list.
func (l *ExpiringList[T]) Clear() { l.table.Clear() }

// ExpiringMap is a map per key of the stream of which each entry expires by itself. Its methods are about the stream's key of the record
// or timer in hand.
type ExpiringMap[K, V any] struct {
	table *runtime.ExpiringMapTable[K, V]
}

// NewExpiringMap declares a map per key of the stream, each entry of which lives for a time.
func NewExpiringMap[K, V any](d *Declare, name string, ttl TTL) *ExpiringMap[K, V] {
	d.expires(ttl)
	keys := keyLayoutOf[K](d.graph)
	layoutOf[V](d.graph)
	table, err := runtime.NewExpiringMapTable[K, V](d.cursor, ttl.ttl, keys)
	if err != nil {
		return &ExpiringMap[K, V]{}
	}
	d.table(name, table)
	return &ExpiringMap[K, V]{table: table}
}

// Get gives the value of a key, and whether it has one.
func (m *ExpiringMap[K, V]) Get(key K) (V, bool) { return m.table.Get(key) }

// Set sets the value of a key.
func (m *ExpiringMap[K, V]) Set(key K, value V) { m.table.Set(key, value) }

// Update changes the value of a key; where there is none, it is the zero value.
func (m *ExpiringMap[K, V]) Update(key K, change func(value *V)) {
	value, _ := m.table.Get(key)
	change(&value)
	m.table.Set(key, value)
}

// Delete removes a key and says whether it had a value.
func (m *ExpiringMap[K, V]) Delete(key K) bool { return m.table.Delete(key) }

// All goes through the entries that have not expired, in the order of their keys. This reads each of them.
func (m *ExpiringMap[K, V]) All() iter.Seq2[K, V] { return m.table.Each }

// Clear empties the map.
func (m *ExpiringMap[K, V]) Clear() { m.table.Clear() }
