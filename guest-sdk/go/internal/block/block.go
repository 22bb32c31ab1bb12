// Package block reads and writes blocks: rows of one schema as columns in one contiguous little-endian buffer, as
// `block.md` of the contract lays them out.
package block

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
	"unsafe"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

const (
	// Version of the layout.
	Version = 1
	// MaxBytes of one block, by the contract.
	MaxBytes = 64 << 20
	// MaxRows of one block, by the contract.
	MaxRows = 1 << 20
	// MaxColumns of one block, by the contract.
	MaxColumns = 1024

	magic  = "TBLK"
	header = 32
	entry  = 16
)

// ErrLayout is what every error about the bytes of a block wraps.
var ErrLayout = errors.New("not a block of version 1")

// TypeError says that a column has another type than its reader wants.
type TypeError struct {
	// Column is its index.
	Column int
	// Found and Wanted are the types.
	Found, Wanted schema.Column
}

func (e *TypeError) Error() string {
	optional := func(column schema.Column) string {
		if column.Optional {
			return "optional "
		}
		return ""
	}
	return fmt.Sprintf("column %d has type %s%s, not %s%s", e.Column, optional(e.Found), e.Found.Type, optional(e.Wanted), e.Wanted.Type)
}

func layoutError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrLayout, fmt.Sprintf(format, args...))
}

// Block has the bytes of a block, with the header read.
type Block struct {
	bytes   []byte
	rows    int
	columns int
}

// Column has the parts of one column, in place.
type Column struct {
	// Type of its values.
	Type schema.Type
	// Validity has one bit a row when the column is optional, else it is nil.
	Validity []byte
	// Data are fixed-width values.
	Data []byte
	// Offsets cut the heap of text and bytes: one more than rows.
	Offsets []uint32
	// Heap of text and bytes.
	Heap []byte
}

// Open reads the header. Columns are checked as far as reading them needs it; see [Block.Check] for the rest.
func Open(bytes []byte) (Block, error) {
	if len(bytes) < header {
		return Block{}, layoutError("shorter than a header")
	}
	if string(bytes[:4]) != magic || binary.LittleEndian.Uint16(bytes[4:]) != Version {
		return Block{}, layoutError("another beginning")
	}
	b := Block{
		bytes:   aligned(bytes),
		columns: int(binary.LittleEndian.Uint16(bytes[6:])),
		rows:    int(binary.LittleEndian.Uint32(bytes[8:])),
	}
	if uint64(binary.LittleEndian.Uint32(bytes[12:])) != uint64(len(bytes)) {
		return Block{}, layoutError("another length than stated")
	}
	if b.columns > MaxColumns || b.rows > MaxRows || header+entry*b.columns+8*b.rows > len(bytes) {
		return Block{}, layoutError("shorter than its table")
	}
	return b, nil
}

// aligned copies bytes whose numbers could not be read in place.
func aligned(bytes []byte) []byte {
	if uintptr(unsafe.Pointer(unsafe.SliceData(bytes)))%8 == 0 {
		return bytes
	}
	words := make([]uint64, (len(bytes)+7)/8)
	moved := asBytes(words)[:len(bytes)]
	copy(moved, bytes)
	return moved
}

// Rows is the number of rows.
func (b Block) Rows() int { return b.rows }

// Columns is the number of columns, event time not counted.
func (b Block) Columns() int { return b.columns }

// Times are the event times.
func (b Block) Times() []int64 {
	return view[int64](b.bytes[header+entry*b.columns:], b.rows)
}

// Column gives the parts of one column.
func (b Block) Column(index int) (Column, error) {
	if index >= b.columns {
		return Column{}, layoutError("there is no column %d", index)
	}
	row := b.bytes[header+entry*index:]
	column := Column{Type: schema.Type(row[0])}
	var err error
	if row[1] != 0 {
		if column.Validity, err = b.part(index, row[4:], (b.rows+7)/8); err != nil {
			return Column{}, err
		}
	}
	if !column.Type.Valid() {
		return Column{}, layoutError("column %d has %s", index, column.Type)
	}
	if width := column.Type.Width(); width > 0 {
		column.Data, err = b.part(index, row[8:], width*b.rows)
		return column, err
	}
	offsets, err := b.part(index, row[8:], 4*(b.rows+1))
	if err != nil {
		return Column{}, err
	}
	column.Offsets = view[uint32](offsets, b.rows+1)
	column.Heap, err = b.part(index, row[12:], int(column.Offsets[b.rows]))
	return column, err
}

func (b Block) part(index int, at []byte, length int) ([]byte, error) {
	offset := int(binary.LittleEndian.Uint32(at))
	if offset%8 != 0 || offset > len(b.bytes) || length > len(b.bytes)-offset {
		return nil, layoutError("column %d leaves the block", index)
	}
	return b.bytes[offset : offset+length : offset+length], nil
}

// Expect opens a column that must be of a type.
func (b Block) Expect(index int, wanted schema.Type, optional bool) (Column, error) {
	column, err := b.Column(index)
	if err != nil {
		return Column{}, err
	}
	if column.Type != wanted || (column.Validity != nil) != optional {
		return Column{}, &TypeError{
			Column: index,
			Found:  schema.Column{Type: column.Type, Optional: column.Validity != nil},
			Wanted: schema.Column{Type: wanted, Optional: optional},
		}
	}
	return column, nil
}

// Present says whether a row has a value.
func (c *Column) Present(row int) bool {
	return c.Validity == nil || c.Validity[row>>3]>>(row&7)&1 == 1
}

