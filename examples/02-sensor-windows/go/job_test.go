package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

func TestTheSampleIsAveraged(t *testing.T) {
	input, err := os.ReadFile("../input.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	expected, err := os.ReadFile("../expected.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	test := tidemilltest.Start(t, sensorAverages)
	test.PushLines("readings", string(input))
	test.Restart()
	test.Finish()
	got, want := test.SinkLines("averages"), strings.Split(strings.TrimSpace(string(expected)), "\n")
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("averages are\n%s, not\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
