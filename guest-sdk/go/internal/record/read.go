package record

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"unsafe"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// chunk is how many records are read at once: enough for tight loops over columns, few enough for the cache.
const chunk = 512

// Source says where in a block the columns of a record are.
type Source struct {
	// Picked are the indexes of its columns, or nil for the first ones in order.
	Picked []int
	// First is added to every index.
	First int
	// State says that every column is optional, whatever the record says: a block of state.
	State bool
}

// columns opens the columns of a layout.
func (l *Layout) open(b block.Block, from Source, columns []column) ([]column, error) {
	columns = columns[:0]
	for i := range l.cells {
		cell := &l.cells[i]
		index := i
		if from.Picked != nil {
			index = from.Picked[i]
		}
		parts, err := b.Expect(index+from.First, cell.kind, cell.nullable() || from.State)
		if err != nil {
			return nil, err
		}
		columns = append(columns, column{Column: parts, cell: cell})
	}
	return columns, nil
}

// column is a column opened for reading.
type column struct {
	block.Column
	cell *cell
	// text is the heap as text of its own, so that every value is a piece of it.
	text string
	heap []byte
}

// Reader makes records of a block's rows, some hundred at a time and column by column.
type Reader[T any] struct {
	layout  *Layout
	columns []column
	buffer  []T
	// The rows that are in the buffer.
	from, to int
	rows     int
	// one is where One makes its record.
	one T
	// keeps says that records may be kept: their text is not cut from that of the whole block, which would be kept with it.
	keeps bool
}

// NewReader makes a reader; one that `keeps` is for records that outlive their block.
func NewReader[T any](layout *Layout, keeps bool) *Reader[T] {
	return &Reader[T]{layout: layout, keeps: keeps}
}

// Open begins with a block.
func (r *Reader[T]) Open(b block.Block, from Source) error {
	columns, err := r.layout.open(b, from, r.columns)
	if err != nil {
		return err
	}
	r.columns, r.rows, r.from, r.to = columns, b.Rows(), 0, 0
	for i := range r.columns {
		r.columns[i].share(r.keeps)
	}
	return nil
}

// share copies the heap once for all rows.
func (c *column) share(keeps bool) {
	c.text, c.heap = "", nil
	if keeps || c.cell.form != plain {
		return
	}
	switch c.cell.kind {
	case schema.String:
		c.text = string(c.Heap)
	case schema.Bytes:
		c.heap = append([]byte(nil), c.Heap...)
	}
}

// Rows is the number of rows of the block.
func (r *Reader[T]) Rows() int { return r.rows }

// At gives the record of a row. It is overwritten when another chunk of rows is read.
func (r *Reader[T]) At(row int) *T {
	if row < r.from || row >= r.to {
		r.load(row)
	}
	return &r.buffer[row-r.from]
}

func (r *Reader[T]) load(row int) {
	r.from = row - row%chunk
	r.to = min(r.from+chunk, r.rows)
	if len(r.buffer) < r.to-r.from {
		r.buffer = make([]T, min(chunk, max(r.to-r.from, 2*len(r.buffer))))
	}
	base := unsafe.Pointer(unsafe.SliceData(r.buffer))
	stride := r.layout.Type.Size()
	r.layout.read(r.columns, base, stride, r.from, r.to, 0)
}

// One makes the record of a single row, not to be overwritten.
func (r *Reader[T]) One(row int) T {
	r.layout.read(r.columns, unsafe.Pointer(&r.one), 0, row, row+1, 0)
	return r.one
}

// Any says whether a row has a value in any column.
func (r *Reader[T]) Any(row int) bool { return anyPresent(r.columns, row) }

func anyPresent(columns []column, row int) bool {
	return slices.ContainsFunc(columns, func(c column) bool { return c.Present(row) })
}

// read puts the values of rows into records that lie `stride` bytes apart, which are reached by so many pointers.
func (l *Layout) read(columns []column, base unsafe.Pointer, stride uintptr, from, to, pointers int) {
	for i := range columns {
		if len(columns[i].cell.via) == pointers {
			columns[i].read(base, stride, from, to)
		}
	}
	for _, part := range l.parts {
		own := columns[part.first : part.first+len(part.layout.cells)]
		at := unsafe.Add(base, part.offset)
		for row := from; row < to; row++ {
			*(*unsafe.Pointer)(at) = nil
			if anyPresent(own, row) {
				value := reflect.New(part.layout.Type).UnsafePointer()
				part.layout.read(own, value, 0, row, row+1, pointers+1)
				*(*unsafe.Pointer)(at) = value
			}
			at = unsafe.Add(at, stride)
		}
	}
}

