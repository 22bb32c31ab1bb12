package tidemilltest

import (
	"fmt"
	"slices"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/cells"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

func index(columns schema.Schema, name string) int {
	at := columns.Index(name)
	if at < 0 {
		panic(fmt.Sprintf("there is no column %q in %s", name, columns))
	}
	return at
}

// keyOf has the cells of the key of a row.
func keyOf(fields []string, columns schema.Schema, row cells.Row) []any {
	key := make([]any, len(fields))
	for i, field := range fields {
		key[i] = row.Cells[index(columns, field)]
	}
	return key
}

// keySchema has the columns of a key, and others behind them.
func keySchema(fields []string, columns schema.Schema, others ...schema.Column) schema.Schema {
	var key schema.Schema
	for _, field := range fields {
		key = append(key, columns[index(columns, field)])
	}
	return key.With(others...)
}

func (e *engine) process(id, input int, rows []cells.Row) {
	columns := e.inputSchema(id, input)
	process := e.plan(id).Kind.Process
	var slots []uint32
	if input < len(process.Keys) && len(process.Keys[input]) > 0 {
		for _, row := range rows {
			slots = append(slots, e.keeping[id].slots.slot(place{key: keyOf(process.Keys[input], columns, row)}))
		}
	}
	text := cells.Encode(rows, columns)
	outcome := e.instance.Process(uint32(id), uint32(input), e.at(id), text, nil, e.withShared(id, slots...))
	refused := map[uint32]bool{}
	for _, failure := range outcome.Failures {
		refused[failure.Row] = refused[failure.Row] || failure.Operator == uint32(id)
	}
	e.settle(id, outcome, rows)
	if input == len(process.Keys) && process.Broadcast.Apply {
		for i, row := range rows {
			if !refused[uint32(i)] {
				e.apply(id, input, row)
			}
		}
	}
	e.fireTimers(id)
}

// shared is the place of what all keys share.
var shared = place{windowed: true}

// withShared puts the slot of what all keys share behind those of keys, where there is one.
func (e *engine) withShared(id int, slots ...uint32) []uint32 {
	if e.plan(id).Kind.Process.Broadcast == nil {
		return slots
	}
	return append(slots, e.keeping[id].slots.slot(shared))
}

// apply applies a broadcast row to every key that has state or a timer.
func (e *engine) apply(id, input int, row cells.Row) {
	keeping := &e.keeping[id]
	var keys [][]any
	for _, slot := range keeping.slots.all() {
		if place := keeping.slots.places[slot]; !place.windowed {
			keys = append(keys, place.key)
		}
	}
	for _, timer := range keeping.timers.set {
		keys = append(keys, timer.key)
	}
	slices.SortFunc(keys, cells.CompareAll)
	keys = slices.CompactFunc(keys, func(a, b []any) bool { return cells.CompareAll(a, b) == 0 })
	columns := keySchema(e.plan(id).Kind.Process.Keys[0], e.inputSchema(id, 0))
	rows := []cells.Row{row}
	for _, key := range keys {
		named := cells.Encode([]cells.Row{{Time: row.Time, Cells: key}}, columns)
		text := cells.Encode(rows, e.inputSchema(id, input))
		slots := e.withShared(id, keeping.slots.slot(place{key: key}))
		e.settle(id, e.instance.Apply(uint32(id), uint32(input), e.at(id), text, named, slots), rows)
	}
}

func (e *engine) fireTimers(id int) {
	process := e.plan(id).Kind.Process
	if process == nil || len(process.Timers) == 0 {
		return
	}
	columns := keySchema(process.Keys[0], e.inputSchema(id, 0), schema.Column{Name: "$timer", Type: schema.I32})
	limit := func(index uint32) int64 {
		if process.Timers[index].Domain == plan.Processing {
			return e.now
		}
		return e.keeping[id].watermark
	}
	for {
		due, found := e.keeping[id].timers.due(limit)
		if !found {
			return
		}
		slot := e.keeping[id].slots.slot(place{key: due.key})
		rows := []cells.Row{{Time: due.time, Cells: append(due.key[:len(due.key):len(due.key)], int32(due.index))}}
		e.settle(id, e.instance.OnTimer(uint32(id), e.at(id), cells.Encode(rows, columns), e.withShared(id, slot)), rows)
	}
}

func (e *engine) roll(id int, rows []cells.Row) {
	columns := e.inputSchema(id, 0)
	rolling := e.plan(id).Kind.Rolling
	column := -1
	if rolling.Aggregate.Field != "" {
		column = index(columns, rolling.Aggregate.Field)
	}
	keeping := &e.keeping[id]
	if keeping.rolling == nil {
		keeping.rolling = map[string]*aggregated{}
	}
	for _, row := range rows {
		key := keyOf(rolling.Key, columns, row)
		name := cells.Key(key)
		if keeping.rolling[name] == nil {
			keeping.rolling[name] = &aggregated{}
		}
		so := keeping.rolling[name]
		so.add(rolling.Aggregate, column, row)
		result := so.result(rolling.Aggregate)
		if !rolling.Aggregate.Whole() {
			result = append(key, result...)
		}
		e.carry(id, plan.Main, []cells.Row{{Time: row.Time, Cells: result}})
	}
}
