//go:build wasip1

package abi

import (
	"os"
	"unsafe"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/bridge"
	"github.com/tidemill/tidemill/guest-sdk/go/internal/runtime"
)

var (
	instance *runtime.Instance
	// inHand is the call of the instance, which is there before the instance is.
	inHand *runtime.Call
	// results is where every function leaves what it gives back, and lists what that points to.
	results  [8]uint32
	message  []byte
	timers   []timerOp
	failures []failure
	marked   mark
)

// timerOp is a timer-op as the canonical ABI lays it out.
type timerOp struct {
	slot   uint32
	timer  uint32
	action uint8
	time   int64
}

// failure is a failure as the canonical ABI lays it out.
type failure struct {
	row, operator   uint32
	message, length uint32
}

// mark is a watermark or none as the canonical ABI lays it out.
type mark struct {
	given bool
	time  int64
}

// argument is an argument as the canonical ABI lays it out. The addresses lie in memory that the host has filled.
type argument struct {
	name, nameLength   uint32
	value, valueLength uint32
}

func init() {
	setDesk(unsafe.Pointer(&desk))
	bridge.Began = func(call *runtime.Call) {
		inHand = call
		desk.operator = address(&call.Operator)
	}
}

// guard ends an export: what was printed leaves, and a panic is told to the host before it becomes a trap.
func guard() {
	if recovered := recover(); recovered != nil {
		endLines()
		inHand.Report(recovered)
		desk.farewellLength = 0
		os.Exit(1)
	}
	endLines()
	done()
}

//go:wasmexport tidemill:job/operators@0.2.0#plan
func exportPlan(arguments unsafe.Pointer, count uint32) unsafe.Pointer {
	defer guard()
	given := make([]runtime.Argument, count)
	for i, a := range list[argument](arguments, count) {
		given[i] = runtime.Argument{Name: text(pointer(a.name), a.nameLength), Value: text(pointer(a.value), a.valueLength)}
	}
	if bridge.Exported == nil {
		return failed("the component exports no job: call tidemill.Export in an init function of package main")
	}
	made, document, err := bridge.Build(bridge.Exported, given, imports{})
	if err != nil {
		return failed(err.Error())
	}
	instance = made
	message = append(message[:0], document...)
	return answer(0)
}

func failed(why string) unsafe.Pointer {
	message = append(message[:0], why...)
	return answer(1)
}

// answer is a result whose payload is the message.
func answer(tag uint32) unsafe.Pointer {
	results[0], results[1], results[2] = tag, address(unsafe.SliceData(message)), uint32(len(message))
	return unsafe.Pointer(&results)
}

//go:wasmexport tidemill:job/operators@0.2.0#link
func exportLink(chain uint32, members unsafe.Pointer, count uint32) {
	defer guard()
	instance.Link(chain, list[uint32](members, count))
}

//go:wasmexport tidemill:job/operators@0.2.0#process
func exportProcess(chain, input uint32, watermark, now int64, block unsafe.Pointer, length uint32, rows unsafe.Pointer, rowCount uint32,
	slots unsafe.Pointer, slotCount uint32,
) unsafe.Pointer {
	defer guard()
	at := runtime.Moment{Watermark: watermark, Now: now}
	return outcome(instance.Process(chain, input, at, list[byte](block, length), list[uint32](rows, rowCount), list[uint32](slots, slotCount)))
}

//go:wasmexport tidemill:job/operators@0.2.0#on-timer
func exportOnTimer(chain uint32, watermark, now int64, block unsafe.Pointer, length uint32, slots unsafe.Pointer, slotCount uint32,
) unsafe.Pointer {
	defer guard()
	at := runtime.Moment{Watermark: watermark, Now: now}
	return outcome(instance.OnTimer(chain, at, list[byte](block, length), list[uint32](slots, slotCount)))
}

//go:wasmexport tidemill:job/operators@0.2.0#fire
func exportFire(chain uint32, watermark, now int64, block unsafe.Pointer, length uint32, offsets unsafe.Pointer, offsetCount uint32,
	slots unsafe.Pointer, slotCount uint32,
) unsafe.Pointer {
	defer guard()
	at := runtime.Moment{Watermark: watermark, Now: now}
	return outcome(instance.Fire(chain, at, list[byte](block, length), list[uint32](offsets, offsetCount), list[uint32](slots, slotCount)))
}

//go:wasmexport tidemill:job/operators@0.2.0#apply
func exportApply(chain, input uint32, watermark, now int64, block unsafe.Pointer, length uint32, keys unsafe.Pointer, keysLength uint32,
	slots unsafe.Pointer, slotCount uint32,
) unsafe.Pointer {
	defer guard()
	at := runtime.Moment{Watermark: watermark, Now: now}
	return outcome(instance.Apply(chain, input, at, list[byte](block, length), list[byte](keys, keysLength), list[uint32](slots, slotCount)))
}

