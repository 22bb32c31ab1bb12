// Package record finds the columns of Go types and moves records between memory and the columns of blocks. Reflection looks at a
// type once; after that values move by the offsets that it found.
package record

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// Tag is the key of struct tags: `tidemill:"name,option"`.
const Tag = "tidemill"

// form says how a value becomes what its column holds.
type form uint8

const (
	plain  form = iota
	list        // records as a block of them
	asJSON      // anything, as JSON
)

// cell is one column of a record type.
type cell struct {
	// via leads to the struct that has the value: the offsets of pointers to follow, each in what the one before points to.
	via []uintptr
	// offset of the value, or of the pointer to it, in that struct.
	offset   uintptr
	kind     schema.Type
	optional bool
	form     form
	// typ is the type of the value, without the pointer of an optional one.
	typ reflect.Type
	// items are the records of a list.
	items *Layout
}

// nullable says whether the column may have no value: where there is none, or no struct that would have it.
func (c *cell) nullable() bool { return c.optional || len(c.via) > 0 }

// part is a struct of a record that may be absent as a whole.
type part struct {
	// offset of the pointer to it.
	offset uintptr
	// first of the columns of the record that are its own.
	first  int
	layout *Layout
}

// Layout has what is known of a record type.
type Layout struct {
	// Type is the Go type.
	Type reflect.Type
	// Schema has its columns.
	Schema schema.Schema
	cells  []cell
	parts  []part
	// outer are the types that this one is found in, itself included, while it is looked at.
	outer []reflect.Type
	// Owns says that values hold memory besides their own, such as text.
	Owns bool
}

var layouts sync.Map // reflect.Type -> *Layout

// Of finds the columns of a type.
func Of[T any]() (*Layout, error) { return of(reflect.TypeFor[T](), nil) }

func of(typ reflect.Type, outer []reflect.Type) (*Layout, error) {
	if known, ok := layouts.Load(typ); ok {
		return known.(*Layout), nil
	}
	if slices.Contains(outer, typ) {
		return nil, fmt.Errorf("%s holds records of its own type, which columns cannot", typ)
	}
	layout := &Layout{Type: typ, outer: append(outer[:len(outer):len(outer)], typ)}
	if err := layout.top(typ); err != nil {
		return nil, fmt.Errorf("%s cannot be a record: %w", typ, err)
	}
	layout.outer = nil
	layouts.Store(typ, layout)
	return layout, nil
}

// Distinct says which name two columns have, if so: what a plan states must have none.
func (l *Layout) Distinct() error {
	for i, column := range l.Schema {
		if l.Schema.Index(column.Name) < i {
			return fmt.Errorf("%s cannot be a record: it has two columns called %q", l.Type, column.Name)
		}
	}
	return nil
}

// top finds the columns of a type that stands for a whole record: a struct, or a single value as a record of one column.
func (l *Layout) top(typ reflect.Type) error {
	if typ.Kind() == reflect.Struct {
		return l.fields(typ, 0, "")
	}
	name := "value"
	if isList(typ) {
		name = "block"
	}
	return l.add(name, typ, 0, "")
}

func isList(typ reflect.Type) bool {
	return typ.Kind() == reflect.Slice && typ.Elem().Kind() != reflect.Uint8
}

func (l *Layout) fields(typ reflect.Type, base uintptr, prefix string) error {
	for i := range typ.NumField() {
		field := typ.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get(Tag), ",")
		if name == "-" {
			continue
		}
		if err := l.field(field, name, options, base+field.Offset, prefix); err != nil {
			return err
		}
	}
	return nil
}

func (l *Layout) field(field reflect.StructField, name, option string, offset uintptr, prefix string) error {
	flatten := option == "flatten" || field.Anonymous && name == "" && field.Type.Kind() == reflect.Struct
	if flatten {
		option = ""
	}
	if option != "" && option != "json" {
		return fmt.Errorf("field %s: its tag has the option %q; there are json and flatten", field.Name, option)
	}
	if !field.IsExported() && !flatten {
		return fmt.Errorf("field %s is not exported: begin it with a capital letter, or leave it out by the tag `%s:\"-\"`", field.Name, Tag)
	}
	if name == "" {
		name = snake(field.Name)
	}
	if flatten && field.Type.Kind() == reflect.Struct {
		return l.fields(field.Type, offset, prefix)
	}
	var err error
	switch name = prefix + name; {
	case option == "" && field.Type.Kind() == reflect.Struct:
		err = l.fields(field.Type, offset, name+".")
	case option == "" && field.Type.Kind() == reflect.Pointer && field.Type.Elem().Kind() == reflect.Struct:
		err = l.part(name+".", field.Type.Elem(), offset)
	default:
		err = l.add(name, field.Type, offset, option)
	}
	if err != nil {
		return fmt.Errorf("field %s: %w", field.Name, err)
	}
	return nil
}

