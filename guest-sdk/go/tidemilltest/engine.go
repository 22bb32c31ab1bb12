package tidemilltest

import (
	"fmt"
	"math"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/bridge"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/cells"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// recorder keeps what an instance says to its host.
type recorder struct {
	emitted []emission
	log     []string
}

type emission struct {
	operator, port uint32
	block          []byte
}

func (r *recorder) Log(level runtime.Level, operator uint32, message string) {
	r.log = append(r.log, fmt.Sprintf("%s operator %d: %s", level, int32(operator), message))
}

func (r *recorder) Emit(operator, port uint32, block []byte) {
	r.emitted = append(r.emitted, emission{operator, port, append([]byte(nil), block...)})
}

func (r *recorder) ReportFailure(operator, row uint32, message string) {
	r.log = append(r.log, fmt.Sprintf("operator %d fails at row %d: %s", operator, row, message))
}

// keeping is what the host keeps of one operator.
type keeping struct {
	slots   slots
	timers  timers
	rolling map[string]*aggregated
	windows []*window
	// lines have the records of keys in windows that count them.
	lines []*line
	// held are records of a join that may find somebody yet, in the order of arrival.
	held []*held
	// latest has the last record of each side of a join, by key.
	latest    map[string][]*cells.Row
	watermark int64
	// greatest event time of a source.
	greatest int64
	// asked is when its generator of watermarks was asked last by the clock.
	asked int64
}

// output names a port of an operator.
type output struct {
	operator int
	port     string
}

// engine is the kit's host: it runs the operators of a plan one record after the other, in one thread.
//
// Operators stand in the plan behind what they read, so that going through them by index is going downstream. A record is carried through
// all operators before the next is looked at; a watermark is applied to one operator after the other, and what it releases is
// carried through first.
type engine struct {
	instance  *runtime.Instance
	host      *recorder
	keeping   []keeping
	now       int64
	collected map[output][]cells.Row
	refused   []string
	// only this operator runs, unless it is -1.
	only int
}

// start builds a job and links its chains.
func start(job any, arguments []runtime.Argument, only string) (*engine, error) {
	host := &recorder{}
	instance, _, err := bridge.Build(job, arguments, host)
	if err != nil {
		return nil, err
	}
	for _, node := range instance.Nodes {
		if window := node.Plan.Kind.Window; window != nil && window.Assigner.Days != nil {
			return nil, fmt.Errorf("window %q has calendar days, which the kit cannot cut: test its function with other windows", node.Plan.Name)
		}
	}
	e := &engine{instance: instance, host: host, keeping: make([]keeping, len(instance.Nodes)), collected: map[output][]cells.Row{}, only: -1}
	for i := range e.keeping {
		e.keeping[i].watermark, e.keeping[i].greatest = math.MinInt64, math.MinInt64
	}
	if only != "" {
		e.only = e.find(only)
	}
	e.link()
	return e, nil
}

// link links chains by the host's rule: a stateless operator joins the one before it, if it is its only reader.
func (e *engine) link() {
	var chains [][]uint32
	ends := map[int]int{}
	for id, node := range e.instance.Nodes {
		if node.Guest == nil {
			continue
		}
		if chain, found := ends[e.fusesBehind(id)]; found && e.only < 0 {
			chains[chain] = append(chains[chain], uint32(id))
			ends[id] = chain
			continue
		}
		ends[id] = len(chains)
		chains = append(chains, []uint32{uint32(id)})
	}
	for _, members := range chains {
		e.instance.Link(members[0], members)
	}
}

// fusesBehind is the operator that one can join, or -1.
func (e *engine) fusesBehind(id int) int {
	operator := e.plan(id)
	if len(operator.Inputs) != 1 || !operator.Kind.Stateless() {
		return -1
	}
	input := operator.Inputs[0]
	from := e.find(input.From)
	before := e.instance.Nodes[from]
	if before.Guest == nil || before.Plan.Kind.Timestamps != nil || input.PortName() != plan.Main || input.Partition != nil ||
		len(e.readers(from, plan.Main)) != 1 {
		return -1
	}
	return from
}

func (e *engine) plan(id int) *plan.Operator { return e.instance.Nodes[id].Plan }

func (e *engine) find(name string) int {
	for id, node := range e.instance.Nodes {
		if node.Plan.Name == name {
			return id
		}
	}
	panic(fmt.Sprintf("the job has no operator %q", name))
}

// reader is an input of an operator.
type reader struct{ operator, input int }

// readers are the inputs that read a port.
func (e *engine) readers(from int, port string) (readers []reader) {
	name := e.plan(from).Name
	for id, node := range e.instance.Nodes {
		for i, input := range node.Plan.Inputs {
			if input.From == name && input.PortName() == port {
				readers = append(readers, reader{id, i})
			}
		}
	}
	return readers
}

// schema has the columns of a port.
func (e *engine) schema(id int, port string) schema.Schema {
	switch port {
	case plan.Late:
		return e.inputSchema(id, 0)
	case plan.DeadLetter:
		return deadLetter
	}
	for i, side := range e.plan(id).Kind.Sides() {
		if port == plan.LateSide+side.Name {
			return e.inputSchema(id, i)
		}
	}
	for _, output := range e.plan(id).Outputs {
		if output.PortName() == port {
			return schema.Schema(output.Schema)
		}
	}
	panic(fmt.Sprintf("operator %q has no output %q", e.plan(id).Name, port))
}

var deadLetter = schema.Schema{
	{Name: "operator", Type: schema.String}, {Name: "place", Type: schema.String}, {Name: "reason", Type: schema.String},
	{Name: "record", Type: schema.String},
}

func (e *engine) inputSchema(id, input int) schema.Schema {
	read := e.plan(id).Inputs[input]
	return e.schema(e.find(read.From), read.PortName())
}

// carry hands rows that left a port to its readers.
func (e *engine) carry(from int, port string, rows []cells.Row) {
	if len(rows) == 0 {
		return
	}
	if e.only < 0 || e.only == from {
		at := output{from, port}
		e.collected[at] = append(e.collected[at], rows...)
	}
	if e.only >= 0 {
		return
	}
	for _, reader := range e.readers(from, port) {
		e.accept(reader.operator, reader.input, rows)
	}
}

// accept gives rows to an input of an operator.
func (e *engine) accept(id, input int, rows []cells.Row) {
	kind := e.plan(id).Kind
	switch {
	case kind.Source != nil:
		panic(fmt.Sprintf("%q is a source: it has no input", e.plan(id).Name))
	case kind.Sink != nil:
		at := output{id, plan.Main}
		e.collected[at] = append(e.collected[at], rows...)
	case kind.Name == plan.Union:
		e.carry(id, plan.Main, rows)
	case kind.Rolling != nil:
		e.roll(id, rows)
	case e.spec(id) != nil:
		for _, row := range rows {
			e.window(id, input, row)
		}
	case kind.Join != nil:
		for _, row := range rows {
			e.join(id, input, row)
		}
	case kind.Process != nil:
		e.process(id, input, rows)
	default:
		text := cells.Encode(rows, e.inputSchema(id, input))
		e.settle(id, e.instance.Process(uint32(id), uint32(input), e.at(id), text, nil, nil), rows)
	}
}

func (e *engine) at(id int) runtime.Moment {
	return runtime.Moment{Watermark: e.keeping[id].watermark, Now: e.now}
}

// settle does what a call asked for and carries on what it emitted.
func (e *engine) settle(id int, outcome *runtime.Outcome, rows []cells.Row) {
	keeping := &e.keeping[id]
	for _, op := range outcome.Timers {
		keeping.timers.apply(op, keeping.slots.places[op.Slot].key)
	}
	if len(outcome.Cleared) > 0 {
		e.instance.DropState(uint32(id), outcome.Cleared)
		for _, slot := range outcome.Cleared {
			keeping.slots.forget(slot)
		}
	}
	failures := append([]runtime.Failure(nil), outcome.Failures...)
	emitted := e.host.emitted
	e.host.emitted = nil
	for _, failure := range failures {
		e.refuse(int(failure.Operator), failure.Message, rows[failure.Row])
	}
	for _, emission := range emitted {
		operator := int(emission.operator)
		port := e.plan(operator).Outputs[emission.port]
		out, err := cells.Decode(emission.block, schema.Schema(port.Schema))
		if err != nil {
			panic(err)
		}
		e.observe(operator, out)
		e.carry(operator, port.PortName(), out)
	}
}

func (e *engine) refuse(id int, message string, row cells.Row) {
	operator := e.plan(id)
	if operator.Fails() && e.only < 0 {
		panic(fmt.Sprintf("operator %q refused a record and the job fails: %s", operator.Name, message))
	}
	e.refused = append(e.refused, message)
	if operator.OnError == plan.DeadLettered {
		letter := []any{operator.Name, "test", message, fmt.Sprint(row.Cells)}
		e.carry(id, plan.DeadLetter, []cells.Row{{Time: row.Time, Cells: letter}})
	}
}

// observe makes watermarks behind an operator that gives event times.
func (e *engine) observe(id int, rows []cells.Row) {
	watermarks := e.plan(id).Kind.Timestamps
	if watermarks == nil || e.only >= 0 {
		return
	}
	if watermarks.Guest != nil {
		e.show(id, rows)
		return
	}
	for _, row := range rows {
		e.keeping[id].watermark = max(e.keeping[id].watermark, watermarks.After(row.Time))
	}
}

// raise raises an operator's watermark and, unless it runs alone, that of all behind it.
func (e *engine) raise(id int, watermark int64) {
	e.keeping[id].watermark = max(e.keeping[id].watermark, watermark)
	e.release(id)
	e.spread()
}

// spread brings every operator's watermark to the least of its inputs'.
func (e *engine) spread() {
	if e.only >= 0 {
		return
	}
	for id, node := range e.instance.Nodes {
		if len(node.Plan.Inputs) == 0 {
			continue
		}
		least := int64(math.MaxInt64)
		for _, input := range node.Plan.Inputs {
			least = min(least, e.keeping[e.find(input.From)].watermark)
		}
		if node.Plan.Kind.Timestamps != nil && least < math.MaxInt64 {
			continue
		}
		if least > e.keeping[id].watermark {
			e.keeping[id].watermark = least
			e.release(id)
		}
	}
}

// setNow sets the clock.
func (e *engine) setNow(now int64) {
	e.now = max(e.now, now)
	for id := range e.instance.Nodes {
		e.release(id)
	}
	e.askByClock()
}

func (e *engine) release(id int) {
	e.fireTimers(id)
	e.closeWindows(id)
	e.releaseJoin(id)
}

// restart exports the state of an operator, drops it and loads it again: what a restart does.
func (e *engine) restart(id int) {
	e.instance.ForgetSplits(uint32(id))
	if e.instance.Nodes[id].Guest == nil || e.instance.Nodes[id].Guest.State() == nil {
		return
	}
	slots := e.keeping[id].slots.all()
	if len(slots) == 0 {
		return
	}
	text := append([]byte(nil), e.instance.ExportState(uint32(id), slots)...)
	e.instance.DropState(uint32(id), slots)
	if err := e.instance.ImportState(uint32(id), slots, text); err != nil {
		panic(fmt.Sprintf("state does not survive a restart: %v", err))
	}
	if again := e.instance.ExportState(uint32(id), slots); string(again) != string(text) {
		panic(fmt.Sprintf("state that was restored is exported as\n%x, not as it was:\n%x", again, text))
	}
}
