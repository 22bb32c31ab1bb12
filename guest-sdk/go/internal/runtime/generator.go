package runtime

import (
	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
)

// Generator makes the watermarks of one split.
type Generator[T any] interface {
	// OnEvent sees a record and its event time, and may give a watermark behind it.
	OnEvent(record T, eventTime int64) (int64, bool)
	// OnPeriodic is asked by the clock.
	OnPeriodic(now int64) (int64, bool)
}

// Timestamps is the operator that gives event times, with a generator of watermarks for each split.
type Timestamps[T any] struct {
	Stateless[T, T]
	// Layout has the columns of what leaves it.
	Layout *record.Layout
	// Make makes the generator of a split.
	Make   func() Generator[T]
	splits map[uint32]Generator[T]
	reader *record.Reader[T]
}

// generating is an operator with generators.
type generating interface {
	watermark(split uint32, now int64, b *block.Block) (int64, bool)
	forgetSplits()
}

// watermark shows a block to the generator of its split, or asks that by the clock where there is none.
func (o *Timestamps[T]) watermark(split uint32, now int64, b *block.Block) (greatest int64, given bool) {
	generator, found := o.splits[split]
	if !found {
		if o.splits == nil {
			o.splits = map[uint32]Generator[T]{}
		}
		generator = o.Make()
		o.splits[split] = generator
	}
	if b == nil {
		return generator.OnPeriodic(now)
	}
	if o.reader == nil {
		// A generator may keep a record, and is not to keep the texts of all others with it.
		o.reader = record.NewReader[T](o.Layout, true)
	}
	if err := o.reader.Open(*b, record.Source{}); err != nil {
		panic(wrongBlock(err))
	}
	for row, time := range b.Times() {
		o.Call.row = uint32(row)
		if said, ok := generator.OnEvent(*o.reader.At(row), time); ok && (!given || said > greatest) {
			greatest, given = said, true
		}
	}
	return greatest, given
}

func (o *Timestamps[T]) forgetSplits() { clear(o.splits) }

// Watermark asks for the watermark of a split: behind a block of it, or by the clock where the block is empty.
func (i *Instance) Watermark(operator, split uint32, now int64, bytes []byte) (watermark int64, given bool) {
	i.call.Enter()
	defer i.call.Leave()
	i.call.Operator = operator
	generators, does := i.operator(operator).(generating)
	if !does {
		panic("the host asked for a watermark of an operator that makes none of its own")
	}
	if len(bytes) == 0 {
		return generators.watermark(split, now, nil)
	}
	b, err := block.Open(bytes)
	if err != nil {
		panic(wrongBlock(err))
	}
	return generators.watermark(split, now, &b)
}

// ForgetSplits lets the generators of an operator, where it has any, begin anew, as in a fresh instance.
func (i *Instance) ForgetSplits(operator uint32) {
	if generators, does := i.Nodes[operator].Guest.(generating); does {
		generators.forgetSplits()
	}
}
