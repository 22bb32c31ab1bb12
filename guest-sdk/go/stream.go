package tidemill

import (
	"reflect"
	"slices"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// Stream is a stream of records. Every use of it is a reader of its own.
type Stream[T any] struct {
	graph    *graph
	operator uint32
	port     string
	// layout has the record's columns, schema those of the plan: the record's may have other names, and hidden ones behind them.
	layout    *record.Layout
	schema    schema.Schema
	partition *plan.Partition
}

// ErrorPolicy says what happens to a record that an operator refuses.
type ErrorPolicy string

const (
	// OnErrorFail fails the job, naming the record. It is the policy where none is set.
	OnErrorFail ErrorPolicy = plan.Fail
	// OnErrorSkip counts the record and leaves it out.
	OnErrorSkip ErrorPolicy = plan.Skip
	// OnErrorDeadLetter sends the record to the operator's dead letters.
	OnErrorDeadLetter ErrorPolicy = plan.DeadLettered
)

// DeadLetter is a record that was refused, as [Stream.DeadLetters] gives it.
type DeadLetter struct {
	// Operator that refused it.
	Operator string
	// Place where it was: file, line and byte, or operator and input.
	Place string
	// Reason says what was wrong with it.
	Reason string
	// Record, shortened.
	Record string
}

func (s *Stream[T]) node() *runtime.Node { return &s.graph.nodes[s.operator] }

func (s *Stream[T]) input() plan.Input {
	input := plan.Input{From: s.node().Plan.Name, Partition: s.partition}
	if s.port != plan.Main {
		input.Port = s.port
	}
	return input
}

// keyedInput is the input of an operator with a key, by which it is partitioned.
func (s *Stream[T]) keyedInput() plan.Input {
	input := s.input()
	input.Partition = nil
	return input
}

// added adds an operator whose main output is a stream of records.
func added[T any](g *graph, operator *plan.Operator, guest runtime.Operator, layout *record.Layout, columns schema.Schema) *Stream[T] {
	operator.Outputs = append([]plan.Output{{Schema: planSchema(columns)}}, operator.Outputs...)
	id := g.add(operator, guest)
	g.records[id][plan.Main] = reflect.TypeFor[T]()
	return &Stream[T]{graph: g, operator: id, port: plan.Main, layout: layout, schema: columns}
}

// addOutput adds a port to the operator that makes this stream, and gives the stream of it.
func addOutput[S any](g *graph, id uint32, name string, layout *record.Layout) *Stream[S] {
	operator := g.nodes[id].Plan
	taken := slices.ContainsFunc(operator.Outputs, func(o plan.Output) bool { return o.PortName() == name })
	if taken || name == plan.Late || name == plan.DeadLetter {
		g.fault("operator %q has two outputs called %q", operator.Name, name)
	}
	operator.Outputs = append(operator.Outputs, plan.Output{Name: name, Schema: planSchema(layout.Schema)})
	g.records[id][name] = reflect.TypeFor[S]()
	return &Stream[S]{graph: g, operator: id, port: name, layout: layout, schema: layout.Schema}
}

// SideOutput gives the records of a side output that the process function which makes this stream declared under this name.
func SideOutput[S, T any](stream *Stream[T], name string) *Stream[S] {
	g, id := stream.graph, stream.operator
	layout := layoutOf[S](g)
	declared, found := g.records[id][name]
	operator := g.nodes[id].Plan.Name
	switch {
	case !found || name == plan.Main:
		g.fault("operator %q declares no side output %q", operator, name)
	case declared != reflect.TypeFor[S]():
		g.fault("side output %q of %q has records of type %s, not %s", name, operator, declared, reflect.TypeFor[S]())
	}
	return &Stream[S]{graph: g, operator: id, port: name, layout: layout, schema: layout.Schema}
}

// Union makes one stream of this and others of the same records.
func (s *Stream[T]) Union(name string, others ...*Stream[T]) *Stream[T] {
	operator := &plan.Operator{Name: name, Kind: plan.Kind{Name: plan.Union}, Inputs: []plan.Input{s.input()}}
	for _, other := range others {
		operator.Inputs = append(operator.Inputs, other.input())
	}
	return added[T](s.graph, operator, nil, s.layout, s.schema)
}

// Sink writes the stream. The name is also the name of the binding: `--bind NAME=URL` replaces the default.
func (s *Stream[T]) Sink(name string, format Format) {
	if format.tag != "" {
		s.graph.fault("sink %q has a tag: only sources have one", name)
	}
	binding := format.binding(name)
	s.graph.add(&plan.Operator{Name: name, Kind: plan.Kind{Sink: &binding}, Inputs: []plan.Input{s.input()}}, nil)
}

// Parallelism sets the parallelism of the operator that makes this stream; nothing overrides it. Rarely needed: without it `--parallelism`
// holds.
func (s *Stream[T]) Parallelism(workers uint32) *Stream[T] {
	if workers == 0 {
		s.graph.fault("operator %q cannot run on 0 workers", s.node().Plan.Name)
	}
	s.node().Plan.Parallelism = workers
	return s
}

// StartNewChain begins a new chain with the operator that makes this stream: it is not in one call with the operators before it. Errors
// name the operator also inside of a chain, so this is for measuring, or for a function whose call has to be short.
func (s *Stream[T]) StartNewChain() *Stream[T] {
	s.node().Plan.Chaining = plan.Start
	return s
}

// DisableChaining gives the operator that makes this stream a call of its own, with no operator before or behind it.
func (s *Stream[T]) DisableChaining() *Stream[T] {
	s.node().Plan.Chaining = plan.Never
	return s
}

// OnError says what happens to records that the operator which makes this stream refuses.
func (s *Stream[T]) OnError(policy ErrorPolicy) *Stream[T] {
	s.node().Plan.OnError = string(policy)
	if policy == OnErrorFail {
		s.node().Plan.OnError = ""
	}
	return s
}

// DeadLetters are the records that the operator which makes this stream refuses; without it a refused record fails the job.
func (s *Stream[T]) DeadLetters() *Stream[DeadLetter] {
	s.OnError(OnErrorDeadLetter)
	layout := layoutOf[DeadLetter](s.graph)
	return &Stream[DeadLetter]{graph: s.graph, operator: s.operator, port: plan.DeadLetter, layout: layout, schema: layout.Schema}
}

// Rebalance spreads blocks over all workers in turn.
func (s *Stream[T]) Rebalance() *Stream[T] { return s.partitioned("rebalance", "") }

// Shuffle sends each record to a random worker.
func (s *Stream[T]) Shuffle() *Stream[T] { return s.partitioned("shuffle", "") }

// Rescale spreads blocks over a local subset of workers in turn.
func (s *Stream[T]) Rescale() *Stream[T] { return s.partitioned("rescale", "") }

// Broadcast sends every record to all workers.
func (s *Stream[T]) Broadcast() *Stream[T] { return s.partitioned("broadcast", "") }

// Global sends all records to the first worker.
func (s *Stream[T]) Global() *Stream[T] { return s.partitioned("global", "") }

// PartitionBy sends each record to the worker of the number that a function gives, modulo the parallelism.
func PartitionBy[T any](stream *Stream[T], name string, worker func(T) int64) *Stream[T] {
	column := schema.Column{Name: "$partition", Type: schema.I64}
	return withColumns(stream, name, schema.Schema{column}, worker).partitioned("custom", column.Name)
}

func (s *Stream[T]) partitioned(name, field string) *Stream[T] {
	copied := *s
	copied.partition = &plan.Partition{Name: name, Field: field}
	return &copied
}

// column finds a column by its name, or notes that there is none.
func (s *Stream[T]) column(what, name string) (schema.Column, int) {
	index := s.schema.Index(name)
	if index < 0 {
		s.graph.fault("%s: %s has no column %q; it has %s", what, reflect.TypeFor[T](), name, s.layout.Schema.Names())
		return schema.Column{Name: name}, 0
	}
	return s.schema[index], index
}
