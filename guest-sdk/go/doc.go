// Package tidemill lets you write Tidemill streaming jobs in Go.
//
// A job is a function that connects sources, operators and sinks; the host does everything that is hard: decoding, partitioning,
// event time, windows, timers, state, checkpoints, recovery. See the example of the package for the whole of a job.
//
// A project's main package exports its job from an init function and has an empty main; `tidemill build` compiles it to a component. The
// same function runs in `go test`, see the test kit in package tidemilltest.
//
// # Records
//
// A record is a struct of exported fields. A field is bool, int32, int64, int, float64, string or []byte; a pointer to one of these where
// the value may be absent; a struct of these, whose columns are called field.column, or a pointer to one, which is nil where all of them
// are absent; a slice of records; or anything at all with the option json, which makes JSON of it. A column is called as the field's name
// in snake case, or as its tag says:
//
//	type Trade struct {
//		Symbol    string  `tidemill:"symbol"`
//		Price     float64 `tidemill:"px"`
//		Venue     *string             // venue, optional
//		Meta      Meta    `tidemill:",json"`
//		Fee                           // embedded: its fields stand in the place of it
//		cache     int     `tidemill:"-"`
//	}
//
// A single value is a record of one column called value. Types are looked at once, when the job is built; records then move between memory
// and the columns of blocks without reflection.
//
// # Functions
//
// What runs code of yours or makes another type of stream is a function ([Map], [Filter], [KeyBy], [Process], [Aggregate]), for Go has no
// generic methods; what is said about a stream is a method ([Stream.EventTime], [Stream.Union], [Stream.OnError], [Stream.Sink]). Operators have names, given first: they are what plans, metrics and errors show,
// and how state is found again when the job changes.
//
// # State
//
// State is what a process function declares, and the accumulators of windows. Fields of the function, globals and what closures capture are not:
// they are shared by all keys of an instance, differ between workers and are gone after a restart.
package tidemill
