package tidemill

import (
	"reflect"
	"time"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// WindowedStream is a keyed stream cut into windows. A window exists from its first record on; its results leave when the watermark passes
// its end, with the window's last millisecond as event time.
type WindowedStream[K, T any] struct {
	keyed   *KeyedStream[K, T]
	windows Windows
	evictor *Evictor[T]
	// deciding makes the trigger function of one operator, where the job has one.
	deciding func() *runtime.Deciding[T]
}

// WindowCount is how many records a key has in a window: what [WindowedStream.Count] gives.
type WindowCount[K any] struct {
	// Key of the records.
	Key K `tidemill:",flatten"`
	// Start is the first millisecond of the window, End the first behind it.
	Start, End int64
	// Count of records.
	Count int64
}

// WindowValue is an aggregate of a key in a window: what [WindowSum], [WindowMin] and [WindowMax] give.
type WindowValue[K, V any] struct {
	// Key of the records.
	Key K `tidemill:",flatten"`
	// Start is the first millisecond of the window, End the first behind it.
	Start, End int64
	// Value of the aggregate.
	Value V `tidemill:",flatten"`
}

// WindowRecord is a record of a window: what [WindowMinBy] and [WindowMaxBy] give.
type WindowRecord[T any] struct {
	// Start is the first millisecond of the window, End the first behind it.
	Start, End int64
	// Record is the one.
	Record T `tidemill:",flatten"`
}

// acc is the name of the state that a window keeps.
const acc = "acc"

// AllowedLateness keeps a window for this long after its end: a late record until then lets it fire again. What comes later goes to
// [Late].
func (w *WindowedStream[K, T]) AllowedLateness(span time.Duration) *WindowedStream[K, T] {
	ms, err := millis("the allowed lateness", span)
	w.keyed.stream.graph.check(err)
	copied := *w
	copied.windows.latenessMs = ms
	return &copied
}

// Late are the records that came too late for every window they belong to, of the operator that makes this stream. Without a reader the
// host counts them and logs the first ones. Windows in processing time have none.
func Late[T, Out any](results *Stream[Out]) *Stream[T] {
	g := results.graph
	operator := results.node().Plan
	declared := g.records[results.operator][plan.Late]
	window := operator.Kind.Window
	layout := layoutOf[T](g)
	columns := layout.Schema
	switch {
	case window == nil:
		g.fault("operator %q is no window, so nothing is late there", operator.Name)
	case window.Domain == plan.Processing:
		g.fault("window %q is in processing time, where nothing is late", operator.Name)
	case declared != reflect.TypeFor[T]():
		g.fault("the late records of %q are of type %s, not %s", operator.Name, declared, reflect.TypeFor[T]())
	default:
		columns = schemaOf(g, operator.Inputs[0])
	}
	return &Stream[T]{graph: g, operator: results.operator, port: plan.Late, layout: layout, schema: columns}
}

// schemaOf has the columns of what an operator reads.
func schemaOf(g *graph, input plan.Input) schema.Schema {
	for _, node := range g.nodes {
		if node.Plan.Name != input.From {
			continue
		}
		if input.PortName() == plan.Late {
			return schemaOf(g, node.Plan.Inputs[0])
		}
		for i, side := range node.Plan.Kind.Sides() {
			if input.PortName() == plan.LateSide+side.Name {
				return schemaOf(g, node.Plan.Inputs[i])
			}
		}
		for _, output := range node.Plan.Outputs {
			if output.PortName() == input.PortName() {
				return schema.Schema(output.Schema)
			}
		}
	}
	deadLetter := layoutOf[DeadLetter](g)
	return deadLetter.Schema
}

// Aggregate aggregates the records of each window; `finish` makes the result of the window and the aggregate.
func Aggregate[K, T, Acc, R, Out any](
	windowed *WindowedStream[K, T], name string, aggregator Aggregator[T, Acc, R], finish func(window Window[K], result R) Out,
) *Stream[Out] {
	return AggregateEach(windowed, name, aggregator, func(window Window[K], result R, out *Emitter[Out]) {
		out.Emit(finish(window, result))
	})
}

// AggregateEach aggregates the records of each window; `finish` emits any number of results.
func AggregateEach[K, T, Acc, R, Out any](
	windowed *WindowedStream[K, T], name string, aggregator Aggregator[T, Acc, R],
	finish func(window Window[K], result R, out *Emitter[Out]),
) *Stream[Out] {
	g := windowed.keyed.stream.graph
	if aggregator.Add == nil || aggregator.Merge == nil || aggregator.Result == nil {
		g.fault("the aggregator of window %q lacks Add, Merge or Result", name)
	}
	if aggregator.Start == nil {
		aggregator.Start = func() (zero Acc) { return zero }
	}
	folding := &runtime.Folding[T, Acc]{
		Values:  runtime.NewValueTable[Acc](&runtime.Cursor{}, plan.Accumulator, layoutOf[Acc](g)),
		Start:   aggregator.Start,
		AddTo:   aggregator.Add,
		MergeTo: aggregator.Merge,
	}
	return guestWindow(windowed, name, folding, func(window func() Window[K], out *Emitter[Out]) {
		folding.Done = func(acc Acc) { finish(window(), aggregator.Result(acc), out) }
	})
}

// WindowReduce combines the records of each window two by two into one of the same type.
func WindowReduce[K, T any](windowed *WindowedStream[K, T], name string, f func(a, b T) T) *Stream[T] {
	folding := &runtime.Folding[T, T]{
		Values:  runtime.NewValueTable[T](&runtime.Cursor{}, plan.Accumulator, windowed.keyed.stream.layout),
		First:   func(record T) T { return record },
		AddTo:   func(acc *T, record T) { *acc = f(*acc, record) },
		MergeTo: func(acc *T, other T) { *acc = f(*acc, other) },
	}
	return guestWindow(windowed, name, folding, func(_ func() Window[K], out *Emitter[T]) {
		folding.Done = func(acc T) { out.Emit(acc) }
	})
}

// ProcessWindow handles all records of each window at once, in the order of their arrival. It keeps every record until then: where an
// aggregate can say the same, that needs less memory. The records are not to be changed.
func ProcessWindow[K, T, Out any](
	windowed *WindowedStream[K, T], name string, f func(window Window[K], records []T, out *Emitter[Out]),
) *Stream[Out] {
	if windowed.evictor != nil {
		return processEvicting(windowed, name, f)
	}
	buffering := &runtime.Buffering[T]{Lists: runtime.NewListTable[T](&runtime.Cursor{}, windowed.keyed.stream.layout)}
	return guestWindow(windowed, name, buffering, func(window func() Window[K], out *Emitter[Out]) {
		buffering.Done = func(records []T) { f(window(), records, out) }
	})
}

// guestWindow adds a window that the component computes; `done` is told how to see the window in hand and where its results go.
func guestWindow[K, T, Acc, Out any](
	w *WindowedStream[K, T], name string, compute runtime.Compute[T, Acc], done func(func() Window[K], *Emitter[Out]),
) *Stream[Out] {
	g := w.keyed.stream.graph
	id := g.nextID()
	layout := layoutOf[Out](g)
	inHand := runtime.NewWindow[K, Out](w.keyed.key)
	done(seen(g, id, inHand))
	states, tables := []plan.State{compute.Table().Declare(acc)}, []runtime.Table{compute.Table()}
	var deciding *runtime.Deciding[T]
	if w.deciding != nil {
		deciding = w.deciding()
		states, tables = append(states, deciding.States.Declare(trigger)), append(tables, deciding.States)
	}
	guest := &runtime.Windowed[K, T, Acc, Out]{
		Deciding: deciding,
		Call:     g.call, ID: id, In: w.keyed.stream.layout, Key: w.keyed.key, Keeps: keeps[Acc](), Compute: compute, Window: inHand,
		Out:   runtime.NewPort[Out](g.call, id, 0, layout, layout.Schema),
		Slots: runtime.NewSlots(&runtime.Cursor{}, states, tables),
	}
	return addWindow[Out](w, name, plan.Compute{}, states, guest, layout, layout.Schema)
}

// seen is how a function sees the window in hand, and where its results go.
func seen[K, Out any](g *graph, id uint32, inHand *runtime.Window[K, Out]) (func() Window[K], *Emitter[Out]) {
	key := inHand.Key
	window := func() Window[K] {
		return Window[K]{Start: inHand.Start, End: inHand.End, Firing: int(inHand.Firing), key: key}
	}
	return window, &Emitter[Out]{call: g.call, id: id, down: func(out *Out, _ int64) { inHand.Emit(out) }}
}

// keeps says whether an accumulator may hold memory of the records it was made of.
func keeps[Acc any]() bool {
	layout, err := record.Of[Acc]()
	return err != nil || layout.Owns
}

// Count counts the records of each window. The host computes it.
func (w *WindowedStream[K, T]) Count(name string) *Stream[WindowCount[K]] {
	column := schema.Column{Name: "count", Type: schema.I64}
	return hostWindow[WindowCount[K]](w, name, plan.Aggregate{Name: plan.Count}, w.keyed.schema().With(bounds...).With(column))
}

// WindowMinBy is the record with the least value of a field in each window, the first of equals. The host computes it.
func WindowMinBy[K, T any](windowed *WindowedStream[K, T], name, field string) *Stream[WindowRecord[T]] {
	return hostWindowBy(windowed, name, plan.MinBy, field)
}

// WindowMaxBy is the record with the greatest value of a field in each window, the first of equals. The host computes it.
func WindowMaxBy[K, T any](windowed *WindowedStream[K, T], name, field string) *Stream[WindowRecord[T]] {
	return hostWindowBy(windowed, name, plan.MaxBy, field)
}

// WindowSum sums a field over each window; the sum is an int64 or float64. The host computes it.
func WindowSum[V, K, T any](windowed *WindowedStream[K, T], name, field string) *Stream[WindowValue[K, V]] {
	return hostWindowOf[V](windowed, name, plan.Sum, field)
}

// WindowMin is the least value of a field in each window. The host computes it.
func WindowMin[V, K, T any](windowed *WindowedStream[K, T], name, field string) *Stream[WindowValue[K, V]] {
	return hostWindowOf[V](windowed, name, plan.Min, field)
}

// WindowMax is the greatest value of a field in each window. The host computes it.
func WindowMax[V, K, T any](windowed *WindowedStream[K, T], name, field string) *Stream[WindowValue[K, V]] {
	return hostWindowOf[V](windowed, name, plan.Max, field)
}

// bounds are the columns of a window.
var bounds = schema.Schema{{Name: "start", Type: schema.I64}, {Name: "end", Type: schema.I64}}

func hostWindowOf[V, K, T any](w *WindowedStream[K, T], name, aggregate, field string) *Stream[WindowValue[K, V]] {
	column := aggregated[V](w.keyed.stream, name, aggregate, field)
	columns := w.keyed.schema().With(bounds...).With(column)
	return hostWindow[WindowValue[K, V]](w, name, plan.Aggregate{Name: aggregate, Field: field}, columns)
}

func hostWindowBy[K, T any](w *WindowedStream[K, T], name, aggregate, field string) *Stream[WindowRecord[T]] {
	w.keyed.stream.column("operator \""+name+"\"", field)
	columns := bounds.With(w.keyed.stream.schema...)
	return hostWindow[WindowRecord[T]](w, name, plan.Aggregate{Name: aggregate, Field: field}, columns)
}

// hostWindow adds a window that the host computes.
func hostWindow[Out, K, T any](w *WindowedStream[K, T], name string, aggregate plan.Aggregate, columns schema.Schema) *Stream[Out] {
	layout, err := record.Of[Out]()
	if err != nil {
		w.keyed.stream.graph.check(err)
		layout = &record.Layout{Type: reflect.TypeFor[Out]()}
	}
	return addWindow[Out](w, name, plan.Compute{Host: &aggregate}, nil, nil, layout, columns)
}

func addWindow[Out, K, T any](
	w *WindowedStream[K, T], name string, compute plan.Compute, states []plan.State, guest runtime.Operator, layout *record.Layout,
	columns schema.Schema,
) *Stream[Out] {
	g := w.keyed.stream.graph
	fields := w.keyed.fields
	if fields == nil {
		fields = []string{}
	}
	body := &plan.Window{
		Key: fields, Assigner: w.windows.assigner, Domain: w.windows.domain, LatenessMs: w.windows.latenessMs, Trigger: w.windows.trigger, Compute: compute, State: states,
	}
	if w.deciding != nil && guest == nil {
		g.fault("window %q is computed by the host, so its trigger is no function: use Aggregate or ProcessWindow", name)
	}
	if w.evictor != nil {
		body.Evictor = &w.evictor.plan
		if len(states) == 0 || states[0].Kind != plan.List {
			g.fault("window %q keeps an aggregate and no records, so it has no evictor: use ProcessWindow", name)
		}
	}
	operator := &plan.Operator{Name: name, Kind: plan.Kind{Window: body}, Inputs: []plan.Input{w.keyed.stream.keyedInput()}}
	stream := added[Out](g, operator, guest, layout, columns)
	g.records[stream.operator][plan.Late] = reflect.TypeFor[T]()
	return stream
}
