package runtime

import (
	"math"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// Input is an input of a process function: records of a type that only it knows.
type Input interface {
	// open begins with a block.
	open(b block.Block) error
	// handle calls the user's function with the record of a row.
	handle(row int) error
}

type input[T any] struct {
	reader   *record.Reader[T]
	function func(T) error
}

// NewInput makes an input whose records go to a function.
func NewInput[T any](layout *record.Layout, keeps bool, function func(T) error) Input {
	return &input[T]{reader: record.NewReader[T](layout, keeps), function: function}
}

func (i *input[T]) open(b block.Block) error { return i.reader.Open(b, record.Source{}) }
func (i *input[T]) handle(row int) error     { return i.function(*i.reader.At(row)) }

// Broadcast is the input behind those with keys, all of whose records come to every worker.
type Broadcast struct {
	// Input takes its records.
	Input Input
	// Applied takes each of them for each key; nil where that is not asked for.
	Applied Input
	// Cursor of what all keys share.
	Cursor *Cursor
}

// Keyed is the operator of a process function.
type Keyed[K, Out any] struct {
	// Call that it reports to.
	Call *Call
	// ID of the operator.
	ID uint32
	// Inputs, and where in each the columns of the key are.
	Inputs []Input
	Keys   [][]int
	// Broadcast is a further input, or nil.
	Broadcast *Broadcast
	// Key has the columns of the key.
	Key *record.Layout
	// Out is its main output.
	Out *Port[Out]
	// Sides are its other outputs.
	Sides []AnyPort
	// Slots are its state.
	Slots *Slots
	// Context is what the user's function sees.
	Context *Context[K, Out]
	// Timer calls the user's function with a timer that is due.
	Timer func(timer uint32, time int64) error
}

// Context is what a process function sees besides the record: the runtime's part of it.
type Context[K, Out any] struct {
	Emitting[Out]
	row  int
	keys *record.Reader[K]
}

// Emitting is the part of a context that has nothing to do with a key.
type Emitting[Out any] struct {
	// Time of the record or timer.
	Time int64
	// At is the moment of the call.
	At Moment

	call *Call
	id   uint32
	down Push[Out]
	out  Out
}

// NewContext makes the context of an operator.
func NewContext[K, Out any](call *Call, id uint32, key *record.Layout) *Context[K, Out] {
	return &Context[K, Out]{Emitting: Emitting[Out]{call: call, id: id}, keys: record.NewReader[K](key, true)}
}

// Key is the key of the record or timer in hand.
func (c *Context[K, Out]) Key() K { return c.keys.One(c.row) }

// Emit hands a record on.
func (c *Emitting[Out]) Emit(out Out, time int64) {
	c.out = out
	c.down(&c.out, time)
	c.call.Operator = c.id
}

// Ports are its outputs.
func (o *Keyed[K, Out]) Ports() []AnyPort { return append([]AnyPort{o.Out}, o.Sides...) }

// Tail is a Push into its main output.
func (o *Keyed[K, Out]) Tail() any { return o.Out.push }

// Stage is none: it has state.
func (o *Keyed[K, Out]) Stage(any, *Exits) any { return nil }

// State is what it keeps.
func (o *Keyed[K, Out]) State() *Slots { return o.Slots }

// Merge has nothing to do: only accumulators are merged.
func (o *Keyed[K, Out]) Merge(uint32, uint32) {}

// Head is the operator as the first of a chain.
func (o *Keyed[K, Out]) Head(down any, _ bool, exits *Exits) Head {
	o.Context.down = restore[Out](down)
	named := make([]int, len(o.Key.Schema))
	for i := range named {
		named[i] = i
	}
	return &keyedHead[K, Out]{operator: o, exits: exits, named: named}
}

// keyedHead gives each record its slot's state and collects timer changes.
type keyedHead[K, Out any] struct {
	noHead
	operator *Keyed[K, Out]
	exits    *Exits
	// named are the columns of the key where they stand first.
	named []int
	// cursor is that of what the records of the current call may change.
	cursor *Cursor
	// seen is what the records of the current call did to each slot; all zero between calls.
	seen []uint8
	// uneven says that some slot of the call may be unchanged or empty now.
	uneven bool
}

func (h *keyedHead[K, Out]) Process(index uint32, at Moment, b block.Block, rows, slots []uint32) {
	broadcast := h.operator.Broadcast
	if broadcast != nil && int(index) == len(h.operator.Inputs) {
		h.shared(at, b, slots)
		return
	}
	input := h.operator.Inputs[index]
	keyed := h.begin(at, b, h.operator.Keys[index], slots)
	open(input, b)
	times := b.Times()
	if broadcast != nil && len(h.named) == 0 {
		// Records without a key have no slot: there is nothing that they could change.
		for row := range times {
			h.enter(uint32(row), row, slots[0], times[row])
			h.leave(slots[0], input.handle(row))
		}
		h.seen[slots[0]] = 0
		h.end()
		return
	}
	for i, slot := range keyed {
		row := i
		if len(rows) > 0 {
			row = int(rows[i])
		}
		h.enter(uint32(row), row, slot, times[row])
		h.leave(slot, input.handle(row))
	}
	h.finish(keyed)
}

// shared handles records of the broadcast input, which may change what all keys share and nothing else.
func (h *keyedHead[K, Out]) shared(at Moment, b block.Block, slots []uint32) {
	broadcast := h.operator.Broadcast
	h.reserve(at, slots)
	h.cursor = broadcast.Cursor
	h.cursor.active = true
	open(broadcast.Input, b)
	slot := slots[len(slots)-1]
	for row, time := range b.Times() {
		h.enter(uint32(row), row, slot, time)
		h.leave(slot, broadcast.Input.handle(row))
	}
	h.finish(slots[len(slots)-1:])
}

func (h *keyedHead[K, Out]) Apply(index uint32, at Moment, b, keys block.Block, slots []uint32) {
	broadcast := h.operator.Broadcast
	if broadcast == nil || broadcast.Applied == nil || int(index) != len(h.operator.Inputs) {
		h.noHead.Apply(index, at, b, keys, slots)
	}
	keyed := h.begin(at, keys, h.named, slots)
	open(broadcast.Applied, b)
	times := keys.Times()
	for row, slot := range keyed {
		h.enter(0, row, slot, times[row])
		h.leave(slot, broadcast.Applied.handle(0))
	}
	h.finish(keyed)
}

func (h *keyedHead[K, Out]) OnTimer(at Moment, b block.Block, slots []uint32) {
	timers, err := b.Expect(len(h.named), schema.I32, false)
	if err != nil {
		panic(wrongBlock(err))
	}
	keyed := h.begin(at, b, h.named, slots)
	times := b.Times()
	for row, slot := range keyed {
		h.enter(uint32(row), row, slot, times[row])
		timer := uint32(block.View[int32](&timers)[row])
		if expiry := h.cursor.expiry; expiry != nil {
			if expiry.fired(slot, timer) {
				h.leave(slot, nil)
				continue
			}
			// The time of a timer may be of the other domain.
			expiry.time = math.MinInt64
		}
		h.leave(slot, h.operator.Timer(timer, times[row]))
	}
	h.finish(keyed)
}

func open(input Input, b block.Block) {
	if err := input.open(b); err != nil {
		panic(wrongBlock(err))
	}
}

// begin begins a call about keys, whose columns are in a block, and gives their slots: behind them may stand that of what all share.
func (h *keyedHead[K, Out]) begin(at Moment, b block.Block, keys []int, slots []uint32) []uint32 {
	if err := h.operator.Context.keys.Open(b, record.Source{Picked: keys}); err != nil {
		panic(wrongBlock(err))
	}
	h.reserve(at, slots)
	h.cursor = h.operator.Slots.at
	h.cursor.active = true
	if h.operator.Broadcast != nil {
		return slots[:len(slots)-1]
	}
	return slots
}

func (h *keyedHead[K, Out]) reserve(at Moment, slots []uint32) {
	h.operator.Context.At = at
	room := h.operator.Slots.reserve(slots)
	if len(h.seen) < room {
		h.seen = append(h.seen, make([]uint8, room-len(h.seen))...)
	}
	h.uneven = false
	if broadcast := h.operator.Broadcast; broadcast != nil {
		broadcast.Cursor.slot, broadcast.Cursor.readable = slots[len(slots)-1], true
	}
}

// enter begins a record, timer or key: `told` is the row of the call's block that it is about, `row` where its key stands.
func (h *keyedHead[K, Out]) enter(told uint32, row int, slot uint32, time int64) {
	context := h.operator.Context
	context.row, context.Time = row, time
	h.cursor.slot, h.cursor.flags = slot, 0
	h.exits.row(int(told))
	h.exits.mark()
	h.exits.timers = len(h.exits.call.Outcome.Timers)
	h.exits.call.Operator = h.operator.ID
	if h.cursor.expiry != nil {
		h.cursor.expiry.begin(time, context.At)
	}
}

// leave ends what enter began.
func (h *keyedHead[K, Out]) leave(slot uint32, err error) {
	cursor := h.cursor
	if err == nil && cursor.expiry != nil {
		cursor.expiry.schedule(slot, h.operator.Slots.tables, &h.exits.call.Outcome.Timers)
	}
	switch {
	case err != nil:
		h.exits.refuse(h.operator.ID, err)
		outcome := &h.exits.call.Outcome
		outcome.Timers = outcome.Timers[:h.exits.timers]
		if cursor.undo {
			h.operator.Slots.rollBack()
			cursor.flags = 0
		}
	case cursor.undo && cursor.flags != 0:
		h.operator.Slots.commit()
	}
	h.uneven = h.uneven || cursor.flags != changed
	h.seen[slot] |= cursor.flags
	h.exits.end()
}

// finish lists the slots that are empty or unchanged, each once.
func (h *keyedHead[K, Out]) finish(slots []uint32) {
	h.end()
	if h.uneven {
		outcome := &h.exits.call.Outcome
		for _, slot := range slots {
			flags := h.seen[slot]
			h.seen[slot] = listed
			switch {
			case flags == changed || flags&listed != 0:
			case h.operator.Slots.empty(slot):
				outcome.Cleared = append(outcome.Cleared, slot)
			case flags&(changed|cleared) == 0:
				outcome.Unchanged = append(outcome.Unchanged, slot)
			}
		}
	}
	for _, slot := range slots {
		h.seen[slot] = 0
	}
}

// end closes what the call could reach.
func (h *keyedHead[K, Out]) end() {
	h.cursor.active = false
	if broadcast := h.operator.Broadcast; broadcast != nil {
		broadcast.Cursor.readable = false
	}
}

func (s *Slots) rollBack() {
	for _, table := range s.tables {
		table.rollBack()
	}
}

func (s *Slots) commit() {
	for _, table := range s.tables {
		table.commit()
	}
}

// Timer notes a change to the timers of the key in hand.
func (c *Cursor) Timer(call *Call, timer uint32, action TimerAction, time int64) {
	if !c.active {
		panic("timers belong to a key: they are there only while the function that declared them handles a record or a timer")
	}
	call.Outcome.Timers = append(call.Outcome.Timers, TimerOp{Slot: c.slot, Timer: timer, Action: action, Time: time})
}

// Active says whether a record or timer is in hand.
func (c *Cursor) Active() bool { return c.active }
