// Command codec is the SDK's codec as a program, for the test that holds the languages against the host:
// tests/conformance/tests/blocks.rs.
//
// `echo IN OUT` reads blocks, tells what they hold and writes them again; `make SEED COUNT OUT` makes random ones. Of each block OUT
// gets the schema, the bytes and the rows as text, behind their lengths; IN has no text.
package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/cells"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if arguments[0] == "echo" {
		data, err := os.ReadFile(arguments[1])
		if err != nil {
			return err
		}
		out, err := echo(data)
		if err != nil {
			return err
		}
		return os.WriteFile(arguments[2], out, 0o644)
	}
	seed, err := strconv.ParseUint(arguments[1], 10, 64)
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(arguments[2])
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(seed, 7))
	var out []byte
	for range count {
		columns, rows := randomRows(random)
		out = answer(out, columns, rows)
	}
	return os.WriteFile(arguments[3], out, 0o644)
}

func cut(data []byte) (part, rest []byte) {
	end := 4 + binary.LittleEndian.Uint32(data)
	return data[4:end], data[end:]
}

func echo(data []byte) (out []byte, err error) {
	for len(data) > 0 {
		var text, bytes []byte
		text, data = cut(data)
		bytes, data = cut(data)
		columns, err := schema.Parse(string(text))
		if err != nil {
			return nil, err
		}
		// Where a block begins in the file is no multiple of 8.
		bytes = append(make([]byte, 0, len(bytes)), bytes...)
		b, err := block.Open(bytes)
		if err == nil {
			err = b.Check()
		}
		if err != nil {
			return nil, fmt.Errorf("a block of %s: %w", text, err)
		}
		rows, err := cells.Decode(bytes, columns)
		if err != nil {
			return nil, fmt.Errorf("a block of %s: %w", text, err)
		}
		out = answer(out, columns, rows)
	}
	return out, nil
}

func answer(out []byte, columns schema.Schema, rows []cells.Row) []byte {
	var text strings.Builder
	for _, row := range rows {
		text.WriteString(strconv.FormatInt(row.Time, 10))
		for _, cell := range row.Cells {
			text.WriteString(" " + told(cell))
		}
		text.WriteByte('\n')
	}
	for _, part := range [][]byte{[]byte(columns.String()), cells.Encode(rows, columns), []byte(text.String())} {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(part)))
		out = append(out, part...)
	}
	return out
}

func told(cell any) string {
	switch cell := cell.(type) {
	case nil:
		return "-"
	case bool:
		if cell {
			return "t"
		}
		return "f"
	case float64:
		return fmt.Sprintf("%016x", math.Float64bits(cell))
	case string:
		return fmt.Sprintf("\"%x", cell)
	case []byte:
		return fmt.Sprintf("\"%x", cell)
	default:
		return fmt.Sprint(cell)
	}
}

var (
	alphabets = []string{"abc ,\"\n\x00", "潮汐磨坊ü", "🌊🌀", "aü潮🌊\U0010ffff\ufeff"}
	numbers   = []int64{0, 1, -1, math.MaxInt32, math.MinInt32, 1 << 53, -(1 << 53) - 1, math.MaxInt64, math.MinInt64}
	floats    = []float64{
		0, math.Copysign(0, -1), 1.5, math.Inf(1), math.Inf(-1), math.NaN(), math.SmallestNonzeroFloat64, math.MaxFloat64,
	}
)

func randomRows(random *rand.Rand) (schema.Schema, []cells.Row) {
	columns := make(schema.Schema, random.IntN(9))
	gaps := make([]int, len(columns))
	for i := range columns {
		columns[i] = schema.Column{Name: fmt.Sprintf("c%d", i), Type: schema.Type(1 + random.IntN(6)), Optional: random.IntN(2) == 0}
		if columns[i].Optional {
			gaps[i] = []int{2, 9}[random.IntN(2)]
		}
	}
	count := 1 + random.IntN(69)
	if random.IntN(20) == 0 {
		count = 0
	}
	rows := make([]cells.Row, count)
	for i := range rows {
		rows[i] = cells.Row{Time: randomInt(random), Cells: make([]any, len(columns))}
		for at, column := range columns {
			if random.IntN(10) >= gaps[at] {
				rows[i].Cells[at] = randomCell(random, column.Type)
			}
		}
	}
	return columns, rows
}

func randomInt(random *rand.Rand) int64 {
	if random.IntN(2) == 0 {
		return numbers[random.IntN(len(numbers))]
	}
	return int64(random.Uint64())
}

func randomCell(random *rand.Rand, kind schema.Type) any {
	switch kind {
	case schema.Bool:
		return random.IntN(2) == 0
	case schema.I32:
		return int32(randomInt(random))
	case schema.I64:
		return randomInt(random)
	case schema.F64:
		if random.IntN(2) == 0 {
			return floats[random.IntN(len(floats))]
		}
		return math.Float64frombits(random.Uint64())
	}
	length := random.IntN(12)
	if random.IntN(50) == 0 {
		length = random.IntN(5000)
	}
	if kind == schema.Bytes {
		bytes := make([]byte, length)
		for i := range bytes {
			bytes[i] = byte(random.Uint32())
		}
		return bytes
	}
	letters := []rune(alphabets[random.IntN(len(alphabets))])
	text := make([]rune, length)
	for i := range text {
		text[i] = letters[random.IntN(len(letters))]
	}
	return string(text)
}
