package runtime

import (
	"fmt"
	"path"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// noRow says that no row is in flight.
const noRow = ^uint32(0)

// Call is the call in progress: who runs, on which row, and what went wrong so far. One belongs to an instance and is shared by
// everything in it.
type Call struct {
	// Operator that runs now.
	Operator uint32
	// Outcome of the call.
	Outcome Outcome
	host    Host
	row     uint32
	// attention says that something is to be looked after when the record in flight is through.
	attention bool
}

// NewCall makes the call of an instance.
func NewCall(host Host) *Call {
	return &Call{host: host, Operator: WholeJob, row: noRow}
}

// current is the call of the instance that the host is inside of: how log lines find the host. A component has one thread; tests may run
// instances side by side, which go one at a time for the sake of this.
var (
	current atomic.Pointer[Call]
	inside  sync.Mutex
)

// Current is the call in progress, or nil.
func Current() *Call { return current.Load() }

// Log writes a line in the name of the operator that runs.
func (c *Call) Log(level Level, message string) { c.host.Log(level, c.Operator, message) }

// Enter makes this the call in progress until Leave. The operator and the row stay for whoever reports a panic.
func (c *Call) Enter() {
	inside.Lock()
	current.Store(c)
	c.row = noRow
}

// Leave ends what Enter began.
func (c *Call) Leave() {
	current.Store(nil)
	inside.Unlock()
}

// refuse notes that an operator refuses the record it was given.
func (c *Call) refuse(operator uint32, err error) {
	c.Outcome.Failures = append(c.Outcome.Failures, Failure{Row: c.row, Operator: operator, Message: err.Error()})
}

// Report tells the host about a panic, with the user's line that it came from. It is to be called by the deferred function that
// recovered it.
func (c *Call) Report(recovered any) {
	message := describe(recovered)
	if at := origin(); at != "" {
		message += " at " + at
	}
	if c.row == noRow {
		c.host.Log(Error, c.Operator, message)
		return
	}
	c.host.ReportFailure(c.Operator, c.row, message)
}

func describe(recovered any) string {
	if err, ok := recovered.(error); ok {
		return err.Error()
	}
	return fmt.Sprint(recovered)
}

// sdk is the import path of the SDK, below which no line is the user's.
const sdk = "github.com/tidemill/tidemill/guest-sdk/go"

// origin is the user's line that panicked: the first one below the panic that belongs to neither Go nor the SDK, or else the first
// one of all.
func origin() string {
	pcs := make([]uintptr, 64)
	frames := goruntime.CallersFrames(pcs[:goruntime.Callers(1, pcs)])
	panicked, root, first := false, "", ""
	for {
		frame, more := frames.Next()
		switch {
		case frame.Function == "runtime.gopanic":
			panicked, root = true, strings.TrimSuffix(frame.File, "runtime/panic.go")
		case !panicked || strings.HasPrefix(frame.Function, "runtime."):
		case !ofSDK(frame.Function) && !ofGo(frame.File, root):
			return place(frame)
		case first == "":
			first = place(frame)
		}
		if !more {
			return first
		}
	}
}

// ofGo says whether a file is of Go's own packages: below the root of its sources, or where paths were trimmed, in a folder of theirs.
func ofGo(file, root string) bool {
	if root != "" {
		return strings.HasPrefix(file, root)
	}
	head, _, _ := strings.Cut(file, "/")
	return slices.Contains(packages, head)
}

// packages are the first elements of the paths of Go's own.
var packages = strings.Fields("archive bufio bytes cmp compress container context crypto database debug embed encoding errors expvar flag " +
	"fmt go hash html image index internal io iter log maps math mime net os path plugin reflect regexp runtime slices sort strconv " +
	"strings structs sync syscall testing text time unicode unique unsafe vendor weak")

func ofSDK(function string) bool {
	rest, ours := strings.CutPrefix(function, sdk)
	if !ours {
		return false
	}
	// Its examples and tests are packages of their own.
	return !strings.HasPrefix(rest, "_test") && !strings.HasPrefix(rest, "/internal/runtime_test")
}

// place names a line as `file.go:12 (function)`: with one folder, so that two files of a name are told apart.
func place(frame goruntime.Frame) string {
	folder, file := path.Split(frame.File)
	if base := path.Base(folder); base != "." && base != "/" {
		file = base + "/" + file
	}
	name := frame.Function[strings.LastIndexByte(frame.Function, '/')+1:]
	return fmt.Sprintf("%s:%d (%s)", file, frame.Line, name)
}
