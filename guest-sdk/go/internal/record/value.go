package record

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// Clone makes a copy of a record that shares no memory with it.
func Clone[T any](layout *Layout, record T) T {
	if !layout.Owns {
		return record
	}
	copied := record
	layout.clone(unsafe.Pointer(&copied))
	return copied
}

// CloneAll makes copies of records that share no memory with them.
func CloneAll[T any](layout *Layout, records []T) []T {
	if records == nil {
		return nil
	}
	copied := append(make([]T, 0, len(records)), records...)
	if layout.Owns {
		for i := range copied {
			layout.clone(unsafe.Pointer(&copied[i]))
		}
	}
	return copied
}

// clone replaces the memory that a record shares with the one it was copied from.
func (l *Layout) clone(record unsafe.Pointer) {
	for _, part := range l.parts {
		at := (*unsafe.Pointer)(unsafe.Add(record, part.offset))
		if *at != nil {
			value := reflect.New(part.layout.Type)
			value.Elem().Set(reflect.NewAt(part.layout.Type, *at).Elem())
			*at = value.UnsafePointer()
			part.layout.clone(*at)
		}
	}
	for i := range l.cells {
		cell := &l.cells[i]
		if len(cell.via) > 0 {
			continue
		}
		at := unsafe.Add(record, cell.offset)
		if cell.optional {
			old := *(*unsafe.Pointer)(at)
			if old == nil {
				continue
			}
			value := reflect.New(cell.typ)
			value.Elem().Set(reflect.NewAt(cell.typ, old).Elem())
			*(*unsafe.Pointer)(at) = value.UnsafePointer()
			at = value.UnsafePointer()
		}
		cell.cloneValue(at)
	}
}

func (c *cell) cloneValue(at unsafe.Pointer) {
	switch {
	case c.form == asJSON:
		c.cloneJSON(reflect.NewAt(c.typ, at))
	case c.form == list:
		slice := reflect.NewAt(c.typ, at).Elem()
		if slice.IsNil() {
			return
		}
		copied := reflect.MakeSlice(c.typ, slice.Len(), slice.Len())
		reflect.Copy(copied, slice)
		for i := range slice.Len() {
			c.items.clone(copied.Index(i).Addr().UnsafePointer())
		}
		slice.Set(copied)
	case c.kind == schema.String:
		*(*string)(at) = strings.Clone(*(*string)(at))
	case c.kind == schema.Bytes:
		*(*[]byte)(at) = bytes.Clone(*(*[]byte)(at))
	}
}

// cloneJSON goes by way of JSON, which is how the value survives a checkpoint too.
func (c *cell) cloneJSON(value reflect.Value) {
	text, err := json.Marshal(value.Interface())
	if err == nil {
		value.Elem().SetZero()
		err = json.Unmarshal(text, value.Interface())
	}
	if err != nil {
		panic(fmt.Sprintf("a field of type %s does not survive being written as JSON: %v", c.typ, err))
	}
}

// Comparable says why records of this type cannot be keys, if so: keys have an order that is the same in every language.
func (l *Layout) Comparable() error {
	for i, cell := range l.cells {
		if cell.kind == schema.F64 || cell.form != plain || len(cell.via) > 0 {
			return fmt.Errorf("%s cannot be a key: column %q is %s; keys are bool, int32, int64, int, string, []byte, a pointer to one of "+
				"these, or a struct of them", l.Type, l.Schema[i].Name, cell.typ)
		}
	}
	return nil
}

// Compare orders records column by column: numbers by value, text and bytes bytewise, what is absent first.
func Compare[T any](layout *Layout, a, b *T) int {
	for i := range layout.cells {
		cell := &layout.cells[i]
		if order := cell.compare(unsafe.Pointer(a), unsafe.Pointer(b)); order != 0 {
			return order
		}
	}
	return 0
}

func (c *cell) compare(a, b unsafe.Pointer) int {
	a, b = unsafe.Add(a, c.offset), unsafe.Add(b, c.offset)
	if c.optional {
		a, b = *(*unsafe.Pointer)(a), *(*unsafe.Pointer)(b)
		switch {
		case a == nil && b == nil:
			return 0
		case a == nil:
			return -1
		case b == nil:
			return 1
		}
	}
	switch c.kind {
	case schema.Bool:
		return cmp.Compare(*(*uint8)(a), *(*uint8)(b))
	case schema.I32:
		return cmp.Compare(*(*int32)(a), *(*int32)(b))
	case schema.I64:
		return cmp.Compare(*(*int64)(a), *(*int64)(b))
	case schema.F64:
		return cmp.Compare(*(*float64)(a), *(*float64)(b))
	case schema.String:
		return strings.Compare(*(*string)(a), *(*string)(b))
	default:
		return bytes.Compare(*(*[]byte)(a), *(*[]byte)(b))
	}
}
