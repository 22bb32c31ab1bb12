package tidemilltest

import (
	"log/slog"
	"math"
	"os"
	"strings"
	"sync"
	"testing"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/cells"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// Argument is one `--arg name=value`.
type Argument struct{ name, value string }

// Arg gives the job an argument.
func Arg(name, value string) Argument { return Argument{name, value} }

// Event is a record and its event time in milliseconds.
type Event[T any] struct {
	Record T
	Time   int64
}

// logging makes slog's default logger that of a component, for which whatever is logged in a call of the host belongs to the job.
var logging = sync.OnceFunc(func() {
	slog.SetDefault(slog.New(tidemill.LogHandler(slog.NewTextHandler(os.Stderr, nil))))
})

func newEngine(job func(*tidemill.Job) error, arguments []Argument, only string) (*engine, error) {
	logging()
	given := make([]runtime.Argument, len(arguments))
	for i, argument := range arguments {
		given[i] = runtime.Argument{Name: argument.name, Value: argument.value}
	}
	return start(job, given, only)
}

// Job is a job under test. Watermarks follow from the records pushed, as the plan says. A record that the job's policy does not let
// pass panics, as it would fail the job.
type Job struct {
	t      testing.TB
	engine *engine
}

// Start starts a job; the test fails where the job says that something is wrong with it, see [BuildError].
func Start(t testing.TB, job func(*tidemill.Job) error, arguments ...Argument) *Job {
	t.Helper()
	e, err := newEngine(job, arguments, "")
	if err != nil {
		t.Fatalf("the job cannot start: %v", err)
	}
	return &Job{t: t, engine: e}
}

// BuildError is what is wrong with a job or its arguments, or nil.
func BuildError(job func(*tidemill.Job) error, arguments ...Argument) error {
	_, err := newEngine(job, arguments, "")
	return err
}

// rowOf makes a row of a record for a port of these columns.
func rowOf(t testing.TB, what string, value any, time int64, columns schema.Schema) cells.Row {
	t.Helper()
	text, own, err := record.BlockOf(value, time)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	for i, column := range columns {
		if i >= len(own) || own[i].Type != column.Type || own[i].Optional != column.Optional {
			t.Fatalf("%s takes records with the columns %s, not %T with %s", what, columns, value, own)
		}
	}
	rows, err := cells.Decode(text, own)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return rows[0]
}

// recordsOf makes records of rows whose columns begin with theirs.
func recordsOf[T any](t testing.TB, what string, rows []cells.Row, columns schema.Schema) []Event[T] {
	t.Helper()
	layout, err := record.Of[T]()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	b, err := block.Open(cells.Encode(rows, columns))
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	reader := record.NewReader[T](layout, true)
	if err := reader.Open(b, record.Source{}); err != nil {
		t.Fatalf("%s has the columns %s, which %s does not read: %v", what, columns, layout.Type, err)
	}
	events := make([]Event[T], len(rows))
	for i, row := range rows {
		events[i] = Event[T]{Record: reader.One(i), Time: row.Time}
	}
	return events
}

func (j *Job) source(name string) (int, *plan.Source) {
	id := j.engine.find(name)
	source := j.engine.plan(id).Kind.Source
	if source == nil {
		j.t.Fatalf("%q is no source", name)
	}
	return id, source
}

// Push gives records to a source; their event time is the field that the source declares.
func (j *Job) Push(source string, records ...any) {
	j.t.Helper()
	j.PushVariant(source, plan.Main, records...)
}

// PushVariant gives records of a variant to a tagged source.
func (j *Job) PushVariant(source, variant string, records ...any) {
	j.t.Helper()
	id, spec := j.source(source)
	columns := j.engine.schema(id, variant)
	for _, value := range records {
		row := rowOf(j.t, "source \""+source+"\"", value, math.MinInt64, columns)
		at := columns.Index(spec.Time)
		var time *int64
		if at >= 0 {
			if given, ok := row.Cells[at].(int64); ok {
				time, row.Time = &given, given
			}
		}
		j.engine.carry(id, variant, []cells.Row{row})
		j.advance(id, spec, time)
	}
}

// PushLines gives lines in the source's format (for CSV without a header) to a source.
func (j *Job) PushLines(source, text string) {
	j.t.Helper()
	id, spec := j.source(source)
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		p, err := parseLine(line, spec, j.engine.plan(id).Outputs)
		if err != nil {
			j.t.Fatalf("source %q cannot read %q: %v", source, line, err)
		}
		row := cells.Row{Time: math.MinInt64, Cells: p.cells}
		if p.time != nil {
			row.Time = *p.time
		}
		if p.port != "" {
			j.engine.carry(id, p.port, []cells.Row{row})
		}
		j.advance(id, spec, p.time)
	}
}

// advance lets the watermark follow a source's event time.
func (j *Job) advance(id int, source *plan.Source, time *int64) {
	if source.Watermarks == nil || time == nil {
		j.engine.spread()
		return
	}
	if keeping := &j.engine.keeping[id]; *time > keeping.greatest {
		keeping.greatest = *time
		j.engine.raise(id, source.Watermarks.After(*time))
	}
}

// SetProcessingTime sets the host's clock, in milliseconds.
func (j *Job) SetProcessingTime(now int64) { j.engine.setNow(now) }

// Finish ends all sources: every window closes and every event timer fires.
func (j *Job) Finish() {
	for id, node := range j.engine.instance.Nodes {
		if node.Plan.Kind.Source != nil {
			j.engine.raise(id, math.MaxInt64)
		}
	}
}

func (j *Job) sinkRows(name string) ([]cells.Row, schema.Schema, *plan.Binding) {
	j.t.Helper()
	id := j.engine.find(name)
	sink := j.engine.plan(id).Kind.Sink
	if sink == nil {
		j.t.Fatalf("%q is no sink", name)
	}
	at := output{id, plan.Main}
	rows := j.engine.collected[at]
	delete(j.engine.collected, at)
	return rows, j.engine.inputSchema(id, 0), sink
}

// SinkLines takes what a sink has been given so far, as lines in its format.
func (j *Job) SinkLines(name string) []string {
	j.t.Helper()
	rows, columns, sink := j.sinkRows(name)
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = writeLine(row, columns, sink.Format)
	}
	return lines
}

// Sink takes what a sink has been given so far.
func Sink[T any](j *Job, name string) []T {
	j.t.Helper()
	rows, columns, _ := j.sinkRows(name)
	records := make([]T, len(rows))
	for i, event := range recordsOf[T](j.t, "sink \""+name+"\"", rows, columns) {
		records[i] = event.Record
	}
	return records
}

// Output takes what has left an operator's output so far, with event times. The main output is `out`.
func Output[T any](j *Job, operator, port string) []Event[T] {
	j.t.Helper()
	return outputOf[T](j.t, j.engine, j.engine.find(operator), port)
}

func outputOf[T any](t testing.TB, e *engine, id int, port string) []Event[T] {
	t.Helper()
	at := output{id, port}
	rows := e.collected[at]
	delete(e.collected, at)
	return recordsOf[T](t, "output \""+port+"\" of \""+e.plan(id).Name+"\"", rows, e.schema(id, port))
}

// Refused says what refused records were refused for, where the job goes on.
func (j *Job) Refused() []string { return j.engine.refused }

// Log is what was logged.
func (j *Job) Log() []string { return j.engine.host.log }

// Restart exports the state that the job's code keeps, drops it and loads it again, as a restart from a checkpoint does.
func (j *Job) Restart() {
	for id := range j.engine.instance.Nodes {
		j.engine.restart(id)
	}
}
