// Queries of the Nexmark benchmark over an auction house: persons open auctions, others bid.
//
// `--arg query=q4` chooses one. Each stands in a file of its own with what it computes. A query declares only the fields that it reads,
// since the host decodes no others.
package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	tidemill "github.com/tidemill/tidemill/guest-sdk/go"
)

// queries by name.
var queries = map[string]func(*tidemill.Job){"q0": q0, "q1": q1, "q2": q2, "q4": q4, "q8": q8}

// nexmark is the job: one query.
func nexmark(job *tidemill.Job) error {
	name := job.ArgOr("query", "q4")
	query, known := queries[name]
	if !known {
		return fmt.Errorf("unknown query %q: there are %s", name, strings.Join(slices.Sorted(maps.Keys(queries)), ", "))
	}
	query(job)
	return nil
}

// events is the source that all queries read. Every line is one JSON object; its field `type` says whether it is a person, an auction or a
// bid. Events come up to four seconds late.
func events(job *tidemill.Job) *tidemill.Tagged {
	format := tidemill.JSON().Tag("type").Default("stdin:")
	return job.TaggedSource("events", format).EventTime("dateTime", tidemill.OutOfOrder(4*time.Second))
}

// lines is the format of results: a line of values separated by commas.
func lines() tidemill.Format { return tidemill.CSV().Default("stdout:") }

func init() { tidemill.Export(nexmark) }

func main() {}
