// Package tidemilltest is the test kit: it runs a process function, one operator, or a whole job inside `go test`.
//
// There is no cluster and no clock: a test pushes records and watermarks and looks at what comes out. The code under test goes
// through the same blocks, slots and timers as in a component; windows, timers and the aggregates of the host are played by a small, slow
// and simple host of the kit.
package tidemilltest
