// The cases of the language matrix that are not examples; `--arg case=NAME` chooses one. README.md of the folder above says what each
// computes.
package main

import (
	"fmt"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// cases by name.
var cases = map[string]func(*tidemill.Job){
	"sessions":         sessions,
	"side-outputs":     sideOutputs,
	"errors":           deadLetters,
	"state":            state,
	"joins":            joins,
	"broadcast":        broadcast,
	"failures":         failures,
	"windows-count":    windowsCount,
	"windows-triggers": windowsTriggers,
	"windows-day":      windowsDay,
	"watermarks":       watermarks,
	"state-ttl":        stateTTL,
	"map":              figureMap,
	"keyed-count":      figureKeyedCount,
}

// matrix is the job: one case.
func matrix(job *tidemill.Job) error {
	name, err := job.Arg("case")
	if err != nil {
		return err
	}
	build, known := cases[name]
	if !known {
		return fmt.Errorf("unknown case %q", name)
	}
	build(job)
	return nil
}

func init() { tidemill.Export(matrix) }

func main() {}
