package tidemilltest

import (
	"cmp"
	"slices"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/cells"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
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
		window := &plan.Window{Key: join.Sides[0].Key, Assigner: *join.Assigner, Domain: join.Domain, LatenessMs: join.LatenessMs}
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
	fresh := &window{bounds: at, key: key}
	i, found := slices.BinarySearchFunc(keeping.windows, fresh, compareWindows)
	if !found {
		keeping.windows = slices.Insert(keeping.windows, i, fresh)
	}
	return keeping.windows[i]
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
	clock, time := e.clock(id), row.Time
	if spec.Domain == plan.Processing {
		time = e.now
	}
	key := keyOf(spec.key(input), e.inputSchema(id, input), row)
	assigned := assign(spec.Assigner, time)
	if spec.Assigner.Session != nil {
		assigned[0] = e.cover(id, key, assigned[0])
	}
	before := len(assigned)
	assigned = slices.DeleteFunc(assigned, func(b bounds) bool { return spec.Domain != plan.Processing && b.late(spec.LatenessMs, clock) })
	if len(assigned) == 0 && before > 0 {
		e.carry(id, spec.late(input), []cells.Row{row})
		return
	}
	for _, at := range assigned {
		if spec.Assigner.Session != nil {
			e.mergeSessions(id, key, at)
		}
		opened := e.open(id, key, at)
		e.addTo(id, opened, input, row)
		if at.end-1 <= clock {
			e.fire(id, opened)
		}
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

func (e *engine) fire(id int, w *window) {
	firing := w.fired
	w.fired++
	spec := e.spec(id)
	if aggregate := spec.Compute.Host; aggregate != nil {
		var result []any
		if !aggregate.Whole() {
			result = append(result, w.key...)
		}
		result = append(append(result, w.start, w.end), w.acc.result(*aggregate)...)
		e.carry(id, plan.Main, []cells.Row{{Time: w.end - 1, Cells: result}})
		return
	}
	if e.instance.Nodes[id].Guest == nil {
		e.joinWindow(id, w)
		return
	}
	columns := keySchema(spec.Key, e.inputSchema(id, 0), schema.Column{Name: "$start", Type: schema.I64},
		schema.Column{Name: "$end", Type: schema.I64}, schema.Column{Name: "$firing", Type: schema.I32})
	row := cells.Row{Time: w.end - 1, Cells: append(w.key[:len(w.key):len(w.key)], w.start, w.end, firing)}
	rows := []cells.Row{row}
	slot := e.keeping[id].slots.slot(w.place())
	e.settle(id, e.instance.Fire(uint32(id), e.at(id), cells.Encode(rows, columns), []uint32{0, 1}, []uint32{slot}), rows)
}

// closeWindows fires and removes windows whose time has come.
func (e *engine) closeWindows(id int) {
	spec := e.spec(id)
	if spec == nil {
		return
	}
	clock := e.clock(id)
	for _, w := range slices.Clone(e.keeping[id].windows) {
		if w.end-1 <= clock && w.fired == 0 {
			e.fire(id, w)
		}
	}
	keeping := &e.keeping[id]
	var over []*window
	keeping.windows = slices.DeleteFunc(keeping.windows, func(w *window) bool {
		late := w.late(spec.LatenessMs, clock)
		if late {
			over = append(over, w)
		}
		return late
	})
	for _, w := range over {
		if e.instance.Nodes[id].Guest != nil {
			e.drop(id, keeping.slots.slot(w.place()))
		}
	}
}