// outcome lays out what a call did.
func outcome(o *runtime.Outcome) unsafe.Pointer {
	timers, failures = timers[:0], failures[:0]
	for _, op := range o.Timers {
		timers = append(timers, timerOp{slot: op.Slot, timer: op.Timer, action: uint8(op.Action), time: op.Time})
	}
	for i := range o.Failures {
		f := &o.Failures[i]
		failures = append(failures, failure{
			row: f.Row, operator: f.Operator, message: address(unsafe.StringData(f.Message)), length: uint32(len(f.Message)),
		})
	}
	results = [8]uint32{
		address(unsafe.SliceData(timers)), uint32(len(timers)),
		address(unsafe.SliceData(o.Cleared)), uint32(len(o.Cleared)),
		address(unsafe.SliceData(o.Unchanged)), uint32(len(o.Unchanged)),
		address(unsafe.SliceData(failures)), uint32(len(failures)),
	}
	return unsafe.Pointer(&results)
}

//go:wasmexport tidemill:job/operators@0.2.0#merge
func exportMerge(operator uint32, targets unsafe.Pointer, targetCount uint32, sources unsafe.Pointer, sourceCount uint32) {
	defer guard()
	instance.Merge(operator, list[uint32](targets, targetCount), list[uint32](sources, sourceCount))
}

// decision is one of the contract's: options are a tag and what they hold.
type decision struct {
	action         uint8
	eventTime      optionalTime
	processingTime optionalTime
}

type optionalTime struct {
	present uint8
	time    int64
}

func optional(time *int64) optionalTime {
	if time == nil {
		return optionalTime{}
	}
	return optionalTime{present: 1, time: *time}
}

// decisions of the call before; the host reads them when it has returned.
var decisions []decision

//go:wasmexport tidemill:job/operators@0.2.0#trigger
func exportTrigger(operator, event uint32, watermark, now int64, windows unsafe.Pointer, windowsLength uint32,
	slots unsafe.Pointer, slotCount uint32, records unsafe.Pointer, recordsLength uint32, rows unsafe.Pointer, rowCount uint32,
) unsafe.Pointer {
	defer guard()
	moment := runtime.Moment{Watermark: watermark, Now: now}
	decided := instance.Trigger(operator, runtime.TriggerEvent(event), moment, list[byte](windows, windowsLength),
		list[uint32](slots, slotCount), list[byte](records, recordsLength), list[uint32](rows, rowCount))
	decisions = decisions[:0]
	for _, d := range decided {
		decisions = append(decisions, decision{
			action: d.Action, eventTime: optional(d.EventTime), processingTime: optional(d.ProcessingTime),
		})
	}
	results[0], results[1] = address(unsafe.SliceData(decisions)), uint32(len(decisions))
	return unsafe.Pointer(&results)
}

//go:wasmexport tidemill:job/operators@0.2.0#purge
func exportPurge(operator uint32, slots unsafe.Pointer, count uint32) {
	defer guard()
	instance.Purge(operator, list[uint32](slots, count))
}

//go:wasmexport tidemill:job/operators@0.2.0#watermark
func exportWatermark(operator, split uint32, now int64, block unsafe.Pointer, length uint32) unsafe.Pointer {
	defer guard()
	marked.time, marked.given = instance.Watermark(operator, split, now, list[byte](block, length))
	return unsafe.Pointer(&marked)
}

//go:wasmexport tidemill:job/operators@0.2.0#migrate-state
func migrateState(operator uint32, _ unsafe.Pointer, _ uint32, _ unsafe.Pointer, _ uint32) unsafe.Pointer {
	defer guard()
	return failed(instance.MigrateState(operator).Error())
}

//go:wasmexport tidemill:job/operators@0.2.0#export-state
func exportState(operator uint32, slots unsafe.Pointer, count uint32) unsafe.Pointer {
	defer guard()
	block := instance.ExportState(operator, list[uint32](slots, count))
	results[0], results[1] = address(unsafe.SliceData(block)), uint32(len(block))
	return unsafe.Pointer(&results)
}

//go:wasmexport tidemill:job/operators@0.2.0#import-state
func importState(operator uint32, slots unsafe.Pointer, count uint32, block unsafe.Pointer, length uint32) unsafe.Pointer {
	defer guard()
	if err := instance.ImportState(operator, list[uint32](slots, count), list[byte](block, length)); err != nil {
		return failed(err.Error())
	}
	results[0] = 0
	return unsafe.Pointer(&results)
}

//go:wasmexport tidemill:job/operators@0.2.0#drop-state
func dropState(operator uint32, slots unsafe.Pointer, count uint32) {
	defer guard()
	instance.DropState(operator, list[uint32](slots, count))
}
