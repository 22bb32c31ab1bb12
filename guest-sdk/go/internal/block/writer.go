package block

import (
	"encoding/binary"
	"fmt"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// Writer collects the rows of one column. Which of its parts are used depends on its type.
type Writer struct {
	kind     schema.Type
	optional bool
	rows     int
	validity []byte
	bytes    []byte
	i32s     []int32
	i64s     []int64
	f64s     []float64
	ends     []uint32
}

// NewWriter makes an empty column.
func NewWriter(kind schema.Type, optional bool) Writer {
	return Writer{kind: kind, optional: optional}
}

// Bool appends a value to a column of bools.
func (w *Writer) Bool(value bool) {
	var b byte
	if value {
		b = 1
	}
	w.bytes = append(w.bytes, b)
}

// I32 appends a value.
func (w *Writer) I32(value int32) { w.i32s = append(w.i32s, value) }

// I64 appends a value.
func (w *Writer) I64(value int64) { w.i64s = append(w.i64s, value) }

// F64 appends a value.
func (w *Writer) F64(value float64) { w.f64s = append(w.f64s, value) }

// String appends a text.
func (w *Writer) String(value string) {
	w.bytes = append(w.bytes, value...)
	w.ends = append(w.ends, uint32(len(w.bytes)))
}

// Bytes appends bytes or the bytes of a text.
func (w *Writer) Bytes(value []byte) {
	w.bytes = append(w.bytes, value...)
	w.ends = append(w.ends, uint32(len(w.bytes)))
}

// Absent appends what an absent value looks like, presence not included.
func (w *Writer) Absent() {
	switch w.kind {
	case schema.Bool:
		w.bytes = append(w.bytes, 0)
	case schema.I32:
		w.i32s = append(w.i32s, 0)
	case schema.I64:
		w.i64s = append(w.i64s, 0)
	case schema.F64:
		w.f64s = append(w.f64s, 0)
	default:
		w.ends = append(w.ends, uint32(len(w.bytes)))
	}
}

// Mark notes whether the next value of an optional column is there.
func (w *Writer) Mark(present bool) {
	if w.rows&7 == 0 {
		w.validity = append(w.validity, 0)
	}
	if present {
		w.validity[w.rows>>3] |= 1 << (w.rows & 7)
	}
	w.rows++
}

// HeapLen is how many bytes of text there are so far.
func (w *Writer) HeapLen() int {
	if w.kind.Width() > 0 {
		return 0
	}
	return len(w.bytes)
}

// Truncate takes back all rows from `rows` on.
func (w *Writer) Truncate(rows int) {
	if w.optional {
		w.rows = min(w.rows, rows)
		w.validity = w.validity[:(w.rows+7)/8]
		if w.rows&7 != 0 {
			w.validity[len(w.validity)-1] &= 1<<(w.rows&7) - 1
		}
	}
	switch w.kind {
	case schema.Bool:
		w.bytes = w.bytes[:rows]
	case schema.I32:
		w.i32s = w.i32s[:rows]
	case schema.I64:
		w.i64s = w.i64s[:rows]
	case schema.F64:
		w.f64s = w.f64s[:rows]
	default:
		w.ends = w.ends[:rows]
		end := uint32(0)
		if rows > 0 {
			end = w.ends[rows-1]
		}
		w.bytes = w.bytes[:end]
	}
}

// Copy appends rows of a column of the same type.
func (w *Writer) Copy(from *Column, rows []uint32) {
	for _, row := range rows {
		if w.optional {
			w.Mark(from.Present(int(row)))
		}
		switch w.kind {
		case schema.Bool:
			w.bytes = append(w.bytes, from.Data[row])
		case schema.I32:
			w.i32s = append(w.i32s, View[int32](from)[row])
		case schema.I64:
			w.i64s = append(w.i64s, View[int64](from)[row])
		case schema.F64:
			w.f64s = append(w.f64s, View[float64](from)[row])
		default:
			w.Bytes(from.Bytes(int(row)))
		}
	}
}

func (w *Writer) reset() {
	w.rows = 0
	w.validity, w.bytes = w.validity[:0], w.bytes[:0]
	w.i32s, w.i64s, w.f64s, w.ends = w.i32s[:0], w.i64s[:0], w.f64s[:0], w.ends[:0]
}

// Layout makes a block of columns and event times in `out`, replacing what it holds, and empties the columns. It panics
// when the block is larger than a block may be.
func Layout(out []byte, id uint64, times []int64, columns []Writer) []byte {
	out = append(out[:0], magic...)
	out = binary.LittleEndian.AppendUint16(out, Version)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(columns)))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(times)))
	out = binary.LittleEndian.AppendUint32(out, 0)
	out = binary.LittleEndian.AppendUint64(out, id)
	out = binary.LittleEndian.AppendUint64(out, 0)
	table := len(out)
	for range columns {
		out = append(out, make([]byte, entry)...)
	}
	out = append(out, asBytes(times)...)
	for i := range columns {
		out = columns[i].layout(out, table+entry*i)
		columns[i].reset()
	}
	if len(out) > MaxBytes {
		panic(fmt.Sprintf("a block of %d bytes is larger than a block may be (%d bytes): emit less at a time", len(out), MaxBytes))
	}
	binary.LittleEndian.PutUint32(out[12:], uint32(len(out)))
	return out
}

// layout appends the parts of a column and fills its row of the column table.
func (w *Writer) layout(out []byte, row int) []byte {
	out[row] = byte(w.kind)
	if w.optional {
		out[row+1] = 1
		binary.LittleEndian.PutUint32(out[row+4:], uint32(len(out)))
		out = pad(append(out, w.validity...))
	}
	binary.LittleEndian.PutUint32(out[row+8:], uint32(len(out)))
	switch w.kind {
	case schema.Bool:
		return pad(append(out, w.bytes...))
	case schema.I32:
		return pad(append(out, asBytes(w.i32s)...))
	case schema.I64:
		return append(out, asBytes(w.i64s)...)
	case schema.F64:
		return append(out, asBytes(w.f64s)...)
	default:
		out = append(out, 0, 0, 0, 0)
		out = pad(append(out, asBytes(w.ends)...))
		binary.LittleEndian.PutUint32(out[row+12:], uint32(len(out)))
		return pad(append(out, w.bytes...))
	}
}

func pad(out []byte) []byte {
	for len(out)%8 != 0 {
		out = append(out, 0)
	}
	return out
}
