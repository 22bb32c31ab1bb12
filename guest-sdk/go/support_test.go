package tidemill_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/bridge"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
)

type Item struct {
	Key  int64
	Text string
}

// heard keeps what is emitted and reported.
type heard struct {
	blocks [][]byte
	lines  []string
}

func (h *heard) Log(level runtime.Level, operator uint32, message string) {
	h.lines = append(h.lines, fmt.Sprintf("%s %d %s", level, int32(operator), message))
}

func (h *heard) Emit(_, _ uint32, block []byte) {
	h.blocks = append(h.blocks, append([]byte(nil), block...))
}

func (h *heard) ReportFailure(operator, row uint32, message string) {
	h.lines = append(h.lines, fmt.Sprintf("operator %d row %d: %s", operator, row, message))
}

// take gives the blocks heard so far.
func (h *heard) take() [][]byte {
	blocks := h.blocks
	h.blocks = nil
	return blocks
}

func instanceOf(t *testing.T, job func(*tidemill.Job) error) (*runtime.Instance, *heard) {
	t.Helper()
	h := &heard{}
	instance, _, err := bridge.Build(job, nil, h)
	if err != nil {
		t.Fatal(err)
	}
	return instance, h
}

func layoutOf[T any](t *testing.T) *record.Layout {
	t.Helper()
	layout, err := record.Of[T]()
	if err != nil {
		t.Fatal(err)
	}
	return layout
}

// blockOf lays out records with the event times 100, 101 and so on.
func blockOf[T any](t *testing.T, records ...T) []byte {
	t.Helper()
	layout := layoutOf[T](t)
	builder := record.NewBuilder[T](layout, layout.Schema.ID())
	for i := range records {
		builder.Push(&records[i], int64(100+i))
	}
	return builder.Finish()
}

// read gives the records of blocks, each with its event time behind an @.
func read[T any](t *testing.T, blocks ...[]byte) []string {
	t.Helper()
	var out []string
	for _, text := range blocks {
		b, err := block.Open(text)
		if err == nil {
			err = b.Check()
		}
		if err != nil {
			t.Fatal(err)
		}
		reader := record.NewReader[T](layoutOf[T](t), true)
		if err := reader.Open(b, record.Source{}); err != nil {
			t.Fatal(err)
		}
		for row, time := range b.Times() {
			out = append(out, fmt.Sprintf("%v@%d", reader.One(row), time))
		}
	}
	return out
}

func equal[T comparable](t *testing.T, what string, got []T, want ...T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func is[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	equal(t, what, []T{got}, want)
}

func failures(outcome *runtime.Outcome) []string {
	var out []string
	for _, f := range outcome.Failures {
		out = append(out, fmt.Sprintf("%d %d %s", f.Row, f.Operator, f.Message))
	}
	return out
}

// panics gives the words of a panic.
func panics(t *testing.T, body func()) (words string) {
	t.Helper()
	defer func() {
		recovered := recover()
		if recovered == nil {
			t.Error("nothing panicked")
		}
		words = fmt.Sprint(recovered)
	}()
	body()
	return ""
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q lacks %q", text, part)
		}
	}
}
