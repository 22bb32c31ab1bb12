package runtime

import (
	"fmt"
	"slices"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// blockColumn is the column of a list or map: a block of its records.
var blockColumn = plan.Schema{{Name: "block", Type: schema.Bytes}}

// exportBlocks writes one column of blocks; an empty one is absent.
func exportBlocks(count int, at func(int) []byte) []block.Writer {
	writer := block.NewWriter(schema.Bytes, true)
	for row := range count {
		bytes := at(row)
		writer.Mark(len(bytes) > 0)
		writer.Bytes(bytes)
	}
	return []block.Writer{writer}
}

// loadBlocks hands every row's block to `each`; an absent one is left out.
func loadBlocks(b block.Block, first int, each func(row int, b block.Block) error) (int, error) {
	column, err := b.Expect(first, schema.Bytes, true)
	if err != nil {
		return 0, err
	}
	for row := range b.Rows() {
		bytes := column.Bytes(row)
		if len(bytes) == 0 {
			continue
		}
		inner, err := block.Open(bytes)
		if err == nil {
			err = inner.Check()
		}
		if err == nil {
			err = each(row, inner)
		}
		if err != nil {
			return 0, fmt.Errorf("row %d of column %d: %w", row, first, err)
		}
	}
	return 1, nil
}

// ListTable has a list per slot.
type ListTable[T any] struct {
	entries[[]T]
	layout *record.Layout
}

// NewListTable makes a table of lists of records.
func NewListTable[T any](at *Cursor, layout *record.Layout) *ListTable[T] {
	return &ListTable[T]{entries: entries[[]T]{at: at}, layout: layout}
}

// Declare says how the plan declares it.
func (t *ListTable[T]) Declare(name string) plan.State {
	return plan.State{Name: name, Kind: plan.List, Schema: blockColumn}
}

// Get gives the list at the cursor.
func (t *ListTable[T]) Get() []T { return *t.here() }

// Add appends a record to the list at the cursor.
func (t *ListTable[T]) Add(value T) {
	entry := t.changing(0, t.copyOf)
	*entry = append(*entry, record.Clone(t.layout, value))
}

// Set replaces the list at the cursor.
func (t *ListTable[T]) Set(values []T) {
	flags := uint8(0)
	if len(values) == 0 {
		flags = cleared
	}
	*t.changing(flags, t.copyOf) = record.CloneAll(t.layout, values)
}

// Take empties the list at the cursor and gives what it held.
func (t *ListTable[T]) Take() []T {
	list := *t.here()
	if len(list) > 0 {
		*t.changing(cleared, t.copyOf) = nil
	}
	return list
}

func (t *ListTable[T]) copyOf(list []T) []T { return record.CloneAll(t.layout, list) }

func (t *ListTable[T]) empty(slot uint32) bool { return len(t.slots[slot]) == 0 }
func (t *ListTable[T]) clear(slot uint32)      { t.slots[slot] = nil }

func (t *ListTable[T]) export(slots []uint32) []block.Writer {
	return exportBlocks(len(slots), func(row int) []byte { return record.Block(t.layout, t.slots[slots[row]]) })
}

func (t *ListTable[T]) load(slots []uint32, b block.Block, first int) (int, error) {
	reader := record.NewReader[T](t.layout, true)
	for _, slot := range slots {
		t.slots[slot] = nil
	}
	return loadBlocks(b, first, func(row int, inner block.Block) error {
		if err := reader.Open(inner, record.Source{}); err != nil {
			return err
		}
		list := make([]T, inner.Rows())
		for i := range list {
			list[i] = reader.One(i)
		}
		t.slots[slots[row]] = list
		return nil
	})
}

// pair is an entry of a map.
type pair[K, V any] struct {
	Key   K `tidemill:",flatten"`
	Value V `tidemill:",flatten"`
}

// MapTable has a map per slot, in the order of its keys.
type MapTable[K, V any] struct {
	entries[[]pair[K, V]]
	keys   *record.Layout
	layout *record.Layout
}

// NewMapTable makes a table of maps.
func NewMapTable[K, V any](at *Cursor, keys *record.Layout) (*MapTable[K, V], error) {
	layout, err := record.Of[pair[K, V]]()
	if err != nil {
		return nil, err
	}
	return &MapTable[K, V]{entries: entries[[]pair[K, V]]{at: at}, keys: keys, layout: layout}, nil
}

// Declare says how the plan declares it.
func (t *MapTable[K, V]) Declare(name string) plan.State {
	return plan.State{Name: name, Kind: plan.MapState, Schema: blockColumn}
}

func (t *MapTable[K, V]) find(key *K) (int, bool) {
	return slices.BinarySearchFunc(*t.here(), key, func(p pair[K, V], key *K) int { return record.Compare(t.keys, &p.Key, key) })
}

// Get gives the value of a key of the map at the cursor.
func (t *MapTable[K, V]) Get(key K) (value V, found bool) {
	if i, found := t.find(&key); found {
		return (*t.here())[i].Value, true
	}
	return value, false
}

// Set sets the value of a key of the map at the cursor.
func (t *MapTable[K, V]) Set(key K, value V) {
	entry := t.changing(0, t.copyOf)
	fresh := record.Clone(t.layout, pair[K, V]{Key: key, Value: value})
	if i, found := t.find(&key); found {
		(*entry)[i] = fresh
	} else {
		*entry = slices.Insert(*entry, i, fresh)
	}
}

// Delete removes a key of the map at the cursor.
func (t *MapTable[K, V]) Delete(key K) bool {
	i, found := t.find(&key)
	if found {
		entry := t.changing(cleared, t.copyOf)
		*entry = slices.Delete(*entry, i, i+1)
	}
	return found
}

// Len is how many entries the map at the cursor has.
func (t *MapTable[K, V]) Len() int { return len(*t.here()) }

// Each calls a function with the entries of the map at the cursor, until it says no.
func (t *MapTable[K, V]) Each(yield func(K, V) bool) {
	// A copy, so that the function may change the map that it goes through.
	for _, p := range slices.Clone(*t.here()) {
		if !yield(p.Key, p.Value) {
			return
		}
	}
}

// Clear empties the map at the cursor.
func (t *MapTable[K, V]) Clear() {
	if len(*t.here()) > 0 {
		*t.changing(cleared, t.copyOf) = nil
	}
}

func (t *MapTable[K, V]) copyOf(pairs []pair[K, V]) []pair[K, V] {
	return record.CloneAll(t.layout, pairs)
}

func (t *MapTable[K, V]) empty(slot uint32) bool { return len(t.slots[slot]) == 0 }
func (t *MapTable[K, V]) clear(slot uint32)      { t.slots[slot] = nil }

func (t *MapTable[K, V]) export(slots []uint32) []block.Writer {
	return exportBlocks(len(slots), func(row int) []byte { return record.Block(t.layout, t.slots[slots[row]]) })
}

func (t *MapTable[K, V]) load(slots []uint32, b block.Block, first int) (int, error) {
	return t.loadWith(slots, b, first, t.readPairs)
}

// readPairs reads the entries of a map.
func (t *MapTable[K, V]) readPairs(b block.Block) ([]pair[K, V], error) {
	reader := record.NewReader[pair[K, V]](t.layout, true)
	if err := reader.Open(b, record.Source{}); err != nil {
		return nil, err
	}
	pairs := make([]pair[K, V], b.Rows())
	for i := range pairs {
		pairs[i] = reader.One(i)
	}
	return pairs, nil
}

func (t *MapTable[K, V]) loadWith(slots []uint32, b block.Block, first int, read func(block.Block) ([]pair[K, V], error)) (int, error) {
	for _, slot := range slots {
		t.slots[slot] = nil
	}
	return loadBlocks(b, first, func(row int, inner block.Block) error {
		pairs, err := read(inner)
		if err != nil {
			return err
		}
		for i := 1; i < len(pairs); i++ {
			if record.Compare(t.keys, &pairs[i-1].Key, &pairs[i].Key) >= 0 {
				return fmt.Errorf("its keys do not ascend at entry %d", i)
			}
		}
		t.slots[slots[row]] = pairs
		return nil
	})
}