// Bytes are those of one row of text or bytes, in place.
func (c *Column) Bytes(row int) []byte {
	return c.Heap[c.Offsets[row]:c.Offsets[row+1]]
}

// view reads numbers in place. The layout keeps every part at a multiple of 8.
func view[T any](bytes []byte, count int) []T {
	if count == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(bytes))), count)
}

// View reads the numbers of a fixed-width column in place.
func View[T int32 | int64 | float64 | uint8](column *Column) []T {
	var zero T
	return view[T](column.Data, len(column.Data)/int(unsafe.Sizeof(zero)))
}

func asBytes[T any](values []T) []byte {
	if len(values) == 0 {
		return nil
	}
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*int(unsafe.Sizeof(zero)))
}

// Check refuses a block that breaks any rule of the layout. The host has checked what it hands over; blocks that come from
// elsewhere, such as state on its way through a disk, are checked here.
func (b Block) Check() error {
	if b.rows < 0 || len(b.bytes) > MaxBytes || len(b.bytes)%8 != 0 {
		return layoutError("its length is not a multiple of 8, or above the limit")
	}
	for _, reserved := range b.bytes[24:header] {
		if reserved != 0 {
			return layoutError("reserved bytes are not zero")
		}
	}
	at := header + entry*b.columns + 8*b.rows
	for index := range b.columns {
		end, err := b.checkColumn(index, at)
		if err != nil {
			return err
		}
		at = end
	}
	if at != len(b.bytes) {
		return layoutError("it does not end behind its last column")
	}
	return nil
}

// checkColumn checks a column whose parts begin at `at`, and says where the next one's do.
func (b Block) checkColumn(index, at int) (int, error) {
	row := b.bytes[header+entry*index:][:entry]
	wrong := func(what string) (int, error) { return 0, layoutError("column %d %s", index, what) }
	if row[1] > 1 || row[2] != 0 || row[3] != 0 {
		return wrong("has flags that mean nothing")
	}
	column, err := b.Column(index)
	if err != nil {
		return 0, err
	}
	walk := walker{block: b, at: at}
	if column.Validity == nil && binary.LittleEndian.Uint32(row[4:]) != 0 {
		return wrong("is not optional but has validity")
	}
	if column.Validity != nil {
		walk.part(row[4:], column.Validity)
		if b.rows%8 != 0 && column.Validity[len(column.Validity)-1]>>(b.rows%8) != 0 {
			return wrong("has validity behind its last row")
		}
	}
	if column.Type.Width() > 0 {
		walk.part(row[8:], column.Data)
		if binary.LittleEndian.Uint32(row[12:]) != 0 {
			return wrong("has a heap")
		}
	} else {
		walk.part(row[8:], asBytes(column.Offsets))
		walk.part(row[12:], column.Heap)
	}
	if walk.failed {
		return wrong("has parts that are not where the layout puts them, or gaps that are not zero")
	}
	if what := checkValues(&column, b.rows); what != "" {
		return wrong(what)
	}
	return walk.at, nil
}

// walker follows the parts of a block in the only order there is.
type walker struct {
	block  Block
	at     int
	failed bool
}

func (w *walker) part(offset, part []byte) {
	end := w.at + len(part)
	padded := (end + 7) &^ 7
	if w.failed || int(binary.LittleEndian.Uint32(offset)) != w.at || padded > len(w.block.bytes) {
		w.failed = true
		return
	}
	for _, gap := range w.block.bytes[end:padded] {
		w.failed = w.failed || gap != 0
	}
	w.at = padded
}

// checkValues says what is wrong with the values of a column, or nothing.
func checkValues(column *Column, rows int) string {
	if width := column.Type.Width(); width > 0 {
		for row := range rows {
			value := column.Data[row*width : (row+1)*width]
			if column.Type == schema.Bool && value[0] > 1 {
				return "has a bool that is neither 0 nor 1"
			}
			if !column.Present(row) && !zero(value) {
				return "has an absent value that is not zero"
			}
		}
		return ""
	}
	if column.Offsets[0] != 0 {
		return "has offsets that do not begin at 0"
	}
	for row := range rows {
		if column.Offsets[row+1] < column.Offsets[row] || column.Offsets[row+1] > uint32(len(column.Heap)) {
			return "has offsets that fall or leave its heap"
		}
		value := column.Bytes(row)
		if column.Type == schema.String && !utf8.Valid(value) {
			return "has text that is not UTF-8"
		}
		if !column.Present(row) && len(value) > 0 {
			return "has an absent value that is not empty"
		}
	}
	return ""
}

func zero(value []byte) bool {
	for _, b := range value {
		if b != 0 {
			return false
		}
	}
	return true
}

// AppendKey appends the canonical encoding of a value of a key (`block.md`, Keys).
func AppendKey(key []byte, column *Column, row int) []byte {
	if column.Validity != nil {
		if !column.Present(row) {
			return append(key, 0)
		}
		key = append(key, 1)
	}
	switch column.Type {
	case schema.String, schema.Bytes:
		value := column.Bytes(row)
		key = binary.LittleEndian.AppendUint32(key, uint32(len(value)))
		return append(key, value...)
	case schema.F64:
		value := View[float64](column)[row]
		bits := math.Float64bits(value)
		if value == 0 {
			bits = 0
		} else if value != value {
			bits = 0x7ff8000000000000
		}
		return binary.LittleEndian.AppendUint64(key, bits)
	default:
		width := column.Type.Width()
		return append(key, column.Data[row*width:(row+1)*width]...)
	}
}
