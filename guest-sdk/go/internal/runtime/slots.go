package runtime

import (
	"unsafe"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// What the record in flight did to its slot.
const (
	// changed its state.
	changed uint8 = 1 << iota
	// cleared a piece of it.
	cleared
	// listed is set while slots are sorted out.
	listed
)

// Cursor is the slot that handles of state stand at: that of the record or timer in hand.
type Cursor struct {
	slot   uint32
	active bool
	flags  uint8
	// shared says that the slot is the one of what all keys share, which may be read whenever `readable` says so.
	shared   bool
	readable bool
	// undo says whether a copy is made before the first change.
	undo bool
	// expiry is of the state that does not live for ever; nil where all does.
	expiry *Expiry
}

// Expiry is what the state at this cursor that does not live for ever shares.
func (c *Cursor) Expiry() *Expiry {
	if c.expiry == nil {
		c.expiry = &Expiry{}
	}
	return c.expiry
}

// NewSharedCursor makes the cursor of what all keys share.
func NewSharedCursor() *Cursor { return &Cursor{shared: true} }

// Slots is the state of one operator: some tables indexed by slot, one per declared piece. Reading and writing costs an index;
// nothing is hashed and nothing is encoded until the host asks for an export. What a refused record did to its slot is undone from a
// copy made at the first write, and only where the job goes on after refused records.
type Slots struct {
	at     *Cursor
	tables []Table
	// shared is the cursor of what all keys share, whose tables stand behind the others; nil where nothing is.
	shared *Cursor
	id     uint64
	// columns of all tables.
	writers []block.Writer
	times   []int64
}

// Table is one declared piece of state, for all slots.
type Table interface {
	// Declare says how the plan declares it.
	Declare(name string) plan.State
	reserve(slots int)
	empty(slot uint32) bool
	clear(slot uint32)
	commit()
	rollBack()
	export(slots []uint32) []block.Writer
	load(slots []uint32, b block.Block, first int) (int, error)
}

// NewSlots makes the state of an operator that declares these pieces.
func NewSlots(at *Cursor, states []plan.State, tables []Table) *Slots {
	var columns schema.Schema
	for _, state := range states {
		for _, column := range state.Schema {
			columns = append(columns, schema.Column{Name: state.Name + "." + column.Name, Type: column.Type, Optional: true})
		}
	}
	return &Slots{at: at, tables: tables, id: columns.ID()}
}

// Share says that some of the state is shared by all keys and has this cursor.
func (s *Slots) Share(shared *Cursor) { s.shared = shared }

// reserve makes room for all of these slots, and says for how many there is.
func (s *Slots) reserve(slots []uint32) int {
	room := 0
	for _, slot := range slots {
		room = max(room, int(slot)+1)
	}
	for _, table := range s.tables {
		table.reserve(room)
	}
	return room
}

func (s *Slots) empty(slot uint32) bool {
	for _, table := range s.tables {
		if !table.empty(slot) {
			return false
		}
	}
	return true
}

func (s *Slots) clear(slot uint32) {
	if s.at.expiry != nil {
		s.at.expiry.forget(slot)
	}
	for _, table := range s.tables {
		table.clear(slot)
	}
}

func (s *Slots) export(slots []uint32, out []byte) []byte {
	s.reserve(slots)
	s.writers = s.writers[:0]
	for _, table := range s.tables {
		s.writers = append(s.writers, table.export(slots)...)
	}
	s.times = append(s.times[:0], make([]int64, len(slots))...)
	return block.Layout(out, s.id, s.times, s.writers)
}

func (s *Slots) load(slots []uint32, b block.Block) error {
	s.reserve(slots)
	first := 0
	for _, table := range s.tables {
		columns, err := table.load(slots, b, first)
		if err != nil {
			return err
		}
		first += columns
	}
	return nil
}

// entries are what all tables have: an entry per slot, and perhaps the copy for undoing.
type entries[S any] struct {
	at    *Cursor
	slots []S
	// copied is the entry at the cursor as it was before the record in flight.
	copied S
	saved  bool
}

func (e *entries[S]) reserve(slots int) {
	if len(e.slots) < slots {
		e.slots = append(e.slots, make([]S, slots-len(e.slots))...)
	}
}

// here is the entry at the cursor.
func (e *entries[S]) here() *S {
	switch {
	case e.at.active || e.at.readable:
		return &e.slots[e.at.slot]
	case e.at.shared:
		panic("broadcast state is there only while the function that declared it handles a record or a timer")
	default:
		panic("state belongs to a key: it is there only while the function that declared it handles a record or a timer")
	}
}

// changing notes that the record in flight changes the entry at the cursor; copy makes the copy for undoing.
func (e *entries[S]) changing(flags uint8, copy func(S) S) *S {
	entry := e.here()
	if !e.at.active {
		panic("broadcast state is changed in OnBroadcast only, so that all workers come to the same")
	}
	e.at.flags |= flags | changed
	if e.at.undo && !e.saved {
		e.copied, e.saved = copy(*entry), true
	}
	return entry
}

func (e *entries[S]) commit() {
	var none S
	e.copied, e.saved = none, false
}

func (e *entries[S]) rollBack() {
	if e.saved {
		e.slots[e.at.slot] = e.copied
	}
	e.commit()
}

// held is a value that may be there or not.
type held[T any] struct {
	value   T
	present bool
}

// ValueTable has a value per slot, or none.
type ValueTable[T any] struct {
	entries[held[T]]
	kind   string
	layout *record.Layout
}

// NewValueTable makes a table of records.
func NewValueTable[T any](at *Cursor, kind string, layout *record.Layout) *ValueTable[T] {
	return &ValueTable[T]{entries: entries[held[T]]{at: at}, kind: kind, layout: layout}
}

// Declare says how the plan declares it.
func (t *ValueTable[T]) Declare(name string) plan.State {
	return plan.State{Name: name, Kind: t.kind, Schema: plan.Schema(t.layout.Schema)}
}

// Get gives the value at the cursor.
func (t *ValueTable[T]) Get() (*T, bool) {
	entry := t.here()
	return &entry.value, entry.present
}

// Set replaces the value at the cursor.
func (t *ValueTable[T]) Set(value T) {
	*t.changing(0, t.copyOf) = held[T]{value: record.Clone(t.layout, value), present: true}
}

// Change gives the value at the cursor for changing, the zero value where there is none yet.
func (t *ValueTable[T]) Change() *T {
	entry := t.changing(0, t.copyOf)
	entry.present = true
	return &entry.value
}

// Settle makes a value that was changed one that shares no memory with a block.
func (t *ValueTable[T]) Settle() {
	if entry := t.here(); t.layout.Owns {
		entry.value = record.Clone(t.layout, entry.value)
	}
}

// Take removes the value at the cursor.
func (t *ValueTable[T]) Take() (value T, present bool) {
	if !t.here().present {
		return value, false
	}
	entry := t.changing(cleared, t.copyOf)
	value = entry.value
	*entry = held[T]{}
	return value, true
}

func (t *ValueTable[T]) copyOf(entry held[T]) held[T] {
	entry.value = record.Clone(t.layout, entry.value)
	return entry
}

func (t *ValueTable[T]) empty(slot uint32) bool { return !t.slots[slot].present }
func (t *ValueTable[T]) clear(slot uint32)      { t.slots[slot] = held[T]{} }

func (t *ValueTable[T]) export(slots []uint32) []block.Writer {
	return t.layout.Export(len(slots), func(row int) unsafe.Pointer {
		if entry := &t.slots[slots[row]]; entry.present {
			return unsafe.Pointer(&entry.value)
		}
		return nil
	})
}

func (t *ValueTable[T]) load(slots []uint32, b block.Block, first int) (int, error) {
	reader := record.NewReader[T](t.layout, true)
	if err := reader.Open(b, record.Source{First: first, State: true}); err != nil {
		return 0, err
	}
	for row, slot := range slots {
		t.slots[slot] = held[T]{}
		if reader.Any(row) {
			t.slots[slot] = held[T]{value: reader.One(row), present: true}
		}
	}
	return len(t.layout.Schema), nil
}
