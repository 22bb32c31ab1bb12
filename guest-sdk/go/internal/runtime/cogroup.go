package runtime

import (
	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
)

// CoGroup is the operator of windows over two inputs, which keeps all records of each.
type CoGroup[K, A, B, Out any] struct {
	// Call that it reports to.
	Call *Call
	// ID of the operator.
	ID uint32
	// Key has the columns of its key, which are the same in both inputs.
	Key *record.Layout
	// First and Second keep the records.
	First  *Buffering[A]
	Second *Buffering[B]
	// Readers read them.
	Readers Readers[A, B]
	// Done emits the results.
	Done func(first []A, second []B)
	// Out is its output.
	Out *Port[Out]
	// Slots are what First and Second keep.
	Slots *Slots
	// Window is the window in hand.
	Window *Window[K, Out]
}

// Readers read the records of two inputs, which are kept.
type Readers[A, B any] struct {
	first  *record.Reader[A]
	second *record.Reader[B]
}

// NewReaders makes the readers of two inputs.
func NewReaders[A, B any](first, second *record.Layout) Readers[A, B] {
	return Readers[A, B]{first: record.NewReader[A](first, true), second: record.NewReader[B](second, true)}
}

// Ports are its outputs.
func (o *CoGroup[K, A, B, Out]) Ports() []AnyPort { return []AnyPort{o.Out} }

// Tail is a Push into its output.
func (o *CoGroup[K, A, B, Out]) Tail() any { return o.Out.push }

// Stage is none: it has state.
func (o *CoGroup[K, A, B, Out]) Stage(any, *Exits) any { return nil }

// State is what it keeps.
func (o *CoGroup[K, A, B, Out]) State() *Slots { return o.Slots }

// Merge adds what one slot holds to another.
func (o *CoGroup[K, A, B, Out]) Merge(target, source uint32) {
	o.Slots.reserve([]uint32{target, source})
	o.First.MergeSlots(target, source)
	o.Second.MergeSlots(target, source)
}

// Head is the operator as the first of a chain.
func (o *CoGroup[K, A, B, Out]) Head(down any, _ bool, exits *Exits) Head {
	o.Window.down = restore[Out](down)
	return &coGroupHead[K, A, B, Out]{operator: o, exits: exits}
}

type coGroupHead[K, A, B, Out any] struct {
	noHead
	operator *CoGroup[K, A, B, Out]
	exits    *Exits
}

func (h *coGroupHead[K, A, B, Out]) Process(input uint32, _ Moment, b block.Block, rows, slots []uint32) {
	o := h.operator
	o.Slots.reserve(slots)
	h.exits.call.Operator = o.ID
	if input == 0 {
		gather(h.exits, o.First, o.Readers.first, b, rows, slots)
	} else {
		gather(h.exits, o.Second, o.Readers.second, b, rows, slots)
	}
}

func gather[T any](exits *Exits, to *Buffering[T], reader *record.Reader[T], b block.Block, rows, slots []uint32) {
	if err := reader.Open(b, record.Source{}); err != nil {
		panic(wrongBlock(err))
	}
	for i, slot := range slots {
		row := i
		if len(rows) > 0 {
			row = int(rows[i])
		}
		exits.row(row)
		to.Add(slot, reader.At(row), 0)
	}
}

func (h *coGroupHead[K, A, B, Out]) Fire(_ Moment, b block.Block, offsets, slots []uint32) {
	o := h.operator
	o.Slots.reserve(slots)
	o.Window.fire(h.exits, o.ID, len(o.Key.Schema), b, func(row int) {
		ours := slots[offsets[row]:offsets[row+1]]
		first, second := o.First.all(ours), o.Second.all(ours)
		if len(first)+len(second) > 0 {
			o.Done(first, second)
		}
	})
}

// all are the records of some slots, which stay as they are.
func (l *Buffering[T]) all(slots []uint32) []T {
	if len(slots) == 1 {
		return l.Lists.slots[slots[0]]
	}
	var all []T
	for _, slot := range slots {
		all = append(all, l.Lists.slots[slot]...)
	}
	return all
}
