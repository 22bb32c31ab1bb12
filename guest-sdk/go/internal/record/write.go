package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// Builder collects records of one type. [Builder.Finish] lays a block out and leaves the builder empty for the next one, with
// the memory of this one.
type Builder[T any] struct {
	rows Rows
}

// NewBuilder makes an empty builder; id is 0 where the schema is not to be stated.
func NewBuilder[T any](layout *Layout, id uint64) *Builder[T] {
	return &Builder[T]{rows: newRows(layout, id)}
}

// Push adds a record with its event time in milliseconds.
func (b *Builder[T]) Push(record *T, time int64) {
	b.rows.push(unsafe.Pointer(record), time)
}

// Copy adds rows of a block whose first columns are those of the record, without decoding them.
func (b *Builder[T]) Copy(from block.Block, picked []uint32) error {
	times := from.Times()
	for i := range b.rows.writers {
		cell := &b.rows.layout.cells[i]
		column, err := from.Expect(i, cell.kind, cell.nullable())
		if err != nil {
			return err
		}
		b.rows.writers[i].Copy(&column, picked)
	}
	for _, row := range picked {
		b.rows.times = append(b.rows.times, times[row])
	}
	return nil
}

// Rows is the number of records so far.
func (b *Builder[T]) Rows() int { return len(b.rows.times) }

// HeapLen is the number of bytes of text and bytes so far.
func (b *Builder[T]) HeapLen() int { return b.rows.heap() }

// Truncate takes back all records from `rows` on.
func (b *Builder[T]) Truncate(rows int) {
	if rows >= len(b.rows.times) {
		return
	}
	b.rows.times = b.rows.times[:rows]
	for i := range b.rows.writers {
		b.rows.writers[i].Truncate(rows)
	}
}

// Finish lays the block out and forgets its records. The block is overwritten by the next one.
func (b *Builder[T]) Finish() []byte { return b.rows.finish() }

// Rows are records of a type that only its layout knows.
type Rows struct {
	layout  *Layout
	id      uint64
	times   []int64
	writers []block.Writer
	texts   []int
	out     []byte
}

func newRows(layout *Layout, id uint64) Rows {
	rows := Rows{layout: layout, id: id, writers: make([]block.Writer, len(layout.cells))}
	for i, cell := range layout.cells {
		rows.writers[i] = block.NewWriter(cell.kind, cell.nullable())
		if cell.kind.Width() == 0 {
			rows.texts = append(rows.texts, i)
		}
	}
	return rows
}

func (r *Rows) heap() int {
	length := 0
	for _, i := range r.texts {
		length += r.writers[i].HeapLen()
	}
	return length
}

func (r *Rows) push(record unsafe.Pointer, time int64) {
	cells := r.layout.cells
	for i := range cells {
		cells[i].write(record, &r.writers[i])
	}
	r.times = append(r.times, time)
}

func (r *Rows) finish() []byte {
	r.out = block.Layout(r.out, r.id, r.times, r.writers)
	r.times = r.times[:0]
	return r.out
}

func (c *cell) write(record unsafe.Pointer, to *block.Writer) {
	if c.nullable() {
		at := c.reach(record)
		to.Mark(at != nil)
		if at == nil {
			to.Absent()
			return
		}
		c.writeValue(at, to)
		return
	}
	c.writeValue(unsafe.Add(record, c.offset), to)
}

// reach follows the pointers to a value that may be absent, which is nil then.
func (c *cell) reach(record unsafe.Pointer) unsafe.Pointer {
	for _, offset := range c.via {
		if record = *(*unsafe.Pointer)(unsafe.Add(record, offset)); record == nil {
			return nil
		}
	}
	record = unsafe.Add(record, c.offset)
	if c.optional {
		return *(*unsafe.Pointer)(record)
	}
	return record
}

func (c *cell) writeValue(at unsafe.Pointer, to *block.Writer) {
	if c.form != plain {
		to.Bytes(c.encode(at))
		return
	}
	switch c.kind {
	case schema.Bool:
		to.Bool(*(*bool)(at))
	case schema.I32:
		to.I32(*(*int32)(at))
	case schema.I64:
		to.I64(*(*int64)(at))
	case schema.F64:
		to.F64(*(*float64)(at))
	case schema.String:
		to.String(*(*string)(at))
	default:
		to.Bytes(*(*[]byte)(at))
	}
}

// encode makes bytes of a list of records or of what becomes JSON.
func (c *cell) encode(at unsafe.Pointer) []byte {
	value := reflect.NewAt(c.typ, at).Elem()
	if c.form == asJSON {
		bytes, err := json.Marshal(value.Interface())
		if err != nil {
			panic(fmt.Sprintf("a field of type %s cannot become JSON: %v", c.typ, err))
		}
		return bytes
	}
	return c.items.block(value.UnsafePointer(), value.Len())
}

// block lays out records that lie one behind the other, or gives nothing for none. Its schema is not stated.
func (l *Layout) block(records unsafe.Pointer, count int) []byte {
	if count == 0 {
		return nil
	}
	rows := newRows(l, 0)
	for i := range count {
		rows.push(unsafe.Add(records, uintptr(i)*l.Type.Size()), 0)
	}
	return rows.finish()
}

// Block lays out records without event times, or gives nothing for none: how lists are kept in a column.
func Block[T any](layout *Layout, records []T) []byte {
	return layout.block(unsafe.Pointer(unsafe.SliceData(records)), len(records))
}

// Export writes the state of some slots: every column is optional, and absent where `at` gives no record.
func (l *Layout) Export(count int, at func(int) unsafe.Pointer) []block.Writer {
	writers := make([]block.Writer, len(l.cells))
	for i := range l.cells {
		cell := &l.cells[i]
		writers[i] = block.NewWriter(cell.kind, true)
		for row := range count {
			record := at(row)
			switch {
			case record == nil:
				writers[i].Mark(false)
				writers[i].Absent()
			case cell.nullable():
				cell.write(record, &writers[i])
			default:
				writers[i].Mark(true)
				cell.write(record, &writers[i])
			}
		}
	}
	return writers
}

// BlockOf lays out one record of a type that is only known now, and gives its columns.
func BlockOf(value any, time int64) ([]byte, schema.Schema, error) {
	if value == nil {
		return nil, nil, errors.New("nil is no record")
	}
	layout, err := of(reflect.TypeOf(value), nil)
	if err != nil {
		return nil, nil, err
	}
	record := reflect.New(layout.Type)
	record.Elem().Set(reflect.ValueOf(value))
	rows := newRows(layout, layout.Schema.ID())
	rows.push(record.UnsafePointer(), time)
	return rows.finish(), layout.Schema, nil
}
