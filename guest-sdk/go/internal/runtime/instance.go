package runtime

import (
	"fmt"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
)

// Node is an operator of a job.
type Node struct {
	// Plan is how the plan describes it.
	Plan *plan.Operator
	// Guest computes it, where the component does.
	Guest Operator
}

// Instance is one instance of a job. The host calls it by the words of the contract; wrong calls, which a host does not make, panic.
type Instance struct {
	// Nodes are the operators of the job.
	Nodes    []Node
	call     *Call
	chains   []*chain
	exported []byte
}

// NewInstance makes an instance of a job that was built.
func NewInstance(call *Call, nodes []Node) *Instance {
	return &Instance{Nodes: nodes, call: call}
}

// Call is the call in progress.
func (i *Instance) Call() *Call { return i.call }

// Link puts a chain of operators together.
func (i *Instance) Link(index uint32, members []uint32) {
	operators := make([]Operator, len(members))
	undo := false
	for at, member := range members {
		operators[at] = i.operator(member)
		undo = undo || !i.Nodes[member].Plan.Fails()
	}
	if state := operators[0].State(); state != nil {
		state.at.undo = undo
		if state.shared != nil {
			state.shared.undo = undo
		}
	}
	for int(index) >= len(i.chains) {
		i.chains = append(i.chains, nil)
	}
	linked := link(i.call, operators, undo)
	i.chains[index] = &linked
}

// Process handles a block of records.
func (i *Instance) Process(chain, input uint32, at Moment, bytes []byte, rows, slots []uint32) *Outcome {
	return i.run(chain, bytes, func(head Head, b block.Block) { head.Process(input, at, b, rows, slots) })
}

// OnTimer fires timers, one per row.
func (i *Instance) OnTimer(chain uint32, at Moment, bytes []byte, slots []uint32) *Outcome {
	return i.run(chain, bytes, func(head Head, b block.Block) { head.OnTimer(at, b, slots) })
}

// Fire fires windows, one per row.
func (i *Instance) Fire(chain uint32, at Moment, bytes []byte, offsets, slots []uint32) *Outcome {
	return i.run(chain, bytes, func(head Head, b block.Block) { head.Fire(at, b, offsets, slots) })
}

// Apply applies the one record of a block to keys, one per row of another.
func (i *Instance) Apply(chain, input uint32, at Moment, bytes, keys []byte, slots []uint32) *Outcome {
	return i.run(chain, bytes, func(head Head, b block.Block) {
		named, err := block.Open(keys)
		if err != nil {
			panic(wrongBlock(err))
		}
		head.Apply(input, at, b, named, slots)
	})
}

func (i *Instance) run(index uint32, bytes []byte, body func(Head, block.Block)) *Outcome {
	chain := i.chains[index]
	i.call.Enter()
	defer i.call.Leave()
	i.call.Outcome.reset()
	b, err := block.Open(bytes)
	if err != nil {
		panic(wrongBlock(err))
	}
	body(chain.head, b)
	chain.exits.flush()
	return &i.call.Outcome
}

// Merge adds accumulators pairwise, in order.
func (i *Instance) Merge(operator uint32, targets, sources []uint32) {
	i.call.Enter()
	defer i.call.Leave()
	i.call.Operator = operator
	merger := i.operator(operator)
	for at, target := range targets {
		merger.Merge(target, sources[at])
	}
}

// Purge empties slots of what their windows have gathered; what a trigger remembers stays.
func (i *Instance) Purge(operator uint32, slots []uint32) {
	if window, is := i.operator(operator).(asked); is {
		window.purge(slots)
		return
	}
	i.DropState(operator, slots)
}

// Trigger asks the trigger of a window operator about windows, one per row.
func (i *Instance) Trigger(
	operator uint32, event TriggerEvent, at Moment, windows []byte, slots []uint32, records []byte, rows []uint32,
) []Decision {
	i.call.Enter()
	defer i.call.Leave()
	i.call.Operator = operator
	b, err := block.Open(windows)
	if err != nil {
		panic(wrongBlock(err))
	}
	window, is := i.operator(operator).(asked)
	if !is {
		panic("the host asked the trigger of an operator that is no window")
	}
	return window.trigger(event, at, b, slots, records, rows)
}

// MigrateState says that no state of an earlier version is turned into today's.
func (i *Instance) MigrateState(operator uint32) error {
	return fmt.Errorf("operator %d does not say that it migrates state", operator)
}

// ExportState encodes the state of slots as a block; nothing for an operator without state.
func (i *Instance) ExportState(operator uint32, slots []uint32) []byte {
	i.call.Enter()
	defer i.call.Leave()
	i.call.Operator = operator
	i.exported = i.exported[:0]
	if state := i.operator(operator).State(); state != nil {
		i.exported = state.export(slots, i.exported)
	}
	return i.exported
}

// ImportState loads what ExportState wrote into empty slots.
func (i *Instance) ImportState(operator uint32, slots []uint32, bytes []byte) error {
	i.call.Enter()
	defer i.call.Leave()
	i.call.Operator = operator
	b, err := block.Open(bytes)
	if err != nil {
		return err
	}
	if err := b.Check(); err != nil {
		return err
	}
	if b.Rows() != len(slots) {
		return fmt.Errorf("a block of %d rows does not fit %d slots", b.Rows(), len(slots))
	}
	if state := i.operator(operator).State(); state != nil {
		return state.load(slots, b)
	}
	return nil
}

// DropState empties slots.
func (i *Instance) DropState(operator uint32, slots []uint32) {
	if state := i.operator(operator).State(); state != nil {
		state.reserve(slots)
		for _, slot := range slots {
			state.clear(slot)
		}
	}
}

func (i *Instance) operator(id uint32) Operator {
	if int(id) >= len(i.Nodes) || i.Nodes[id].Guest == nil {
		panic(fmt.Sprintf("operator %d is not one that this component computes", id))
	}
	return i.Nodes[id].Guest
}
