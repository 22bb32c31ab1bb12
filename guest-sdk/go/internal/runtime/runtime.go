// Package runtime runs a job: an [Instance] answers the calls of the contract over blocks of bytes.
//
// Nothing here knows WebAssembly. The component binds an instance to the exports of the contract; the test kit runs the same
// instance natively. A block is decoded column by column, its records pass through the chain one by one in typed functions that were
// put together when the chain was linked, and what leaves the chain is written into the columns of a block again.
package runtime

// Level says how much a log line matters.
type Level uint8

// Levels, as the contract numbers them.
const (
	Trace Level = iota
	Debug
	Info
	Warn
	Error
)

func (l Level) String() string {
	return [...]string{"trace", "debug", "info", "warn", "error"}[min(l, Error)]
}

// WholeJob stands for the job where an operator is asked for.
const WholeJob = ^uint32(0)

// Host is what the host offers.
type Host interface {
	// Log writes a line to the log of the job.
	Log(level Level, operator uint32, message string)
	// Emit hands on a block of output records, which may be reused afterwards.
	Emit(operator, port uint32, block []byte)
	// ReportFailure says which row is about to cause a trap.
	ReportFailure(operator, row uint32, message string)
}

// Argument is one `--arg name=value`.
type Argument struct{ Name, Value string }

// TimerAction says what to do with timers of a key.
type TimerAction uint8

// Actions, as the contract numbers them.
const (
	AddTimer TimerAction = iota
	ReplaceTimer
	DeleteTimer
	ClearTimers
)

// TimerOp is one change to the timers of a keyed operator.
type TimerOp struct {
	// Slot whose key it concerns.
	Slot uint32
	// Timer is its index in the plan.
	Timer uint32
	// Action to take.
	Action TimerAction
	// Time when it is due, in milliseconds of its time domain.
	Time int64
}

// Failure is a record that the job's code refused.
type Failure struct {
	// Row of the block from which the record came.
	Row uint32
	// Operator that refused it.
	Operator uint32
	// Message is what it said.
	Message string
}

// Outcome is what a call did besides emitting. It is overwritten by the next call.
type Outcome struct {
	// Timers are changes in order.
	Timers []TimerOp
	// Cleared slots of this call are empty now.
	Cleared []uint32
	// Unchanged slots of this call are as they were before.
	Unchanged []uint32
	// Failures are refused records in ascending order of row.
	Failures []Failure
}

func (o *Outcome) reset() {
	o.Timers, o.Cleared, o.Unchanged, o.Failures = o.Timers[:0], o.Cleared[:0], o.Unchanged[:0], o.Failures[:0]
}

// Moment is event time and processing time at a call, in milliseconds.
type Moment struct {
	// Watermark of the operator before the call.
	Watermark int64
	// Now is the host's processing time.
	Now int64
}
