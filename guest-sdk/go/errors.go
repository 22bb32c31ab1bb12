package tidemill

import (
	"errors"
	"fmt"
	"strings"
)

// ErrMissing is wrapped by the [ArgumentError] of an argument that was not given.
var ErrMissing = errors.New("missing")

// ArgumentError says what is wrong with an argument of the job.
type ArgumentError struct {
	// Name of the argument.
	Name string
	// Value that was given, if any was.
	Value string
	// Err says what is wrong with it; it wraps [ErrMissing] where there is no value.
	Err error
}

func (e *ArgumentError) Error() string {
	if errors.Is(e.Err, ErrMissing) {
		return fmt.Sprintf("missing argument %q: give it as --arg %s=VALUE", e.Name, e.Name)
	}
	return fmt.Sprintf("argument %s=%q: %v", e.Name, e.Value, e.Err)
}

// Unwrap gives the cause.
func (e *ArgumentError) Unwrap() error { return e.Err }

// BuildError says what is wrong with a job, found while it was built.
type BuildError struct {
	// Problems, one sentence each.
	Problems []string
}

func (e *BuildError) Error() string { return strings.Join(e.Problems, "\n") }
