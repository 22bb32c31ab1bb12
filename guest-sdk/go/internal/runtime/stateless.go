package runtime

import (
	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
)

// Stateless is an operator that keeps nothing between records: map, filter, flat-map, key-by and timestamps.
type Stateless[In, Out any] struct {
	// Call that it reports to.
	Call *Call
	// ID of the operator.
	ID uint32
	// In has the columns of what it takes.
	In *record.Layout
	// Out is its main output.
	Out *Port[Out]
	// Sides are its other outputs.
	Sides []AnyPort
	// Compose puts the operator in front of what follows it.
	Compose func(down Push[Out], exits *Exits) Push[In]
}

// Ports are its outputs.
func (o *Stateless[In, Out]) Ports() []AnyPort { return append([]AnyPort{o.Out}, o.Sides...) }

// Tail is a Push into its main output.
func (o *Stateless[In, Out]) Tail() any { return o.Out.push }

// State is none.
func (o *Stateless[In, Out]) State() *Slots { return nil }

// Merge has nothing to do.
func (o *Stateless[In, Out]) Merge(uint32, uint32) {}

// Stage is a Push into the operator.
func (o *Stateless[In, Out]) Stage(down any, exits *Exits) any {
	return o.Compose(restore[Out](down), exits)
}

// Head is the operator as the first of a chain.
func (o *Stateless[In, Out]) Head(down any, _ bool, exits *Exits) Head {
	return &statelessHead[In]{
		reader: record.NewReader[In](o.In, false), exits: exits, push: o.Compose(restore[Out](down), exits),
	}
}

// statelessHead makes records of blocks and pushes them into a chain.
type statelessHead[In any] struct {
	noHead
	reader *record.Reader[In]
	exits  *Exits
	push   Push[In]
}

func (h *statelessHead[In]) Process(_ uint32, _ Moment, b block.Block, _, _ []uint32) {
	if err := h.reader.Open(b, record.Source{}); err != nil {
		panic(wrongBlock(err))
	}
	for row, time := range b.Times() {
		h.exits.row(row)
		h.push(h.reader.At(row), time)
		h.exits.end()
	}
}

// Filter is a filter. Alone in its chain it copies the columns of what it keeps rather than writing records again.
type Filter[T any] struct {
	Stateless[T, T]
	// Keep says which records stay, or refuses one.
	Keep func(T) (bool, error)
}

// NewFilter makes a filter of a stateless operator that has all but Compose.
func NewFilter[T any](base Stateless[T, T], keep func(T) (bool, error)) *Filter[T] {
	f := &Filter[T]{Stateless: base, Keep: keep}
	call, id := base.Call, base.ID
	f.Compose = func(down Push[T], exits *Exits) Push[T] {
		return func(record *T, time int64) {
			call.Operator = id
			kept, err := keep(*record)
			if err != nil {
				call.refuse(id, err)
			} else if kept {
				down(record, time)
			}
		}
	}
	return f
}

// Head is the filter as the first of a chain.
func (f *Filter[T]) Head(down any, alone bool, exits *Exits) Head {
	if !alone {
		return f.Stateless.Head(down, alone, exits)
	}
	return &filterHead[T]{filter: f, exits: exits, reader: record.NewReader[T](f.In, false)}
}

type filterHead[T any] struct {
	noHead
	filter *Filter[T]
	exits  *Exits
	reader *record.Reader[T]
	kept   []uint32
}

func (h *filterHead[T]) Process(_ uint32, _ Moment, b block.Block, _, _ []uint32) {
	if err := h.reader.Open(b, record.Source{}); err != nil {
		panic(wrongBlock(err))
	}
	h.filter.Call.Operator = h.filter.ID
	h.kept = h.kept[:0]
	for row := range b.Rows() {
		h.exits.row(row)
		kept, err := h.filter.Keep(*h.reader.At(row))
		if err != nil {
			h.filter.Call.refuse(h.filter.ID, err)
		} else if kept {
			h.kept = append(h.kept, uint32(row))
		}
	}
	h.filter.Out.copy(b, h.kept)
}

// Refuse notes that an operator refuses the record it was given, before it emitted anything for it.
func (c *Call) Refuse(operator uint32, err error) { c.refuse(operator, err) }

// Mark notes where the record in hand begins.
func (e *Exits) Mark() { e.mark() }

// Refuse takes back what came of the record in hand and notes that it was refused.
func (e *Exits) Refuse(operator uint32, err error) { e.refuse(operator, err) }

// Push gives a Push into the port.
func (p *Port[T]) Push() Push[T] { return p.push }
