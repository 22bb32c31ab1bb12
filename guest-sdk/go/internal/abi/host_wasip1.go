//go:build wasip1

package abi

import (
	"unsafe"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
)

//go:wasmimport tidemill:job/host@0.2.0 log
func hostLog(level, operator uint32, message unsafe.Pointer, length uint32)

//go:wasmimport tidemill:job/host@0.2.0 emit
func hostEmit(operator, port uint32, block unsafe.Pointer, length uint32)

//go:wasmimport tidemill:job/host@0.2.0 report-failure
func hostReportFailure(operator, row uint32, message unsafe.Pointer, length uint32)

// The adapter that answers WASI inside the component sends what is printed to the log; it keeps unfinished lines at this desk.
//
//go:wasmimport wasi_snapshot_preview1 tidemill_desk
func setDesk(at unsafe.Pointer)

const lineMax = 4096

// farewell is for what ends a component other than a panic that was reported.
const farewell = "the component ended itself: os.Exit, or an error of the Go runtime that stands above"

// wholeJob is the operator while none runs.
var wholeJob = runtime.WholeJob

// desk is read and written by the adapter. Its first entry says where the number of the operator is that runs.
var desk = struct {
	operator uint32
	lengths  [2]uint32
	capacity uint32
	// What is said when the component ends itself.
	farewell       uint32
	farewellLength uint32
	lines          [2][lineMax]byte
}{
	operator: address(&wholeJob), capacity: lineMax,
	farewell: address(unsafe.StringData(farewell)), farewellLength: uint32(len(farewell)),
}

// endLines writes the lines that were begun and not ended, for standard output and standard error.
func endLines() {
	for i, length := range desk.lengths {
		if length > 0 {
			desk.lengths[i] = 0
			hostLog(uint32(runtime.Info)+uint32(i), *(*uint32)(pointer(desk.operator)), unsafe.Pointer(&desk.lines[i]), length)
		}
	}
}

// imports are the host's functions.
type imports struct{}

func (imports) Log(level runtime.Level, operator uint32, message string) {
	hostLog(uint32(level), operator, unsafe.Pointer(unsafe.StringData(message)), uint32(len(message)))
}

func (imports) Emit(operator, port uint32, block []byte) {
	hostEmit(operator, port, unsafe.Pointer(unsafe.SliceData(block)), uint32(len(block)))
}

func (imports) ReportFailure(operator, row uint32, message string) {
	hostReportFailure(operator, row, unsafe.Pointer(unsafe.StringData(message)), uint32(len(message)))
}
