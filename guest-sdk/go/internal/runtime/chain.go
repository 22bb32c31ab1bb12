package runtime

import (
	"fmt"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
)

// Operator is a guest operator as the job's builder leaves it.
type Operator interface {
	// Ports are its outputs, the main one first.
	Ports() []AnyPort
	// Tail is a Push into its main output.
	Tail() any
	// Stage is a Push into the operator, which passes on to the Push `down`; nil for operators with state.
	Stage(down any, exits *Exits) any
	// Head is the operator as the first of a chain, passing on to `down`; `alone` when it is the only member.
	Head(down any, alone bool, exits *Exits) Head
	// State is what it keeps, or nil.
	State() *Slots
	// Merge adds one slot's state to another's.
	Merge(target, source uint32)
}

// Head is the first operator of a chain, which takes blocks.
type Head interface {
	// Process handles records; entry `i` of `slots` belongs to row `rows[i]`, or row `i`.
	Process(input uint32, at Moment, b block.Block, rows, slots []uint32)
	// OnTimer fires timers.
	OnTimer(at Moment, b block.Block, slots []uint32)
	// Fire fires windows.
	Fire(at Moment, b block.Block, offsets, slots []uint32)
	// Apply applies the one record of a block to keys, one per row of another.
	Apply(input uint32, at Moment, b, keys block.Block, slots []uint32)
}

// noHead answers what a head has no use for.
type noHead struct{}

func (noHead) OnTimer(Moment, block.Block, []uint32) {
	panic("the host fired a timer of an operator that has none")
}

func (noHead) Fire(Moment, block.Block, []uint32, []uint32) {
	panic("the host fired a window of an operator that has none")
}

func (noHead) Apply(uint32, Moment, block.Block, block.Block, []uint32) {
	panic("the host applied a record of an input that the job does not broadcast")
}

func (noHead) Process(uint32, Moment, block.Block, []uint32, []uint32) {
	panic("the host gave records to an operator that takes none")
}

// Exits are the ports of a member of a chain and of all members behind it: where what it does for a record shows.
type Exits struct {
	call  *Call
	ports []AnyPort
	marks []int
	// failures and timers before the record in hand.
	failures int
	timers   int
	// undo says whether a refused record is taken back: not where it fails the job anyway.
	undo bool
}

// mark notes where the record in hand begins.
func (e *Exits) mark() {
	if !e.undo {
		return
	}
	e.failures = len(e.call.Outcome.Failures)
	for i, port := range e.ports {
		e.marks[i] = port.rows()
	}
}

// refuse takes back what came of the record in hand, refusals of it further down included, and notes that it was refused.
func (e *Exits) refuse(operator uint32, err error) {
	if e.undo {
		e.call.Outcome.Failures = e.call.Outcome.Failures[:e.failures]
		for i, port := range e.ports {
			port.truncate(e.marks[i])
		}
	}
	e.call.refuse(operator, err)
}

// row begins a row of the block.
func (e *Exits) row(row int) {
	e.call.row = uint32(row)
}

// end ends a row of the block: blocks that are full leave.
func (e *Exits) end() {
	if !e.call.attention {
		return
	}
	e.call.attention = false
	for _, port := range e.ports {
		port.flushIfFull()
	}
}

// flush hands on what is left at the end of a call.
func (e *Exits) flush() {
	e.call.attention = false
	for _, port := range e.ports {
		port.flush()
	}
}

// chain is a linked chain.
type chain struct {
	head  Head
	exits *Exits
}

// link puts operators together so that a record goes through all of them without leaving typed code.
func link(call *Call, members []Operator, undo bool) chain {
	exits := make([]*Exits, len(members))
	var ports []AnyPort
	for i := len(members) - 1; i >= 0; i-- {
		ports = append(ports, members[i].Ports()...)
		exits[i] = &Exits{call: call, ports: ports[:len(ports):len(ports)], marks: make([]int, len(ports)), undo: undo}
	}
	for _, port := range ports {
		port.setUndo(undo)
	}
	last := len(members) - 1
	down := members[last].Tail()
	for i := last; i > 0; i-- {
		if down = members[i].Stage(down, exits[i]); down == nil {
			panic("an operator with state cannot stand behind another in a chain")
		}
	}
	return chain{head: members[0].Head(down, last == 0, exits[0]), exits: exits[0]}
}

// restore gives a Push its type again; the streams of a job fit together, so it is the right one.
func restore[T any](down any) Push[T] {
	push, ok := down.(Push[T])
	if !ok {
		panic(fmt.Sprintf("operators were linked whose records differ: %T", down))
	}
	return push
}
