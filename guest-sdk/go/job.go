package tidemill

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/bridge"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// Job builds a job: what the function given to [Export] is handed.
type Job struct {
	graph     *graph
	name      string
	arguments []runtime.Argument
	asked     []string
}

// graph has the operators so far; an operator's id is its index.
type graph struct {
	call  *runtime.Call
	nodes []runtime.Node
	// records are the types of an operator's outputs, by port.
	records []map[string]reflect.Type
	// problems of the job, found while it was built.
	problems []string
}

// Name names the job, unless the command line does.
func (j *Job) Name(name string) { j.name = name }

// Arg is the value of `--arg name=value`, or an [ArgumentError] where there is none.
func (j *Job) Arg(name string) (string, error) {
	value, found := j.LookupArg(name)
	if !found {
		return "", &ArgumentError{Name: name, Err: ErrMissing}
	}
	return value, nil
}

// ArgOr is the value of `--arg name=value`, or another one where there is none.
func (j *Job) ArgOr(name, otherwise string) string {
	if value, found := j.LookupArg(name); found {
		return value
	}
	return otherwise
}

// LookupArg is the value of `--arg name=value`, if there is one.
func (j *Job) LookupArg(name string) (string, bool) {
	j.asked = append(j.asked, name)
	for _, argument := range j.arguments {
		if argument.Name == name {
			return argument.Value, true
		}
	}
	return "", false
}

// ParseArg is the value of `--arg name=value` as another type: `ParseArg(job, "n", strconv.Atoi)`.
func ParseArg[T any](job *Job, name string, parse func(string) (T, error)) (T, error) {
	text, err := job.Arg(name)
	if err != nil {
		var none T
		return none, err
	}
	return parseArg(name, text, parse)
}

// ParseArgOr is the value of `--arg name=value` as another type, or another one where there is none.
func ParseArgOr[T any](job *Job, name string, otherwise T, parse func(string) (T, error)) (T, error) {
	text, found := job.LookupArg(name)
	if !found {
		return otherwise, nil
	}
	return parseArg(name, text, parse)
}

func parseArg[T any](name, text string, parse func(string) (T, error)) (T, error) {
	value, err := parse(text)
	if err != nil {
		return value, &ArgumentError{Name: name, Value: text, Err: err}
	}
	return value, nil
}

// finish checks what only the whole job shows and writes the plan.
func (j *Job) finish() (string, error) {
	problems := append(j.graph.problems, j.unknownArguments()...)
	names := map[string]bool{}
	document := plan.Plan{Contract: plan.Contract, Name: j.name, Operators: []*plan.Operator{}}
	for _, node := range j.graph.nodes {
		if names[node.Plan.Name] {
			problems = append(problems, fmt.Sprintf("two operators are called %q: names are how state is found, so each is used once", node.Plan.Name))
		}
		names[node.Plan.Name] = true
		document.Operators = append(document.Operators, node.Plan)
	}
	if len(problems) > 0 {
		return "", &BuildError{Problems: problems}
	}
	text, err := json.Marshal(document)
	return string(text), err
}

func (j *Job) unknownArguments() (problems []string) {
	slices.Sort(j.asked)
	known := slices.Compact(j.asked)
	for _, argument := range j.arguments {
		switch {
		case slices.Contains(known, argument.Name):
		case len(known) == 0:
			problems = append(problems, fmt.Sprintf("unknown argument %q: this job takes none", argument.Name))
		default:
			problems = append(problems, fmt.Sprintf("unknown argument %q: this job takes %s", argument.Name, strings.Join(known, ", ")))
		}
	}
	return problems
}

// build makes an instance of a job.
func build(define func(*Job) error, arguments []runtime.Argument, host runtime.Host) (*runtime.Instance, string, error) {
	call := runtime.NewCall(host)
	instance := runtime.NewInstance(call, nil)
	bridge.Began(call)
	call.Enter()
	defer call.Leave()
	job := &Job{graph: &graph{call: call}, arguments: arguments}
	if err := define(job); err != nil {
		return nil, "", err
	}
	document, err := job.finish()
	if err != nil {
		return nil, "", err
	}
	instance.Nodes = job.graph.nodes
	return instance, document, nil
}

func init() {
	bridge.Build = func(define any, arguments []runtime.Argument, host runtime.Host) (*runtime.Instance, string, error) {
		return build(define.(func(*Job) error), arguments, host)
	}
}

// fault notes what is wrong with the job.
func (g *graph) fault(format string, args ...any) {
	g.problems = append(g.problems, fmt.Sprintf(format, args...))
}

func (g *graph) check(err error) {
	if err != nil {
		g.problems = append(g.problems, err.Error())
	}
}

// nextID is the id that the next operator will have.
func (g *graph) nextID() uint32 { return uint32(len(g.nodes)) }

func (g *graph) add(operator *plan.Operator, guest runtime.Operator) uint32 {
	g.nodes = append(g.nodes, runtime.Node{Plan: operator, Guest: guest})
	g.records = append(g.records, map[string]reflect.Type{})
	return g.nextID() - 1
}

// layoutOf finds the columns of a record type; one that is none is noted, and has none.
func layoutOf[T any](g *graph) *record.Layout {
	layout, err := record.Of[T]()
	if err == nil {
		err = layout.Distinct()
	}
	if err != nil {
		g.check(err)
		return &record.Layout{Type: reflect.TypeFor[T]()}
	}
	return layout
}

// keyLayoutOf is layoutOf for a key.
func keyLayoutOf[K any](g *graph) *record.Layout {
	layout := layoutOf[K](g)
	g.check(layout.Comparable())
	return layout
}

func planSchema(columns schema.Schema) plan.Schema { return plan.Schema(columns) }
