package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

func TestEveryWordGivesItsCountSoFar(t *testing.T) {
	test := tidemilltest.Start(t, wordcount)
	test.Push("lines", "The tide   the")
	if got, want := test.SinkLines("counts"), []string{"the,1", "tide,1", "the,2"}; !slices.Equal(got, want) {
		t.Errorf("counts are %q, not %q", got, want)
	}
}

func TestALineWithoutWordsGivesNothing(t *testing.T) {
	test := tidemilltest.Start(t, wordcount)
	test.Push("lines", " \t ")
	if got := test.SinkLines("counts"); len(got) > 0 {
		t.Errorf("counts are %q", got)
	}
}

func TestTheSampleIsCounted(t *testing.T) {
	test := tidemilltest.Start(t, wordcount)
	test.PushLines("lines", read(t, "../input.txt"))
	test.Finish()
	got, want := test.SinkLines("counts"), strings.Fields(read(t, "../expected.csv"))
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("counts are %q, not %q", got, want)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
