package tidemilltest

import (
	"cmp"
	"math"
	"slices"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/cells"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
)

// joined is a record of a side of a join.
type joined struct {
	side int
	row  cells.Row
}

// held is a record of a join that may find somebody yet.
type held struct {
	joined
	key     []any
	matched bool
}

// join gives a row to an input of a join that has no windows. What it does is done by going through all that is kept.
func (e *engine) join(id, input int, row cells.Row) {
	kind := e.plan(id).Kind
	side := kind.Join.Sides[input]
	one := &held{joined: joined{side: input, row: row}, key: keyOf(side.Key, e.inputSchema(id, input), row)}
	watermark := e.keeping[id].watermark
	interval, temporal := kind.Name == plan.IntervalJoin, kind.Name == plan.TemporalJoin
	switch {
	case interval && row.Time < watermark, temporal && input == 0 && math.MinInt64 < watermark && row.Time <= watermark:
		e.carry(id, plan.LateSide+side.Name, []cells.Row{row})
	case interval:
		e.meet(id, kind.Join, one)
		e.releaseJoin(id)
	case temporal:
		e.keeping[id].held = append(e.keeping[id].held, one)
	default:
		e.latest(id, kind.Join, one)
	}
}

// releaseJoin lets go of what finds nobody any more, and joins what has waited for the watermark.
func (e *engine) releaseJoin(id int) {
	kind, watermark := e.plan(id).Kind, e.keeping[id].watermark
	switch kind.Name {
	case plan.IntervalJoin:
		last := func(h *held) int64 {
			_, last := partners(kind.Join, h.side, h.row.Time)
			return last
		}
		due := func(h *held) bool { return watermark > last(h) || watermark == math.MaxInt64 }
		for _, h := range e.takeHeld(id, last, due) {
			if !h.matched {
				e.alone(id, kind.Join, h)
			}
		}
	case plan.TemporalJoin:
		due := func(h *held) bool { return h.side == 0 && h.row.Time <= watermark }
		for _, h := range e.takeHeld(id, timeOf, due) {
			e.lookUp(id, kind.Join, h)
		}
	}
}

func timeOf(h *held) int64 { return h.row.Time }

// takeHeld takes out what is due, in order.
func (e *engine) takeHeld(id int, order func(*held) int64, isDue func(*held) bool) (due []*held) {
	keeping := &e.keeping[id]
	keeping.held = slices.DeleteFunc(keeping.held, func(h *held) bool {
		if isDue(h) {
			due = append(due, h)
		}
		return isDue(h)
	})
	slices.SortStableFunc(due, func(a, b *held) int { return cmp.Compare(order(a), order(b)) })
	return due
}

// partners are the first and the last time of a partner of a row.
func partners(join *plan.Join, side int, time int64) (first, last int64) {
	lower, upper := *join.LowerMs, *join.UpperMs
	if join.LowerExclusive {
		lower++
	}
	if join.UpperExclusive {
		upper--
	}
	if side == 0 {
		return time + lower, time + upper
	}
	return time - upper, time - lower
}

// meet joins a row with those of the other side that are near it, and keeps it.
func (e *engine) meet(id int, join *plan.Join, one *held) {
	keeping := &e.keeping[id]
	first, last := partners(join, one.side, one.row.Time)
	var near []*held
	for _, other := range keeping.held {
		if other.side != one.side && first <= other.row.Time && other.row.Time <= last && cells.CompareAll(other.key, one.key) == 0 {
			near = append(near, other)
		}
	}
	slices.SortStableFunc(near, func(a, b *held) int { return cmp.Compare(a.row.Time, b.row.Time) })
	keeping.held = append(keeping.held, one)
	for _, other := range near {
		other.matched, one.matched = true, true
		picked := make([]*cells.Row, 2)
		picked[one.side], picked[other.side] = &one.row, &other.row
		e.result(id, max(one.row.Time, other.row.Time), picked)
	}
}

// alone looks after a row of an interval join that found nobody.
func (e *engine) alone(id int, join *plan.Join, h *held) {
	if join.Sides[1-h.side].IsRequired() {
		e.unmatched(id, h.joined)
		return
	}
	picked := make([]*cells.Row, 2)
	picked[h.side] = &h.row
	e.result(id, h.row.Time, picked)
}

// lookUp joins a record with the version of its time, the last that came of equals.
func (e *engine) lookUp(id int, join *plan.Join, record *held) {
	var version *cells.Row
	for _, h := range e.keeping[id].held {
		if h.side == 1 && h.row.Time <= record.row.Time && cells.CompareAll(h.key, record.key) == 0 &&
			(version == nil || h.row.Time >= version.Time) {
			version = &h.row
		}
	}
	if version == nil && join.Sides[1].IsRequired() {
		e.unmatched(id, record.joined)
		return
	}
	e.result(id, record.row.Time, []*cells.Row{&record.row, version})
}

// latest gives the row of a key of a keyed join, once every required side has one.
func (e *engine) latest(id int, join *plan.Join, one *held) {
	keeping := &e.keeping[id]
	if keeping.latest == nil {
		keeping.latest = map[string][]*cells.Row{}
	}
	name := cells.Key(one.key)
	if keeping.latest[name] == nil {
		keeping.latest[name] = make([]*cells.Row, len(join.Sides))
	}
	table := keeping.latest[name]
	table[one.side] = &one.row
	for i, side := range join.Sides {
		if side.IsRequired() && table[i] == nil {
			return
		}
	}
	e.result(id, one.row.Time, table)
}

// joinWindow joins the rows of a window, each with each.
func (e *engine) joinWindow(id int, w *window) {
	sides := e.plan(id).Kind.Join.Sides
	of := make([][]*cells.Row, len(sides))
	for i := range w.rows {
		side := w.rows[i].side
		of[side] = append(of[side], &w.rows[i].row)
	}
	for i, side := range sides {
		if len(of[i]) > 0 {
			continue
		}
		if side.IsRequired() {
			for _, row := range w.rows {
				e.unmatched(id, row)
			}
			return
		}
		of[i] = []*cells.Row{nil}
	}
	var combine func(picked []*cells.Row)
	combine = func(picked []*cells.Row) {
		if len(picked) == len(sides) {
			e.result(id, w.end-1, picked, w.start, w.end)
			return
		}
		for _, row := range of[len(picked)] {
			combine(append(picked[:len(picked):len(picked)], row))
		}
	}
	combine(nil)
}

// result carries on the result of a row of each side, where there is one, behind other cells.
func (e *engine) result(id int, time int64, picked []*cells.Row, head ...any) {
	for i, row := range picked {
		if row != nil {
			head = append(head, row.Cells...)
		} else {
			head = append(head, make([]any, len(e.inputSchema(id, i)))...)
		}
	}
	e.carry(id, plan.Main, []cells.Row{{Time: time, Cells: head}})
}

// unmatched carries on a row that found nobody, where somebody reads that.
func (e *engine) unmatched(id int, one joined) {
	port := plan.Unmatched + e.plan(id).Kind.Join.Sides[one.side].Name
	for _, output := range e.plan(id).Outputs {
		if output.PortName() == port {
			e.carry(id, port, []cells.Row{one.row})
		}
	}
}
