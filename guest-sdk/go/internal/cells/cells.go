// Package cells has the rows of blocks as plain values: for the test kit, whose host knows no record types, and for tests.
package cells

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// Row is a record and its event time. A cell is a bool, int32, int64, float64, string or []byte, or nil where it is absent.
type Row struct {
	// Time in milliseconds.
	Time int64
	// Cells of its columns, in order.
	Cells []any
}

// Decode gives the rows of a block of a schema.
func Decode(text []byte, columns schema.Schema) ([]Row, error) {
	b, err := block.Open(text)
	if err != nil {
		return nil, err
	}
	rows := make([]Row, b.Rows())
	for i, time := range b.Times() {
		rows[i] = Row{Time: time, Cells: make([]any, len(columns))}
	}
	for i, wanted := range columns {
		column, err := b.Expect(i, wanted.Type, wanted.Optional)
		if err != nil {
			return nil, err
		}
		for row := range rows {
			if column.Present(row) {
				rows[row].Cells[i] = cell(&column, row)
			}
		}
	}
	return rows, nil
}

func cell(column *block.Column, row int) any {
	switch column.Type {
	case schema.Bool:
		return column.Data[row] != 0
	case schema.I32:
		return block.View[int32](column)[row]
	case schema.I64:
		return block.View[int64](column)[row]
	case schema.F64:
		return block.View[float64](column)[row]
	case schema.String:
		return string(column.Bytes(row))
	default:
		return append([]byte{}, column.Bytes(row)...)
	}
}

// Encode makes a block of rows.
func Encode(rows []Row, columns schema.Schema) []byte {
	writers := make([]block.Writer, len(columns))
	times := make([]int64, len(rows))
	for i, column := range columns {
		writers[i] = block.NewWriter(column.Type, column.Optional)
	}
	for i, row := range rows {
		times[i] = row.Time
		for at, value := range row.Cells[:len(columns)] {
			if columns[at].Optional {
				writers[at].Mark(value != nil)
			}
			if value == nil {
				writers[at].Absent()
			} else {
				write(&writers[at], columns[at], value)
			}
		}
	}
	return block.Layout(nil, columns.ID(), times, writers)
}

func write(to *block.Writer, column schema.Column, value any) {
	switch value := value.(type) {
	case bool:
		to.Bool(value)
	case int32:
		to.I32(value)
	case int64:
		to.I64(value)
	case float64:
		to.F64(value)
	case string:
		to.String(value)
	case []byte:
		to.Bytes(value)
	default:
		panic(fmt.Sprintf("column %q cannot hold %v", column.Name, value))
	}
}

// Compare orders cells of one type: what is absent first.
func Compare(a, b any) int {
	switch a := a.(type) {
	case nil:
		if b == nil {
			return 0
		}
		return -1
	case bool:
		if other, ok := b.(bool); ok {
			return cmp.Compare(number(a), number(other))
		}
	case int32:
		return compare(a, b)
	case int64:
		return compare(a, b)
	case float64:
		return compare(a, b)
	case string:
		return compare(a, b)
	case []byte:
		if other, ok := b.([]byte); ok {
			return bytes.Compare(a, other)
		}
	}
	return 1
}

func compare[T cmp.Ordered](a T, b any) int {
	other, ok := b.(T)
	if !ok {
		return 1
	}
	return cmp.Compare(a, other)
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// CompareAll orders rows of cells.
func CompareAll(a, b []any) int {
	for i := range min(len(a), len(b)) {
		if order := Compare(a[i], b[i]); order != 0 {
			return order
		}
	}
	return cmp.Compare(len(a), len(b))
}

// Key names cells so that equal ones have equal names.
func Key(cells []any) string {
	var text strings.Builder
	for _, cell := range cells {
		fmt.Fprintf(&text, "%T:%q;", cell, fmt.Sprint(cell))
	}
	return text.String()
}
