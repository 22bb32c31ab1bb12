package main

import (
	"slices"
	"testing"

	"github.com/tidemill/tidemill/guest-sdk/go/tidemilltest"
)

func TestATieIsBrokenByNameAndTheFourthIsLeftOut(t *testing.T) {
	test := tidemilltest.Start(t, topProducts)
	test.Push("sales", Sale{"tea", 5, 1_000}, Sale{"milk", 7, 1_000}, Sale{"bread", 5, 1_000}, Sale{"eggs", 1, 1_000})
	test.Finish()
	if got, want := test.SinkLines("top"), []string{"60000,1,milk,7", "60000,2,bread,5", "60000,3,tea,5"}; !slices.Equal(got, want) {
		t.Errorf("the top is %q, not %q", got, want)
	}
}
