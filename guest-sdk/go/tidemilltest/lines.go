package tidemilltest

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/cells"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

// parsed is what a line gives: its event time, if it has one, and a row for a port.
type parsed struct {
	time  *int64
	port  string
	cells []any
}

// parseLine reads a line in the format of a source; one of a variant that no job asks for gives no port.
func parseLine(line string, source *plan.Source, outputs []plan.Output) (parsed, error) {
	switch source.Format {
	case "text":
		return parsed{port: outputs[0].PortName(), cells: []any{line}}, nil
	case "csv":
		return parseCSV(line, source, outputs[0])
	default:
		return parseJSON(line, source, outputs)
	}
}

func parseCSV(line string, source *plan.Source, output plan.Output) (parsed, error) {
	fields, err := csv.NewReader(strings.NewReader(line)).Read()
	if err != nil {
		return parsed{}, err
	}
	columns := schema.Schema(output.Schema)
	if len(fields) != len(columns) {
		return parsed{}, fmt.Errorf("%d fields do not fit the columns %s", len(fields), columns)
	}
	p := parsed{port: output.PortName()}
	for i, column := range columns {
		cell, err := fromText(fields[i], column)
		if err != nil {
			return parsed{}, err
		}
		if at, ok := cell.(int64); ok && column.Name == source.Time {
			p.time = &at
		}
		p.cells = append(p.cells, cell)
	}
	return p, nil
}

func parseJSON(line string, source *plan.Source, outputs []plan.Output) (parsed, error) {
	decoder := json.NewDecoder(strings.NewReader(line))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return parsed{}, err
	}
	var p parsed
	if number, ok := object[source.Time].(json.Number); ok && source.Time != "" {
		if at, err := number.Int64(); err == nil {
			p.time = &at
		}
	}
	for _, output := range outputs {
		if source.Tag != "" && object[source.Tag] != output.Variant {
			continue
		}
		p.port = output.PortName()
		for _, column := range schema.Schema(output.Schema) {
			cell, err := fromJSON(object[column.Name], column)
			if err != nil {
				return parsed{}, err
			}
			p.cells = append(p.cells, cell)
		}
		break
	}
	return p, nil
}

func fromJSON(value any, column schema.Column) (any, error) {
	switch value := value.(type) {
	case bool:
		if column.Type == schema.Bool {
			return value, nil
		}
	case string:
		if column.Type == schema.String || column.Type == schema.Bytes {
			return fromText(value, column)
		}
	case json.Number:
		if column.Type != schema.String && column.Type != schema.Bytes && column.Type != schema.Bool {
			return fromText(value.String(), column)
		}
	case nil:
		if column.Optional {
			return nil, nil
		}
	}
	return nil, fmt.Errorf("field %q cannot be %v: it is %s", column.Name, value, column.Type)
}

func fromText(text string, column schema.Column) (any, error) {
	if text == "" && column.Optional {
		return nil, nil
	}
	var value any
	var err error
	switch column.Type {
	case schema.Bool:
		value, err = strconv.ParseBool(text)
	case schema.I32:
		var number int64
		number, err = strconv.ParseInt(text, 10, 32)
		value = int32(number)
	case schema.I64:
		value, err = strconv.ParseInt(text, 10, 64)
	case schema.F64:
		value, err = strconv.ParseFloat(text, 64)
	case schema.String:
		value = text
	default:
		value = []byte(text)
	}
	if err != nil {
		return nil, fmt.Errorf("field %q cannot be %q: it is %s", column.Name, text, column.Type)
	}
	return value, nil
}

// writeLine writes a row as a line without its end.
func writeLine(row cells.Row, columns schema.Schema, format string) string {
	var fields []string
	for i, column := range columns {
		switch cell := row.Cells[i]; {
		case strings.HasPrefix(column.Name, "$"):
		case format == "json":
			fields = append(fields, asJSON(column.Name)+":"+asJSON(cell))
		default:
			fields = append(fields, asText(cell))
		}
	}
	switch format {
	case "json":
		return "{" + strings.Join(fields, ",") + "}"
	case "csv":
		var line strings.Builder
		writer := csv.NewWriter(&line)
		// Writing into memory cannot fail.
		_ = writer.Write(fields)
		writer.Flush()
		return strings.TrimSuffix(line.String(), "\n")
	default:
		return strings.Join(fields, ",")
	}
}

func asJSON(cell any) string {
	switch value := cell.(type) {
	case float64:
		return number(value)
	case []byte:
		cell = string(value)
	}
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(cell); err != nil {
		return "null"
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func asText(cell any) string {
	switch value := cell.(type) {
	case nil:
		return ""
	case float64:
		return number(value)
	case []byte:
		return string(value)
	default:
		return fmt.Sprint(value)
	}
}

// number writes a float so that it is told from an integer, as the host does.
func number(value float64) string {
	text := strconv.FormatFloat(value, 'g', -1, 64)
	if magnitude := max(value, -value); magnitude >= 1e-5 && magnitude < 1e16 || value == 0 {
		text = strconv.FormatFloat(value, 'f', -1, 64)
	}
	if !strings.ContainsAny(text, ".eIN") {
		text += ".0"
	}
	return text
}
