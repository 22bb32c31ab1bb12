package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

func TestTheQueriesGiveTheExpectedResults(t *testing.T) {
	input, err := os.ReadFile("../input.json")
	if err != nil {
		t.Fatal(err)
	}
	for query := range queries {
		t.Run(query, func(t *testing.T) {
			expected, err := os.ReadFile("../expected/" + query + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			test := tidemilltest.Start(t, nexmark, tidemilltest.Arg("query", query))
			test.PushLines("events", string(input))
			test.Restart()
			test.Finish()
			got, want := test.SinkLines("results"), strings.Split(strings.TrimSpace(string(expected)), "\n")
			slices.Sort(got)
			if slices.Sort(want); !slices.Equal(got, want) {
				t.Errorf("%d lines, not the %d expected", len(got), len(want))
			}
		})
	}
}

func TestAnUnknownQueryIsNamed(t *testing.T) {
	err := tidemilltest.BuildError(nexmark, tidemilltest.Arg("query", "q99"))
	if err == nil || err.Error() != `unknown query "q99": there are q0, q1, q2, q4, q8` {
		t.Error(err)
	}
}
