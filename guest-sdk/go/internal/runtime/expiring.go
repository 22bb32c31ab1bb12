package runtime

import (
	"slices"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// dated is a record with when it was written.
type dated[T any] struct {
	Value T     `tidemill:",flatten"`
	Stamp stamp `tidemill:",flatten"`
}

// sweepEntries takes out of entries what has expired, and says when the last of what is left does.
func sweepEntries[E any](l *lease, entries []E, of func(*E) *stamp) (kept []E, last int64, any bool) {
	for i := range entries {
		if !l.keeps(of(&entries[i])) {
			continue
		}
		if end, known := l.end(*of(&entries[i])); known && (!any || end > last) {
			last, any = end, true
		}
		kept = append(kept, entries[i])
	}
	return kept, last, any
}

// ExpiringValueTable has a value per slot that expires, or none.
type ExpiringValueTable[T any] struct {
	ValueTable[dated[T]]
	lease
	value *record.Layout
}

// NewExpiringValueTable makes a table of records that expire.
func NewExpiringValueTable[T any](at *Cursor, ttl TTL, value *record.Layout) (*ExpiringValueTable[T], error) {
	layout, err := record.Of[dated[T]]()
	if err != nil {
		return nil, err
	}
	return &ExpiringValueTable[T]{
		ValueTable: *NewValueTable[dated[T]](at, plan.Value, layout), lease: lease{ttl, at.Expiry()}, value: value,
	}, nil
}

// Declare says how the plan declares it.
func (t *ExpiringValueTable[T]) Declare(name string) plan.State {
	columns := t.value.Schema.With(schema.Column{Name: "$event", Type: schema.I64}, schema.Column{Name: "$processing", Type: schema.I64})
	return plan.State{Name: name, Kind: plan.Value, Schema: plan.Schema(columns), TTL: t.ttl.Plan()}
}

// seen is the entry at the cursor, where it may be seen.
func (t *ExpiringValueTable[T]) seen() (*dated[T], bool) {
	entry := t.here()
	return &entry.value, entry.present && t.live(entry.value.Stamp)
}

// Get gives the value at the cursor.
func (t *ExpiringValueTable[T]) Get() (value T, found bool) {
	entry, found := t.seen()
	if !found {
		return value, false
	}
	if fresh, renews := t.read(entry.Stamp); renews {
		entry = &t.changing(0, t.copyOf).value
		entry.Stamp = fresh
	}
	return entry.Value, true
}

// Set replaces the value at the cursor.
func (t *ExpiringValueTable[T]) Set(value T) {
	var before stamp
	if entry, found := t.seen(); found {
		before = entry.Stamp
	}
	t.ValueTable.Set(dated[T]{Value: value, Stamp: t.renewed(before)})
}

// Take removes the value at the cursor.
func (t *ExpiringValueTable[T]) Take() (value T, found bool) {
	_, seen := t.seen()
	if entry, _ := t.ValueTable.Take(); seen {
		return entry.Value, true
	}
	return value, false
}

func (t *ExpiringValueTable[T]) sweep(slot uint32, domain int) (int64, bool) {
	entry := &t.slots[slot]
	if domain != t.ttl.domain() {
		return 0, false
	}
	t.at.flags |= changed | cleared
	if entry.present && !t.keeps(&entry.value.Stamp) {
		*entry = held[dated[T]]{}
	}
	if !entry.present {
		return 0, false
	}
	return t.end(entry.value.Stamp)
}

// ExpiringListTable has a list per slot, of which each record expires by itself.
type ExpiringListTable[T any] struct {
	ListTable[dated[T]]
	lease
	value *record.Layout
}

// NewExpiringListTable makes a table of lists of records that expire.
func NewExpiringListTable[T any](at *Cursor, ttl TTL, value *record.Layout) (*ExpiringListTable[T], error) {
	layout, err := record.Of[dated[T]]()
	if err != nil {
		return nil, err
	}
	return &ExpiringListTable[T]{ListTable: *NewListTable[dated[T]](at, layout), lease: lease{ttl, at.Expiry()}, value: value}, nil
}

// Declare says how the plan declares it.
func (t *ExpiringListTable[T]) Declare(name string) plan.State {
	return plan.State{Name: name, Kind: plan.List, Schema: blockColumn, TTL: t.ttl.Plan()}
}

// Get gives the records at the cursor that have not expired.
func (t *ExpiringListTable[T]) Get() []T {
	entries := *t.here()
	var records []T
	renews := false
	for i := range entries {
		if !t.live(entries[i].Stamp) {
			continue
		}
		records = append(records, entries[i].Value)
		_, fresh := t.read(entries[i].Stamp)
		renews = renews || fresh
	}
	if renews {
		entries = *t.changing(0, t.copyOf)
		for i := range entries {
			if t.live(entries[i].Stamp) {
				entries[i].Stamp = t.renewed(entries[i].Stamp)
			}
		}
	}
	return records
}

// Add appends a record to the list at the cursor.
func (t *ExpiringListTable[T]) Add(value T) {
	t.ListTable.Add(dated[T]{Value: value, Stamp: t.renewed(stamp{})})
}

// Set replaces the list at the cursor; all of it is written now.
func (t *ExpiringListTable[T]) Set(values []T) {
	var entries []dated[T]
	for _, value := range values {
		entries = append(entries, dated[T]{Value: value, Stamp: t.renewed(stamp{})})
	}
	t.ListTable.Set(entries)
}

// Clear empties the list at the cursor.
func (t *ExpiringListTable[T]) Clear() { t.ListTable.Take() }

func (t *ExpiringListTable[T]) load(slots []uint32, b block.Block, first int) (int, error) {
	for _, slot := range slots {
		t.slots[slot] = nil
	}
	return loadBlocks(b, first, func(row int, inner block.Block) (err error) {
		t.slots[slots[row]], err = readDated[T](t.value, t.layout, inner)
		return err
	})
}

// readDated reads records with their stamps, which those of a time before the time-to-live do not have.
func readDated[T any](value, layout *record.Layout, b block.Block) ([]dated[T], error) {
	entries := make([]dated[T], b.Rows())
	if b.Columns() == len(value.Schema) {
		reader := record.NewReader[T](value, true)
		if err := reader.Open(b, record.Source{}); err != nil {
			return nil, err
		}
		for i := range entries {
			entries[i].Value = reader.One(i)
		}
		return entries, nil
	}
	reader := record.NewReader[dated[T]](layout, true)
	if err := reader.Open(b, record.Source{}); err != nil {
		return nil, err
	}
	for i := range entries {
		entries[i] = reader.One(i)
	}
	return entries, nil
}

func (t *ExpiringListTable[T]) sweep(slot uint32, domain int) (last int64, any bool) {
	if domain != t.ttl.domain() {
		return 0, false
	}
	t.at.flags |= changed | cleared
	t.slots[slot], last, any = sweepEntries(&t.lease, t.slots[slot], func(entry *dated[T]) *stamp { return &entry.Stamp })
	return last, any
}

// ExpiringMapTable has a map per slot, of which each entry expires by itself.
type ExpiringMapTable[K, V any] struct {
	MapTable[K, dated[V]]
	lease
	pairs *record.Layout
}

// NewExpiringMapTable makes a table of maps whose entries expire.
func NewExpiringMapTable[K, V any](at *Cursor, ttl TTL, keys *record.Layout) (*ExpiringMapTable[K, V], error) {
	table, err := NewMapTable[K, dated[V]](at, keys)
	if err != nil {
		return nil, err
	}
	pairs, err := record.Of[pair[K, V]]()
	if err != nil {
		return nil, err
	}
	return &ExpiringMapTable[K, V]{MapTable: *table, lease: lease{ttl, at.Expiry()}, pairs: pairs}, nil
}

// Declare says how the plan declares it.
func (t *ExpiringMapTable[K, V]) Declare(name string) plan.State {
	return plan.State{Name: name, Kind: plan.MapState, Schema: blockColumn, TTL: t.ttl.Plan()}
}

// seen is the entry of a key of the map at the cursor, where it may be seen.
func (t *ExpiringMapTable[K, V]) seen(key *K) (*dated[V], bool) {
	i, found := t.find(key)
	if !found {
		return nil, false
	}
	entry := &(*t.here())[i].Value
	return entry, t.live(entry.Stamp)
}

// Get gives the value of a key of the map at the cursor.
func (t *ExpiringMapTable[K, V]) Get(key K) (value V, found bool) {
	entry, found := t.seen(&key)
	if !found {
		return value, false
	}
	if fresh, renews := t.read(entry.Stamp); renews {
		t.changing(0, t.copyOf)
		entry, _ = t.seen(&key)
		entry.Stamp = fresh
	}
	return entry.Value, true
}

// Set sets the value of a key of the map at the cursor.
func (t *ExpiringMapTable[K, V]) Set(key K, value V) {
	var before stamp
	if entry, found := t.seen(&key); found {
		before = entry.Stamp
	}
	t.MapTable.Set(key, dated[V]{Value: value, Stamp: t.renewed(before)})
}

// Delete removes a key of the map at the cursor, and says whether it was to be seen.
func (t *ExpiringMapTable[K, V]) Delete(key K) bool {
	_, seen := t.seen(&key)
	return t.MapTable.Delete(key) && seen
}

// Each calls a function with the entries of the map at the cursor that have not expired, until it says no.
func (t *ExpiringMapTable[K, V]) Each(yield func(K, V) bool) {
	for _, p := range slices.Clone(*t.here()) {
		if value, found := t.Get(p.Key); found && !yield(p.Key, value) {
			return
		}
	}
}

func (t *ExpiringMapTable[K, V]) load(slots []uint32, b block.Block, first int) (int, error) {
	return t.loadWith(slots, b, first, func(inner block.Block) ([]pair[K, dated[V]], error) {
		if inner.Columns() == len(t.pairs.Schema) {
			reader := record.NewReader[pair[K, V]](t.pairs, true)
			if err := reader.Open(inner, record.Source{}); err != nil {
				return nil, err
			}
			entries := make([]pair[K, dated[V]], inner.Rows())
			for i := range entries {
				undated := reader.One(i)
				entries[i] = pair[K, dated[V]]{Key: undated.Key, Value: dated[V]{Value: undated.Value}}
			}
			return entries, nil
		}
		return t.readPairs(inner)
	})
}

func (t *ExpiringMapTable[K, V]) sweep(slot uint32, domain int) (last int64, any bool) {
	if domain != t.ttl.domain() {
		return 0, false
	}
	t.at.flags |= changed | cleared
	t.slots[slot], last, any = sweepEntries(&t.lease, t.slots[slot], func(entry *pair[K, dated[V]]) *stamp { return &entry.Value.Stamp })
	return last, any
}
