package tidemilltest

import (
	"fmt"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/cells"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
)

// aggregated is a running aggregate that a host computes.
type aggregated struct {
	count int64
	value any
	row   []any
}

// add adds a row; column is the index of the aggregate's field.
func (a *aggregated) add(aggregate plan.Aggregate, column int, row cells.Row) {
	one := aggregated{count: 1, row: row.Cells}
	if column >= 0 {
		one.value = row.Cells[column]
	}
	if value, narrow := one.value.(int32); narrow && aggregate.Name == plan.Sum {
		one.value = int64(value)
	}
	a.merge(aggregate, one)
}

// merge adds what another holds, which comes later.
func (a *aggregated) merge(aggregate plan.Aggregate, later aggregated) {
	a.count += later.count
	if a.row == nil {
		a.value, a.row = later.value, later.row
		return
	}
	if later.row == nil || aggregate.Name == plan.Count {
		return
	}
	order := cells.Compare(later.value, a.value)
	switch aggregate.Name {
	case plan.Sum:
		a.value = plus(a.value, later.value)
	case plan.Min, plan.MinBy:
		if order < 0 {
			a.value, a.row = later.value, later.row
		}
	case plan.Max, plan.MaxBy:
		if order > 0 {
			a.value, a.row = later.value, later.row
		}
	}
}

// result has the cells of the result.
func (a *aggregated) result(aggregate plan.Aggregate) []any {
	switch {
	case aggregate.Name == plan.Count:
		return []any{a.count}
	case aggregate.Whole():
		return a.row
	default:
		return []any{a.value}
	}
}

func plus(a, b any) any {
	switch a := a.(type) {
	case int64:
		return a + b.(int64)
	case float64:
		return a + b.(float64)
	default:
		panic(fmt.Sprintf("only numbers have a sum, not %v", a))
	}
}
