package runtime

import (
	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// Compute is what is computed in a window, over accumulators of a type that only it knows.
type Compute[T, Acc any] interface {
	// Table keeps the accumulators.
	Table() Table
	// At gives the accumulator of a slot, and whether there is one.
	At(slot uint32) (*Acc, bool)
	// Add adds a record of this event time to the accumulator of a slot.
	Add(slot uint32, record *T, time int64)
	// MergeInto adds an accumulator to another, which may be none yet.
	MergeInto(into *Acc, present bool, from *Acc)
	// MergeSlots adds what a slot holds to another and empties it.
	MergeSlots(target, source uint32)
	// Finish emits the results.
	Finish(acc *Acc)
}

// Windowed is the operator of a window that the job computes.
type Windowed[K, T, Acc, Out any] struct {
	// Call that it reports to.
	Call *Call
	// ID of the operator.
	ID uint32
	// In has the columns of what it takes, Key those of its key.
	In, Key *record.Layout
	// Keeps says that accumulators may keep what records hold.
	Keeps bool
	// Compute does the work.
	Compute Compute[T, Acc]
	// Deciding says when windows fire, where that is a function of the job.
	Deciding *Deciding[T]
	// Out is its output.
	Out *Port[Out]
	// Slots are its accumulators.
	Slots *Slots
	// Window is the window in hand.
	Window *Window[K, Out]
}

// Window is a window in hand, and where its results go.
type Window[K, Out any] struct {
	// Start and End are its first millisecond and the first behind it.
	Start, End int64
	// Firing is how often it has fired before.
	Firing int32

	time int64
	down Push[Out]
	row  int
	keys *record.Reader[K]
}

// NewWindow makes the window in hand of an operator.
func NewWindow[K, Out any](key *record.Layout) *Window[K, Out] {
	return &Window[K, Out]{keys: record.NewReader[K](key, true)}
}

// Key is the key of the window in hand.
func (w *Window[K, Out]) Key() K { return w.keys.One(w.row) }

// Emit hands a result on.
func (w *Window[K, Out]) Emit(out *Out) { w.down(out, w.time) }

// fire goes through windows, one per row: their key has so many columns.
func (w *Window[K, Out]) fire(exits *Exits, id uint32, keys int, b block.Block, body func(row int)) {
	if err := w.keys.Open(b, record.Source{}); err != nil {
		panic(wrongBlock(err))
	}
	var bounds [3]block.Column
	for i, kind := range []schema.Type{schema.I64, schema.I64, schema.I32} {
		column, err := b.Expect(keys+i, kind, false)
		if err != nil {
			panic(wrongBlock(err))
		}
		bounds[i] = column
	}
	for row, time := range b.Times() {
		exits.row(row)
		exits.call.Operator = id
		w.row, w.time = row, time
		w.Start, w.End = block.View[int64](&bounds[0])[row], block.View[int64](&bounds[1])[row]
		w.Firing = block.View[int32](&bounds[2])[row]
		body(row)
		exits.end()
	}
}

// Ports are its outputs.
func (o *Windowed[K, T, Acc, Out]) Ports() []AnyPort { return []AnyPort{o.Out} }

// Tail is a Push into its output.
func (o *Windowed[K, T, Acc, Out]) Tail() any { return o.Out.push }

// Stage is none: it has state.
func (o *Windowed[K, T, Acc, Out]) Stage(any, *Exits) any { return nil }

// State is its accumulators.
func (o *Windowed[K, T, Acc, Out]) State() *Slots { return o.Slots }

// Merge adds one slot's accumulator to another's.
func (o *Windowed[K, T, Acc, Out]) Merge(target, source uint32) {
	o.Slots.reserve([]uint32{target, source})
	o.Compute.MergeSlots(target, source)
	if o.Deciding != nil && target != source {
		o.Deciding.Merge(target, source)
	}
}

// Head is the operator as the first of a chain.
func (o *Windowed[K, T, Acc, Out]) Head(down any, _ bool, exits *Exits) Head {
	o.Window.down = restore[Out](down)
	return &windowedHead[K, T, Acc, Out]{operator: o, exits: exits, reader: record.NewReader[T](o.In, o.Keeps)}
}

type windowedHead[K, T, Acc, Out any] struct {
	noHead
	operator *Windowed[K, T, Acc, Out]
	exits    *Exits
	reader   *record.Reader[T]
}

func (h *windowedHead[K, T, Acc, Out]) Process(_ uint32, _ Moment, b block.Block, rows, slots []uint32) {
	if err := h.reader.Open(b, record.Source{}); err != nil {
		panic(wrongBlock(err))
	}
	h.operator.Slots.reserve(slots)
	h.exits.call.Operator = h.operator.ID
	times := b.Times()
	for i, slot := range slots {
		row := i
		if len(rows) > 0 {
			row = int(rows[i])
		}
		h.exits.row(row)
		h.operator.Compute.Add(slot, h.reader.At(row), times[row])
	}
}

func (h *windowedHead[K, T, Acc, Out]) Fire(_ Moment, b block.Block, offsets, slots []uint32) {
	o := h.operator
	o.Slots.reserve(slots)
	o.Window.fire(h.exits, o.ID, len(o.Key.Schema), b, func(row int) { h.fire(slots[offsets[row]:offsets[row+1]]) })
}

// fire emits the results of the merge of some slots, which stay as they are.
func (h *windowedHead[K, T, Acc, Out]) fire(slots []uint32) {
	compute := h.operator.Compute
	if len(slots) == 1 {
		acc, present := compute.At(slots[0])
		if !present {
			return
		}
		evicting, does := compute.(evicts)
		if does {
			evicting.evict(slots[0], false)
		}
		compute.Finish(acc)
		if does {
			evicting.evict(slots[0], true)
		}
		return
	}
	var merged Acc
	some := false
	for _, slot := range slots {
		if acc, present := compute.At(slot); present {
			compute.MergeInto(&merged, some, acc)
			some = true
		}
	}
	if some {
		compute.Finish(&merged)
	}
}

// Folding is a Compute over accumulators that begin as Start.
type Folding[T, Acc any] struct {
	// Values keeps the accumulators.
	Values *ValueTable[Acc]
	// Start makes the accumulator of no records.
	Start func() Acc
	// First makes the accumulator of one record, where that is not Start and AddTo.
	First func(record T) Acc
	// AddTo adds a record.
	AddTo func(acc *Acc, record T)
	// MergeTo adds an accumulator to another.
	MergeTo func(acc *Acc, from Acc)
	// Done emits the results.
	Done func(acc Acc)
}

// Table keeps the accumulators.
func (f *Folding[T, Acc]) Table() Table { return f.Values }

// At gives the accumulator of a slot.
func (f *Folding[T, Acc]) At(slot uint32) (*Acc, bool) {
	entry := &f.Values.slots[slot]
	return &entry.value, entry.present
}

// Add adds a record to the accumulator of a slot.
func (f *Folding[T, Acc]) Add(slot uint32, record *T, _ int64) {
	entry := &f.Values.slots[slot]
	if !entry.present {
		entry.present = true
		if f.First != nil {
			entry.value = f.First(*record)
			return
		}
		entry.value = f.Start()
	}
	f.AddTo(&entry.value, *record)
}

// MergeInto adds an accumulator to another. The first is copied, since what it holds stays as it is.
func (f *Folding[T, Acc]) MergeInto(into *Acc, present bool, from *Acc) {
	if !present {
		*into = record.Clone(f.Values.layout, *from)
		return
	}
	f.MergeTo(into, *from)
}

// MergeSlots adds what a slot holds to another and empties it.
func (f *Folding[T, Acc]) MergeSlots(target, source uint32) {
	from := f.Values.slots[source]
	f.Values.clear(source)
	if !from.present {
		return
	}
	into := &f.Values.slots[target]
	if !into.present {
		*into = from
		return
	}
	f.MergeTo(&into.value, from.value)
}

// Finish emits the results.
func (f *Folding[T, Acc]) Finish(acc *Acc) { f.Done(*acc) }

// Buffering is a Compute that keeps all records.
type Buffering[T any] struct {
	// Lists keeps the records.
	Lists *ListTable[T]
	// Done emits the results.
	Done func(records []T)
}

// Table keeps the records.
func (l *Buffering[T]) Table() Table { return l.Lists }

// At gives the records of a slot.
func (l *Buffering[T]) At(slot uint32) (*[]T, bool) {
	return &l.Lists.slots[slot], len(l.Lists.slots[slot]) > 0
}

// Add adds a record to those of a slot.
func (l *Buffering[T]) Add(slot uint32, record *T, _ int64) {
	l.Lists.slots[slot] = append(l.Lists.slots[slot], *record)
}

// MergeInto adds records to others.
func (l *Buffering[T]) MergeInto(into *[]T, _ bool, from *[]T) { *into = append(*into, *from...) }

// MergeSlots adds the records of a slot to those of another.
func (l *Buffering[T]) MergeSlots(target, source uint32) {
	from := l.Lists.slots[source]
	l.Lists.slots[source] = nil
	l.Lists.slots[target] = append(l.Lists.slots[target], from...)
}

// Finish emits the results.
func (l *Buffering[T]) Finish(records *[]T) { l.Done(*records) }
