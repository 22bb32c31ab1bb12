package tidemilltest

import (
	"cmp"
	"math"
	"slices"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/cells"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// window is an open window of a key, and how often it has fired.
type window struct {
	bounds
	key   []any
	fired int32
	acc   aggregated
	// rows of a join in windows.
	rows []joined
	// filled says that it has records, fresh that some of them have come since it fired last.
	filled, fresh bool
	memory        memory
	// asked is when to ask the job's trigger function next, by domain: event time, processing time.
	asked [2]int64
}

// line has the records of a key in windows that count them.
type line struct {
	key   []any
	rows  []joined
	since uint64
	due   int64
}

// spec is what a plan says of an operator's windows: those of a join or a co-group have one key for each input.
type spec struct {
	*plan.Window
	sides []plan.Side
}

// spec has the windows of an operator, or is nil.
func (e *engine) spec(id int) *spec {
	kind := e.plan(id).Kind
	switch {
	case kind.Window != nil:
		return &spec{Window: kind.Window}
	case kind.Join != nil && kind.Join.Assigner != nil:
		join := kind.Join
		window := &plan.Window{
			Key: join.Sides[0].Key, Assigner: *join.Assigner, Domain: join.Domain, LatenessMs: join.LatenessMs, Trigger: join.Trigger,
		}
		return &spec{Window: window, sides: join.Sides}
	default:
		return nil
	}
}

// key has the fields of the key of an input.
func (s *spec) key(input int) []string {
	if s.sides == nil {
		return s.Key
	}
	return s.sides[input].Key
}

// when is the trigger of the windows.
func (s *spec) when() plan.When {
	if s.Trigger == nil {
		return plan.When{Name: plan.Any, Of: []plan.When{{Name: plan.AtWatermark}, {Name: plan.LateEach}}}
	}
	return s.Trigger.When
}

// global says whether there is one window for ever.
func (s *spec) global() bool { return s.Assigner == plan.Assigner{} }

// merges says whether windows grow together.
func (s *spec) merges() bool { return s.Assigner.Session != nil || s.Assigner.SessionBy != nil }

// cleanup is when a window of these bounds is over, in their domain.
func (s *spec) cleanup(b bounds) int64 {
	if s.global() {
		return math.MaxInt64
	}
	return plusMs(b.end-1, s.LatenessMs)
}

// late is the port for late records of an input.
func (s *spec) late(input int) string {
	if s.sides == nil {
		return plan.Late
	}
	return plan.LateSide + s.sides[input].Name
}

func (w *window) place() place { return place{key: w.key, windowed: true, start: w.start, end: w.end} }

func compareWindows(a, b *window) int {
	return cmp.Or(cmp.Compare(a.end, b.end), cmp.Compare(a.start, b.start), cells.CompareAll(a.key, b.key))
}

// open gives the window of a key, a new one if need be.
func (e *engine) open(id int, key []any, at bounds) *window {
	keeping := &e.keeping[id]
	fresh := &window{bounds: at, key: key, memory: newMemory(e.spec(id).when()), asked: [2]int64{never, never}}
	i, found := slices.BinarySearchFunc(keeping.windows, fresh, compareWindows)
	if !found {
		keeping.windows = slices.Insert(keeping.windows, i, fresh)
	}
	return keeping.windows[i]
}

// moment is what a window is at.
func (e *engine) moment(id int, w *window) moment {
	return moment{end: w.end, domain: e.spec(id).Domain, watermark: e.keeping[id].watermark, now: e.now, fresh: w.fresh}
}

// clock is what drives the windows of an operator.
func (e *engine) clock(id int) int64 {
	if e.spec(id).Domain == plan.Processing {
		return e.now
	}
	return e.keeping[id].watermark
}

func (e *engine) window(id, input int, row cells.Row) {
	spec := e.spec(id)
	key := keyOf(spec.key(input), e.inputSchema(id, input), row)
	if spec.Assigner.Count != nil {
		e.count(id, spec, key, joined{side: input, row: row})
		return
	}
	clock, time := e.clock(id), row.Time
	if spec.Domain == plan.Processing {
		time = e.now
	}
	var gap int64
	if by := spec.Assigner.SessionBy; by != nil {
		gap = row.Cells[index(e.inputSchema(id, input), by.Field)].(int64)
	}
	assigned := assign(spec.Assigner, time, gap)
	if spec.merges() {
		assigned[0] = e.cover(id, key, assigned[0])
	}
	before := len(assigned)
	assigned = slices.DeleteFunc(assigned, func(b bounds) bool {
		return spec.Domain != plan.Processing && !spec.global() && spec.cleanup(b) <= clock
	})
	if len(assigned) == 0 && before > 0 {
		e.carry(id, spec.late(input), []cells.Row{row})
		return
	}
	for _, at := range assigned {
		opened := e.open(id, key, at)
		if spec.merges() {
			e.mergeSessions(id, key, at)
		}
		decision, guest := e.ask(id, opened, runtime.TriggerRecord, time, &row)
		e.addTo(id, opened, input, row)
		if guest {
			e.follow(id, opened, decision, time)
			continue
		}
		e.step(id, opened, &time, time)
	}
}

// step tells the trigger of a window what happened: a record of a time came, or time went on.
func (e *engine) step(id int, w *window, record *int64, time int64) {
	spec := e.spec(id)
	if !w.memory.step(spec.when(), e.moment(id, w), record) {
		return
	}
	w.memory.fired(spec.when())
	w.fresh = false
	if w.filled {
		if !spec.global() {
			time = w.end - 1
		}
		e.fire(id, w, time)
	}
	if spec.Trigger != nil && spec.Trigger.Purge {
		e.purge(id, w)
	}
}

// ask asks the trigger function of a window operator, where there is one.
func (e *engine) ask(id int, w *window, event runtime.TriggerEvent, time int64, row *cells.Row) (decision runtime.Decision, guest bool) {
	spec := e.spec(id)
	if spec.when().Name != plan.Guest {
		return decision, false
	}
	var records []byte
	if row != nil {
		records = cells.Encode([]cells.Row{*row}, e.inputSchema(id, 0))
	}
	one, columns := e.describe(id, w, time)
	slot := e.keeping[id].slots.slot(w.place())
	windows := cells.Encode([]cells.Row{one}, columns)
	return e.instance.Trigger(uint32(id), event, e.at(id), windows, []uint32{slot}, records, []uint32{0})[0], true
}

// follow does what a trigger function has decided.
func (e *engine) follow(id int, w *window, decision runtime.Decision, time int64) {
	for domain, at := range []*int64{decision.EventTime, decision.ProcessingTime} {
		if at != nil {
			w.asked[domain] = *at
		}
	}
	if fires := decision.Action == 1 || decision.Action == 3; fires && w.filled {
		if !e.spec(id).global() {
			time = w.end - 1
		}
		w.fresh = false
		e.fire(id, w, time)
	}
	if decision.Action >= 2 {
		e.purge(id, w)
	}
}

// describe is a window as the row that the job is given of it.
func (e *engine) describe(id int, w *window, time int64) (cells.Row, schema.Schema) {
	columns := keySchema(e.spec(id).key(0), e.inputSchema(id, 0), schema.Column{Name: "$start", Type: schema.I64},
		schema.Column{Name: "$end", Type: schema.I64}, schema.Column{Name: "$firing", Type: schema.I32})
	return cells.Row{Time: time, Cells: append(w.key[:len(w.key):len(w.key)], w.start, w.end, w.fired)}, columns
}

// purge empties a window.
func (e *engine) purge(id int, w *window) {
	w.filled, w.acc, w.rows = false, aggregated{}, nil
	if e.instance.Nodes[id].Guest != nil {
		e.instance.Purge(uint32(id), []uint32{e.keeping[id].slots.slot(w.place())})
	}
}

// cover is the session that a new one grows into with those that it touches.
func (e *engine) cover(id int, key []any, at bounds) bounds {
	for {
		grown := at
		for _, other := range e.keeping[id].windows {
			if cells.CompareAll(other.key, key) == 0 && grown.touches(other.bounds) {
				grown = bounds{min(grown.start, other.start), max(grown.end, other.end)}
			}
		}
		if grown == at {
			return at
		}
		at = grown
	}
}

// mergeSessions merges the sessions inside of a window into it.
func (e *engine) mergeSessions(id int, key []any, at bounds) {
	keeping := &e.keeping[id]
	var parts []*window
	keeping.windows = slices.DeleteFunc(keeping.windows, func(other *window) bool {
		inside := cells.CompareAll(other.key, key) == 0 && at.touches(other.bounds) && other.bounds != at
		if inside {
			parts = append(parts, other)
		}
		return inside
	})
	aggregate := e.spec(id).Compute.Host
	for _, part := range parts {
		whole := e.open(id, key, at)
		for domain, at := range part.asked {
			whole.asked[domain] = min(whole.asked[domain], at)
		}
		whole.memory.merge(e.spec(id).when(), part.memory, e.moment(id, whole))
		whole.fired = max(whole.fired, part.fired)
		whole.filled, whole.fresh = whole.filled || part.filled, whole.fresh || part.fresh
		whole.rows = append(whole.rows, part.rows...)
		if aggregate != nil {
			whole.acc.merge(*aggregate, part.acc)
		}
		if e.instance.Nodes[id].Guest == nil {
			continue
		}
		source, target := keeping.slots.slot(part.place()), keeping.slots.slot(whole.place())
		e.instance.Merge(uint32(id), []uint32{target}, []uint32{source})
		e.drop(id, source)
	}
}

func (e *engine) drop(id int, slot uint32) {
	e.instance.DropState(uint32(id), []uint32{slot})
	e.keeping[id].slots.forget(slot)
}

func (e *engine) addTo(id int, to *window, input int, row cells.Row) {
	columns := e.inputSchema(id, input)
	to.filled, to.fresh = true, true
	if aggregate := e.spec(id).Compute.Host; aggregate != nil {
		column := -1
		if aggregate.Field != "" {
			column = index(columns, aggregate.Field)
		}
		to.acc.add(*aggregate, column, row)
		return
	}
	if e.instance.Nodes[id].Guest == nil {
		to.rows = append(to.rows, joined{side: input, row: row})
		return
	}
	slot := e.keeping[id].slots.slot(to.place())
	rows := []cells.Row{row}
	e.settle(id, e.instance.Process(uint32(id), uint32(input), e.at(id), cells.Encode(rows, columns), []uint32{0}, []uint32{slot}), rows)
}

func (e *engine) fire(id int, w *window, time int64) {
	firing := w.fired
	w.fired++
	spec := e.spec(id)
	if aggregate := spec.Compute.Host; aggregate != nil {
		var result []any
		if !aggregate.Whole() {
			result = append(result, w.key...)
		}
		result = append(append(result, w.start, w.end), w.acc.result(*aggregate)...)
		e.carry(id, plan.Main, []cells.Row{{Time: time, Cells: result}})
		return
	}
	if e.instance.Nodes[id].Guest == nil {
		e.joinWindow(id, w)
		return
	}
	columns := keySchema(spec.Key, e.inputSchema(id, 0), schema.Column{Name: "$start", Type: schema.I64},
		schema.Column{Name: "$end", Type: schema.I64}, schema.Column{Name: "$firing", Type: schema.I32})
	row := cells.Row{Time: time, Cells: append(w.key[:len(w.key):len(w.key)], w.start, w.end, firing)}
	rows := []cells.Row{row}
	slot := e.keeping[id].slots.slot(w.place())
	e.settle(id, e.instance.Fire(uint32(id), e.at(id), cells.Encode(rows, columns), []uint32{0, 1}, []uint32{slot}), rows)
}

// closeWindows comes to everything of a window operator whose time has come, in order, and removes windows that are over.
func (e *engine) closeWindows(id int) {
	spec := e.spec(id)
	if spec == nil {
		return
	}
	e.cutShort(id, spec)
	for _, domain := range []string{plan.Event, plan.Processing} {
		limit := e.now
		if domain == plan.Event {
			limit = e.keeping[id].watermark
		}
		for {
			w, time := e.nextDue(id, spec, domain)
			if w == nil || time > limit {
				break
			}
			e.comeTo(id, spec, w, domain, time)
		}
	}
}

func domainIndex(domain string) int {
	if domain == plan.Event {
		return 0
	}
	return 1
}

// nextDue is the window that is due first in a domain, and when; nil where none is.
func (e *engine) nextDue(id int, spec *spec, domain string) (first *window, at int64) {
	at = never
	for _, w := range e.keeping[id].windows {
		due := w.memory.due(spec.when(), e.moment(id, w), domain)
		due = min(due, w.asked[domainIndex(domain)])
		if domain == spec.Domain {
			due = min(due, spec.cleanup(w.bounds))
		}
		if due < at {
			first, at = w, due
		}
	}
	return first, at
}

// comeTo lets a window see that time has come to something.
func (e *engine) comeTo(id int, spec *spec, w *window, domain string, time int64) {
	keeping := &e.keeping[id]
	watermark, now := keeping.watermark, e.now
	if domain == plan.Event {
		keeping.watermark = time
	} else {
		e.now = time
	}
	if at := domainIndex(domain); w.asked[at] <= time && w.asked[at] != never {
		w.asked[at] = never
		decision, _ := e.ask(id, w, runtime.TriggerEventTime+runtime.TriggerEvent(at), time, nil)
		e.follow(id, w, decision, time)
	}
	e.step(id, w, nil, time)
	keeping.watermark, e.now = watermark, now
	if domain != spec.Domain || spec.global() || spec.cleanup(w.bounds) > time {
		return
	}
	keeping.windows = slices.DeleteFunc(keeping.windows, func(other *window) bool { return other == w })
	if e.instance.Nodes[id].Guest != nil {
		e.drop(id, keeping.slots.slot(w.place()))
	}
}

// count gives a row to windows that count.
func (e *engine) count(id int, spec *spec, key []any, one joined) {
	keeping := &e.keeping[id]
	at, found := slices.BinarySearchFunc(keeping.lines, key, func(l *line, key []any) int { return cells.CompareAll(l.key, key) })
	if !found {
		keeping.lines = slices.Insert(keeping.lines, at, &line{key: key, due: never})
	}
	l, count := keeping.lines[at], spec.Assigner.Count
	l.rows = append(l.rows, one)
	l.since++
	if after := count.OrAfter; after != nil && l.since == 1 {
		from := e.now
		if after.Domain == plan.Event {
			from = one.row.Time
		}
		l.due = plusMs(from, after.Ms)
	}
	full := count.Records
	if count.Slide > 0 {
		full = count.Slide
	}
	if l.since == full {
		e.fireLine(id, count, l)
	}
	e.cutShort(id, spec)
}

// fireLine fires the window of the last records of a key.
func (e *engine) fireLine(id int, count *plan.CountWindows, l *line) {
	rows := l.rows[max(0, len(l.rows)-int(count.Records)):]
	l.rows, l.since, l.due = nil, 0, never
	if count.Slide > 0 {
		l.rows = slices.Clone(rows)
	}
	w := &window{bounds: bounds{math.MaxInt64, math.MinInt64}, key: l.key}
	for _, one := range rows {
		w.start, w.end = min(w.start, one.row.Time), max(w.end, one.row.Time+1)
	}
	for _, one := range rows {
		e.addTo(id, w, one.side, one.row)
	}
	e.fire(id, w, w.end-1)
	if e.instance.Nodes[id].Guest != nil {
		e.drop(id, e.keeping[id].slots.slot(w.place()))
	}
}

// cutShort fires windows that count and are not full when their time has come.
func (e *engine) cutShort(id int, spec *spec) {
	count := spec.Assigner.Count
	if count == nil || count.OrAfter == nil {
		return
	}
	clock := e.now
	if count.OrAfter.Domain == plan.Event {
		clock = e.keeping[id].watermark
	}
	for _, l := range e.keeping[id].lines {
		if l.due != never && l.due <= clock {
			e.fireLine(id, count, l)
		}
	}
}
