package runtime

import (
	"fmt"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/block"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/record"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/schema"
)

const (
	// rowsFlush is after how many rows a block is handed on: at 4,096 the cost of a call is spread thin, and the block stays in cache.
	rowsFlush = 4096
	// heapFlush is after how many bytes of text a block is handed on.
	heapFlush = 1 << 20
	// rowsHard is after how many rows a block is handed on in the middle of a record that emits very many.
	rowsHard = 1 << 18
	// heapHard is after how many bytes of text a block is handed on in the middle of a record.
	heapHard = 16 << 20
)

// Push takes a record and its event time. The record is the giver's again when it returns.
type Push[T any] func(record *T, time int64)

// Port is an output of an operator, where records leave a chain and become blocks again.
type Port[T any] struct {
	call     *Call
	operator uint32
	index    uint32
	builder  *record.Builder[T]
	undo     bool
	push     Push[T]
}

// AnyPort is what a chain does with its ports without knowing their records.
type AnyPort interface {
	// setUndo says whether records may be taken back, so that none may leave before the record they came of is through.
	setUndo(undo bool)
	rows() int
	truncate(rows int)
	flushIfFull()
	flush()
}

// NewPort makes a port of records with a schema, which begins with the record's columns.
func NewPort[T any](call *Call, operator, index uint32, layout *record.Layout, columns schema.Schema) *Port[T] {
	p := &Port[T]{call: call, operator: operator, index: index, builder: record.NewBuilder[T](layout, columns.ID())}
	p.push = p.add
	return p
}

func (p *Port[T]) add(record *T, time int64) {
	p.builder.Push(record, time)
	if p.full() {
		p.overflow()
	}
}

func (p *Port[T]) full() bool {
	return p.builder.Rows() >= rowsFlush || p.builder.HeapLen() >= heapFlush
}

func (p *Port[T]) overflow() {
	p.call.attention = true
	if p.builder.Rows() < rowsHard && p.builder.HeapLen() < heapHard {
		return
	}
	if p.undo {
		panic(fmt.Sprintf("one record emitted more than %d records, which cannot be undone should it be refused", p.builder.Rows()-1))
	}
	p.flush()
}

// copy adds rows of a block that begins with this port's columns.
func (p *Port[T]) copy(from block.Block, picked []uint32) {
	if err := p.builder.Copy(from, picked); err != nil {
		panic(wrongBlock(err))
	}
}

func (p *Port[T]) setUndo(undo bool) { p.undo = undo }
func (p *Port[T]) rows() int         { return p.builder.Rows() }
func (p *Port[T]) truncate(rows int) { p.builder.Truncate(rows) }
func (p *Port[T]) flushIfFull() {
	if p.full() {
		p.flush()
	}
}

func (p *Port[T]) flush() {
	if p.builder.Rows() > 0 {
		p.call.host.Emit(p.operator, p.index, p.builder.Finish())
	}
}

func wrongBlock(err error) string { return "the host gave a wrong block: " + err.Error() }