// read puts the values of rows into records that lie `stride` bytes apart.
func (c *column) read(base unsafe.Pointer, stride uintptr, from, to int) {
	at := unsafe.Add(base, c.cell.offset)
	if c.cell.optional {
		c.readOptional(at, stride, from, to)
		return
	}
	switch {
	case c.cell.form != plain:
		for row := from; row < to; row++ {
			c.decode(at, row)
			at = unsafe.Add(at, stride)
		}
	case c.cell.kind == schema.Bool:
		for _, value := range c.Data[from:to] {
			*(*bool)(at) = value != 0
			at = unsafe.Add(at, stride)
		}
	case c.cell.kind == schema.I32:
		readFixed[int32](c, at, stride, from, to)
	case c.cell.kind == schema.I64:
		readFixed[int64](c, at, stride, from, to)
	case c.cell.kind == schema.F64:
		readFixed[float64](c, at, stride, from, to)
	case c.cell.kind == schema.String:
		for row := from; row < to; row++ {
			*(*string)(at) = c.textOf(row)
			at = unsafe.Add(at, stride)
		}
	default:
		for row := from; row < to; row++ {
			*(*[]byte)(at) = c.bytesOf(row)
			at = unsafe.Add(at, stride)
		}
	}
}

func readFixed[V int32 | int64 | float64](c *column, at unsafe.Pointer, stride uintptr, from, to int) {
	for _, value := range block.View[V](&c.Column)[from:to] {
		*(*V)(at) = value
		at = unsafe.Add(at, stride)
	}
}

func (c *column) textOf(row int) string {
	if len(c.text) > 0 {
		return c.text[c.Offsets[row]:c.Offsets[row+1]]
	}
	return string(c.Bytes(row))
}

func (c *column) bytesOf(row int) []byte {
	if len(c.heap) > 0 {
		return c.heap[c.Offsets[row]:c.Offsets[row+1]:c.Offsets[row+1]]
	}
	return append([]byte{}, c.Bytes(row)...)
}

// readOptional puts pointers to the values of rows into records, or nil.
func (c *column) readOptional(at unsafe.Pointer, stride uintptr, from, to int) {
	for row := from; row < to; row++ {
		if !c.Present(row) {
			*(*unsafe.Pointer)(at) = nil
		} else {
			*(*unsafe.Pointer)(at) = c.allocate(row)
		}
		at = unsafe.Add(at, stride)
	}
}

// allocate makes a value of its own.
func (c *column) allocate(row int) unsafe.Pointer {
	switch {
	case c.cell.form != plain:
		value := reflect.New(c.cell.typ).UnsafePointer()
		c.decode(value, row)
		return value
	case c.cell.kind == schema.Bool:
		value := c.Data[row] != 0
		return unsafe.Pointer(&value)
	case c.cell.kind == schema.I32:
		value := block.View[int32](&c.Column)[row]
		return unsafe.Pointer(&value)
	case c.cell.kind == schema.I64:
		value := block.View[int64](&c.Column)[row]
		return unsafe.Pointer(&value)
	case c.cell.kind == schema.F64:
		value := block.View[float64](&c.Column)[row]
		return unsafe.Pointer(&value)
	case c.cell.kind == schema.String:
		value := c.textOf(row)
		return unsafe.Pointer(&value)
	default:
		value := c.bytesOf(row)
		return unsafe.Pointer(&value)
	}
}

// decode fills a value that is a list of records or JSON.
func (c *column) decode(at unsafe.Pointer, row int) {
	bytes := c.Bytes(row)
	value := reflect.NewAt(c.cell.typ, at)
	var err error
	if c.cell.form == list {
		err = c.cell.items.readList(value.Elem(), bytes)
	} else {
		// What the record before it had in the same place must not show through.
		value.Elem().SetZero()
		if len(bytes) > 0 {
			err = json.Unmarshal(bytes, value.Interface())
		}
	}
	if err != nil {
		panic(fmt.Sprintf("a field of type %s cannot be decoded: %v", c.cell.typ, err))
	}
}

// readList makes a slice of the records in a block; nothing at all stands for the empty list.
func (l *Layout) readList(slice reflect.Value, bytes []byte) error {
	slice.SetZero()
	if len(bytes) == 0 {
		return nil
	}
	b, err := block.Open(bytes)
	if err != nil {
		return err
	}
	columns, err := l.open(b, Source{}, nil)
	if err != nil {
		return err
	}
	records := reflect.MakeSlice(slice.Type(), b.Rows(), b.Rows())
	l.read(columns, records.UnsafePointer(), l.Type.Size(), 0, b.Rows(), 0)
	slice.Set(records)
	return nil
}
