package plan_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/tidemill/tidemill/guest-sdk/go/internal/plan"
)

// defaults are what a plan may leave out and this package writes.
var defaults = map[string]any{"offset_ms": 0.0, "lateness-ms": 0.0, "domain": "event", "default": nil, "fuse": nil}

// same says whether two documents say the same, defaults left out or not.
func same(a, b any) bool {
	first, isObject := a.(map[string]any)
	second, alsoObject := b.(map[string]any)
	if isObject && alsoObject {
		for name := range first {
			if _, said := second[name]; !said && !reflect.DeepEqual(first[name], defaults[name]) {
				return false
			}
		}
		for name, value := range second {
			if mine, said := first[name]; said && !same(mine, value) || !said && !reflect.DeepEqual(value, defaults[name]) {
				return false
			}
		}
		return true
	}
	list, isList := a.([]any)
	other, alsoList := b.([]any)
	if isList && alsoList && len(list) == len(other) {
		for i := range list {
			if !same(list[i], other[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}

// Everything that a plan may say can be said by these types.
func TestThePlansOfTheVectorsAreReadAndWrittenAgain(t *testing.T) {
	text, err := os.ReadFile("../../wit/vectors/plans.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Good []struct {
			Name string
			Plan json.RawMessage
		}
	}
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors.Good) == 0 {
		t.Fatalf("%d plans: %v", len(vectors.Good), err)
	}
	for _, vector := range vectors.Good {
		decoder := json.NewDecoder(bytes.NewReader(vector.Plan))
		decoder.DisallowUnknownFields()
		var read plan.Plan
		if err := decoder.Decode(&read); err != nil {
			t.Errorf("%s: %v", vector.Name, err)
			continue
		}
		written, err := json.Marshal(read)
		if err != nil {
			t.Errorf("%s: %v", vector.Name, err)
			continue
		}
		var before, after any
		if json.Unmarshal(vector.Plan, &before) != nil || json.Unmarshal(written, &after) != nil || !same(before, after) {
			t.Errorf("%s: became\n%s, from\n%s", vector.Name, written, vector.Plan)
		}
	}
}
