package tidemill

import (
	"reflect"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// Source is a source of records of one type. Its name is also the name of its binding: `--bind NAME=URL` replaces the default.
func Source[T any](job *Job, name string, format Format) *Stream[T] {
	g := job.graph
	layout := layoutOf[T](g)
	if format.tag != "" {
		g.fault("source %q has a tag: use TaggedSource, or leave the tag out", name)
	}
	source := &plan.Source{Binding: format.binding(name)}
	return added[T](g, &plan.Operator{Name: name, Kind: plan.Kind{Source: source}}, nil, layout, layout.Schema)
}

// EventTime says which field of a source holds the event time, in milliseconds since 1970 in UTC, and how watermarks follow.
func (s *Stream[T]) EventTime(field string, watermarks Watermarks) *Stream[T] {
	operator := s.node().Plan
	if operator.Kind.Source == nil || s.port != plan.Main {
		s.graph.fault("%q is no source: EventTime belongs right behind Source; elsewhere there is tidemill.AssignEventTime", operator.Name)
		return s
	}
	column, _ := s.column("the event time of source \""+operator.Name+"\"", field)
	if column.Type != 0 && (column.Type != schema.I64 || column.Optional) {
		s.graph.fault("the event time of source %q is %s, which is not an int64", operator.Name, field)
	}
	setTime(s.graph, operator, field, watermarks)
	return s
}

func setTime(g *graph, operator *plan.Operator, field string, watermarks Watermarks) {
	g.check(watermarks.err)
	operator.Kind.Source.Time = field
	operator.Kind.Source.Watermarks = &watermarks.plan
}

// Tagged is a source whose records are of several types, told apart by a tag field.
type Tagged struct {
	graph    *graph
	operator uint32
}

// TaggedSource is a source whose records are of several types, told apart by a field: see [Format.Tag] and [Variant].
func (j *Job) TaggedSource(name string, format Format) *Tagged {
	if format.tag == "" {
		j.graph.fault("source %q has no tag: say which field it is, as in JSON().Tag(\"type\")", name)
	}
	source := &plan.Source{Binding: format.binding(name), Tag: format.tag}
	id := j.graph.add(&plan.Operator{Name: name, Kind: plan.Kind{Source: source}}, nil)
	return &Tagged{graph: j.graph, operator: id}
}

// EventTime says which field of every variant holds the event time, in milliseconds since 1970 in UTC, and how watermarks follow. The
// field need not be one that the job reads.
func (t *Tagged) EventTime(field string, watermarks Watermarks) *Tagged {
	setTime(t.graph, t.graph.nodes[t.operator].Plan, field, watermarks)
	return t
}

// Variant are the records with this value of the tag. Variants that no job asks for are not decoded.
func Variant[T any](source *Tagged, value string) *Stream[T] {
	g := source.graph
	layout := layoutOf[T](g)
	operator := g.nodes[source.operator].Plan
	if _, again := g.records[source.operator][value]; again {
		g.fault("variant %q is asked for twice: use one stream twice", value)
	}
	g.records[source.operator][value] = reflect.TypeFor[T]()
	operator.Outputs = append(operator.Outputs, plan.Output{Name: value, Schema: planSchema(layout.Schema), Variant: value})
	return &Stream[T]{graph: g, operator: source.operator, port: value, layout: layout, schema: layout.Schema}
}
