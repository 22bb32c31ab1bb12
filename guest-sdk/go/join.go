package tidemill

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// Joinable is a stream that can be a side of a join: a [KeyedStream] of any key and records.
//
// What a join gives is a struct that the job declares, with a field for each side in the order in which they are named:
//
//	type Status struct {
//		Order   Order
//		Payment Payment
//		Parcel  *Parcel
//	}
//
//	statuses := tidemill.KeyedJoin[Status]("statuses", orders, payments, parcels)
//
// A field that is a pointer makes its side an optional one: it is nil where that side has nothing, and the others are joined all the
// same. So two fields without a pointer are an inner join, one with a pointer a left or right one, two a full one. A side is called as
// its field is, in snake case or as its tag says. That fields and streams fit is checked when the job is built, so by any test of it.
type Joinable interface{ joinable() joinable }

// joinable is what a join knows of a side.
type joinable struct {
	graph  *graph
	input  plan.Input
	key    *record.Layout
	fields []string
	layout *record.Layout
	// columns are those of the plan; hidden says that there are more than the record's.
	columns schema.Schema
	hidden  bool
}

func (k *KeyedStream[K, T]) joinable() joinable {
	return joinable{
		graph: k.stream.graph, input: k.stream.keyedInput(), key: k.key, fields: k.fields, layout: k.stream.layout, columns: k.stream.schema,
		hidden: len(k.stream.schema) > len(k.stream.layout.Schema),
	}
}

// Interval is how far apart in event time two records may be that are joined.
type Interval struct {
	lower, upper                   int64
	lowerExclusive, upperExclusive bool
	err                            error
}

// Within is from so much to so much later than the record of the first side, both included. Both may be negative.
func Within(lower, upper time.Duration) Interval {
	lowerMs, err := millis("the lower bound of a join", lower)
	upperMs, upperErr := millis("the upper bound of a join", upper)
	if err == nil {
		err = upperErr
	}
	return Interval{lower: lowerMs, upper: upperMs, err: err}
}

// LowerExclusive leaves out what is exactly at the lower bound.
func (i Interval) LowerExclusive() Interval {
	i.lowerExclusive = true
	return i
}

// UpperExclusive leaves out what is exactly at the upper bound.
func (i Interval) UpperExclusive() Interval {
	i.upperExclusive = true
	return i
}

// IntervalJoin joins records of one key of which the second is as much later than the first as the interval says. A result has the
// greater time; it takes event time. See [Joinable] for what Row is.
func IntervalJoin[Row any](name string, within Interval, first, second Joinable) *Stream[Row] {
	body := &plan.Join{
		LowerMs: &within.lower, UpperMs: &within.upper, LowerExclusive: within.lowerExclusive, UpperExclusive: within.upperExclusive,
	}
	return join[Row, Row](name, plan.IntervalJoin, body, within.err, nil, first, second)
}

// KeyedJoin joins the last record of each side by key, as a table: each record that comes gives the row of its key, once every side has
// one whose field is no pointer, with the record's event time. See [Joinable] for what Row is.
func KeyedJoin[Row any](name string, sides ...Joinable) *Stream[Row] {
	return join[Row, Row](name, plan.KeyedJoin, &plan.Join{}, nil, nil, sides...)
}

// TemporalJoin joins each record of the first side with what the second said last at its time. Results come when the watermark has come
// to their time, since an earlier version may still be on its way. See [Joinable] for what Row is.
func TemporalJoin[Row any](name string, records, versions Joinable) *Stream[Row] {
	return join[Row, Row](name, plan.TemporalJoin, &plan.Join{}, nil, nil, records, versions)
}

// WindowJoin joins each record of a side with each of the others that has the same key and is in the same window. A result's time is the
// last millisecond of its window. See [Joinable] for what Row is.
func WindowJoin[Row any](name string, windows Windows, sides ...Joinable) *Stream[WindowRecord[Row]] {
	if windows.trigger != nil && windows.err == nil {
		windows.err = fmt.Errorf("join %q joins windows when they end: it has no trigger; see CoGroup", name)
	}
	return join[Row, WindowRecord[Row]](name, plan.WindowJoin, windows.join(), windows.err, bounds, sides...)
}

// join adds a join whose results are rows, behind columns of their own.
func join[Row, Out any](name, kind string, body *plan.Join, wrong error, head schema.Schema, sides ...Joinable) *Stream[Out] {
	if len(sides) == 0 {
		panic(fmt.Sprintf("join %q has no sides: give it two or more", name))
	}
	g := sides[0].joinable().graph
	g.check(wrong)
	operator := &plan.Operator{Name: name, Kind: plan.Kind{Name: kind, Join: body}}
	layout := layoutOf[Out](g)
	columns, types := addSides(g, operator, reflect.TypeFor[Row](), sides)
	stream := added[Out](g, operator, nil, layout, head.With(columns...))
	for i, side := range body.Sides {
		g.records[stream.operator][plan.LateSide+side.Name] = types[i]
		g.records[stream.operator][plan.Unmatched+side.Name] = types[i]
	}
	return stream
}