// part adds a struct that may be absent: its columns are, where it is.
func (l *Layout) part(prefix string, typ reflect.Type, offset uintptr) error {
	inner, err := of(typ, l.outer)
	if err != nil {
		return err
	}
	if len(inner.cells) == 0 {
		return fmt.Errorf("%s has no columns, which would say whether it is there", typ)
	}
	l.Owns = true
	l.parts = append(l.parts, part{offset: offset, first: len(l.cells), layout: inner})
	for i, cell := range inner.cells {
		cell.via = append([]uintptr{offset}, cell.via...)
		l.cells = append(l.cells, cell)
		column := inner.Schema[i]
		l.Schema = append(l.Schema, schema.Column{Name: prefix + column.Name, Type: column.Type, Optional: true})
	}
	return nil
}

func (l *Layout) add(name string, typ reflect.Type, offset uintptr, option string) error {
	if strings.ContainsAny(name, ":,? \t\n") {
		return fmt.Errorf("%q cannot be the name of a column", name)
	}
	cell := cell{offset: offset, typ: typ}
	if option != "json" && typ.Kind() == reflect.Pointer {
		cell.optional, cell.typ = true, typ.Elem()
	}
	if err := cell.find(option, l.outer); err != nil {
		return err
	}
	l.Owns = l.Owns || cell.optional || cell.kind == schema.String || cell.kind == schema.Bytes
	l.cells = append(l.cells, cell)
	l.Schema = append(l.Schema, schema.Column{Name: name, Type: cell.kind, Optional: cell.optional})
	return nil
}

// find chooses the type of the column for a Go type.
func (c *cell) find(option string, outer []reflect.Type) error {
	if option == "json" {
		c.kind, c.form = schema.Bytes, asJSON
		return nil
	}
	switch c.typ.Kind() {
	case reflect.Bool:
		c.kind = schema.Bool
	case reflect.Int32:
		c.kind = schema.I32
	case reflect.Int64:
		c.kind = schema.I64
	case reflect.Int:
		// A column has the same width on every machine.
		if strconv.IntSize != 64 {
			return fmt.Errorf("an int of %d bits is no column: use int64", strconv.IntSize)
		}
		c.kind = schema.I64
	case reflect.Float64:
		c.kind = schema.F64
	case reflect.String:
		c.kind = schema.String
	case reflect.Slice:
		c.kind = schema.Bytes
		if !isList(c.typ) {
			return nil
		}
		c.form = list
		items, err := of(c.typ.Elem(), outer)
		c.items = items
		return err
	default:
		return fmt.Errorf("%s is no column: columns are bool, int32, int64, int, float64, string, []byte, a struct of columns, a pointer to one "+
			"of these for what may be absent, a slice of records, or anything with the tag `%s:\",json\"`", c.typ, Tag)
	}
	return nil
}

// snake is the name of a column for a field without one: `SilentSince` is `silent_since`, `HTTPCode` is `http_code`.
func snake(name string) string {
	runes := []rune(name)
	var out strings.Builder
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 {
			begins := !unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if begins && runes[i-1] != '_' {
				out.WriteByte('_')
			}
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}

// Field is a field of a struct, with the name of its column.
type Field struct {
	// Name of the column, Field that of Go.
	Name, Field string
	// Type of it.
	Type reflect.Type
}

// FieldsOf are the fields of a struct that have columns, those of an embedded struct as one; another type has none.
func FieldsOf(typ reflect.Type) (fields []Field) {
	if typ.Kind() != reflect.Struct {
		return nil
	}
	for i := range typ.NumField() {
		field := typ.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get(Tag), ",")
		switch name {
		case "-":
			continue
		case "":
			name = snake(field.Name)
		}
		fields = append(fields, Field{Name: name, Field: field.Name, Type: field.Type})
	}
	return fields
}

// Renamed gives the layout other names for its columns, in order.
func (l *Layout) Renamed(name func(int) string) schema.Schema {
	columns := make(schema.Schema, len(l.Schema))
	for i, column := range l.Schema {
		column.Name = name(i)
		columns[i] = column
	}
	return columns
}
