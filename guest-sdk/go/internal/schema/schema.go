// Package schema has the names and types of a record's columns, as the plan and blocks write them.
package schema

import (
	"fmt"
	"strings"

	"github.com/zeebo/xxh3"
)

// Type is the type of a column. The value is the code in a block's column table.
type Type uint8

// The types of columns.
const (
	Bool Type = 1 + iota
	I32
	I64
	F64
	String
	Bytes
)

var names = [...]string{Bool: "bool", I32: "i32", I64: "i64", F64: "f64", String: "string", Bytes: "bytes"}

// Valid says whether there is such a type.
func (t Type) Valid() bool { return t >= Bool && t <= Bytes }

// String is the name used in a schema's text.
func (t Type) String() string {
	if !t.Valid() {
		return fmt.Sprintf("type %d", uint8(t))
	}
	return names[t]
}

// Width is how many bytes a value takes; 0 for text and bytes.
func (t Type) Width() int {
	switch t {
	case Bool:
		return 1
	case I32:
		return 4
	case I64, F64:
		return 8
	default:
		return 0
	}
}

// Column is one column of a schema.
type Column struct {
	// Name; names that begin with `$` belong to columns that the SDK adds behind a record.
	Name string
	// Type of every present value.
	Type Type
	// Optional says whether a value may be absent.
	Optional bool
}

// Schema has the columns of a block, in order. The event time is not one of them: every block has it.
type Schema []Column

// String is the text form of a plan: `sensor:string,celsius:f64?`.
func (s Schema) String() string {
	var text strings.Builder
	for i, column := range s {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(column.Name)
		text.WriteByte(':')
		text.WriteString(column.Type.String())
		if column.Optional {
			text.WriteByte('?')
		}
	}
	return text.String()
}

// ID is XXH3-64 of the text form: equal schemas have equal ids in every language.
func (s Schema) ID() uint64 { return xxh3.HashString(s.String()) }

// Index finds a column by its name, or gives -1.
func (s Schema) Index(name string) int {
	for i, column := range s {
		if column.Name == name {
			return i
		}
	}
	return -1
}

// Names are the names of the columns as a text, for errors.
func (s Schema) Names() string {
	names := make([]string, len(s))
	for i, column := range s {
		names[i] = column.Name
	}
	return strings.Join(names, ", ")
}

// With is this schema with other columns behind it.
func (s Schema) With(columns ...Column) Schema {
	return append(s[:len(s):len(s)], columns...)
}

// Parse reads the text form.
func Parse(text string) (Schema, error) {
	if text == "" {
		return nil, nil
	}
	var schema Schema
	for _, part := range strings.Split(text, ",") {
		name, kind, found := strings.Cut(part, ":")
		bare, optional := strings.CutSuffix(kind, "?")
		column := Column{Name: name, Optional: optional}
		for code, known := range names {
			if known != "" && known == bare {
				column.Type = Type(code)
			}
		}
		if !found || name == "" || !column.Type.Valid() {
			return nil, fmt.Errorf("%q is not `name:type`", part)
		}
		schema = append(schema, column)
	}
	return schema, nil
}