// addSides makes streams the inputs of a join whose rows are of a type, and gives the columns of its rows and the types of its records.
func addSides(g *graph, operator *plan.Operator, row reflect.Type, sides []Joinable) (columns schema.Schema, types []reflect.Type) {
	fields := record.FieldsOf(row)
	if len(fields) != len(sides) {
		g.fault("join %q has %d sides, so its rows are a struct with a field for each, not %s", operator.Name, len(sides), row)
		return nil, make([]reflect.Type, len(sides))
	}
	var keys []*record.Layout
	for i, field := range fields {
		side := sides[i].joinable()
		keys = append(keys, side.key)
		types = append(types, side.layout.Type)
		optional := field.Type == reflect.PointerTo(side.layout.Type)
		if !optional && field.Type != side.layout.Type {
			g.fault("join %q: side %q has records of type %s, so field %s of %s is that or a pointer to it, not %s", operator.Name, field.Name,
				side.layout.Type, field.Field, row, field.Type)
		}
		if side.hidden {
			g.fault("join %q: side %q has a key or a worker that is computed: a join needs a key in a field, so give it one in a Map in front of it",
				operator.Name, field.Name)
		}
		declared := plan.Side{Name: field.Name, Key: side.fields}
		if optional {
			declared.Required = new(bool)
		}
		operator.Kind.Join.Sides = append(operator.Kind.Join.Sides, declared)
		operator.Inputs = append(operator.Inputs, side.input)
		for _, column := range side.columns {
			columns = append(columns, schema.Column{
				Name: field.Name + "." + column.Name, Type: column.Type, Optional: column.Optional || optional,
			})
		}
	}
	g.sameKeys("join \""+operator.Name+"\"", keys...)
	return columns, types
}

// Unmatched are the records of the side of this name that found nobody where somebody was required, of the join that makes a stream.
func Unmatched[T, Out any](results *Stream[Out], side string) *Stream[T] {
	g, operator := results.graph, results.node().Plan
	input := sideOf[T](results, side, plan.Unmatched)
	if operator.Kind.Name == plan.CoGroup {
		g.fault("co-group %q has all records of its sides: none is unmatched", operator.Name)
	}
	stream := &Stream[T]{graph: g, operator: results.operator, port: plan.Unmatched + side, layout: layoutOf[T](g), schema: input}
	listed := slices.ContainsFunc(operator.Outputs, func(o plan.Output) bool { return o.PortName() == stream.port })
	if !listed {
		operator.Outputs = append(operator.Outputs, plan.Output{Name: stream.port, Schema: planSchema(input)})
	}
	return stream
}

// LateSide are the records of the side of this name that came too late, of the join or co-group that makes a stream. Without a reader
// the host counts them and logs the first ones.
func LateSide[T, Out any](results *Stream[Out], side string) *Stream[T] {
	g, operator := results.graph, results.node().Plan
	input := sideOf[T](results, side, plan.LateSide)
	switch {
	case operator.Kind.Join == nil:
	case operator.Kind.Name == plan.KeyedJoin:
		g.fault("join %q joins whenever a record comes, where nothing is late", operator.Name)
	case operator.Kind.Name == plan.TemporalJoin && len(operator.Kind.Join.Sides) > 0 && side != operator.Kind.Join.Sides[0].Name:
		g.fault("join %q takes versions at any time: none of side %q is late", operator.Name, side)
	case operator.Kind.Join.Domain == plan.Processing:
		g.fault("%q is in processing time, where nothing is late", operator.Name)
	}
	return &Stream[T]{graph: g, operator: results.operator, port: plan.LateSide + side, layout: layoutOf[T](g), schema: input}
}

// sideOf has the columns of a side, whose records are of type T.
func sideOf[T, Out any](results *Stream[Out], name, port string) schema.Schema {
	g, operator := results.graph, results.node().Plan
	sides := operator.Kind.Sides()
	index := slices.IndexFunc(sides, func(side plan.Side) bool { return side.Name == name })
	if index < 0 {
		names := make([]string, len(sides))
		for i, side := range sides {
			names[i] = side.Name
		}
		g.fault("operator %q has no side %q; it has %q", operator.Name, name, names)
		return nil
	}
	if declared := g.records[results.operator][port+name]; declared != nil && declared != reflect.TypeFor[T]() {
		g.fault("side %q of %q has records of type %s, not %s", name, operator.Name, declared, reflect.TypeFor[T]())
	}
	return schemaOf(g, operator.Inputs[index])
}
