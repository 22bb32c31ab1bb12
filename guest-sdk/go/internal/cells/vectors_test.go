package cells_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/zeebo/xxh3"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/cells"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../wit/vectors", name))
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	bytes, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// cellOf reads a cell as block.md says that vectors write it.
func cellOf(t *testing.T, column schema.Column, text json.RawMessage) any {
	t.Helper()
	if string(text) == "null" {
		return nil
	}
	number := func(base int) uint64 {
		digits := parsed[string](t, text)
		if base == 10 {
			n, err := strconv.ParseInt(digits, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return uint64(n)
		}
		n, err := strconv.ParseUint(digits, base, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	switch column.Type {
	case schema.Bool:
		return parsed[bool](t, text)
	case schema.I32:
		return parsed[int32](t, text)
	case schema.I64:
		return int64(number(10))
	case schema.F64:
		return math.Float64frombits(number(16))
	case schema.Bytes:
		return unhex(t, parsed[string](t, text))
	default:
		return parsed[string](t, text)
	}
}

func parsed[T any](t *testing.T, text json.RawMessage) (value T) {
	t.Helper()
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func schemaOf(t *testing.T, text string) schema.Schema {
	t.Helper()
	columns, err := schema.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return columns
}

func rowOf(t *testing.T, columns schema.Schema, time int64, texts []json.RawMessage) cells.Row {
	t.Helper()
	row := cells.Row{Time: time, Cells: make([]any, len(texts))}
	for i, text := range texts {
		row.Cells[i] = cellOf(t, columns[i], text)
	}
	return row
}

func TestBlocksAreTheBytesOfTheVectors(t *testing.T) {
	var vectors struct {
		Good []struct {
			Name, Schema, Hex string
			SchemaID          string `json:"schema_id"`
			Times             []string
			Rows              [][]json.RawMessage
		}
		Refused []struct{ Name, Schema, Hex string }
	}
	readVectors(t, "blocks.json", &vectors)
	if len(vectors.Good) == 0 || len(vectors.Refused) == 0 {
		t.Fatalf("%d good blocks and %d refused ones", len(vectors.Good), len(vectors.Refused))
	}
	for _, vector := range vectors.Good {
		columns := schemaOf(t, vector.Schema)
		if id := fmt.Sprintf("%016x", columns.ID()); id != vector.SchemaID {
			t.Errorf("%s: schema id %s, not %s", vector.Name, id, vector.SchemaID)
		}
		rows := make([]cells.Row, len(vector.Rows))
		for i, texts := range vector.Rows {
			time, err := strconv.ParseInt(vector.Times[i], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			rows[i] = rowOf(t, columns, time, texts)
		}
		want := unhex(t, vector.Hex)
		if got := cells.Encode(rows, columns); !bytes.Equal(got, want) {
			t.Errorf("%s: wrote\n%x, not\n%x", vector.Name, got, want)
		}
		b, err := block.Open(want)
		if err == nil {
			err = b.Check()
		}
		if err != nil {
			t.Errorf("%s: %v", vector.Name, err)
			continue
		}
		read, err := cells.Decode(want, columns)
		if err != nil {
			t.Errorf("%s: %v", vector.Name, err)
		} else if again := cells.Encode(read, columns); !bytes.Equal(again, want) {
			t.Errorf("%s: read and written again it is\n%x, not\n%x", vector.Name, again, want)
		}
	}
	for _, vector := range vectors.Refused {
		text, columns := unhex(t, vector.Hex), schemaOf(t, vector.Schema)
		b, err := block.Open(text)
		if err == nil {
			err = b.Check()
		}
		if err == nil && b.Columns() == len(columns) {
			_, err = cells.Decode(text, columns)
		}
		var other *block.TypeError
		fits := err == nil && b.Columns() == len(columns)
		if fits || err != nil && !errors.Is(err, block.ErrLayout) && !errors.As(err, &other) {
			t.Errorf("%s: is not refused: %v", vector.Name, err)
		}
	}
}

func TestKeysAreEncodedAndHashedAsTheVectorsSay(t *testing.T) {
	var vectors struct {
		Keys []struct {
			Schema, Key, Hash string
			Row               []json.RawMessage
			Group             uint64
			Workers           []uint64
		}
	}
	readVectors(t, "keys.json", &vectors)
	for _, vector := range vectors.Keys {
		columns := schemaOf(t, vector.Schema)
		b, err := block.Open(cells.Encode([]cells.Row{rowOf(t, columns, 0, vector.Row)}, columns))
		if err != nil {
			t.Fatal(err)
		}
		var key []byte
		for i := range columns {
			column, err := b.Column(i)
			if err != nil {
				t.Fatal(err)
			}
			key = block.AppendKey(key, &column, 0)
		}
		if hex.EncodeToString(key) != vector.Key {
			t.Errorf("%s %s: key %x, not %s", vector.Schema, vector.Row, key, vector.Key)
		}
		hash := xxh3.Hash(key)
		if fmt.Sprintf("%016x", hash) != vector.Hash || hash%256 != vector.Group {
			t.Errorf("%s %s: hash %016x and group %d, not %s and %d", vector.Schema, vector.Row, hash, hash%256, vector.Hash, vector.Group)
		}
		for i, worker := range vector.Workers {
			if parallelism := uint64(i + 2); hash%256*parallelism/256 != worker {
				t.Errorf("%s %s: worker of %d is not %d", vector.Schema, vector.Row, parallelism, worker)
			}
		}
	}
	if len(vectors.Keys) == 0 {
		t.Error("there are no vectors")
	}
}

// randomRows gives rows of a random schema.
func randomRows(random *rand.Rand) (schema.Schema, []cells.Row) {
	columns := make(schema.Schema, random.IntN(7))
	for i := range columns {
		columns[i] = schema.Column{Name: fmt.Sprintf("c%d", i), Type: schema.Type(1 + random.IntN(6)), Optional: random.IntN(2) == 0}
	}
	rows := make([]cells.Row, random.IntN(40))
	for i := range rows {
		rows[i] = cells.Row{Time: int64(random.Uint64()), Cells: make([]any, len(columns))}
		for at, column := range columns {
			if !column.Optional || random.IntN(3) > 0 {
				rows[i].Cells[at] = randomCell(random, column.Type)
			}
		}
	}
	return columns, rows
}

func randomCell(random *rand.Rand, kind schema.Type) any {
	switch kind {
	case schema.Bool:
		return random.IntN(2) == 0
	case schema.I32:
		return int32(random.Uint32())
	case schema.I64:
		return int64(random.Uint64())
	case schema.F64:
		return math.Float64frombits(random.Uint64())
	}
	letters := []rune("aé潮\n\"\x00🌊")
	text := make([]rune, random.IntN(9))
	for i := range text {
		text[i] = letters[random.IntN(len(letters))]
	}
	if kind == schema.Bytes {
		return append([]byte(string(text)), make([]byte, random.IntN(3))...)
	}
	return string(text)
}

func TestRandomBlocksSurviveReadingAndWriting(t *testing.T) {
	for seed := range uint64(2000) {
		columns, rows := randomRows(rand.New(rand.NewPCG(seed, 7)))
		want := cells.Encode(rows, columns)
		b, err := block.Open(want)
		if err == nil {
			err = b.Check()
		}
		if err != nil {
			t.Fatalf("seed %d: a block of %s is refused: %v", seed, columns, err)
		}
		read, err := cells.Decode(want, columns)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if got := cells.Encode(read, columns); !bytes.Equal(got, want) {
			t.Fatalf("seed %d: a block of %s changes", seed, columns)
		}
	}
}

func TestDamagedBlocksAreRefusedAndNeverPanic(t *testing.T) {
	refused := 0
	for seed := range uint64(3000) {
		random := rand.New(rand.NewPCG(seed, 11))
		columns, rows := randomRows(random)
		damaged := cells.Encode(rows, columns)
		for range 1 + random.IntN(3) {
			damaged[random.IntN(len(damaged))] ^= byte(1 + random.IntN(255))
		}
		if b, err := block.Open(damaged); err != nil || b.Check() != nil {
			refused++
			continue
		}
		// What passes the check can be read.
		if read, err := cells.Decode(damaged, columns); err == nil {
			cells.Encode(read, columns)
		}
	}
	if refused < 1000 {
		t.Errorf("only %d of 3000 damaged blocks were refused", refused)
	}
}
